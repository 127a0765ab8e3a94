#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ../cli.sh in guests of its own, as it loads and unloads the module itself and
# wants kernel command lines that differ: four guests, and little of them is the
# module's.
# stock
set -euo pipefail

[[ ${1:-} != --help ]] || {
	echo 'Tests pashmctl in VMs. scripts/check runs it and sets the environment.'
	exit 0
}

# shellcheck source=selftests/scenarios/setting
. "$(dirname "$(realpath "$0")")/setting"
pashmctl=${PASHMCTL:-$top/build/lib/pashmctl}
describe_kernel
needs pashmctl "$PASHM_KO" "$pashmctl" "$install/cli_hold"

# The tree of an installed module, for load without --file
mkdir -p "$work/lib/modules/$KVER"
cp "$PASHM_KO" "$work/lib/modules/$KVER/pashm.ko"
touch "$work/lib/modules/$KVER/modules."{order,builtin,builtin.modinfo}
depmod -b "$work" "$KVER"

# /cli is open to all users of the guest, unlike /root.
guest() {
	local cases=$1
	shift
	"$vm" --kernel "$kernel" --mem 512M --timeout 900 \
		--log "$logs/$cases.kernel.log" \
		--file "$pashmctl:/cli/pashmctl" --file "$PASHM_KO:/cli/pashm.ko" \
		--file "$install/cli_hold:/cli/cli_hold" \
		--file "$install/cli.sh:/cli/cli.sh" \
		--file "$work/lib/modules/$KVER:/lib/modules/$KVER" \
		"$@" -- sh /cli/cli.sh "$cases"
}

guest commands
guest unsigned --append module.sig_enforce=1
guest locked --append lockdown=integrity
guest disabled

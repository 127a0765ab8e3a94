#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ../cli.sh in guests of its own, as it loads and unloads the module itself and
# wants kernel command lines that differ.
set -euo pipefail

[[ ${1:-} != --help ]] || {
	echo 'Tests pashmctl in VMs. scripts/check runs it and sets the environment.'
	exit 0
}

top=$(realpath "$(dirname "$(realpath "$0")")/../..")
vm=${VM:-$top/scripts/vm}
kernel=${KERNEL:-6.1}
install=${KSFT_INSTALL:-$top/build/check/install}
pashmctl=${PASHMCTL:-$top/build/lib/pashmctl}
if [[ ! ${PASHM_KO:-} ]]; then
	described=$("$top/scripts/kernel" env "$kernel")
	eval "$described"
	PASHM_KO=$top/build/$KVER/pashm.ko
fi

for file in "$PASHM_KO" "$pashmctl" "$install/pashm/cli_hold"; do
	[[ -r $file ]] || {
		printf '1..1\nok 1 %s # SKIP %s is missing\n' pashmctl "$file"
		exit
	}
done

# The tree of an installed module, for load without --file
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lib/modules/$KVER"
cp "$PASHM_KO" "$work/lib/modules/$KVER/pashm.ko"
touch "$work/lib/modules/$KVER/modules."{order,builtin,builtin.modinfo}
depmod -b "$work" "$KVER"

# /cli is open to all users of the guest, unlike /root.
guest() {
	local cases=$1
	shift
	"$vm" --kernel "$kernel" --mem 512M --timeout 300 \
		--log "${LOGS:-$work}/$cases.kernel.log" \
		--file "$pashmctl:/cli/pashmctl" --file "$PASHM_KO:/cli/pashm.ko" \
		--file "$install/pashm/cli_hold:/cli/cli_hold" \
		--file "$install/pashm/cli.sh:/cli/cli.sh" \
		--file "$work/lib/modules/$KVER:/lib/modules/$KVER" \
		"$@" -- sh /cli/cli.sh "$cases"
}

guest commands
guest unsigned --append module.sig_enforce=1
guest locked --append lockdown=integrity
guest disabled

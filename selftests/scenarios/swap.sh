#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Regions in a guest with a swap device.
# timeout=900
set -euo pipefail

[[ ${1:-} != --help ]] || {
	echo 'Tests regions in a VM that swaps.' \
		'scripts/check runs it and sets the environment.'
	exit 0
}

# shellcheck source=selftests/scenarios/setting
. "$(dirname "$(realpath "$0")")/setting"
swap=$install/swap
describe_kernel
needs swap "$PASHM_KO" "$swap"
"$vm" --kernel "$kernel" --mem 640M --timeout 800 \
	--swap zram --module "$PASHM_KO" --file "$swap:/swap" \
	--log "$logs/swap.log" -- /swap

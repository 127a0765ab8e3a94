#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Regions in a guest with two nodes.
# timeout=3000
set -euo pipefail

[[ ${1:-} != --help ]] || {
	echo 'Tests regions in a VM with two NUMA nodes.' \
		'scripts/check runs it and sets the environment.'
	exit 0
}

# shellcheck source=selftests/scenarios/setting
. "$(dirname "$(realpath "$0")")/setting"
numa=$install/numa
describe_kernel
needs numa "$PASHM_KO" "$numa"

# Filling a node takes long where the kernel checks itself.
mem=1G
[[ ${PASHM_TEST_SCALE:-1} != 0.* ]] || mem=768M
"$vm" --kernel "$kernel" --mem "$mem" --nodes 2 --timeout 2800 \
	--module "$PASHM_KO" --file "$numa:/numa" \
	--log "$logs/numa.log" -- /numa

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A machine of 512 MB with a region of 300 MB, three quarters of it unpinned,
# and a neighbour that takes 250 MB. Nobody may be killed, pinned contents must
# stay, and no more may be taken than is needed. Many times in one guest, and
# some more in fresh ones; with a swap device, too.
# timeout=3600
set -euo pipefail

[[ ${1:-} != --help ]] || {
	echo 'Tests reclaim under memory pressure in VMs of 512 MB.' \
		'scripts/check runs it and sets the environment.'
	exit 0
}

# shellcheck source=selftests/scenarios/setting
. "$(dirname "$(realpath "$0")")/setting"
pressure=$install/pressure
describe_kernel
needs pressure "$PASHM_KO" "$pressure"

# So many runs, in one guest
done_runs=0
guest() {
	local first=$((done_runs + 1)) last=$((done_runs + $1))
	shift
	"$vm" --kernel "$kernel" --mem "$mem" --cpus 2 --timeout 1200 \
		--module "$PASHM_KO" --file "$pressure:/pressure" \
		--log "$logs/pressure.$first.log" "$@" -- \
		/pressure "$first" "$last" || result=$?
	done_runs=$last
}

scaled() {
	awk -v n="$1" -v scale="${PASHM_TEST_SCALE:-1}" \
		'BEGIN { n = int(n * scale); print n < 1 ? 1 : n }'
}

# Less than the whole work is wanted where the kernel checks itself, and uses a
# fifth of the memory for that.
mem=512M
[[ $(scaled 10) -ge 10 ]] || mem=640M
many=$(scaled 20) fresh=$(scaled 3) zram=$(scaled 5)

result=0
echo "1..$((many + fresh + zram))"
echo '# no swap, one guest'
guest "$many"
for ((i = 0; i < fresh; i++)); do
	echo '# no swap, a fresh guest'
	guest 1
done
echo '# swap on zram'
guest "$zram" --swap zram
exit "$result"

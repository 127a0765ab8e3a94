#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A machine of 512 MB with a region of 300 MB, three quarters of it unpinned,
# and a neighbour that takes 250 MB. Nobody may be killed, pinned contents must
# stay, and no more may be taken than is needed. Many times in one guest, and
# some more in fresh ones; with a swap device, too.
# timeout=1200
set -euo pipefail

[[ ${1:-} != --help ]] || {
	echo 'Tests reclaim under memory pressure in VMs of 512 MB.' \
		'scripts/check runs it and sets the environment.'
	exit 0
}

top=$(realpath "$(dirname "$(realpath "$0")")/../..")
vm=${VM:-$top/scripts/vm}
kernel=${KERNEL:-6.1}
pressure=${KSFT_INSTALL:-$top/build/check/install}/pashm/pressure
logs=${LOGS:-$(mktemp -d)}
if [[ ! ${PASHM_KO:-} ]]; then
	described=$("$top/scripts/kernel" env "$kernel")
	eval "$described"
	PASHM_KO=$top/build/$KVER/pashm.ko
fi

for file in "$PASHM_KO" "$pressure"; do
	[[ -r $file ]] || {
		printf '1..1\nok 1 %s # SKIP %s is missing\n' pressure "$file"
		exit
	}
done

# Results $1 to $2, in one guest
guest() {
	local first=$1 last=$2
	shift 2
	"$vm" --kernel "$kernel" --mem 512M --cpus 2 --timeout 600 \
		--module "$PASHM_KO" --file "$pressure:/pressure" \
		--log "$logs/pressure.$first.log" "$@" -- \
		/pressure "$first" "$last" || result=$?
}

result=0
echo 1..28
echo '# no swap, one guest'
guest 1 20
for number in 21 22 23; do
	echo '# no swap, a fresh guest'
	guest "$number" "$number"
done
echo '# swap on zram'
guest 24 28 --swap zram
exit "$result"

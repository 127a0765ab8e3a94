#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# scripts/vm tells good from bad: a rig that always says "ok" proves nothing.
# once
set -euo pipefail

[[ ${1:-} != --help ]] || {
	echo 'Checks the verdicts of scripts/vm. scripts/check runs it and sets KERNEL.'
	exit 0
}

# shellcheck source=selftests/scenarios/setting
. "$(dirname "$(realpath "$0")")/setting"
number=0
status=0

# Runs scripts/vm, with a limit for a guest that hangs, into files.
guest() {
	status=0
	"$vm" --kernel "$kernel" --mem 256M --timeout 120 --log "$work/kernel" "$@" \
		>"$work/out" 2>"$work/err" || status=$?
}

result() {
	local verdict=$1
	number=$((number + 1))
	if [[ $verdict == 'not ok' ]]; then
		echo "# exit status $status"
		sed 's/^/# stdout: /' "$work/out"
		sed 's/^/# stderr: /' "$work/err"
	fi
	echo "$verdict $number $2"
}

# expect NAME STATUS [FILE REGEX]: what the last guest must have come to.
expect() {
	if [[ $status == "$2" ]] && { (($# < 4)) || grep -qE "$4" "$work/$3"; }; then
		result ok "$1"
	else
		result 'not ok' "$1"
	fi
}

# Of each alternative that scripts/vm looks for one line that no other finds, so
# some lack their beginning.
complaints=(
	'WARNING: CPU: 0 PID: 77 at mm/slub.c:1 function+0x1/0x2'
	'BUG: scheduling while atomic: sh/77/0x00000002'
	'BUG kmalloc-64 (Not tainted): Right Redzone overwritten'
	'kernel BUG at mm/shmem.c:77!'
	'Oops: 0002 [#1] PREEMPT SMP'
	'KASAN: null-ptr-deref in range [0x0000000000000000-0x0000000000000007]'
	'KCSAN: data-race in one / other'
	'UBSAN: shift-out-of-bounds in kernel/pin.c:7:7'
	'KFENCE: use-after-free read in function'
	'possible circular locking dependency detected'
	'possible recursive locking detected'
	'possible irq lock inversion dependency detected'
	'possible deadlock in function'
	'inconsistent lock state'
	'suspicious RCU usage'
	'INFO: trying to register non-static key.'
	'kmemleak: unreferenced object 0xffff888003c0ffee (size 64):'
	'INFO: task insmod:77 blocked for more than 30 seconds.'
	'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:'
	'rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-... }'
	'rcu: INFO: rcu_preempt self-detected stall on CPU'
	'watchdog: soft lockup - CPU#1 stuck for 22s! [sh:77]'
	'watchdog: Watchdog detected hard LOCKUP on cpu 1'
	'general protection fault, probably for non-canonical address: 0000 [#1]'
	'Unable to handle kernel paging request at virtual address 0000000000000007'
	'unable to handle kernel paging request'
	'traps: PANIC: double fault, error_code: 0x0'
	'invalid opcode: 0000 [#1] SMP'
	'refcount_t: underflow; use-after-free.'
	'list_add corruption. prev->next should be next (ffff888003c0ffee)'
	'list_del corruption, ffff888003c0ffee->next is LIST_POISON1'
	'Bad page state in process sh  pfn:00077'
	'Bad rss-counter state mm:ffff888003c0ffee type:MM_SHMEMPAGES val:7'
	'Objects remaining in pashm_item on __kmem_cache_shutdown()'
	'kmem_cache_destroy pashm_item: Slab cache still has objects'
	'Kernel panic - not syncing: Attempted to kill init!'
	'stack-protector: Kernel stack is corrupted in: function'
	'pagealloc: memory corruption'
	'pagealloc: single bit error'
	'get_swap_device: Bad swap file entry 3fffffff'
	'_swap_info_get: Bad swap offset entry 00000077'
	'_swap_info_get: Unused swap file entry 00000077'
	'_swap_info_get: Unused swap offset entry 00000077'
	"sysfs: cannot create duplicate filename '/devices/virtual/misc/pashm'"
	"debugfs: Directory 'pashm' with parent '/' already present!"
	'kobject_add_internal failed for pashm with -EEXIST, register it once only.'
	'kmemleak: Memory pool empty, consider increasing its size'
	'kmemleak: Cannot allocate a kmemleak_object structure'
	'kmemleak: Cannot insert 0xffff888003c0ffee into the object search tree'
	'kmemleak: Kernel memory leak detector disabled'
	'turning off the locking correctness validator.'
)
# What good runs have in their logs: a module of ours, memory that ran out, and
# allocations that were made to fail
innocents=(
	'pashm: loading out-of-tree module taints kernel.'
	'pashm: module verification failed: signature missing - tainting kernel'
	'tail invoked oom-killer: gfp_mask=0x140dca, order=0, oom_score_adj=0'
	'Out of memory: Killed process 77 (tail) total-vm:7kB, anon-rss:7kB'
	'sh: page allocation failure: order:0, mode:0xcc0(GFP_KERNEL)'
	'__alloc_pages_slowpath: 77 callbacks suppressed'
	'** 77 printk messages dropped **'
	'FAULT_INJECTION: forcing a failure.'
	'kobject_add_internal failed for pashm (error: -12 parent: module)'
	'kmemleak: Cannot allocate a scan area, scanning the full object'
	'kmemleak: Kernel memory leak detector initialized (mem pool available: 7)'
	'... MAX_LOCKDEP_SUBCLASSES:  8'
	'rcu: Preemptible hierarchical RCU implementation.'
	'workingset: timestamp_bits=46 max_order=17 bucket_order=0'
)

# judge FILE: the verdict about a log that is there
judge() {
	status=0
	"$vm" --judge "$1" >"$work/out" 2>"$work/err" || status=$?
}

log_of() {
	printf '[    0.%06d] Linux version\r\n' {1..9}
	printf '[    7.777777] %s\r\n' "$@"
	printf '[    8.%06d] and so on\r\n' {1..9}
}

echo 1..$((17 + ${#complaints[@]} + ${#innocents[@]}))

for line in "${complaints[@]}"; do
	log_of "$line" >"$work/log"
	judge "$work/log"
	[[ $(sed -n 2p "$work/err") == "[    7.777777] $line" ]] || status="$status, elsewhere"
	expect "a complaint: $line" 125
done
for line in "${innocents[@]}"; do
	log_of "$line" >"$work/log"
	judge "$work/log"
	expect "no complaint: $line" 0
done

log_of 'BUG: planted' {1..10000} >"$work/log"
judge "$work/log"
expect 'a complaint is one, however much comes after it' 125 err 'BUG: planted'
[[ $(wc -l <"$work/err") == 41 ]] && verdict=ok || verdict='not ok'
result "$verdict" 'and not all of that is shown'

{ printf '\0\377\n'; log_of 'BUG: planted'; } >"$work/log"
judge "$work/log"
expect 'bytes that are no text hide no complaint' 125 err 'BUG: planted$'

status=0
"$vm" --judge "$work/log" 2>/dev/full || status=$?
expect 'nor does an output that takes no message' 125

judge "$work/missing"
expect 'a log that is not there is not good' 125 err 'cannot read'

guest 'echo to stdout; echo to stderr >&2; exit 7'
expect 'the exit status of the command is passed on' 7
expect 'its output is passed on' 7 out '^to stdout$'

# shellcheck disable=SC2016 # for the guest's shell
guest sh -c 'test "$1" = "a  '\''b'\''"' name "a  'b'"
expect 'words of a command arrive as they are' 0

guest 'echo "<4>WARNING: CPU: 0 PID: 1 at planted" >/dev/kmsg'
expect 'a kernel warning fails a command that succeeded' 125 err 'at planted'

guest 'echo "<6>pashm: loading out-of-tree module taints kernel." >/dev/kmsg'
expect 'the taint of a module is no warning' 0

guest 'echo c >/proc/sysrq-trigger; sleep 60'
expect 'a panic ends the guest and is shown' 125 err 'Kernel panic'

guest 'echo b >/proc/sysrq-trigger; sleep 60'
expect 'a guest that dies silently is a failure' 125 err 'guest died'

[[ $(grep -c 'booted once more' "$work/err") == 0 ]] && verdict=ok || verdict='not ok'
result "$verdict" 'a guest that dies when its init has run is not tried again'

guest --append rdinit=/missing 'exit 0'
[[ $status == 125 && $(grep -c 'booted once more' "$work/err") == 1 ]] &&
	verdict=ok || verdict='not ok'
result "$verdict" 'one that dies before is tried again once'

guest --timeout 60 'echo begun; sleep 1000'
expect 'a command that takes too long is stopped' 124 out '^begun$'

guest 'tail /dev/zero; exit 0'
expect 'an OOM kill is in the log, and no failure' 0 kernel 'Out of memory: Killed'

# shellcheck disable=SC2016 # for the guest's shell
guest --icount 'test "$(grep -c ^processor /proc/cpuinfo)" = 1'
expect 'a guest that counts instructions boots, with one CPU' 0

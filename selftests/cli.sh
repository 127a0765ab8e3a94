#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Every command of pashmctl, and every error that can be provoked. For busybox,
# as root, in a guest of its own: it loads and unloads the module. What it is
# about has to lie beside it: pashmctl, pashm.ko, cli_hold.
# scenarios/cli.sh starts it.

usage() {
	cat <<'HELP'
Usage: cli.sh [commands | unsigned | locked | disabled]

  commands  all that needs nothing special (default)
  unsigned  with module.sig_enforce=1 on the kernel command line
  locked    with lockdown=integrity
  disabled  sets kernel.modules_disabled: nothing else can follow

Prints TAP.
HELP
}

here=$(dirname "$(realpath "$0")")
release=$(uname -r)
ko=$here/pashm.ko
work=/tmp/cli
number=0

plan() {
	echo "1..$number"
}

for file in pashmctl pashm.ko cli_hold; do
	if [ ! -r "$here/$file" ]; then
		echo "1..0 # SKIP no $file in $here"
		exit 4
	fi
done
if [ "$(id -u)" != 0 ]; then
	echo '1..0 # SKIP not root'
	exit 4
fi
mkdir -p "$work"
chmod 755 "$work"
mkfifo "$work/target"

# Runs pashmctl with its output in $out and its status in $status.
ctl() {
	asked="pashmctl $*"
	out=$("$here/pashmctl" "$@" 2>&1)
	status=$?
}

ctl_as_nobody() {
	asked="as nobody: pashmctl $*"
	out=$(su nobody -c "$here/pashmctl $*" 2>&1)
	status=$?
}

result() {
	number=$((number + 1))
	if [ "$1" = 'not ok' ]; then
		echo "# $asked: exit status $status"
		echo "$out" | sed 's/^/# /'
	fi
	echo "$1 $number $2"
}

# expect NAME STATUS PATTERN...: what the last pashmctl must have come to. A
# pattern after ! must not occur.
expect() {
	name=$1
	verdict=ok
	[ "$status" = "$2" ] || verdict='not ok'
	shift 2
	while [ $# -gt 0 ]; do
		if [ "$1" = '!' ]; then
			shift
			! echo "$out" | grep -q -- "$1" || verdict='not ok'
		else
			echo "$out" | grep -q -- "$1" || verdict='not ok'
		fi
		shift
	done
	result "$verdict" "$name"
}

# Has a process hold what cli_hold's arguments say; it is $pid, and its
# descriptor is $target.
hold() {
	"$here/cli_hold" "$@" >"$work/target" &
	read -r target <"$work/target"
	pid=${target%/*}
}

hold_as_nobody() {
	su nobody -c "exec $here/cli_hold $*" >"$work/target" &
	read -r target <"$work/target"
	pid=${target%/*}
}

let_go() {
	kill "$pid"
	wait
}

# Overwrites the bytes of $3 at the place of the string $2 in file $1, which may
# be followed by more.
patch() {
	offset=$(strings -t d "$1" | sed -n "s/^ *\\([0-9]*\\) $2.*/\\1/p" | head -n 1)
	printf '%s' "$3" |
		dd of="$1" bs=1 seek="$offset" conv=notrunc 2>/dev/null
}

usage_cases() {
	ctl
	expect 'no command is wrong usage' 2 'no command given'
	ctl frobnicate
	expect 'an unknown command is wrong usage' 2 "no command 'frobnicate'"
	ctl --frobnicate
	expect 'an unknown option is wrong usage' 2 'frobnicate'
	ctl --version
	expect '--version says the version' 0 '^pashmctl [0-9]*\.[0-9]*\.[0-9]*$'
	ctl help
	expect 'help lists all commands' 0 load unload status info purge help
	ctl --help
	expect '--help does, too' 0 unload
	for command in load unload status info purge help; do
		ctl help "$command"
		expect "help explains $command" 0 "^Usage: pashmctl $command"
		first=$out
		ctl "$command" --help
		[ "$out" = "$first" ] || status="$status, other text"
		expect "so does $command --help" 0
		ctl "$command" --frobnicate
		expect "$command refuses unknown options" 2 frobnicate "help $command"
	done
	ctl help frobnicate
	expect 'there is no help for what there is not' 2 "no command 'frobnicate'"
	ctl unload pashm
	expect 'unload takes no arguments' 2 'no arguments'
	ctl status pashm
	expect 'status takes no arguments' 2 'no arguments'
	ctl info 1 2
	expect 'info takes one process' 2 'one process'
	ctl info --all 1
	expect 'info takes all or one' 2 'exclude'
	ctl purge
	expect 'purge wants to know what' 2 'which process'
	for word in 0 -1 1/ 1/-1 1/x /3 x 1/2/3 99999999999 ' 1'; do
		ctl info -- "$word"
		expect "info refuses '$word'" 2 'neither PID nor PID/FD'
		ctl purge -- "$word"
		expect "purge refuses '$word'" 2 'neither PID nor PID/FD'
	done
	ctl load badparameter
	expect 'load refuses a parameter without value' 2 'NAME=VALUE'
	ctl load =1
	expect 'load refuses a parameter without name' 2 'NAME=VALUE'
	ctl load 'a="b"'
	expect 'load refuses quotation marks' 2 'NAME=VALUE'
	ctl load --file
	expect 'load --file needs a file' 2 'requires an argument'
	asked='pashmctl status >/dev/full'
	out=$("$here/pashmctl" status 2>&1 >/dev/full)
	status=$?
	expect 'output that cannot be written is a failure' 1 'cannot write'
}

# Before the module is there.
absent_cases() {
	ctl status
	expect 'status without the module says so' 0 'not loaded' 'no /dev/pashm' \
		'pressure:  *free memory, /proc/meminfo: usable' \
		'/proc/pressure/memory: usable'
	ctl status --json
	expect 'status --json without the module' 0 '"loaded": false' \
		'"usable": false' '"module_regions": 0'
	ctl unload
	expect 'unload without the module is no error' 0 'not loaded'
	ctl info
	expect 'info without regions says so' 0 'no regions'
	ctl info --json
	expect 'info --json without regions' 0 '"regions": \['
	mv "/lib/modules/$release" "/lib/modules/hidden" 2>/dev/null
	ctl load
	expect 'a module that is not installed is explained' 1 \
		"no module pashm for Linux $release" "linux-headers-$release" \
		'make modules' "--file build/$release/pashm.ko"
	mv "/lib/modules/hidden" "/lib/modules/$release" 2>/dev/null
	ctl load --file "$work/none.ko"
	expect 'a missing file is explained' 1 'No such file' 'make modules'
	ctl load --file "$work"
	expect 'a directory is no module' 1 'is not a file'
	: >"$work/empty.ko"
	ctl load --file "$work/empty.ko"
	expect 'an empty file is no module' 1 'no kernel module'
	head -c 4096 /dev/urandom >"$work/garbage.ko"
	ctl load --file "$work/garbage.ko"
	expect 'garbage is no module' 1 'no kernel module'
	head -c 3000 "$ko" >"$work/cut.ko"
	ctl load --file "$work/cut.ko"
	expect 'half a module is no module' 1 'no kernel module'
	cp "$ko" "$work/other.ko"
	patch "$work/other.ko" 'name=pashm' 'name=other'
	ctl load --file "$work/other.ko"
	expect 'another module is refused' 1 'is the module other and not pashm'
	cp "$ko" "$work/older.ko"
	patch "$work/older.ko" "vermagic=$release SMP" "vermagic=5${release#?} UP "
	ctl load --file "$work/older.ko"
	expect 'a module for another kernel is explained' 1 \
		"built for Linux 5${release#?}, but this is Linux $release" \
		'kernel: pashm: version magic' 'make modules'
	cp "$ko" "$work/config.ko"
	patch "$work/config.ko" "vermagic=$release SMP" "vermagic=$release UP "
	ctl load --file "$work/config.ko"
	expect 'a module for another configuration is explained' 1 \
		'another configuration' 'kernel: pashm: version magic'
	ctl load --file "$ko" frobnicate=1
	expect 'an unknown parameter is refused' 1 \
		"no parameter 'frobnicate'"
	ctl_as_nobody load --file "$ko"
	expect 'loading takes privileges' 1 'no permission' 'CAP_SYS_MODULE' root
	ctl status
	expect 'none of this has loaded it' 0 'not loaded'
}

load_cases() {
	ctl load --file "$ko"
	expect 'load --file loads the module' 0 \
		'^pashm [0-9.]* loaded: /dev/pashm, ABI 1, protocol 1'
	ctl load --file "$ko"
	expect 'loading it again is no error' 0 'was loaded already'
	ctl load --file "$work/none.ko" frobnicate=1
	expect 'parameters that come too late are mentioned' 0 'no effect' \
		'was loaded already'
	ctl status
	expect 'status with the module' 0 'loaded, version [0-9]' \
		'use count 0' '/dev/pashm, mode 0666, owner root:root, usable' \
		'ABI 1, protocol 1' '0 with the module'
	ctl_as_nobody unload
	expect 'unloading takes privileges' 1 'no permission' 'CAP_SYS_MODULE' root
	ctl unload
	expect 'unload unloads it' 0 'is unloaded'
	[ ! -e /sys/module/pashm ] || status='still there'
	expect 'then it is gone' 0
	if [ -e "/lib/modules/$release/modules.dep.bin" ]; then
		ctl load
		expect 'load finds the installed module' 0 ' loaded: '
	else
		asked='' out='' status=0
		result ok "load finds the installed module # SKIP none installed"
		ctl load --file "$ko"
	fi
}

# With the module loaded.
device_cases() {
	minor=$(sed -n 's/^ *\([0-9]*\) pashm$/\1/p' /proc/misc)
	mv /dev/pashm /dev/elsewhere
	ctl load
	expect 'a missing device is explained' 1 'there is no /dev/pashm' \
		"mknod -m 666 /dev/pashm c 10 $minor"
	ctl status
	expect 'status reports a missing device' 0 'loaded, version' \
		'no /dev/pashm'
	mknod /dev/pashm c 1 3
	ctl load
	expect 'another device with its name is explained' 1 \
		'does not answer as pashm does'
	rm /dev/pashm
	mknod /dev/pashm c 10 254
	ctl load
	expect 'a device node that leads nowhere is explained' 1 \
		'does not lead to the module'
	rm /dev/pashm
	mknod -m 666 /dev/pashm c 10 "$minor"
	ctl load
	expect 'the advice to make the node is good' 0 'was loaded already'
	rm /dev/pashm
	mv /dev/elsewhere /dev/pashm
	chmod 600 /dev/pashm
	ctl_as_nobody load
	expect 'a device without permission is explained' 1 \
		'no permission to open /dev/pashm (mode 0600)' 'chmod 666'
	ctl_as_nobody status
	expect 'status reports a device without permission' 0 \
		'mode 0600, owner root:root, Permission denied'
	chmod 666 /dev/pashm
	hold device
	ctl unload
	expect 'an open device keeps the module' 1 'in use' \
		" $pid  cli_hold .*/dev/pashm open"
	ctl info "$pid"
	expect 'an open device is no region' 1 "process $pid has no region"
	let_go
}

# region_cases BACKEND: what is the same with and without the module
region_cases() {
	hold "$1" 'a cache'
	ctl info
	expect "$1: info lists the region" 0 '^INODE  *NAME  *BACKEND' \
		"a cache  *$1  *256 KiB  *256 KiB  *192 KiB  *4  *1  *0 B  *1  *cli_hold($pid)"
	ctl info --bytes "$pid"
	expect "$1: info PID with exact sizes" 0 \
		"a cache  *$1  *262144  *262144  *196608 "
	ctl info "$target"
	expect "$1: info PID/FD shows all figures" 0 '^name  *a cache$' \
		"^backend  *$1$" '^size  *256 KiB$' '^pinned extents  *1$' \
		"^processes  *cli_hold($pid)$" "^descriptors .*$target"
	ctl info --full --all
	expect "$1: info --full does for all" 0 '^name  *a cache$' '^epoch' \
		'^priority  *6$' '^flags *$'
	ctl info --json
	expect "$1: info --json" 0 "\"backend\": \"$1\"" '"name": "a cache"' \
		'"length": 262144' '"unpinned": 196608' "\"pid\": $pid" \
		'"priority": 6' '"flags": ""' \
		'"command": "cli_hold"' "\"fd\": ${target#*/}"
	ctl status
	expect "$1: status sums up" 0 '!' 'run as root' 'processes: 1' \
		'256 KiB resident, 192 KiB of it unpinned'
	ctl status --json --bytes
	expect "$1: status --json sums up" 0 "\"${1}_regions\": 1" \
		'"resident": 262144' '"unpinned": 196608'
	ctl_as_nobody info
	expect "$1: info says what it may not see" 0 'no regions' \
		'may not be looked at: [1-9][0-9]* (run as root)$'
	ctl_as_nobody status
	expect "$1: status says what it may not see" 0 \
		'may not be looked at: [1-9][0-9]* (run as root)$'
	ctl_as_nobody info "$pid"
	expect "$1: another user's process is explained" 1 'no permission' root
	ctl_as_nobody purge "$target"
	expect "$1: another user's region cannot be purged" 1 'no permission' root
	ctl purge "$target"
	expect "$1: purge PID/FD takes what is unpinned" 0 \
		"^$target: 192 KiB freed$"
	ctl info "$target"
	expect "$1: the rest stays" 0 '^resident  *64 KiB$' '^unpinned  *0 B$' \
		'^purged  *192 KiB$' '^purges  *3$' '^clients  *1$'
	ctl purge --bytes "$pid"
	expect "$1: purge PID, with nothing left" 0 ': 0 freed$'
	ctl purge "$target" "$pid/99" "$target"
	expect "$1: purge goes on after an error" 1 "no descriptor 99" \
		"^$target: 0 B freed$"
	ctl info "$pid/99"
	expect "$1: a bad descriptor is explained" 1 'no descriptor 99' \
		"/proc/$pid/fd"
	ctl info "$pid/0"
	expect "$1: a descriptor of something else is explained" 1 \
		'is no region but /dev/null'
	ctl purge "$pid/0"
	expect "$1: which cannot be purged, either" 1 'is no region but /dev/null'
	let_go
	ctl info "$pid"
	expect "$1: a process that has ended is explained" 1 "no process $pid"
	ctl purge "$target"
	expect "$1: it cannot be purged, either" 1 "no process $pid"
	ctl info
	expect "$1: no region is left" 0 'no regions'

	hold "$1" "$(printf 'line\nbreak\033[2J\\\377')"
	ctl info "$pid"
	expect "$1: a name cannot confuse the terminal" 0 \
		'line\\012break\\033\[2J\\134\\377' '!' "$(printf '\033')"
	ctl info --json "$pid"
	expect "$1: nor JSON" 0 '"name": "line\\\\012break\\\\033\[2J\\\\134\\\\377"'
	let_go
}

module_cases() {
	hold module 'in use'
	ctl unload
	expect 'a region keeps the module, and who has it is named' 1 'in use' \
		" $pid  cli_hold " 'end these processes'
	let_go

	hold module alone sole
	ctl purge "$target"
	expect 'a SOLE region of the module can be purged' 0 '192 KiB freed'
	ctl info "$target"
	expect 'and is told from others by its flags' 0 '^flags  *sole$'
	let_go

	hold mapped 'only mapped'
	ctl info
	expect 'a region that is only mapped is listed' 0 \
		"only mapped  *module  *64 KiB  *64 KiB  *-  *-  *-  *-  *-  *cli_hold($pid)"
	ctl purge "$pid"
	expect 'it has no descriptor to purge it by' 1 'no descriptor of it'
	ctl unload
	expect 'it keeps the module' 1 'in use' " $pid  cli_hold .*mapped regions: 1"
	let_go

	hold readonly 'no rights'
	ctl purge "$target"
	expect 'a read-only descriptor cannot purge' 1 'may not write'
	let_go

	hold_as_nobody module own
	ctl_as_nobody info "$pid"
	expect 'one sees the regions of own processes' 0 "own  *module  *256 KiB"
	if [ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)" = 0 ]; then
		ctl_as_nobody purge "$target"
		expect 'one may purge them' 0 '192 KiB freed'
	fi
	if [ -e /proc/sys/kernel/yama/ptrace_scope ]; then
		saved=$(cat /proc/sys/kernel/yama/ptrace_scope)
		echo 1 >/proc/sys/kernel/yama/ptrace_scope
		ctl_as_nobody purge "$target"
		expect 'unless Yama forbids it' 1 'ptrace_scope is 1' root
		echo "$saved" >/proc/sys/kernel/yama/ptrace_scope
	fi
	let_go
	ctl unload
	expect 'in the end the module can go' 0 'is unloaded'
}

memfd_cases() {
	hold memfd alone sole
	ctl info "$target"
	expect 'a SOLE region without the module has all figures' 0 \
		'^size  *256 KiB$' '^unpinned  *192 KiB$' '^clients  *1$'
	ctl purge "$target"
	expect 'why it cannot be purged is explained' 1 'SOLE' \
		'only the process itself'
	let_go

	hold memory
	ctl info
	expect 'a memfd of something else is no region' 0 'no regions'
	ctl info "$target"
	expect 'and is called what it is' 1 'is no region but /memfd:pashm'
	let_go
}

unsigned_cases() {
	if [ ! -e /sys/module/module/parameters/sig_enforce ]; then
		result ok 'an unsigned module # SKIP the kernel knows no signatures'
		return
	fi
	ctl load --file "$ko"
	expect 'an unsigned module where a signature is required' 1 \
		"refuses the module's signature" 'Secure Boot' 'sign it'
}

locked_cases() {
	if [ ! -e /sys/kernel/security/lockdown ]; then
		mount -t securityfs security /sys/kernel/security 2>/dev/null
	fi
	if [ ! -e /sys/kernel/security/lockdown ]; then
		result ok 'an unsigned module # SKIP the kernel knows no lockdown'
		return
	fi
	ctl load --file "$ko"
	expect 'an unsigned module under lockdown' 1 'Secure Boot' 'sign it'
}

disabled_cases() {
	ctl load --file "$ko"
	expect 'the module is loaded' 0
	echo 1 >/proc/sys/kernel/modules_disabled
	ctl unload
	expect 'unloading while modules are disabled' 1 'modules_disabled' reboot
}

case ${1:-commands} in
commands)
	usage_cases
	absent_cases
	region_cases memfd
	memfd_cases
	load_cases
	device_cases
	region_cases module
	module_cases
	;;
unsigned) unsigned_cases ;;
locked) locked_cases ;;
disabled) disabled_cases ;;
-h | --help) usage; exit 0 ;;
*) usage >&2; exit 2 ;;
esac
plan

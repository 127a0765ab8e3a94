#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the scripts, make and the README promise to somebody who does not know them,
# as far as that takes no guest. Prints TAP.
set -euo pipefail

case ${1:-} in
'') ;;
--help) echo 'Usage: selftests/usability.sh    tests how scripts are called'; exit 0 ;;
*) echo 'usability: takes no arguments' >&2; exit 2 ;;
esac

cd "$(dirname "$(realpath "$0")")/.."
unset KVER KDIR BUILD MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
library=${LIBDIR:-$PWD/build/lib}
unset LIBDIR INCDIR PREFIX DESTDIR
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0 status=0 failed=0
: >"$work/out"

try() {
	status=0
	"$@" >"$work/out" 2>&1 </dev/null || status=$?
}

# expect NAME STATUS [REGEX]: what the last command must have come to.
expect() {
	local verdict='not ok'
	number=$((number + 1))
	if [[ $status == "$2" ]] && { (($# < 3)) || grep -qE -e "$3" "$work/out"; }; then
		verdict=ok
	else
		failed=$((failed + 1))
		echo "# exit status $status"
		sed 's/^/# /' "$work/out"
	fi
	echo "$verdict $number $1"
}

usage_cases() {
	local file name wrong
	for file in scripts/* selftests/model/run lib/tests/fuzz/run; do
		[[ -x $file ]] || continue
		name=${file#scripts/} wrong=2
		try "$file" --help
		expect "$name explains itself" 0 "^Usage: $file"
		# Of scripts/vm, 2 may be the command's status.
		[[ $name != vm ]] || wrong=125
		try "$file" --frobnicate
		expect "$name tells wrong usage by its status" "$wrong" "$file"
	done
	try scripts/setup nosuch
	expect 'setup refuses an unknown purpose' 2 "unknown purpose 'nosuch'"
	# Should it run after all, then in namespaces: it kills what it sees.
	if unshare -Urmpf true 2>/dev/null; then
		try unshare -Urmpf sh scripts/vm-init
		expect 'vm-init refuses to be the init of a container' 2 'only as init'
		try unshare -Urmpf sh -c 'sh scripts/vm-init; exit $?'
		expect 'vm-init refuses to be anything else' 2 'only as init'
	fi
	try sh scripts/vm-init --help
	expect 'vm-init explains itself' 0 'scripts/vm'
}

kernel_cases() {
	local command
	for command in get update env; do
		try scripts/kernel "$command" 5.10
		expect "kernel $command: a version there is none of" 1 "no kernel '5.10'"
		try scripts/kernel "$command" 5.10-kasan
		expect "kernel $command: nor a variant of it" 1 "no kernel '5.10-kasan'"
		try scripts/kernel "$command" nosuch
		expect "kernel $command: no name at all" 1 "no kernel 'nosuch'"
		try scripts/kernel "$command" Makefile
		expect "kernel $command: a file" 1 'is a file; give the directory'
	done
	try scripts/kernel get "$work"
	expect 'kernel get: nothing to fetch for a path' 0
	try scripts/kernel get 6.1-kasan
	expect 'kernel get: nothing to fetch for a kernel to be built' 0
}

vm_cases() {
	local size
	for size in 0 10 79M 1x; do
		try scripts/vm --mem "$size" true
		expect "vm boots no guest with $size of memory" 125 \
			'is too little|is no size'
	done
}

# Without headers, whatever this machine has
make_cases() {
	mkdir "$work/a blank"
	cp Makefile "$work/a blank"
	try make -C "$work/a blank" modules KDIR="$work"
	expect 'make modules takes no path with a blank' 2 'no path with a blank'
	try make modules running=7.77-none
	expect 'make modules takes no other kernel than the running one' 2 \
		'apt-get install linux-headers-7.77-none'
	try make modules KDIR="$work"
	expect 'make modules wants headers in KDIR' 2 "no kernel headers in $work"
	try make modules KVER=5.10
	expect 'make modules wants a kernel that there is' 2 "no kernel '5.10'"
	try env PKG_CONFIG_LIBDIR="$work" make -C lib O="$work/none" cli
	expect 'pashmctl is not built without the libraries it needs' 2 \
		'run: scripts/setup build'
}

# What a program is built with; the module's interface is there as well.
install_cases() {
	local prefix
	for prefix in "$work/one" "$work/two"; do
		try make -s -C lib O="$library" install PREFIX="$prefix"
		expect 'the library is installed' 0
		try env PKG_CONFIG_PATH="$prefix/lib/pkgconfig" \
			pkg-config --variable=prefix pashm
		expect 'its pkg-config data name the place' 0 "^$prefix\$"
	done
	export PKG_CONFIG_PATH=$work/two/lib/pkgconfig
	# shellcheck disable=SC2046 # words
	try gcc -Wall -Wextra -Werror lib/examples/hello.c -o "$work/hello" \
		$(pkg-config --cflags --libs pashm)
	expect 'a program is built with them' 0
	try env LD_LIBRARY_PATH="$work/two/lib" "$work/hello"
	expect 'it runs' 0 'refill: "hello, world"'
	# shellcheck disable=SC2016 # no expansion
	sed -n '/^```c$/,/^```$/{/^```/d;p}' README.md >"$work/readme.c"
	# shellcheck disable=SC2046
	try gcc -Wall -Wextra -Werror -c "$work/readme.c" \
		-o "$work/readme.o" $(pkg-config --cflags pashm)
	[[ -s $work/readme.o ]] || status="$status, nothing compiled"
	expect 'the example in the README compiles' 0
}

usage_cases
kernel_cases
vm_cases
make_cases
install_cases
echo "1..$number"
((failed == 0))

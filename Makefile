# SPDX-License-Identifier: GPL-2.0-only
#
# User targets; `make help` lists them. KDIR=DIR or KVER=VERSION choose the
# kernel that the module is built for, by default the running one. What is not
# installed but known to scripts/kernel, it fetches.

running := $(shell uname -r)
wanted := $(or $(KVER),$(running))
KDIR ?= $(if $(wildcard /lib/modules/$(wanted)/build/Makefile),$\
	/lib/modules/$(wanted)/build,$(if $(KVER),$(cached_kdir)))

# Expanded, and so fetched, when a module is built and not before.
cached_kdir = $(eval cached_kdir := $$(shell \
	scripts/kernel env $(KVER) | sed -n 's/^KDIR=//p'))$(cached_kdir)

# scripts/check builds in a place of its own.
BUILD ?= build

.DEFAULT_GOAL := help
.PHONY: help modules lib cli sqlite check check-all check-debug check-sqlite coverage \
	fuzz fuzz-lib model torture demo bench bench-policy bench-reclaim \
	bench-sqlite style clean

help: ## list the targets
	@echo 'Targets (KDIR=DIR or KVER=VERSION choose a kernel):'
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | \
		while IFS='	' read -r name text; do \
			printf '  %-13s %s\n' "$$name" "$$text"; done

# Each kernel has its own directory below build/, where the sources are links:
# kbuild on 6.1 cannot put an external module's objects elsewhere.
modules: ## build pashm.ko into build/VERSION/ (W=1, C=2 as in kbuild)
	@command -v gcc >/dev/null || { \
		echo 'no compiler; run: scripts/setup build' >&2; exit 1; }
	@test '$(words $(CURDIR) $(BUILD) $(or $(KDIR),none))' = 3 || { \
		echo 'kbuild takes no path with a blank in it:' >&2; \
		echo '$(CURDIR), BUILD=$(BUILD), KDIR=$(KDIR)' >&2; exit 1; }
	@test -f '$(KDIR)/Makefile' || { \
		echo 'no kernel headers$(if $(KDIR), in $(KDIR)) for $(wanted)' >&2; \
		echo 'for this machine: apt-get install linux-headers-$(running)' >&2; \
		echo 'for the guests of scripts/vm: make modules KVER=6.1' >&2; \
		exit 1; }
	@release=$$(sed -n 's/^#define UTS_RELEASE "\(.*\)"/\1/p' \
		'$(KDIR)/include/generated/utsrelease.h') && \
	build=$(abspath $(BUILD))/$$release && \
	if [ -z '$(KVER)' ] && [ "$$release" != '$(running)' ]; then \
		echo "building for $$release, not for the running $(running)"; fi && \
	mkdir -p "$$build" && \
	cp -rsf $(CURDIR)/Kbuild $(CURDIR)/kernel $(CURDIR)/include "$$build" && \
	find "$$build" -xtype l -delete && \
	scripts/kernel enter '$(KDIR)' \
		$(MAKE) -C '$(KDIR)' M="$$build" $(no_btf) modules && \
	echo "built $(BUILD)/$$release/pashm.ko"

# Type information wants pahole, which no one needs to build or load a module.
no_btf = $(if $(shell command -v pahole),,CONFIG_DEBUG_INFO_BTF_MODULES=)

lib: ## build libpashm, static and shared
	$(MAKE) -C lib

cli: lib ## build pashmctl
	$(MAKE) -C lib cli

sqlite: lib ## build the page cache for SQLite and SQLCipher
	$(MAKE) -C lib sqlite

check: ## run all tests in VMs (KERNEL="6.1 6.12", TESTS=PATTERN)
	@scripts/check $(if $(KERNEL),--kernel "$(KERNEL)") \
		$(if $(TESTS),--tests "$(TESTS)")

check-all: ## the same on all kernels: 6.1, 6.12, 7.x and 6.12 for arm64
	@scripts/check --all $(if $(TESTS),--tests "$(TESTS)")

# kernel: 6.1-kasan, or 6.1-kcsan and others that scripts/kernel lists
check-debug: ## run the VM tests on a kernel that checks itself
	@scripts/check --no-host --kernel "$(or $(KERNEL),6.1-kasan)" \
		$(if $(TESTS),--tests "$(TESTS)")

check-sqlite: ## run SQLite's own tests on the page cache
	@scripts/sqlite-suite

coverage: ## print which lines and branches of the module the tests reach
	@scripts/coverage $(if $(TESTS),--tests "$(TESTS)")

torture: ## run the tests that take hours (KERNEL, TESTS as above)
	@scripts/torture $(if $(KERNEL),--kernel "$(KERNEL)") \
		$(if $(TESTS),--tests "$(TESTS)")

fuzz-lib: ## fuzz the library, SECONDS=60 each target
	@scripts/setup fuzz
	@$(MAKE) -s -C lib fuzz $(if $(SECONDS),SECONDS=$(SECONDS))

fuzz: ## look for bugs in the module with random calls (KERNEL=, MINUTES=, SEED=)
	@scripts/fuzz $(if $(KERNEL),--kernel "$(KERNEL)") \
		$(if $(MINUTES),--minutes "$(MINUTES)") \
		$(if $(SEED),--seed "$(SEED)")

model: ## prove the pin protocol, large configurations too (an hour)
	@scripts/setup model
	@selftests/model/run --all

demo: ## watch a cache give its memory back, in a VM
	@scripts/setup demo
	@scripts/demo

bench: ## print what pins and empty regions cost
	@scripts/bench $(if $(KERNEL),--kernel "$(KERNEL)")

bench-policy: ## simulate what reclaim takes, with this policy and with others
	@scripts/setup policy
	@$(MAKE) -s -C selftests/bench/policy O=$(abspath $(BUILD))/policy run

bench-reclaim: ## measure in VMs how memory is given back (KERNEL=, RUNS=, QUICK=1)
	@scripts/bench-reclaim $(if $(KERNEL),--kernel "$(KERNEL)") \
		$(if $(RUNS),--runs "$(RUNS)") $(if $(QUICK),--quick)

bench-sqlite: ## measure SQLCipher's point reads in VMs under limits (KERNEL=, QUICK=1)
	@scripts/bench-sqlite $(if $(KERNEL),--kernel "$(KERNEL)") $(if $(QUICK),--quick)

style: ## checkpatch and the tree's own rules
	@scripts/style

clean: ## remove everything that was built
	rm -rf build
	if [ -f lib/Makefile ]; then $(MAKE) -C lib clean; fi

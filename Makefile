# SPDX-License-Identifier: Apache-2.0
# One command for everything; Meson does the work. `make` lists the targets.
B ?= build
BENCH ?= --full --out bench/results.json all
DESTDIR ?=
PREFIX ?= /usr/local
HARD = -Dc_args='-D_FORTIFY_SOURCE=2 -fstack-protector-strong' \
	-Dc_link_args='-Wl,-z,relro,-z,now' -Db_pie=true -Db_lto=true --buildtype=release

# $(call setup,folder,options): only once, ninja repeats it when needed.
setup = { test -f $(1)/build.ninja || meson setup $(2) $(1) >/dev/null; }
SOURCES = include src cli tests fuzz bench

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile
build: ## compile into build/
	@tools/setup.sh build && $(call setup,$(B),) && ninja -C $(B) --quiet
demo: build ## a dozen machines learn from each other
	@$(B)/cli/kith demo
test: ## everything that must be green, under 25 minutes; closes with a count
	@tools/setup.sh test && tests/run.py
quick: ## one compiler, no sanitizer: the tests of a coffee break
	@tools/setup.sh test && tests/run.py gcc
clang: ## the tests built by clang
	@tools/setup.sh test && tests/run.py clang
asan: ## the tests under AddressSanitizer and UBSan
	@tools/setup.sh test && tests/run.py asan
tsan: ## the tests with threads under ThreadSanitizer
	@tools/setup.sh test && tests/run.py tsan
fuzz: ## every fuzz target for 10 s, and its corpus
	@tools/setup.sh test && tests/run.py fuzz
soak: ## the long versions
	@tools/setup.sh test && KITH_SOAK=1 tests/run.py
bench: ## side by side with others, in one run
	@tools/setup.sh bench && $(call setup,$(B)-release,$(HARD) -Dbench=true) && \
		ninja -C $(B)-release --quiet cli/kith bench/kith-bench carriers && \
		$(B)-release/bench/kith-bench --kith $(B)-release/cli/kith $(BENCH) && \
		bench/report.py
foreign: ## the tests on a big-endian and on a 32-bit machine, under qemu
	@tools/setup.sh foreign && tools/foreign.sh s390x && tools/foreign.sh armhf
mutants: ## do the tests notice planted mistakes?
	@tools/setup.sh test && tools/mutants.py
analyze: ## gcc -fanalyzer, which reads what no test runs; advice, not law
	@tools/setup.sh build && $(call setup,$(B)-analyze,-Dwerror=false -Dc_args=-fanalyzer) && \
		ninja -C $(B)-analyze libkith-core.a
measure: ## lengths, comments, checks; the longest functions
	@tools/setup.sh build && tools/measure.py src include cli
fmt: ## let clang-format have its way
	@tools/setup.sh test && find $(SOURCES) -name '*.[ch]' | xargs clang-format -i
docs: build ## make the generated pages again
	@tools/faults.py page > docs/faults.md
	@$(B)/cli/kith help --markdown > docs/cli.md
	@cli/conform/tests/carriers.py $(B)/cli/kith > $(B)/carriers.md && mv $(B)/carriers.md docs/carriers.md
install: ## into PREFIX, below DESTDIR
	@tools/setup.sh build && { test -f $(B)-install/build.ninja || \
		meson setup $(HARD) --prefix=$(PREFIX) $(B)-install >/dev/null; } && \
		ninja -C $(B)-install --quiet && \
		DESTDIR=$(DESTDIR) meson install -C $(B)-install --quiet --no-rebuild
uninstall: ## what install put there
	@ninja -C $(B)-install --quiet uninstall
clean: ## remove every build folder
	@rm -rf $(B) $(B)-*
.PHONY: help build demo test quick clang asan tsan fuzz soak bench foreign mutants analyze measure fmt \
	docs install uninstall clean

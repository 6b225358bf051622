# SPDX-License-Identifier: GPL-2.0-only
# make bench      what iophase costs     make bench ARGS=--quick
# make bench-kernels   the same in instructions, on stock kernels, emulated
# make bench-trace     what tracing costs a program that makes calls as fast as it can
# The figures in the docs are made by both, with ARGS="--markdown docs/overhead.md"

BENCH := $(OUT)/tests/bench
BENCH_LOADS := $(BENCH)/roundtrip $(BENCH)/calls

.PHONY: bench bench-trace bench-kernels bench-build
bench: iophase bench-build
	$(Q)$(PYTHON) tests/bench/run.py $(ARGS)

bench-kernels: vm-deps
	$(Q)$(MAKE) --no-print-directory STATIC=1 $(OUT)/static/iophase
	$(Q)$(MAKE) --no-print-directory truth-build bench-build
	$(Q)$(PYTHON) tests/bench/stock.py $(ARGS)

bench-trace: iophase trace-build
	$(Q)$(PYTHON) tests/bench/tracing.py $(ARGS)

bench-build: $(BENCH_LOADS) $(BENCH)/floor

$(BENCH_LOADS): $(BENCH)/%: tests/bench/%.c | $(BENCH)
	$(call say,CC,$<)$(CC) $(CFLAGS) -pthread -MMD -MP -MF $@.d -o $@ $<

$(BENCH)/floor.bpf.o: tests/bench/floor.bpf.c | $(BENCH)
	$(call say,BPF,$<)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BENCH)/floor.skel.h: $(BENCH)/floor.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name floor_bpf >$@.tmp && mv $@.tmp $@

$(BENCH)/floor: tests/bench/floor.c $(BENCH)/floor.skel.h
	$(call say,CC,$<)$(CC) -I$(BENCH) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(LDLIBS)

$(BENCH):
	$(Q)mkdir -p $@

-include $(wildcard $(BENCH)/*.d)

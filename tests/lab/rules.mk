# SPDX-License-Identifier: GPL-2.0-only
# make lab        the same service in every model of I/O, measured: 20 minutes at most
# make lab ARGS=--quick                                             2 minutes at most
# make lab ARGS=--write   also writes the figures into docs/models.md, and the charts

LAB := $(OUT)/tests/lab
LAB_SERVER := $(patsubst %,$(LAB)/%.o,server peer loop serial process thread pool polling select poll \
		epoll signal aio uring)
LAB_PROGRAMS := $(LAB)/server $(patsubst %,$(LAB)/%,driver)

.PHONY: lab lab-build
lab: deps lab-deps
	$(Q)$(MAKE) --no-print-directory iophase lab-build
	$(Q)$(PYTHON) tests/lab/run.py $(ARGS)

lab-build: $(LAB_PROGRAMS)

$(LAB)/server: $(LAB_SERVER)
	$(call say,LINK,$@)$(CC) $(CFLAGS) -pthread -o $@ $^ -luring

$(LAB)/%.o: tests/lab/%.c | $(LAB)
	$(call say,CC,$<)$(CC) $(CFLAGS) -pthread -MMD -MP -c -o $@ $<

$(LAB)/%: tests/lab/%.c | $(LAB)
	$(call say,CC,$<)$(CC) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $<

$(LAB):
	$(Q)mkdir -p $@

-include $(wildcard $(LAB)/*.d)

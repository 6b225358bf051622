# SPDX-License-Identifier: GPL-2.0-only
# make lab        the same service in every model of I/O, measured: 20 minutes at most
# make lab ARGS=--quick                                             2 minutes at most
# make lab ARGS=--write   also writes the figures into docs/models.md, and the charts

LAB := $(OUT)/tests/lab
LAB_SERVER := $(patsubst %,$(LAB)/%.o,server peer loop serial process thread pool polling \
		select poll epoll signal aio uring)
LAB_PROGRAMS := $(patsubst %,$(LAB)/%,server driver scan ctl claims fdset fdset-fortified)

.PHONY: lab lab-build
lab: lab-deps
	$(Q)$(MAKE) --no-print-directory iophase lab-build
	$(Q)$(PYTHON) tests/lab/run.py $(ARGS)

lab-build: $(LAB_PROGRAMS)

$(LAB)/server: $(LAB_SERVER)
	$(call say,LINK,$@)$(CC) $(CFLAGS) -pthread -o $@ $^ -luring

$(LAB)/%.o: tests/lab/%.c | $(LAB)
	$(call say,CC,$<)$(CC) $(CFLAGS) -pthread -MMD -MP -c -o $@ $<

$(LAB)/%: tests/lab/%.c | $(LAB)
	$(call say,CC,$<)$(CC) $(CFLAGS) -pthread -MMD -MP -MF $@.d -o $@ $<

# The same mistake, with and without the check that distributions build their packages with.
$(LAB)/fdset: CFLAGS += -U_FORTIFY_SOURCE
$(LAB)/fdset-fortified: tests/lab/fdset.c | $(LAB)
	$(call say,CC,$<)$(CC) $(CFLAGS) -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -MMD -MP -MF $@.d \
		-o $@ $<

$(LAB):
	$(Q)mkdir -p $@

-include $(wildcard $(LAB)/*.d)

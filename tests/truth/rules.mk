# SPDX-License-Identifier: GPL-2.0-only
# make accuracy   the table of truth against measurement, for docs/accuracy.md

TRUTH := $(OUT)/tests/truth
TRUTH_PROGRAMS := $(patsubst tests/truth/%.c,$(TRUTH)/%,$(wildcard tests/truth/*.c))

.PHONY: accuracy truth-build
accuracy: iophase truth-build
	$(Q)$(PYTHON) tests/truth/run.py --table docs/accuracy.md
	$(Q)$(PYTHON) tests/truth/cross.py --table docs/accuracy.md

truth-build: $(TRUTH_PROGRAMS)

# Static, so that no loader makes calls that the program does not know of.
$(TRUTH)/%: tests/truth/%.c | $(TRUTH)
	$(call say,CC,$<)$(CC) $(CFLAGS) -static -pthread -MMD -MP -MF $@.d -o $@ $<

$(TRUTH):
	$(Q)mkdir -p $@

-include $(wildcard $(TRUTH)/*.d)

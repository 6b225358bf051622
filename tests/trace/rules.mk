# SPDX-License-Identifier: GPL-2.0-only
# make trace-build    programs that know what a trace of them must say

TRACE := $(OUT)/tests/trace
TRACE_PROGRAMS := $(patsubst tests/trace/%.c,$(TRACE)/%,$(wildcard tests/trace/*.c))

.PHONY: trace-build
trace-build: $(TRACE_PROGRAMS) truth-build

# Static, so that no loader makes calls that the program does not know of.
$(TRACE)/%: tests/trace/%.c | $(TRACE)
	$(call say,CC,$<)$(CC) $(CFLAGS) -static -pthread -MMD -MP -MF $@.d -o $@ $<

$(TRACE):
	$(Q)mkdir -p $@

-include $(wildcard $(TRACE)/*.d)

# By which a timeline is read again: not what it is written by.
trace-build: $(TRACE)/perfetto_pb2.py
$(TRACE)/perfetto_pb2.py: user/timeline/perfetto.proto | $(TRACE)
	$(call say,PROTO,$@)protoc --proto_path=$(<D) --python_out=$(@D) $<

# SPDX-License-Identifier: GPL-2.0-only
# What the tests of exactness need besides the truth programs; see run.py here.

EXACT := $(OUT)/tests/exact
EXACT_WORKLOADS := $(addprefix $(EXACT)/,scenes uring stress)

.PHONY: exact-build
exact-build: truth-build $(EXACT_WORKLOADS) $(EXACT)/polls

$(EXACT_WORKLOADS): $(EXACT)/%: tests/exact/%.c | $(EXACT)
	$(call say,CC,$<)$(CC) $(CFLAGS) -Itests/truth -static -pthread -MMD -MP -MF $@.d -o $@ $<

$(EXACT)/polls.bpf.o: tests/exact/polls.bpf.c | $(EXACT)
	$(call say,BPF,$<)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(EXACT)/polls.skel.h: $(EXACT)/polls.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name polls_bpf >$@.tmp && mv $@.tmp $@

# Static, for a guest has no libraries.
$(EXACT)/polls: tests/exact/polls.c $(EXACT)/polls.skel.h
	$(call say,CC,$<)$(CC) -I$(EXACT) $(CFLAGS) -static -MMD -MP -MF $@.d -o $@ $< \
		$(shell $(PKG_CONFIG) --static --libs $(LIBS))

$(EXACT):
	$(Q)mkdir -p $@

-include $(wildcard $(EXACT)/*.d)

# SPDX-License-Identifier: GPL-2.0-only
# make docs-build    the manual page and the completions, which make install installs

PACKAGING := $(OUT)/packaging
PACKAGED := $(addprefix $(PACKAGING)/,iophase.8 iophase.bash iophase.zsh iophase.fish)

.PHONY: docs-build
docs-build: $(PACKAGED)

$(PACKAGING)/tables: packaging/tables.c packaging/words.c $(filter-out $(OBJ)/main.o,$(OBJECTS))
	$(Q)mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CPPFLAGS) -Ipackaging $(CFLAGS) -MMD -MP -MF $@.d -o $@ \
		$(filter %.c %.o,$^) $(LDFLAGS) $(LDLIBS)

$(PACKAGING)/iophase.8: packaging/iophase.8.in $(PACKAGING)/tables
	$(call say,MAN,$@)$(PACKAGING)/tables man $< >$@.tmp && mv $@.tmp $@

$(PACKAGING)/iophase.%: packaging/iophase.%.in $(PACKAGING)/tables
	$(call say,SHELL,$@)$(PACKAGING)/tables $* $< >$@.tmp && mv $@.tmp $@

.PHONY: install-docs
install-docs: docs-build
	install -D -m 644 $(PACKAGING)/iophase.8 $(DESTDIR)$(PREFIX)/share/man/man8/iophase.8
	install -D -m 644 $(PACKAGING)/iophase.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/iophase
	install -D -m 644 $(PACKAGING)/iophase.zsh \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_iophase
	install -D -m 644 $(PACKAGING)/iophase.fish \
		$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/iophase.fish

-include $(PACKAGING)/tables.d

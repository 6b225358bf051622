# SPDX-License-Identifier: GPL-2.0-only
# make           ./iophase             make deps   what Debian 12 needs for it
# make demo      the main job, live    make test   all tests
# STATIC=1       one static binary     V=1         show the commands

PREFIX ?= /usr/local
DESTDIR ?=
CLANG ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PKG_CONFIG ?= pkg-config
PYTHON ?= /usr/bin/python3

OUT := .output
LIBS := libbpf libelf zlib jansson
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 -Wall -Wextra -D_GNU_SOURCE
LDLIBS = $(shell $(PKG_CONFIG) $(if $(STATIC),--static) --libs $(LIBS)) -lm
LDFLAGS += $(if $(STATIC),-static)
CPPFLAGS += -I$(OUT) $(shell $(PKG_CONFIG) --cflags $(LIBS))

MULTIARCH := $(shell $(CC) -print-multiarch)
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -I/usr/include/$(MULTIARCH) \
	      -Wall -Wextra -Wno-unused-parameter -Wno-missing-declarations

# What is on the command line changes what is built, so it has its own directory.
OBJ := $(OUT)/$(if $(STATIC),static,dynamic)
SOURCES := $(wildcard user/*.c)
OBJECTS := $(SOURCES:user/%.c=$(OBJ)/%.o)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

.PHONY: all
all: iophase

iophase: $(OBJ)/iophase
	$(Q)ln -f $< $@ 2>/dev/null || cp -f $< $@

$(OBJ)/iophase: $(OBJECTS)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJECTS) $(LDLIBS)

$(OBJ)/%.o: user/%.c $(OUT)/iophase.skel.h | $(OBJ)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/iophase.bpf.o: bpf/iophase.bpf.c | $(OUT)
	$(call say,BPF,$<)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $(OUT)/iophase.raw.o $< \
		-MF $(OUT)/iophase.bpf.d -MT $@
	$(Q)$(BPFTOOL) gen object $@ $(OUT)/iophase.raw.o

$(OUT)/iophase.skel.h: $(OUT)/iophase.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name iophase_bpf >$@.tmp && mv $@.tmp $@

$(OUT) $(OBJ):
	$(Q)mkdir -p $@

.PHONY: install
install: iophase
	install -D -m 755 iophase $(DESTDIR)$(PREFIX)/sbin/iophase

.PHONY: clean
clean:
	$(Q)rm -rf $(OUT) iophase

-include $(OBJECTS:.o=.d) $(OUT)/iophase.bpf.d

# SPDX-License-Identifier: GPL-2.0-only
# make           ./iophase           make deps       the Debian packages it is built with
# make demo      the main job, live  make test       all tests (SUITES="unit truth": some)
# make bench     what it costs       make accuracy   how right it is
# make install   DESTDIR=, PREFIX=   make test-kernels   on stock kernels, emulated
# make test-doctor   all faults that the doctor is to find, and all that it is to be silent on
# make lab       the same service in every model of I/O, side by side
# STATIC=1       one static binary   V=1                 say more

PREFIX ?= /usr/local
DESTDIR ?=
CLANG ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PKG_CONFIG ?= pkg-config
PROTOC_C ?= protoc-c
PYTHON ?= /usr/bin/python3

OUT := .output
LIBS := libbpf libdw libelf zlib liblzma jansson ncursesw libprotobuf-c
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 -Wall -Wextra -D_GNU_SOURCE
LDLIBS = $(shell $(PKG_CONFIG) $(if $(STATIC),--static) --libs $(LIBS)) -liberty -lm
LDFLAGS += $(if $(STATIC),-static)
CPPFLAGS += -I$(OUT) -I. -Iuser $(shell $(PKG_CONFIG) --cflags $(LIBS))

MULTIARCH := $(shell $(CC) -print-multiarch)
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -I/usr/include/$(MULTIARCH) \
	      -Wall -Wextra -Wno-unused-parameter -Wno-missing-declarations

# What is on the command line changes what is built, so it has its own directory.
OBJ := $(OUT)/$(if $(STATIC),static,dynamic)
SOURCES := $(wildcard user/*.c user/*/*.c)
OBJECTS := $(SOURCES:user/%.c=$(OBJ)/%.o) $(OBJ)/timeline/perfetto.pb-c.o

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

.PHONY: all
all: iophase

iophase: $(OBJ)/iophase
	$(Q)ln -f $< $@ 2>/dev/null || cp -f $< $@

$(OBJ)/iophase: $(OBJECTS)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJECTS) $(LDLIBS)

$(OBJ)/%.o: user/%.c $(OUT)/iophase.skel.h $(OUT)/perfetto.pb-c.h
	$(Q)mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# What it has inside as it is.
$(OBJ)/report/page.o: $(addprefix user/report/page.,html css js)
$(OBJ)/timeline/perfetto.pb-c.o: $(OUT)/perfetto.pb-c.h
	$(Q)mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $(OUT)/perfetto.pb-c.c

$(OUT)/perfetto.pb-c.h: user/timeline/perfetto.proto | $(OUT)
	$(call say,PROTO,$<)$(PROTOC_C) --proto_path=$(<D) --c_out=$(OUT) $<

$(OUT)/iophase.bpf.o: bpf/iophase.bpf.c | $(OUT)
	$(call say,BPF,$<)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $(OUT)/iophase.raw.o $< \
		-MF $(OUT)/iophase.bpf.d -MT $@
	$(Q)$(BPFTOOL) gen object $@ $(OUT)/iophase.raw.o

$(OUT)/iophase.skel.h: $(OUT)/iophase.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name iophase_bpf >$@.tmp && mv $@.tmp $@

$(OUT):
	$(Q)mkdir -p $@

# What each goal needs on a fresh Debian 12.
BUILD_DEPS := gcc make clang libbpf-dev libelf-dev libdw-dev libiberty-dev zlib1g-dev liblzma-dev \
	      libbz2-dev libjansson-dev libncurses-dev libprotobuf-c-dev protobuf-c-compiler uthash-dev \
	      bpftool pkg-config
LAB_DEPS := liburing-dev python3
SERVER_DEPS := python3 redis-server redis-tools nginx-light
TEST_DEPS := libcmocka-dev g++ musl-tools xz-utils python3-jsonschema python3-protobuf \
	     protobuf-compiler chromium tmux mandoc zsh fish memcached haproxy wrk nodejs \
	     golang-go openjdk-17-jdk-headless postgresql strace bpftrace linux-perf util-linux

.PHONY: deps demo-deps test-deps lab-deps
deps:
	$(Q)tests/deps.sh $(BUILD_DEPS)

demo-deps: deps
	$(Q)tests/deps.sh $(SERVER_DEPS)

lab-deps: deps
	$(Q)tests/deps.sh $(LAB_DEPS)

test-deps: demo-deps lab-deps
	$(Q)tests/deps.sh $(TEST_DEPS)

# These two start from nothing: packages first, then a make that can see them.
.PHONY: demo test
demo: demo-deps
	$(Q)$(MAKE) --no-print-directory iophase
	$(Q)tests/demo.sh

test: test-deps vm-deps
	$(Q)$(MAKE) --no-print-directory iophase exact-build unit-build doctor-build trace-build \
		lab-build docs-build
	$(Q)$(MAKE) --no-print-directory STATIC=1 $(OUT)/static/iophase
	$(Q)tests/run.sh $(SUITES)

.PHONY: test-doctor
test-doctor: test-deps
	$(Q)$(MAKE) --no-print-directory iophase doctor-build
	$(Q)tests/run.sh doctors

.PHONY: install
install: iophase install-docs
	install -D -m 755 iophase $(DESTDIR)$(PREFIX)/sbin/iophase

.PHONY: clean
clean:
	$(Q)rm -rf $(OUT) iophase

-include packaging/rules.mk tests/truth/rules.mk tests/exact/rules.mk tests/unit/rules.mk \
	 tests/bench/rules.mk tests/vm/rules.mk tests/doctor/rules.mk tests/lab/rules.mk \
	 tests/trace/rules.mk
-include $(OBJECTS:.o=.d) $(OUT)/iophase.bpf.d

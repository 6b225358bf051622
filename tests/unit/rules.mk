# SPDX-License-Identifier: GPL-2.0-only
# make unit-build     the unit tests, which tests/run.sh runs

UNIT := $(OUT)/tests/unit
UNIT_TESTS := $(patsubst tests/unit/%.c,$(UNIT)/%.test,$(wildcard tests/unit/*.c))
UNIT_LIBS = $(shell $(PKG_CONFIG) --libs cmocka)

.PHONY: unit-build
unit-build: $(UNIT_TESTS)

# Each is linked with the files it tests, and with those that they call.
objects = $(patsubst %,$(OBJ)/%.o,$(1))
ROWS := $(call objects,model/rows model/calls fail)

$(UNIT)/text.test: $(call objects,text)
$(UNIT)/calls.test: $(call objects,model/calls)
$(UNIT)/fd.test: $(ROWS) $(call objects,model/fd text)
$(UNIT)/models.test: $(ROWS) $(call objects,model/models)
$(UNIT)/rows.test: $(ROWS)
$(UNIT)/rules.test: $(ROWS) $(call objects,$(patsubst user/%.c,%,$(wildcard user/doctor/rules*.c)) \
		    doctor/finding doctor/habits model/fd text) $(wildcard tests/unit/rules/* user/doctor/*.h user/doctor/*.def)
# A test that is in no table would be one that is never run.
$(UNIT)/rules.test: private CFLAGS += -Wmissing-prototypes
$(UNIT)/top.test: $(ROWS) $(call objects,$(addprefix top/,bar browser canvas fields fields_calls \
		  fields_objects frame item news view) model/fd text doctor/finding doctor/habits) \
		  $(call objects,$(patsubst user/%.c,%,$(wildcard user/doctor/rules*.c)))
$(UNIT)/options.test: $(ROWS) $(call objects,options text hooks/backend weigh/weights)
$(UNIT)/trace.test: $(ROWS) $(call objects,$(patsubst user/%.c,%,$(wildcard user/trace/*.c)) \
		    model/fd text)

SYMBOLS := $(call objects,$(filter-out stack/traceback,$(patsubst user/%.c,%,$(wildcard user/stack/*.c))) \
	   text)
$(UNIT)/symbols.test: $(SYMBOLS)
$(UNIT)/stack.test: $(SYMBOLS) $(call objects,stack/traceback fail) \
		    $(wildcard $(addprefix tests/unit/stack/,*.h *.def)) \
		    $(addprefix tests/unit/stack/,builds.c capture.c edges.c programs.c trace.c)
$(UNIT)/stack.test: private CFLAGS += -Wmissing-prototypes
$(UNIT)/traceback.test: $(call objects,stack/traceback fail)
$(UNIT)/symbols.test $(UNIT)/stack.test $(UNIT)/trace.test: UNIT_LIBS += $(LDLIBS)
$(UNIT)/stack.test: private CPPFLAGS += -DUNIT_SOURCES='"$(CURDIR)/tests/unit"'

# All that a saved session is read with, and what it is printed by, built to end at the first wrong byte.
SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SANITIZED := $(patsubst user/%.c,$(OUT)/sanitized/%.o,$(wildcard \
	user/model/*.c user/output/*.c user/saved/*.c user/report/*.c user/stack/*.c user/doctor/*.c) \
	user/fail.c user/text.c user/options.c user/sink.c user/hooks/parts.c user/hooks/backend.c \
	user/weigh/weights.c)

$(OUT)/sanitized/%.o: user/%.c $(OUT)/iophase.skel.h
	$(Q)mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(CFLAGS) $(SANITIZE) -MMD -MP -c -o $@ $<

$(UNIT)/sessions.test: $(SANITIZED) tests/unit/rules/model.c
$(UNIT)/sessions.test: UNIT_LIBS += $(LDLIBS)
$(UNIT)/sessions.test: private CFLAGS += $(SANITIZE)

$(UNIT)/%.test: tests/unit/%.c | $(UNIT)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $(filter %.c %.o,$^) \
		$(LDFLAGS) $(UNIT_LIBS) -lm

$(UNIT) $(UNIT)/stack:
	$(Q)mkdir -p $@

# What stack.test runs: the same program in each way in which programs are built.
SLEEPERS := O0 O2 clang fp nopie static g0 static-g0 exported split packed mini stripped \
	    static-stripped cc
ifneq ($(shell command -v musl-gcc),)
SLEEPERS += musl musl-static
endif
ifneq ($(shell command -v go),)
SLEEPERS += go go-stripped
endif
SLEEPER := $(UNIT)/stack/sleeper
SLEEPER_PROGRAMS := $(SLEEPERS:%=$(SLEEPER)-%)

$(UNIT)/stack.test: | $(SLEEPER_PROGRAMS)
$(SLEEPER_PROGRAMS): | $(UNIT)/stack

SLEEPER_CC = $(CC)
SLEEPER_FLAGS = -O2 -g -fomit-frame-pointer
$(SLEEPER)-O0: SLEEPER_FLAGS = -O0 -g
$(SLEEPER)-clang: SLEEPER_CC = $(CLANG)
$(SLEEPER)-fp: SLEEPER_FLAGS = -O2 -g -fno-omit-frame-pointer
$(SLEEPER)-nopie: SLEEPER_FLAGS += -no-pie -fno-pie
$(SLEEPER)-static: SLEEPER_FLAGS += -static
$(SLEEPER)-g0: SLEEPER_FLAGS += -g0
$(SLEEPER)-static-g0: SLEEPER_FLAGS += -g0 -static
$(SLEEPER)-exported: SLEEPER_FLAGS += -g0 -rdynamic -s
$(SLEEPER)-packed: SLEEPER_FLAGS += -gz
$(SLEEPER)-musl $(SLEEPER)-musl-static: SLEEPER_CC = musl-gcc
$(SLEEPER)-musl-static: SLEEPER_FLAGS += -static

$(SLEEPER)-%: tests/unit/stack/sleeper.c
	$(call say,CC,$@)$(SLEEPER_CC) -Wall -pthread $(SLEEPER_FLAGS) -o $@ $<

$(SLEEPER)-stripped: $(SLEEPER)-g0
	$(Q)strip -o $@ $<

$(SLEEPER)-static-stripped: $(SLEEPER)-static-g0
	$(Q)strip -o $@ $<

$(SLEEPER)-split: $(SLEEPER)-O2
	$(Q)objcopy --only-keep-debug $< $@.debug
	$(Q)objcopy --strip-all --add-gnu-debuglink=$@.debug $< $@

# As find-debuginfo(1) of rpm does.
$(SLEEPER)-mini: $(SLEEPER)-g0
	$(Q)objcopy --only-keep-debug $< $@.mini
	$(Q)xz -f $@.mini
	$(Q)objcopy --strip-all --add-section .gnu_debugdata=$@.mini.xz $< $@

$(SLEEPER)-cc: tests/unit/stack/sleeper.cc
	$(call say,CXX,$@)$(CXX) -Wall -O2 -g -o $@ $<

$(SLEEPER)-go: tests/unit/stack/sleeper.go
	$(call say,GO,$@)go build -o $@ $<

$(SLEEPER)-go-stripped: tests/unit/stack/sleeper.go
	$(call say,GO,$@)go build -ldflags='-s -w' -o $@ $<

-include $(wildcard $(UNIT)/*.d) $(SANITIZED:.o=.d)

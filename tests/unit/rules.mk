# SPDX-License-Identifier: GPL-2.0-only
# make unit-build     the unit tests, which tests/run.sh runs

UNIT := $(OUT)/tests/unit
UNIT_TESTS := $(patsubst tests/unit/%.c,$(UNIT)/%.test,$(wildcard tests/unit/*.c))
UNIT_LIBS = $(shell $(PKG_CONFIG) --libs cmocka)

.PHONY: unit-build
unit-build: $(UNIT_TESTS)

# Each is linked with the files it tests, and with those that they call.
$(UNIT)/text.test: $(OBJ)/text.o
$(UNIT)/calls.test: $(OBJ)/calls.o
$(UNIT)/fd.test: $(addprefix $(OBJ)/,fd.o rows.o calls.o text.o fail.o)
$(UNIT)/rows.test: $(addprefix $(OBJ)/,rows.o calls.o fail.o)
$(UNIT)/options.test: $(addprefix $(OBJ)/,options.o backend.o calls.o rows.o fail.o)

$(UNIT)/%.test: tests/unit/%.c | $(UNIT)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $(filter %.c %.o,$^) \
		$(LDFLAGS) $(UNIT_LIBS) -lm

$(UNIT):
	$(Q)mkdir -p $@

-include $(wildcard $(UNIT)/*.d)

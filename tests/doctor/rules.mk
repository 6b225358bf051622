# SPDX-License-Identifier: GPL-2.0-only
# What the tests of the doctor run; see run.py here. Programs in a language that is not installed
# are left out, and their cases skipped.

DOCTOR := $(OUT)/tests/doctor
DOCTOR_C := $(patsubst tests/doctor/%.c,$(DOCTOR)/%,$(wildcard tests/doctor/*.c))
DOCTOR_GO := $(if $(shell command -v go),$(DOCTOR)/gopher)
DOCTOR_JAVA := $(if $(shell command -v javac),$(DOCTOR)/Nio.class)

.PHONY: doctor-build
doctor-build: $(DOCTOR_C) $(DOCTOR_GO) $(DOCTOR_JAVA)

# Long, and outside CI: what it says is to be examined. make doctor-healthy ARGS="--seconds 60"
.PHONY: doctor-healthy
doctor-healthy: iophase
	$(Q)$(PYTHON) tests/doctor/healthy.py $(ARGS)

# Static, for a guest has no libraries; with frames and lines, for the doctor shows where.
$(DOCTOR_C): $(DOCTOR)/%: tests/doctor/%.c | $(DOCTOR)
	$(call say,CC,$<)$(CC) $(CFLAGS) -fno-omit-frame-pointer -Itests/truth -static -pthread \
		-MMD -MP -MF $@.d -o $@ $<

$(DOCTOR)/gopher: tests/doctor/gopher.go | $(DOCTOR)
	$(call say,GO,$<)CGO_ENABLED=0 GOCACHE=$(abspath $(DOCTOR))/gocache go build -o $@ $<

$(DOCTOR)/Nio.class: tests/doctor/Nio.java | $(DOCTOR)
	$(call say,JAVAC,$<)javac -d $(DOCTOR) $<

$(DOCTOR):
	$(Q)mkdir -p $@

-include $(wildcard $(DOCTOR)/*.d)

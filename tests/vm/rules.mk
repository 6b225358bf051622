# SPDX-License-Identifier: GPL-2.0-only
# make test-kernels   all tests on stock kernels, emulated (KERNELS="6.1 7.x": some;
#                     BACKENDS="tracepoint": the truth with that one only)

VM_DEPS := qemu-system-x86 busybox-static python3 util-linux debian-archive-keyring

.PHONY: vm-deps test-kernels
vm-deps: deps
	$(Q)tests/deps.sh $(VM_DEPS)

test-kernels: vm-deps
	$(Q)$(MAKE) --no-print-directory STATIC=1 $(OUT)/static/iophase exact-build
	$(Q)KERNELS="$(KERNELS)" BACKENDS="$(BACKENDS)" tests/run.sh kernels

.PHONY: accuracy-kernels
accuracy-kernels: vm-deps
	$(Q)$(MAKE) --no-print-directory STATIC=1 $(OUT)/static/iophase truth-build
	$(Q)$(PYTHON) tests/vm/run.py --suite truth --accuracy docs/accuracy-kernels.md

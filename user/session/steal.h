/* SPDX-License-Identifier: GPL-2.0-only */
/* What a hypervisor takes from this machine's CPUs, which counts as time on them. */
#ifndef IOPHASE_STEAL_H
#define IOPHASE_STEAL_H

#include "types.h"

/* Of all CPUs since boot, ns, as /proc/stat has it; 0 where no hypervisor says so. */
u64 steal_ns(void);

#endif

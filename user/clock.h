/* SPDX-License-Identifier: GPL-2.0-only */
/* The clock of all times in this program and in the hooks. */
#ifndef IOPHASE_CLOCK_H
#define IOPHASE_CLOCK_H

#include <time.h>

#include "types.h"

/* CLOCK_MONOTONIC, ns: what bpf_ktime_get_ns() reads. */
static inline u64 clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* A sampler, by the clock of each CPU: where turns are that take long. */
#include "signs.bpf.h"

SEC("perf_event")
int iop_sample(void *ctx)
{
	if (!stopped)
		signs_sample();
	return 0;
}

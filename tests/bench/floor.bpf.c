// SPDX-License-Identifier: GPL-2.0-only
/* The least that any tool on these hooks can cost: programs that do nothing. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("raw_tp/sys_enter")
int floor_enter(void *ctx)
{
	return 0;
}

SEC("raw_tp/sys_exit")
int floor_exit(void *ctx)
{
	return 0;
}

SEC("raw_tp/sched_switch")
int floor_switch(void *ctx)
{
	return 0;
}

SEC("raw_tp/sched_waking")
int floor_waking(void *ctx)
{
	return 0;
}

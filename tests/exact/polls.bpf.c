// SPDX-License-Identifier: GPL-2.0-only
/*
 * An independent count of what iophase calls scanned: which poll functions were entered, by
 * kind of file, while a thread was inside a wait call. Nothing of iophase is used here, and no
 * structure of the kernel is read: which files are a call's own, and which are those of an epoll
 * instance nested in its set, the workload tells by their kinds.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>

#include "polls.h"

char LICENSE[] SEC("license") = "GPL";

/* By thread: the wait call it is inside. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} inside SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct counted);
	__type(value, __u64);
} counts SEC(".maps");

/* By thread: a copy under way; from_ns moves on by what it is off the processor. */
struct copying {
	__u64 from_ns;
	__u64 out_ns;
};

/* By process: its copies out of socket buffers, and the time they took. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct copied);
} copies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct copying);
} copying SEC(".maps");

/* What did not fit. */
__u64 overflows = 0;

struct enter_args {
	__u64 common;
	long id;
	unsigned long args[6];
};

static __u32 self_tid(void)
{
	return bpf_get_current_pid_tgid();
}

SEC("tracepoint/raw_syscalls/sys_enter")
int polls_enter(struct enter_args *ctx)
{
	__u32 tid = self_tid(), nr = ctx->id;

	switch (nr) {
	case __NR_restart_syscall:	/* of the wait calls only poll(2) is gone on with this way */
		nr = __NR_poll;
		break;
	case __NR_select:
	case __NR_pselect6:
	case __NR_poll:
	case __NR_ppoll:
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
	case __NR_epoll_pwait2:
		break;
	default:
		return 0;
	}
	if (bpf_map_update_elem(&inside, &tid, &nr, BPF_ANY))
		__sync_fetch_and_add(&overflows, 1);
	return 0;
}

SEC("tracepoint/raw_syscalls/sys_exit")
int polls_exit(void *ctx)
{
	__u32 tid = self_tid();

	bpf_map_delete_elem(&inside, &tid);
	return 0;
}

static int polled(__u32 kind)
{
	__u32 tid = self_tid(), *nr = bpf_map_lookup_elem(&inside, &tid);
	struct counted key = { .kind = kind };
	__u64 zero = 0, *count;

	if (!nr)
		return 0;
	key.tgid = bpf_get_current_pid_tgid() >> 32;
	key.nr = *nr;
	bpf_map_update_elem(&counts, &key, &zero, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&counts, &key);
	__sync_fetch_and_add(count ? count : &overflows, 1);
	return 0;
}

#define POLLED(function, kind)			\
	SEC("fentry/" #function)		\
	int polls_##function(void *ctx)		\
	{					\
		return polled(kind);		\
	}

POLLED(sock_poll, KIND_SOCK)
POLLED(pipe_poll, KIND_PIPE)
POLLED(eventfd_poll, KIND_EVENTFD)
POLLED(timerfd_poll, KIND_TIMERFD)

/* One epoll instance asked by another, or by select and poll: attached by name (polls.c). */
SEC("kprobe")
int polls_nested(void *ctx)
{
	return polled(KIND_EPOLL);
}

SEC("fentry/skb_copy_datagram_iter")
int polls_copy(void *ctx)
{
	struct copying copy = { .from_ns = bpf_ktime_get_ns() };
	__u32 tid = self_tid();

	if (bpf_map_update_elem(&copying, &tid, &copy, BPF_ANY))
		__sync_fetch_and_add(&overflows, 1);
	return 0;
}

SEC("fexit/skb_copy_datagram_iter")
int polls_copied(void *ctx)
{
	__u32 tid = self_tid(), tgid = bpf_get_current_pid_tgid() >> 32;
	struct copying *copy = bpf_map_lookup_elem(&copying, &tid);
	__u64 now = bpf_ktime_get_ns();
	struct copied zero = {}, *sum;

	if (!copy)
		return 0;
	bpf_map_update_elem(&copies, &tgid, &zero, BPF_NOEXIST);
	sum = bpf_map_lookup_elem(&copies, &tgid);
	if (sum) {
		__sync_fetch_and_add(&sum->calls, 1);
		__sync_fetch_and_add(&sum->ns, now - copy->from_ns);
	}
	bpf_map_delete_elem(&copying, &tid);
	return 0;
}

struct switch_args {
	__u64 common;
	char prev_comm[16];
	__u32 prev_pid;
	int prev_prio;
	long prev_state;
	char next_comm[16];
	__u32 next_pid;
};

SEC("tracepoint/sched/sched_switch")
int polls_switch(struct switch_args *ctx)
{
	__u32 out = ctx->prev_pid, in = ctx->next_pid;
	struct copying *copy;

	copy = bpf_map_lookup_elem(&copying, &out);
	if (copy)
		copy->out_ns = bpf_ktime_get_ns();
	copy = bpf_map_lookup_elem(&copying, &in);
	if (copy && copy->out_ns) {
		copy->from_ns += bpf_ktime_get_ns() - copy->out_ns;
		copy->out_ns = 0;
	}
	return 0;
}

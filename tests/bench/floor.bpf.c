// SPDX-License-Identifier: GPL-2.0-only
/*
 * The least that any tool on these hooks can cost: programs that do nothing. System calls have
 * them in one of three ways; the last is on functions, some of the calls and some inside them.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define NOTHING(name, section)	\
	SEC(section)		\
	int name(void *ctx)	\
	{			\
		return 0;	\
	}

NOTHING(floor_switch, "raw_tp/sched_switch")
NOTHING(floor_waking, "raw_tp/sched_waking")

NOTHING(floor_enter, "raw_tp/sys_enter")
NOTHING(floor_exit, "raw_tp/sys_exit")

NOTHING(classic_enter, "tracepoint/raw_syscalls/sys_enter")
NOTHING(classic_exit, "tracepoint/raw_syscalls/sys_exit")

#define AROUND(function)				\
	NOTHING(in_##function, "fentry/" #function)	\
	NOTHING(out_##function, "fexit/" #function)

AROUND(__x64_sys_read)
AROUND(__x64_sys_write)
AROUND(__x64_sys_epoll_wait)
AROUND(__x64_sys_epoll_ctl)
AROUND(__x64_sys_poll)
AROUND(__x64_sys_sendto)
AROUND(__x64_sys_recvfrom)
AROUND(eventfd_read)
AROUND(skb_copy_datagram_iter)
NOTHING(in_eventfd_poll, "fentry/eventfd_poll")
NOTHING(in_ep_poll_callback, "fentry/ep_poll_callback")
NOTHING(out_do_epoll_ctl, "fexit/do_epoll_ctl")

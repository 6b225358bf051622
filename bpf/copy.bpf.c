// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copying from socket buffers to user space, between tracepoints: it begins with
 * skb_copy_datagram_iovec; TCP ends it with tcp_rcv_space_adjust (0.2 % off the copy function
 * itself over 256 KiB), unix sockets by freeing the buffer, if all of it was taken. Whatever
 * is still open when the call returns is counted as a bound.
 */
#include "state.bpf.h"

static __always_inline struct thread *thread_in_call(void)
{
	struct thread *th = thread_of(bpf_get_current_task_btf());

	return th && th->call ? th : NULL;
}

static __always_inline void copy_begin(const struct sk_buff *skb)
{
	struct thread *th = thread_in_call();

	if (!th)
		return;
	th->copy_from_ns = bpf_ktime_get_ns();
	th->copy_skb = (u64)skb;
}

/* @skb: the buffer that has been copied, NULL if it can be no other than the last. */
static __always_inline void copy_end(const struct sk_buff *skb)
{
	struct thread *th = thread_in_call();

	if (!th || !th->copy_from_ns || (skb && (u64)skb != th->copy_skb))
		return;
	th->copy_ns += bpf_ktime_get_ns() - th->copy_from_ns;
	th->copy_from_ns = 0;
}

SEC("tp_btf/skb_copy_datagram_iovec")
int BPF_PROG(iop_skb_copy, const struct sk_buff *skb, int len)
{
	copy_begin(skb);
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(iop_tcp_copied, struct sock *sk)
{
	copy_end(NULL);
	return 0;
}

SEC("tp_btf/consume_skb")
int BPF_PROG(iop_skb_free, struct sk_buff *skb)
{
	copy_end(skb);
	return 0;
}

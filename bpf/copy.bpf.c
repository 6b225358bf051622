// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copying from the kernel to user space, in three ways, of which one is attached:
 *
 * The copy function of socket buffers itself, exact, and the read functions of other file
 * types, less their sleep: a bound, for they do more than copy.
 *
 * Tracepoints: a copy begins with skb_copy_datagram_iovec; TCP ends it with
 * tcp_rcv_space_adjust (0.2 % off the copy function itself over 256 KiB), unix sockets by
 * freeing the buffer, if all of it was taken. The same as classic tracepoints, which lose
 * nothing where the others do.
 *
 * Whatever is still open when the call returns is counted as a bound.
 */
#include "state.bpf.h"

/* @skb: the buffer that is copied from, NULL if the end of its copy will be seen as such. */
static __always_inline void copy_begin(const void *skb)
{
	struct thread *th = thread_in_call();
	u64 now;

	if (!th)
		return;
	now = bpf_ktime_get_ns();
	/* A buffer that is looked at with MSG_PEEK, or in parts, is not freed between two copies. */
	if (th->copy_from_ns)
		th->copy_open_ns += now - th->copy_from_ns;
	th->copy_from_ns = now;
	th->copy_skb = (u64)skb;
}

/* @skb: the buffer that has been copied, NULL if it can be no other than the last. */
static __always_inline void copy_end(const void *skb)
{
	struct thread *th = thread_in_call();

	if (!th || !th->copy_from_ns || (skb && (u64)skb != th->copy_skb))
		return;
	th->copy_ns += bpf_ktime_get_ns() - th->copy_from_ns;
	th->copy_from_ns = 0;
}

SEC("fentry/skb_copy_datagram_iter")
int BPF_PROG(iop_copy_in)
{
	copy_begin(NULL);
	return 0;
}

SEC("fexit/skb_copy_datagram_iter")
int BPF_PROG(iop_copy_out)
{
	struct thread *th = thread_in_call();

	/* Its beginning was dropped: what is known of the call's copying is not all of it. */
	if (th && !th->copy_from_ns) {
		loss(LOSS_copy_missed);
		th->copy_missed = true;
	}
	copy_end(NULL);
	return 0;
}

static __always_inline void read_end(void)
{
	struct thread *th = thread_in_call();

	if (!th)
		return;
	th->copy_loose = true;
	copy_end(NULL);
}

/* Read functions that are not there, or not under this name, are left out. */
#define READ_FUNCTION(function)				\
	SEC("fentry/" #function)			\
	int BPF_PROG(iop_rin_##function)		\
	{						\
		copy_begin(NULL);			\
		return 0;				\
	}						\
	SEC("fexit/" #function)				\
	int BPF_PROG(iop_rout_##function)		\
	{						\
		read_end();				\
		return 0;				\
	}
#include "reads.def"
#undef READ_FUNCTION

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

SEC("tracepoint/skb/skb_copy_datagram_iovec")
int iop_skb_copy_tp(struct trace_event_raw_skb_copy_datagram_iovec *ctx)
{
	copy_begin(ctx->skbaddr);
	return 0;
}

SEC("tracepoint/tcp/tcp_rcv_space_adjust")
int iop_tcp_copied_tp(void *ctx)
{
	copy_end(NULL);
	return 0;
}

SEC("tracepoint/skb/consume_skb")
int iop_skb_free_tp(struct trace_event_raw_consume_skb *ctx)
{
	copy_end(ctx->skbaddr);
	return 0;
}

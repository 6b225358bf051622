// SPDX-License-Identifier: GPL-2.0-only
/*
 * When an item of an epoll set becomes ready, whether or not a thread waits for it at the moment.
 * With interrupts off. Select and poll are on no wait queue but while they wait, so that there
 * the wake-up tells as much.
 */
#include "descriptors.bpf.h"

/* The bits of an epoll_event that are no events (fs/eventpoll.c, EP_PRIVATE_BITS). */
#define EPOLL_EVENTS	0x0fffffffu

SEC("fentry/ep_poll_callback")
int BPF_PROG(iop_ep_ready, struct wait_queue_entry *wait, u32 mode, int sync, void *key)
{
	struct eppoll_entry *entry = (void *)wait - bpf_core_field_offset(struct eppoll_entry, wait);
	struct epitem *item = BPF_CORE_READ(entry, base);
	u32 wanted = BPF_CORE_READ(item, event.events) & EPOLL_EVENTS, events = (u64)key;
	u64 ep = (u64)BPF_CORE_READ(item, ep);
	struct epoll_size *size;

	/* A one-shot item that has fired wants nothing; an event without a name may be any. */
	if (!wanted || (events && !(events & wanted)))
		return 0;
	size = bpf_map_lookup_elem(&epolls, &ep);
	if (size && !size->ready_ns)
		size->ready_ns = bpf_ktime_get_ns();
	if (size && knobs.descriptors)
		descriptor_ready((u64)BPF_CORE_READ(item, ffd.file), bpf_ktime_get_ns());
	return 0;
}

/* Something came for a socket, whoever waits for it. */
static __always_inline void sock_ready(u64 sk)
{
	u64 sock = FIELD(sk, sock, sk_socket), file = sock ? FIELD(sock, socket, file) : 0;

	struct descriptor *d = file ? bpf_map_lookup_elem(&descriptors, &file) : NULL;

	/* Whoever waits for room to write in it is not told of this. */
	if (d && !d->ready_ns && !(d->watch == WATCH_EPOLL && !(d->mask & (EPOLLIN | EPOLLRDHUP))))
		d->ready_ns = bpf_ktime_get_ns();
}

SEC("tp_btf/sk_data_ready")
int BPF_PROG(iop_data_ready, const struct sock *sk)
{
	sock_ready((u64)sk);
	return 0;
}

SEC("tracepoint/sock/sk_data_ready")
int iop_data_ready_tp(struct trace_event_raw_sk_data_ready *ctx)
{
	sock_ready((u64)ctx->skaddr);
	return 0;
}

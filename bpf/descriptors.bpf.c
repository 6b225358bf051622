// SPDX-License-Identifier: GPL-2.0-only
/* The iterators by which user space has descriptors looked at, and reads them. */
#include "activity.bpf.h"

/* The interest list of one epoll instance, of which a process has a descriptor. */
struct items_walk {
	struct tree_walk tree;
	u64 proc;
};

static long watched_step(u32 index, struct items_walk *walk)
{
	u64 item = walk->tree.at - bpf_core_field_offset(struct epitem, rbn);
	u64 file = FIELD(item, epitem, ffd.file);
	struct descriptor *d;

	watched_add(item, walk->proc, 0);
	d = bpf_map_lookup_elem(&descriptors, &file);
	if (d)
		d->sets = file_sets(file);
	return tree_step(index, &walk->tree);
}

/* Whether the interest list of @ep is as long as following it says. */
static __always_inline bool set_followed(u64 ep)
{
	struct epoll_size *size = bpf_map_lookup_elem(&epolls, &ep);

	return size && size->base >= 0 && tree_count(ep, INTEREST_MAX) == size->base + size->delta;
}

/* What watched processes have registered with epoll, before the watch began or unseen. */
SEC("iter/task_file")
int iop_watched(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct task_struct *task = ctx->task;
	struct items_walk walk = {};
	u64 ep;

	if (!file || !task || !file_is_epoll(file))
		return 0;
	walk.proc = process_watched(task);
	if (!walk.proc)
		return 0;
	ep = file_private(file);
	if (!watched_all && set_followed(ep))
		return 0;
	walk.tree.at = read_word(ep + bpf_core_field_offset(struct eventpoll, rbr.rb_leftmost));
	if (walk.tree.at)
		bpf_loop(INTEREST_MAX, watched_step, &walk, 0);
	return 0;
}

/* @pointer as a number, which global functions and maps take. */
static __always_inline u64 address_of(const void *pointer)
{
	u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &pointer);
	return address;
}

/* The bits of an item's events that are no events: it waits for nothing (EP_PRIVATE_BITS). */
#define EPOLL_PRIVATE	0xf0000000u

/* Whether @file is in @ep as a one-shot item that has fired, and was not armed again. */
static __always_inline bool item_disarmed(u64 file, u64 ep, u64 data)
{
	u64 item = ep ? item_by_data(file, ep, data) : 0;
	u32 events = item ? FIELD32(item, epitem, event.events) : 0;

	return events & EPOLLONESHOT && !(events & ~EPOLL_PRIVATE);
}

/* The descriptors that watched processes have open, of those that have a row. */
SEC("iter/task_file")
int iop_open(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct descriptor_head head = {};
	u64 file = address_of(ctx->file);
	struct descriptor *d;

	if (!file || !task || !process_watched(task))
		return 0;
	d = bpf_map_lookup_elem(&descriptors, &file);
	if (!d || !d->born_ns || !descriptor_is(d, file))
		return 0;
	d->seen = reading;
	head.file = file;
	head.tgid = task->tgid;
	head.fd = ctx->fd;
	descriptor_name(file, &head);
	head.disarmed = item_disarmed(file, d->ep, d->data);
	read_comm(head.comm, task->group_leader);
	bpf_seq_write(ctx->meta->seq, &head, sizeof(head));
	bpf_seq_write(ctx->meta->seq, d, sizeof(*d));
	return 0;
}

/*
 * Those that the iterator before found nowhere: their files ended unseen, or are on their way in a
 * message, or belong to processes that are not watched.
 */
SEC("iter/bpf_map_elem")
int iop_unseen(struct bpf_iter__bpf_map_elem *ctx)
{
	struct descriptor_head head = {};
	struct descriptor *d = ctx->value;
	u64 *file = ctx->key;
	bool alive;

	if (!file || !d || !d->born_ns || d->seen == (u8)reading)
		return 0;
	head.file = *file;
	head.tgid = proc_tgid(d->proc);
	head.fd = d->fd;
	head.queued = LEFT_UNKNOWN;
	/* The memory of one that has ended stays readable, and its count says so. */
	alive = descriptor_is(d, *file) && file_other_refs((struct file *)*file) >= 0;
	if (descriptor_is(d, *file))
		descriptor_name(*file, &head);
	if (!alive)
		head.closed_ns = bpf_ktime_get_ns();
	bpf_seq_write(ctx->meta->seq, &head, sizeof(head));
	bpf_seq_write(ctx->meta->seq, d, sizeof(*d));
	return 0;
}

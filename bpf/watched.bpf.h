/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is registered with epoll: by which data each instance reports which file. Followed at
 * epoll_ctl and close; what was there before, or came by another road, is read from the sets
 * themselves (iop_watched).
 */
#ifndef IOPHASE_WATCHED_BPF_H
#define IOPHASE_WATCHED_BPF_H

#include "descriptors.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, DESCRIPTORS_MAX);
	__type(key, struct watched_key);
	__type(value, struct watched);
} watched SEC(".maps");

/* Over the epoll sets that a file is in, the last that it was put in first. */
struct item_walk {
	u64 link;
	u64 ep;			/* what is looked for: in this one, 0: all are passed by */
	u64 data;		/* under this data, or this number */
	u32 fd;
	u32 by_data;
	u64 found;
};

static __always_inline u64 linked_item(u64 link)
{
	return link - bpf_core_field_offset(struct epitem, fllink);
}

static long item_step(u32 index, struct item_walk *walk)
{
	u64 item = linked_item(walk->link);

	if (FIELD(item, epitem, ep) == walk->ep &&
	    (walk->by_data ? FIELD(item, epitem, event.data) == walk->data :
			     FIELD32(item, epitem, ffd.fd) == walk->fd)) {
		walk->found = item;
		return 1;
	}
	walk->link = read_word(walk->link);
	return !walk->link;
}

#define FILE_SETS_MAX	1024

/* The link of @file to the first of its sets, 0 if it is in none. */
static __always_inline u64 file_first_link(u64 file)
{
	u64 head = file ? FIELD(file, file, f_ep) : 0;

	return head ? read_word(head) : 0;
}

/* struct epitem of @file in @ep under descriptor @fd, 0 if it is not in there. */
__noinline u64 item_find(u64 file, u64 ep, u32 fd)
{
	struct item_walk walk = { .ep = ep, .fd = fd };

	walk.link = file_first_link(file);
	if (walk.link)
		bpf_loop(FILE_SETS_MAX, item_step, &walk, 0);
	return walk.found;
}

/* The same under what epoll reports it by. */
__noinline u64 item_by_data(u64 file, u64 ep, u64 data)
{
	struct item_walk walk = { .ep = ep, .data = data, .by_data = 1 };

	ONLY_WITH(descriptors);
	walk.link = file_first_link(file);
	if (walk.link)
		bpf_loop(FILE_SETS_MAX, item_step, &walk, 0);
	return walk.found;
}

/* How many sets @file is in. */
__noinline u32 file_sets(u64 file)
{
	struct item_walk walk = {};

	ONLY_WITH(descriptors);
	walk.link = file_first_link(file);
	return walk.link ? bpf_loop(FILE_SETS_MAX, item_step, &walk, 0) : 0;
}

/* @item, of an epoll instance that process @proc has, is known from now on; @now: 0: before. */
__noinline int watched_add(u64 item, u64 proc, u64 now)
{
	struct watched_key key = {};
	struct watched value = {}, *known;
	struct descriptor *d, *other;
	u64 file, was;

	ONLY_WITH(descriptors);
	key.ep = FIELD(item, epitem, ep);
	key.data = FIELD(item, epitem, event.data);
	value.file = file = FIELD(item, epitem, ffd.file);
	value.mask = FIELD32(item, epitem, event.events);
	value.fd = FIELD32(item, epitem, ffd.fd);
	d = descriptor_of(file, proc, value.fd);
	if (!d)
		return 0;
	known = bpf_map_lookup_elem(&watched, &key);
	was = known ? known->file : 0;
	if (was && was != file) {
		other = bpf_map_lookup_elem(&descriptors, &was);
		if (other && descriptor_is(other, was) && item_by_data(was, key.ep, key.data)) {
			other->flags |= FD_AMBIGUOUS;
			d->flags |= FD_AMBIGUOUS;
		}
	}
	if (bpf_map_update_elem(&watched, &key, &value, BPF_ANY))
		loss(LOSS_watched_full);
	if (d->ep != key.ep || d->watch != WATCH_EPOLL)
		d->since_ns = now;
	d->ep = key.ep;
	d->data = key.data;
	d->watch = WATCH_EPOLL;
	d->mask = value.mask;
	return 0;
}

/* What @item is known by is forgotten: it is about to leave its set, or to be known by other data. */
__noinline int watched_forget(u64 item)
{
	struct watched_key key = {};
	u64 file = FIELD(item, epitem, ffd.file);
	struct watched *known;

	ONLY_WITH(descriptors);
	key.ep = FIELD(item, epitem, ep);
	key.data = FIELD(item, epitem, event.data);
	known = bpf_map_lookup_elem(&watched, &key);
	if (known && known->file == file)
		bpf_map_delete_elem(&watched, &key);
	return 0;
}

/* By which data the epoll_ctl of @th wants to know its descriptor; false: that cannot be read. */
static __always_inline bool ctl_event(struct thread *th, struct watched_key *key, u32 *mask)
{
	u32 words[3];		/* struct epoll_event: 12 bytes, not aligned */

	if (bpf_probe_read_user(words, sizeof(words), (void *)th->args[3]))
		return false;
	*mask = words[0] | EPOLLERR | EPOLLHUP;
	key->data = words[1] | (u64)words[2] << 32;
	return true;
}

/*
 * epoll_ctl begins. What is taken away is looked at before; what is added, or changed, can be
 * reported to another thread before the call is over.
 */
__noinline int watched_leaves(struct thread *th, u64 ep, u64 file)
{
	struct watched_key key = { .ep = ep };
	struct watched value = { .file = file };
	u64 item;
	u32 op;

	ONLY_WITH(descriptors);
	if (!th || !ep || !file)
		return 0;
	op = th->args[1];
	value.fd = th->args[2];
	item = op == EPOLL_CTL_ADD ? 0 : item_find(file, ep, value.fd);
	if (op == EPOLL_CTL_DEL || !ctl_event(th, &key, &value.mask)) {
		if (item)
			watched_forget(item);
		return 0;
	}
	if (item && FIELD(item, epitem, event.data) != key.data)
		watched_forget(item);
	/* Another file that is known by this is told from it when the call is over. */
	bpf_map_update_elem(&watched, &key, &value, BPF_NOEXIST);
	return 0;
}

/* It failed: what was to be known is not, and what was known still is. */
__noinline int watched_stays(struct thread *th, u64 ep, u64 file)
{
	struct watched_key key = { .ep = ep };
	struct watched *known;
	u64 item;
	u32 mask;

	ONLY_WITH(descriptors);
	if (!th || !ep || !file)
		return 0;
	item = item_find(file, ep, th->args[2]);
	if (ctl_event(th, &key, &mask) &&
	    !(item && FIELD(item, epitem, event.data) == key.data)) {
		known = bpf_map_lookup_elem(&watched, &key);
		if (known && known->file == file)
			bpf_map_delete_elem(&watched, &key);
	}
	if (item)
		watched_add(item, th->proc, 0);
	return 0;
}

/* It is over, and did what it was to do; 1: it added what was in no set before. */
__noinline int watched_enters(u64 ep, u64 file, u32 op, u32 fd, u64 proc)
{
	u64 item = op == EPOLL_CTL_DEL ? 0 : item_find(file, ep, fd), link;
	struct descriptor *d = bpf_map_lookup_elem(&descriptors, &file);
	u32 first = op == EPOLL_CTL_ADD && d && !d->since_ns;

	ONLY_WITH(descriptors);
	if (item)
		watched_add(item, proc, bpf_ktime_get_ns());
	if (!d)
		return 0;
	d->sets = file_sets(file);
	d->again = 0;		/* whoever changes what it waits for has seen the last report */
	if (op != EPOLL_CTL_DEL || d->ep != ep)
		return first;
	/* Another set may have it as well. */
	link = file_first_link(file);
	if (link) {
		watched_add(linked_item(link), proc, 0);
	} else {
		d->watch = WATCH_NONE;
		d->mask = 0;
	}
	return 0;
}

struct instance_end {
	struct tree_walk tree;
	bool exit;		/* with its process, of which it is shown how it waited */
};

/* An epoll instance is about to end, and with it all that is registered there. */
static long instance_ends_step(u32 index, struct instance_end *walk)
{
	u64 item = walk->tree.at - bpf_core_field_offset(struct epitem, rbn);
	u64 file = FIELD(item, epitem, ffd.file);
	struct descriptor *d = bpf_map_lookup_elem(&descriptors, &file);

	watched_forget(item);
	if (d && !walk->exit) {
		if (d->ep == FIELD(item, epitem, ep)) {
			d->watch = WATCH_NONE;
			d->mask = 0;
		}
		if (d->sets)
			d->sets--;
	}
	return tree_step(index, &walk->tree);
}

__noinline int instance_ends(u64 ep, bool exit)
{
	struct instance_end walk = { .exit = exit };

	walk.tree.at = read_word(ep + bpf_core_field_offset(struct eventpoll, rbr.rb_leftmost));
	if (walk.tree.at)
		bpf_loop(INTEREST_MAX, instance_ends_step, &walk, 0);
	return 0;
}

struct items_end {
	u64 link;
};

static long items_end_step(u32 index, struct items_end *walk)
{
	watched_forget(linked_item(walk->link));
	walk->link = read_word(walk->link);
	return !walk->link;
}

/*
 * Number @fd is about to be closed, by its process or by @exit of that. The file ends with its last
 * reference, and leaves all sets that it is in.
 */
__noinline int descriptor_closed(u64 file, u32 fd, u64 proc, bool exit)
{
	struct descriptor *d = file ? bpf_map_lookup_elem(&descriptors, &file) : NULL;
	struct items_end walk = {};
	u64 head;

	ONLY_WITH(descriptors);
	if (file && file_kind(file) == KIND_EPOLL && file_other_refs((struct file *)file) <= 0)
		instance_ends(FIELD(file, file, private_data), exit);
	if (!d)
		return 0;
	/* Another file than the one that was at this address before, and ended unseen. */
	if (!descriptor_is(d, file)) {
		descriptor_gone(file);
		return 0;
	}
	if (!exit)
		descriptor_served(d, bpf_ktime_get_ns());
	if (file_other_refs((struct file *)file) > 0) {
		/* The number is that of its first process, until another uses it. */
		if (!exit && d->fd == fd && d->proc == proc)
			d->flags |= FD_CLOSED;
		return 0;
	}
	head = FIELD(file, file, f_ep);
	walk.link = head ? read_word(head) : 0;
	if (walk.link)
		bpf_loop(FILE_SETS_MAX, items_end_step, &walk, 0);
	descriptor_end(file, exit);
	return 0;
}

#endif

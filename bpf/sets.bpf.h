/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counting the sets of select and poll, in user memory, and following the sets of epoll, in
 * the kernel's. All of it runs in the thread that makes the call, so it costs the target.
 */
#ifndef IOPHASE_SETS_BPF_H
#define IOPHASE_SETS_BPF_H

#include "state.bpf.h"

/* A walk of a ready list, or of an interest list, at most; what is longer is not known. */
#define READY_SHORT	64	/* walked whatever the call asks for */
#define READY_MAX	(1 << 16)
#define READY_MAX_IRQ	1024	/* with interrupts off, at a switch-in */
#define INTEREST_MAX	(1 << 20)

#define SETS_UNREAD	(-1ull)

/*
 * The counting functions are global ones, which the verifier looks at once and not for every
 * state in which they are called.
 */

/* struct file of descriptor @fd of @task, NULL if there is none. */
static __always_inline struct file *file_of(struct task_struct *task, u32 fd)
{
	struct fdtable *fdt;

	if (LACKS(files))
		return NULL;
	fdt = task->files->fdt;
	if (fd >= fdt->max_fds)
		return NULL;
	return (struct file *)read_word((u64)(fdt->fd + fd));
}

/*
 * Reading user memory costs about 90 ns whatever the length, so it is read in large pieces,
 * into a scratch page of this CPU: the hooks of one CPU cannot interrupt each other (the
 * attach type is chosen so), and nothing in it outlives a hook.
 */
static __always_inline struct scratch *scratch_get(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&scratches, &zero);
}

/* poll, ppoll: an array of struct pollfd, 8 bytes each, looked at as one little-endian word. */
#define POLL_CHUNK	SCRATCH_WORDS
#define POLL_NEGATIVE	0x80000000ull

struct poll_walk {
	u64 entries;		/* address in user space */
	u32 left;
	u32 found;
	u32 ready, seen;	/* entries with a result, and those of them seen so far */
	bool failed;
};

/*
 * The next entries, as many as fit, in @page, and @pad behind them up to a whole group; their
 * number, 0 if they cannot be read.
 */
static __always_inline u32 poll_fetch(struct poll_walk *walk, struct scratch *page, u64 pad)
{
	u32 n = walk->left < POLL_CHUNK ? walk->left : POLL_CHUNK;

	if (bpf_probe_read_user(page->words, n * sizeof(u64), (void *)walk->entries)) {
		walk->failed = true;
		walk->left = 0;
		return 0;
	}
	for (u32 i = 0; i < GROUP; i++)
		page->words[n + i] = pad;
	walk->entries += n * sizeof(u64);
	walk->left -= n;
	page->count = n;
	return page->count;
}

static long poll_asked_chunk(u32 index, struct poll_walk *walk)
{
	struct scratch *page = scratch_get();
	u32 n, found = 0;

	if (!page)
		return 1;
	n = poll_fetch(walk, page, POLL_NEGATIVE);
	for (u32 at = 0; at < POLL_CHUNK && at < n; at += GROUP) {
		/* An entry with a negative descriptor is not asked for. */
		for (u32 i = 0; i < GROUP; i++)
			found += ~page->words[at + i] >> 31 & 1;
	}
	walk->found += found;
	return !walk->left;
}

/* Descriptors asked for, SETS_UNREAD if user memory could not be read. */
__noinline u64 poll_asked(u64 entries, u32 n)
{
	struct poll_walk walk = { .entries = entries, .left = n };

	if (n)
		bpf_loop((n + POLL_CHUNK - 1) / POLL_CHUNK, poll_asked_chunk, &walk, 0);
	return walk.failed ? SETS_UNREAD : walk.found;
}

static long poll_invalid_chunk(u32 index, struct poll_walk *walk)
{
	struct scratch *page = scratch_get();
	u32 n, found = 0, ready = 0;

	if (!page)
		return 1;
	n = poll_fetch(walk, page, 0);
	for (u32 at = 0; at < POLL_CHUNK && at < n; at += GROUP) {
		for (u32 i = 0; i < GROUP; i++) {
			u64 result = page->words[at + i] >> 48;

			found += result >> 5 & 1;		/* POLLNVAL */
			ready += (result + 0xffff) >> 16;	/* any */
		}
	}
	walk->found += found;
	walk->seen += ready;
	return !walk->left || walk->seen >= walk->ready;
}

/* Of the @ready entries with a result: those that were no open descriptor, so not scanned. */
__noinline u32 poll_invalid(u64 entries, u32 n, u32 ready)
{
	struct poll_walk walk = { .entries = entries, .left = n, .ready = ready };

	bpf_loop((n + POLL_CHUNK - 1) / POLL_CHUNK, poll_invalid_chunk, &walk, 0);
	return walk.found;
}

/* select, pselect6: up to three bitmaps of longs. */
#define SELECT_CHUNK	16	/* words of 64 descriptors; what is not there is 0, and all are added */
#define SELECT_STRIDE	(2 * SELECT_CHUNK)
#define SELECT_SETS_END	128	/* a power of two beyond the places of the sets */

struct select_walk {
	u64 sets[4];		/* addresses in user space, those that were given first */
	u32 given;
	u32 second, third;	/* where the words of the second and third set are put */
	u32 left;		/* descriptors */
	u32 found;
	bool failed;
};

static __always_inline u32 popcount(u64 v)
{
	v -= v >> 1 & 0x5555555555555555;
	v = (v & 0x3333333333333333) + (v >> 2 & 0x3333333333333333);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return v * 0x0101010101010101 >> 56;
}

/*
 * The next words of set @i of @walk, of which the last ends at descriptor @n, in their place
 * in @page, with nothing set behind them. False if they cannot be read.
 */
static __always_inline bool select_fetch(struct select_walk *walk, struct scratch *page, u32 i,
					 u32 n)
{
	u64 *words = page->words + i * SELECT_STRIDE;
	u64 last = ((u64)n - 1) / 64;

	if (last >= SELECT_CHUNK ||
	    bpf_probe_read_user(words, (last + 1) * sizeof(u64), (void *)walk->sets[i])) {
		walk->failed = true;
		return false;
	}
	walk->sets[i] += (last + 1) * sizeof(u64);
	words[last] &= -1ull >> (-n & 63);
	for (u32 pad = 1; pad < SELECT_CHUNK; pad++)
		words[last + pad] = 0;
	return true;
}

static long select_chunk(u32 index, struct select_walk *walk)
{
	u32 n = walk->left < SELECT_CHUNK * 64 ? walk->left : SELECT_CHUNK * 64;
	struct scratch *page = scratch_get();
	u32 found = 0, second, third;

	if (!page)
		return 1;
	for (u32 i = 0; i < 3 && i < walk->given; i++) {
		if (!select_fetch(walk, page, i, n))
			return 1;
	}
	/* A set that was not given is replaced by one that was: it adds nothing. */
	second = walk->second & (SELECT_SETS_END - 1);
	third = walk->third & (SELECT_SETS_END - 1);
	for (u32 i = 0; i < SELECT_CHUNK; i++)
		found += popcount(page->words[i] | page->words[second + i] | page->words[third + i]);
	walk->found += found;
	walk->left -= n;
	return !walk->left;
}

static __always_inline u32 select_bytes(u32 n)
{
	return (n + 63) / 64 * 8;
}

/*
 * The kernel looks at no descriptor beyond the table of the process and says nothing of it
 * (core_sys_select, fs/select.c).
 */
static __always_inline u32 select_clip(struct task_struct *task, u32 n)
{
	u32 max_fds = task->files->fdt->max_fds;

	return n < max_fds ? n : max_fds;
}

/* Descriptors below @n in any of the sets, SETS_UNREAD if user memory could not be read. */
__noinline u64 select_asked(u64 in, u64 out, u64 ex, u32 n)
{
	struct select_walk walk = { .left = n };

	if (in)
		walk.sets[walk.given++] = in;
	if (out)
		walk.sets[walk.given++ & 3] = out;
	if (ex)
		walk.sets[walk.given++ & 3] = ex;
	walk.second = walk.given > 1 ? SELECT_STRIDE : 0;
	walk.third = walk.given > 2 ? 2 * SELECT_STRIDE : 0;
	if (n && walk.given)
		bpf_loop((n + SELECT_CHUNK * 64 - 1) / (SELECT_CHUNK * 64), select_chunk, &walk, 0);
	return walk.failed ? SETS_UNREAD : walk.found;
}

/*
 * epoll: the ready list of the instance, read without its lock. Items that another thread
 * takes off meanwhile can only end the walk early, so a count is a lower bound.
 */
struct list_walk {
	u64 head, at, until;
};

static long list_step(u32 index, struct list_walk *walk)
{
	if (walk->at == walk->until)
		return 1;
	walk->at = read_word(walk->at);
	return !walk->at || walk->at == walk->head;
}

static __always_inline u64 ready_list(u64 ep)
{
	return ep + bpf_core_field_offset(struct eventpoll, rdllist);
}

/* Items on the ready list at @head, up to @until if that is one of them. */
__noinline u32 ready_walk(u64 head, u32 max, u64 until)
{
	struct list_walk walk = { .head = head, .at = read_word(head), .until = until };

	return walk.at ? bpf_loop(max, list_step, &walk, 0) : 0;
}

/* The same without the price of a loop for what is most common: no item, or one. */
static __always_inline u32 ready_count(u64 ep, u32 max)
{
	u64 head = ready_list(ep), first = read_word(head);

	if (!first || first == head)
		return 0;
	return read_word(first) == head ? 1 : ready_walk(head, max, 0);
}

static __always_inline u64 ready_last(u64 ep)
{
	return read_word(ready_list(ep) + sizeof(void *));
}

/*
 * How far to walk for a call that reports @maxevents at most: the kernel stops there too, so a
 * walk costs about what the call does.
 */
static __always_inline u32 ready_limit(u32 maxevents)
{
	if (maxevents < READY_SHORT)
		return READY_SHORT;
	return maxevents < READY_MAX ? maxevents + 1 : READY_MAX;
}

/* The thread is about to scan the ready list: at entry, and when it comes back from a sleep. */
static __always_inline void ready_scan(struct thread *th, u32 max)
{
	u32 n = LACKS(ready) ? 0 : ready_count(th->ep, max);

	if (!n)
		return;
	if (n < max)
		th->scanned += n;
	else
		th->walk_cut = true;
	th->passes++;
	th->ep_last = ready_last(th->ep);
}

static __always_inline bool item_requeued(u64 link)
{
	struct epitem *item = (void *)link - bpf_core_field_offset(struct epitem, rdllink);

	return !(READ(item, event.events) & (EPOLLET | EPOLLONESHOT));
}

/*
 * Items left unvisited because the call had all it asked for. They go back to the head of the
 * ready list, in order, before the level-triggered ones that were reported and queued again;
 * so they are what stands up to the item that was last at the walk. When that one is the last
 * of all, it was either not reached or, if it is level-triggered, perhaps reported itself: then
 * none was left, and all that is there was reported. That is certain if those that are gone are
 * fewer than those that were reported; if not, it may be too much.
 */
static __always_inline u32 ready_unvisited(struct thread *th)
{
	u32 max = ready_limit(th->args[2]), all = ready_count(th->ep, max);
	u32 left = all ? ready_walk(ready_list(th->ep), max, th->ep_last) : 0;

	if (left == all && ready_last(th->ep) != th->ep_last)
		return 0;	/* it is not on the list any more */
	if (left == all && left && item_requeued(th->ep_last) &&
	    th->scanned < (u64)all + (u32)th->args[2])
		return 0;
	return left;
}

/* Sizes of interest lists: what epoll_ctl and close did since the instance was counted. */
static __always_inline void epoll_resized(u64 ep, s64 by)
{
	struct epoll_size *size = bpf_map_lookup_elem(&epolls, &ep);

	if (!size)
		return;
	__sync_fetch_and_add(&size->delta, by);
	__sync_fetch_and_add(&epoll_changes, 1);
}

static __always_inline void epoll_follow(u64 ep, s64 base)
{
	struct epoll_size size = { .base = base };

	if (ep && bpf_map_update_elem(&epolls, &ep, &size, BPF_ANY))
		loss(LOSS_epolls_full);
	__sync_fetch_and_add(&epoll_changes, 1);
}

static __always_inline void epoll_forget(u64 ep)
{
	bpf_map_delete_elem(&epolls, &ep);
	__sync_fetch_and_add(&epoll_changes, 1);
}

/* When the first event on @ep came since the last that was reported; 0 if none was seen. */
static __always_inline u64 epoll_ready_take(u64 ep)
{
	struct epoll_size *size = bpf_map_lookup_elem(&epolls, &ep);

	return size ? __sync_lock_test_and_set(&size->ready_ns, 0) : 0;
}

/* The running thread waits on a set: whether it is not the only one that does. */
static __always_inline bool epoll_waited(struct epoll_size *size)
{
	u32 tid = bpf_get_current_pid_tgid(), first;

	first = __sync_val_compare_and_swap(&size->waiter, 0, tid);
	if (first && first != tid && !size->shared) {
		size->shared = true;
		__sync_fetch_and_add(&epoll_changes, 1);
	}
	return size->shared;
}

/* Size of the interest list of @ep, -1 if it is not known. */
static __always_inline s64 epoll_size(struct thread *th, u64 ep)
{
	u64 changes = *(volatile u64 *)&epoll_changes;
	struct epoll_size *size;

	if (th->sized_ep == ep && th->sized_at == changes)
		return th->size;
	size = bpf_map_lookup_elem(&epolls, &ep);
	th->sized_ep = ep;
	th->sized_at = changes;
	th->size = size && size->base >= 0 ? size->base + size->delta : -1;
	th->shared = !size || epoll_waited(size);
	return th->size;
}

/* Whether others wait, or may wait, on the set of the call that @th is inside. */
static __always_inline bool epoll_shared(struct thread *th)
{
	epoll_size(th, th->ep);
	return th->shared;
}

static __always_inline bool file_is_epoll(struct file *file)
{
	return kind_fops[KIND_EPOLL] && (u64)READ(file, f_op) == kind_fops[KIND_EPOLL];
}

/* What a file of its kind keeps there; of an epoll instance, its struct eventpoll. */
static __always_inline u64 file_private(struct file *file)
{
	return read_word((u64)file + bpf_core_field_offset(struct file, private_data));
}

/* struct eventpoll behind descriptor @fd, 0 if it is none. */
static __always_inline u64 epoll_of(struct task_struct *task, u32 fd)
{
	struct file *file = file_of(task, fd);

	return file && file_is_epoll(file) ? file_private(file) : 0;
}

/*
 * Counts the interest list, a red-black tree, without its lock: in order, by the parent links.
 * A change meanwhile can lead astray, so user space believes only two equal counts.
 */
struct tree_walk {
	u64 at;
	bool lost;
};

static __always_inline u64 tree_left(u64 node)
{
	return read_word(node + bpf_core_field_offset(struct rb_node, rb_left));
}

static __always_inline u64 tree_right(u64 node)
{
	return read_word(node + bpf_core_field_offset(struct rb_node, rb_right));
}

/* The two low bits of the word hold the colour (include/linux/rbtree.h). */
static __always_inline u64 tree_parent(u64 node)
{
	return read_word(node + bpf_core_field_offset(struct rb_node, __rb_parent_color)) & ~3ull;
}

static __always_inline u64 tree_leftmost(u64 node)
{
	for (u32 i = 0; i < 64; i++) {
		u64 left = tree_left(node);

		if (!left)
			break;
		node = left;
	}
	return node;
}

static long tree_step(u32 index, struct tree_walk *walk)
{
	u64 right = tree_right(walk->at), parent;

	if (right) {
		walk->at = tree_leftmost(right);
		return 0;
	}
	for (u32 i = 0; i < 64; i++) {
		parent = tree_parent(walk->at);
		if (!parent || tree_right(parent) != walk->at) {
			walk->at = parent;
			return !parent;
		}
		walk->at = parent;
	}
	walk->lost = true;
	return 1;
}

/* Items on the interest list of @ep, -1 if they could not be counted or are @max or more. */
__noinline s64 tree_count(u64 ep, u32 max)
{
	struct tree_walk walk = {};
	s64 n = 0;

	if (LACKS(interest))
		return -1;
	walk.at = read_word(ep + bpf_core_field_offset(struct eventpoll, rbr.rb_leftmost));
	if (walk.at)
		n = bpf_loop(max, tree_step, &walk, 0);
	return n >= max || walk.lost ? -1 : n;
}

#define CHECKED_MAX	(1 << 16)	/* a longer list is not worth the time of who ends it */

/*
 * The interest list of @ep, which may be about to end, is counted once more: other ways to change
 * it than those that are followed are io_uring, the end of another process that shares it, and
 * threads that are not watched.
 */
__noinline int epoll_check(u64 ep)
{
	struct epoll_size *size = ep ? bpf_map_lookup_elem(&epolls, &ep) : NULL;
	s64 followed;

	if (!size || size->base < 0)
		return 0;
	followed = size->base + size->delta;
	if (followed < 0 || followed >= CHECKED_MAX || tree_count(ep, followed + 2) != followed)
		asked_astray = true;
	return 0;
}

#define FILE_EPOLLS_MAX	16

/* The end of @file takes it off every interest list it is on, without an epoll_ctl. */
static __always_inline void file_items_end(struct file *file)
{
	struct hlist_node *link = BPF_CORE_READ(file, f_ep, first);

	for (u32 i = 0; i < FILE_EPOLLS_MAX && link; i++) {
		struct epitem *item = (void *)link - bpf_core_field_offset(struct epitem, fllink);

		epoll_resized((u64)BPF_CORE_READ(item, ep), -1);
		link = BPF_CORE_READ(link, next);
	}
}

/* @fd is about to be closed; the last reference to an epoll instance ends the instance. */
static __always_inline void epoll_closed(struct task_struct *task, u32 fd)
{
	struct file *file = file_of(task, fd);

	if (file && LACKS(closing))
		asked_astray = true;
	if (!file || LACKS(closing) || file_other_refs(file) > 0)
		return;
	if (file_is_epoll(file)) {
		epoll_check(file_private(file));
		epoll_forget(file_private(file));
	}
	file_items_end(file);
}

#endif

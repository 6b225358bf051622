/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Figures of each descriptor: what is called on it, when it became ready, was reported, was
 * served, and whether something was left in it. Kept by file, not by number, so that what is
 * duplicated or inherited is one, and a number that is used again is another.
 */
#ifndef IOPHASE_DESCRIPTORS_BPF_H
#define IOPHASE_DESCRIPTORS_BPF_H

#include "files.bpf.h"
#include "totals.bpf.h"

/* Their numbers are set by user space: where descriptors are not asked for, to next to nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, DESCRIPTORS_MAX);
	__type(key, u64);
	__type(value, struct descriptor);
} descriptors SEC(".maps");

/*
 * Processes of which a thread is watched. The iterators over descriptor tables are shown the thread
 * that leads a process, which need not be one of them.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, proc_id);
	__type(value, u8);
} processes SEC(".maps");

/* The names of those that ended last. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, proc_id);
	__type(value, char[COMM_LEN]);
} ended_comms SEC(".maps");

/* Descriptors that were closed: struct descriptor_record. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, CLOSED_RING_SIZE);
} closed SEC(".maps");

/* The sum of those for which there was no room in the ring, by process. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, proc_id);
	__type(value, struct descriptor);
} closed_sums SEC(".maps");

static const struct descriptor descriptor_zero;
u64 descriptors_born = 0;

static __always_inline u32 lag_bucket(u64 ns)
{
	u32 bucket = log2_floor(ns | 1);

	bucket = bucket > LAG_BASE ? bucket - LAG_BASE : 0;
	return bucket < LAG_BUCKETS ? bucket : LAG_BUCKETS - 1;
}

static __always_inline void lag_add(u32 *hist, u64 ns)
{
	u32 bucket = lag_bucket(ns);

	if (bucket < LAG_BUCKETS)
		__sync_fetch_and_add(&hist[bucket], 1);
}

static __always_inline u32 file_ino(u64 file)
{
	return FIELD32(FIELD(file, file, f_inode), inode, i_ino);
}

/* Whether @d is still the file at @file, and not one that was at this address before. */
static __always_inline bool descriptor_is(struct descriptor *d, u64 file)
{
	return d->private_data == FIELD(file, file, private_data) && d->ino == file_ino(file);
}

/* The figures of @d are added to those of its process that have no name. */
static __always_inline void descriptor_merge(struct descriptor *d)
{
	struct descriptor *sum;
	u64 proc;

	loss(LOSS_closed_merged);
	proc = d->proc;
	sum = bpf_map_lookup_elem(&closed_sums, &proc);
	if (!sum) {
		bpf_map_update_elem(&closed_sums, &proc, &descriptor_zero, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&closed_sums, &proc);
	}
	if (!sum) {
		loss(LOSS_fds_full);
		return;
	}
	sum->proc = proc;
	/* It has no number of its own: there it is how many they are. */
	__sync_fetch_and_add(&sum->fd, 1);
	for (u32 i = 0; i < NR_DESCRIPTOR_FIGURES; i++)
		__sync_fetch_and_add(&((u64 *)&sum->sum)[i], ((u64 *)&d->sum)[i]);
	for (u32 i = 0; i < LAG_BUCKETS; i++) {
		__sync_fetch_and_add(&sum->report_hist[i], d->report_hist[i]);
		__sync_fetch_and_add(&sum->serve_hist[i], d->serve_hist[i]);
	}
	for (u32 i = 0; i < 4; i++)
		__sync_fetch_and_add(&sum->masks[i], d->masks[i]);
}

/* What @file, which is still open, is called. */
static __always_inline void descriptor_name(u64 file, struct descriptor_head *head)
{
	u32 kind = file_kind(file);

	head->named = 1;
	head->nonblock = !!(FIELD32(file, file, f_flags) & O_NONBLOCK);
	head->queued = file_left(kind, FIELD(file, file, private_data));
	file_describe(file, kind, &head->name);
}

/* The last report of @d is judged, when the next comes, or it ends: was it served, and was it all taken. */
static __always_inline void report_judge(struct descriptor *d)
{
	if (!(d->flags & FD_REPORTED))
		return;
	if (!(d->flags & FD_SERVED))
		ADD(&d->sum, unserved, 1);
	else if (d->flags & FD_DRAINED)
		ADD(&d->sum, drained, 1);
	else if (d->left && d->left != LEFT_UNKNOWN)
		ADD(&d->sum, undrained, 1);
}

/* A record for @d, of the file at @file, in the ring; NULL: no room, or nothing to say. */
static __always_inline struct descriptor_record *record_begin(struct descriptor *d, u64 file)
{
	struct descriptor_record *record;

	/* There may have been requests for it. */
	if (!d->sum.calls && !d->sum.reported && !d->watch && !knobs.models)
		return NULL;
	record = bpf_ringbuf_reserve(&closed, sizeof(*record), 0);
	if (!record) {
		descriptor_merge(d);
		return NULL;
	}
	__builtin_memset(&record->head, 0, sizeof(record->head));
	__builtin_memcpy(&record->descriptor, d, sizeof(*d));
	record->head.file = file;
	record->head.tgid = proc_tgid(d->proc);
	record->head.fd = d->fd;
	record->head.closed_ns = bpf_ktime_get_ns();
	record->head.queued = LEFT_UNKNOWN;
	return record;
}

/* The file at @file is about to end, by a close or with its process: its figures go to user space. */
__noinline int descriptor_end(u64 file, bool exit)
{
	struct descriptor *d = bpf_map_lookup_elem(&descriptors, &file);
	struct descriptor_record *record;

	ONLY_WITH(descriptors);
	if (d)
		report_judge(d);
	record = d ? record_begin(d, file) : NULL;
	if (record) {
		record->head.ended = exit;
		descriptor_name(file, &record->head);
		read_comm(record->head.comm, bpf_get_current_task_btf()->group_leader);
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	}
	bpf_map_delete_elem(&descriptors, &file);
	return 0;
}

/* The same of a file that has ended unseen, and cannot be asked any more what it was called. */
__noinline int descriptor_gone(u64 file)
{
	struct descriptor *d = bpf_map_lookup_elem(&descriptors, &file);
	struct descriptor_record *record;

	ONLY_WITH(descriptors);
	if (d)
		report_judge(d);
	record = d ? record_begin(d, file) : NULL;
	if (record)
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	bpf_map_delete_elem(&descriptors, &file);
	return 0;
}

/*
 * A row for @file, which has none. Two threads can be at it at once: what they fill in is the same, but for
 * when it was born, which is what it is known by from then on.
 */
__noinline int descriptor_new(u64 file, u64 proc, u32 fd)
{
	struct descriptor *d;
	u64 born;

	ONLY_WITH(descriptors);
	if (bpf_map_update_elem(&descriptors, &file, &descriptor_zero, BPF_NOEXIST) == -7 /* E2BIG */)
		loss(LOSS_fds_full);
	d = bpf_map_lookup_elem(&descriptors, &file);
	if (!d || d->born_ns)
		return 0;
	d->private_data = FIELD(file, file, private_data);
	d->proc = proc;
	d->ino = file_ino(file);
	d->fd = fd;
	d->kind = file_kind(file);
	d->left = LEFT_UNKNOWN;
	born = (bpf_ktime_get_ns() & ~0xffull) | (__sync_fetch_and_add(&descriptors_born, 1) & 0xff);
	__sync_val_compare_and_swap(&d->born_ns, 0, born);
	return 0;
}

/* The row of @file, made if need be; NULL if there is no room. */
static __always_inline struct descriptor *descriptor_of(u64 file, u64 proc, u32 fd)
{
	struct descriptor *d;

	if (!file)
		return NULL;
	d = bpf_map_lookup_elem(&descriptors, &file);
	if (d && descriptor_is(d, file))
		return d;
	/* A file that was at this address before has ended unseen. */
	if (d)
		descriptor_gone(file);
	descriptor_new(file, proc, fd);
	return bpf_map_lookup_elem(&descriptors, &file);
}

/* Something came for @file that it can be waited for. In any context. */
static __always_inline void descriptor_ready(u64 file, u64 now)
{
	struct descriptor *d = bpf_map_lookup_elem(&descriptors, &file);

	if (d && !d->ready_ns)
		d->ready_ns = now;
}

static __always_inline u64 later(u64 a, u64 b)
{
	return a > b ? a : b;
}

/*
 * How long @d was ready before this report, at @now: 0 if that is not known, or it is the same
 * readiness that was reported and not served yet.
 */
static __always_inline u64 report_lag(struct descriptor *d, u64 now)
{
	bool again = (d->flags & (FD_REPORTED | FD_SERVED)) == FD_REPORTED;
	u64 since = d->ready_ns;

	d->ready_ns = 0;
	if (since && since < now) {
		ADD(&d->sum, report_ns, now - since);
		ADD(&d->sum, timed_reports, 1);
		lag_add(d->report_hist, now - since);
		return now - since;
	}
	if (!again) {
		since = later(later(d->called_ns, d->reported_ns), later(d->since_ns, d->born_ns));
		ADD(&d->sum, untimed_reports, 1);
		ADD(&d->sum, untimed_most_ns, since < now ? now - since : 0);
	}
	return 0;
}

#define EPOLLIN		0x01
#define EPOLLPRI	0x02
#define EPOLLOUT	0x04
#define EPOLLERR	0x08
#define EPOLLHUP	0x10
#define EPOLLRDHUP	0x2000

static __always_inline void masks_add(struct descriptor *d, u32 events)
{
	if (events & EPOLLIN)
		__sync_fetch_and_add(&d->masks[0], 1);
	if (events & EPOLLOUT)
		__sync_fetch_and_add(&d->masks[1], 1);
	if (events & (EPOLLHUP | EPOLLRDHUP))
		__sync_fetch_and_add(&d->masks[2], 1);
	if (events & EPOLLERR)
		__sync_fetch_and_add(&d->masks[3], 1);
}

/* A wait call reports @events of @d; the lag since it became ready, 0: not known. */
__noinline u64 descriptor_reported(struct descriptor *d, u32 events, u64 now)
{
	u64 lag;

	ONLY_WITH(descriptors);
	if (!d)
		return 0;
	report_judge(d);
	lag = report_lag(d, now);
	ADD(&d->sum, reported, 1);
	masks_add(d, events);
	d->reported_ns = now;
	d->flags &= ~(FD_SERVED | FD_DRAINED | FD_PROGRESS | FD_READ | FD_WAITED | FD_EMPTY);
	d->flags |= FD_REPORTED;
	return lag;
}

/* The first call on @d since its report, at @now; the lag between them, 0 if it is none. */
static __always_inline u64 descriptor_served(struct descriptor *d, u64 now)
{
	u64 lag;

	if ((d->flags & (FD_REPORTED | FD_SERVED)) != FD_REPORTED)
		return 0;
	d->flags |= FD_SERVED;
	if (!d->reported_ns || now <= d->reported_ns)
		return 0;
	lag = now - d->reported_ns;
	ADD(&d->sum, serve_ns, lag);
	ADD(&d->sum, serves, 1);
	lag_add(d->serve_hist, lag);
	return lag;
}

/* What an input call that took something, or all, leaves in @d. */
static __always_inline void descriptor_taken(struct descriptor *d, bool empty, bool short_read,
					     u64 now)
{
	u32 left = empty ? 0 : file_left(d->kind, d->private_data);

	d->left = left;
	if (!left || (left == LEFT_UNKNOWN && short_read)) {
		d->flags |= FD_DRAINED;
		d->ready_ns = 0;
	} else if (left != LEFT_UNKNOWN) {
		/* What is left is ready from now on, whether or not more comes. */
		d->flags &= ~FD_DRAINED;
		if (!d->ready_ns)
			d->ready_ns = now;
	}
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of Linux AIO and of io_uring: from where they are handed in to where they are known to be
 * over. Of io_uring the kernel says both; of AIO the program's own io_submit and io_getevents are
 * looked at, so that there a request is over when it is collected.
 */
#ifndef IOPHASE_REQUESTS_BPF_H
#define IOPHASE_REQUESTS_BPF_H

#include "models.bpf.h"

/* By the address of an io_uring request, or by process and address of a struct iocb of its own. */
struct request_key {
	u64 proc;		/* 0: of io_uring */
	u64 at;
};

struct request {
	u64 submit_ns;
	u64 proc;
	u64 born_ns;		/* of its descriptor, where they are kept apart; 0: not known */
	u64 fd_proc;		/* and of which process this is */
	u32 tid;		/* who handed it in */
	u16 shots;		/* results that it had */
	u8 opcode;
	u8 queued;		/* it went to a worker thread */
};

/*
 * Those that are never seen to end are pushed out by others: LRU. Its size is set by user space, to
 * next to nothing where models are not asked for.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, REQUESTS_MAX);
	__type(key, struct request_key);
	__type(value, struct request);
} requests SEC(".maps");

/* The request that has several results, by what these are known by: they do not name it. */
struct shot_key {
	u64 ring;
	u64 user_data;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, REQUESTS_MAX);
	__type(key, struct shot_key);
	__type(value, u64);
} shots SEC(".maps");

static __always_inline struct model_sum *request_sum(u32 model, struct request *r)
{
	if (!knobs.models_by_fd)
		return model_of(model, r->proc, r->tid, 0);
	/* Which descriptor it is of may not be known. */
	return model_of(model, r->born_ns ? r->fd_proc : r->proc, 0, r->born_ns);
}

/* @r is of the descriptor that @file is behind. */
__noinline int request_file(struct request *r, u64 file, u32 fd)
{
	struct descriptor *d;

	ONLY_WITH(models);
	if (!r || !knobs.models_by_fd)
		return 0;
	d = descriptor_of(file, r->proc, fd);
	if (!d)
		return 0;
	r->born_ns = d->born_ns;
	r->fd_proc = d->proc;
	return 0;
}

/* @r, of @model, is handed in, and known by @proc (0: of io_uring) and @at. */
__noinline int request_begins(u32 model, struct request *r, u64 proc, u64 at)
{
	struct request_key key = { .proc = proc, .at = at };
	struct model_sum *sum;
	struct request value, *old;

	ONLY_WITH(models);
	if (!r)
		return 0;
	value = *r;
	/* What was known by the same is over, and was not seen to be. */
	old = bpf_map_lookup_elem(&requests, &key);
	sum = old ? request_sum(model, old) : NULL;
	if (sum)
		ADD(sum, unseen, 1);
	if (bpf_map_update_elem(&requests, &key, &value, BPF_ANY))
		loss(LOSS_models_full);
	sum = request_sum(model, &value);
	if (sum)
		ADD(sum, requests, 1);
	return 0;
}

/* A result of @r, at @now: the first tells how long it took. */
static __always_inline void request_timed(struct model_sum *sum, struct request *r, u64 now)
{
	if (!r->shots && r->submit_ns && r->submit_ns < now) {
		ADD(sum, complete_ns, now - r->submit_ns);
		ADD(sum, timed_completions, 1);
	}
	if (r->shots < 0xffff)
		r->shots++;
}

static __always_inline void request_result(struct model_sum *sum, s64 res, bool input, bool output)
{
	ADD(sum, calls, 1);
	if (res == -EAGAIN)
		ADD(sum, eagain, 1);
	else if (res < 0)
		ADD(sum, errors, 1);
	else if (input && !res)
		ADD(sum, zero, 1);
	else if (input)
		ADD(sum, in_bytes, res);
	else if (output)
		ADD(sum, out_bytes, res);
}

/* A wait of @th for completions; @ready: how many it collected. */
static __always_inline void request_waited(struct thread *th, u32 model, u64 ready, bool empty, u64 now)
{
	struct model_sum *sum = knobs.models_by_fd ? NULL : model_of_thread(model, th->proc, 0);

	if (!sum)
		return;
	model_wait(sum, th, now);
	ADD(sum, ready, ready);
	ADD(sum, empty, empty);
}

/* A call of @th that hands requests in, and does nothing else. */
static __always_inline void request_submitted(struct thread *th, u32 model, u64 now)
{
	struct model_sum *sum = knobs.models_by_fd ? NULL : model_of_thread(model, th->proc, 0);

	if (!sum)
		return;
	ADD(sum, submits, 1);
	ADD(sum, submit_ns, now - th->enter_ns);
	ADD(sum, submit_blocked_ns, th->blocked_ns);
	ADD(sum, submit_runnable_ns, th->runnable_ns);
	ADD(sum, blocked_submits, !!th->blocked_ns);
}

/* include/uapi/linux/aio_abi.h */
struct user_iocb {
	u64 data;
	u32 key, rw_flags;
	u16 opcode;
	s16 reqprio;
	u32 fd;
};

struct user_io_event {
	u64 data;
	u64 obj;
	s64 res, res2;
};

enum { IOCB_PREAD = 0, IOCB_PWRITE = 1, IOCB_PREADV = 7, IOCB_PWRITEV = 8 };

#define IOCBS_MAX	1024	/* of one call: those beyond are not followed */

struct iocb_walk {
	u64 at;			/* of pointers, or of events */
	u64 now;
	u64 proc;
};

static long iocb_submit_step(u32 index, struct iocb_walk *walk)
{
	struct user_iocb iocb = {};
	struct request r = {};
	u64 at = 0;

	if (bpf_probe_read_user(&at, sizeof(at), (void *)walk->at) ||
	    bpf_probe_read_user(&iocb, sizeof(iocb), (void *)at))
		return 1;
	walk->at += sizeof(at);
	r.submit_ns = walk->now;
	r.proc = walk->proc;
	r.tid = bpf_get_current_pid_tgid();
	r.opcode = iocb.opcode;
	request_file(&r, (u64)file_of(bpf_get_current_task_btf(), iocb.fd), iocb.fd);
	request_begins(MODEL_AIO, &r, walk->proc, at);
	return 0;
}

static __always_inline u32 iocbs_followed(u64 count)
{
	if (count > IOCBS_MAX)
		__sync_fetch_and_add(&losses[LOSS_models_cut], count - IOCBS_MAX);
	return count < IOCBS_MAX ? count : IOCBS_MAX;
}

/* io_submit(2) begins: another thread may collect what it hands in before it is over. */
__noinline int aio_submits(struct thread *th)
{
	struct iocb_walk walk = {};

	ONLY_WITH(models);
	if (!th || (s64)th->args[1] <= 0)
		return 0;
	walk.at = th->args[2];
	walk.now = bpf_ktime_get_ns();
	walk.proc = th->proc;
	bpf_loop(iocbs_followed(th->args[1]), iocb_submit_step, &walk, 0);
	return 0;
}

static long iocb_refused_step(u32 index, struct iocb_walk *walk)
{
	struct request_key key = { .proc = walk->proc };
	struct model_sum *sum;
	struct request *r;

	if (bpf_probe_read_user(&key.at, sizeof(key.at), (void *)walk->at))
		return 1;
	walk->at += sizeof(key.at);
	r = bpf_map_lookup_elem(&requests, &key);
	sum = r ? request_sum(MODEL_AIO, r) : NULL;
	if (sum)
		ADD(sum, requests, -1);
	bpf_map_delete_elem(&requests, &key);
	return 0;
}

/* It is over, and took @ret of them; the others are handed in by none. */
__noinline int aio_submitted(struct thread *th, s64 ret, u64 now)
{
	struct iocb_walk walk = {};
	u64 asked, taken;

	ONLY_WITH(models);
	if (!th || (s64)th->args[1] <= 0)
		return 0;
	request_submitted(th, MODEL_AIO, now);
	taken = ret > 0 ? ret : 0;
	asked = th->args[1] < IOCBS_MAX ? th->args[1] : IOCBS_MAX;
	walk.at = th->args[2] + taken * sizeof(u64);
	walk.proc = th->proc;
	if (taken < asked)
		bpf_loop(asked - taken, iocb_refused_step, &walk, 0);
	return 0;
}

static long iocb_collect_step(u32 index, struct iocb_walk *walk)
{
	struct request_key key = { .proc = walk->proc };
	struct user_io_event event = {};
	struct model_sum *sum;
	struct request *r;
	u32 opcode = ~0u;

	if (bpf_probe_read_user(&event, sizeof(event), (void *)walk->at))
		return 1;
	walk->at += sizeof(event);
	key.at = event.obj;
	r = bpf_map_lookup_elem(&requests, &key);
	sum = r ? request_sum(MODEL_AIO, r) : model_of_thread(MODEL_AIO, walk->proc, 0);
	if (!sum)
		return 0;
	if (r) {
		opcode = r->opcode;
		request_timed(sum, r, walk->now);
		ADD(sum, ended, 1);
	}
	request_result(sum, event.res, opcode == IOCB_PREAD || opcode == IOCB_PREADV,
		       opcode == IOCB_PWRITE || opcode == IOCB_PWRITEV);
	bpf_map_delete_elem(&requests, &key);
	return 0;
}

/* io_getevents(2) gave @ret results. */
__noinline int aio_collected(struct thread *th, s64 ret, u64 now)
{
	struct iocb_walk walk = { .now = now };

	ONLY_WITH(models);
	if (!th)
		return 0;
	request_waited(th, MODEL_AIO, ret > 0 ? ret : 0, !ret, now);
	if (ret <= 0)
		return 0;
	walk.at = th->args[3];
	walk.proc = th->proc;
	bpf_loop(iocbs_followed(ret), iocb_collect_step, &walk, 0);
	return 0;
}

#define IORING_ENTER_GETEVENTS	1
#define ETIME			62

/* io_uring_enter(2): what it waits for it waits for after it has handed in what it was to. */
__noinline int uring_entered(struct thread *th, s64 ret, u64 now)
{
	bool waits;

	ONLY_WITH(models);
	if (!th)
		return 0;
	waits = th->args[3] & IORING_ENTER_GETEVENTS && (u32)th->args[2];
	if (waits)
		request_waited(th, MODEL_IO_URING, 0, ret == -ETIME, now);
	else
		request_submitted(th, MODEL_IO_URING, now);
	return 0;
}

#endif

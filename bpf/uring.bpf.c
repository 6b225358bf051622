// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of io_uring, where they are handed in, go to a worker thread, and have a result. By classic
 * tracepoints: their fields are the same on all kernels, where the arguments of the others are not.
 */
#include "requests.bpf.h"

/* Who runs is a thread of the kernel's for io_uring, in the process that has the ring. */
#define PF_IO_WORKER		0x00000010

#define IORING_CQE_F_MORE	2
#define IOSQE_FIXED_FILE	1

/* include/uapi/linux/io_uring.h: enum io_uring_op */
enum {
	OP_READV = 1, OP_WRITEV = 2, OP_READ_FIXED = 4, OP_WRITE_FIXED = 5, OP_POLL_ADD = 6,
	OP_SENDMSG = 9, OP_RECVMSG = 10, OP_ACCEPT = 13, OP_READ = 22, OP_WRITE = 23, OP_SEND = 26,
	OP_RECV = 27, OP_SEND_ZC = 47, OP_SENDMSG_ZC = 48, OP_READ_MULTISHOT = 49, OP_RECV_ZC = 58,
	OP_READV_FIXED = 60, OP_WRITEV_FIXED = 61,
};

static __always_inline bool op_is_input(u32 op)
{
	return op == OP_READV || op == OP_READ_FIXED || op == OP_RECVMSG || op == OP_READ ||
	       op == OP_RECV || op == OP_READ_MULTISHOT || op == OP_RECV_ZC || op == OP_READV_FIXED;
}

static __always_inline bool op_is_output(u32 op)
{
	return op == OP_WRITEV || op == OP_WRITE_FIXED || op == OP_SENDMSG || op == OP_WRITE ||
	       op == OP_SEND || op == OP_SEND_ZC || op == OP_SENDMSG_ZC || op == OP_WRITEV_FIXED;
}

/* One that may have several results, of which all but the last name no request. */
static __always_inline bool op_is_multishot(u32 op)
{
	return op == OP_POLL_ADD || op == OP_ACCEPT || op == OP_RECV || op == OP_RECVMSG ||
	       op == OP_READ_MULTISHOT || op == OP_RECV_ZC;
}

/* The process, if it is watched, for which the running thread does what it does to requests; or 0. */
static __always_inline u64 uring_proc(struct task_struct *task)
{
	struct thread *th = thread_of(task);
	u64 proc;

	if (th)
		return th->proc;
	if (!(task->flags & PF_IO_WORKER))
		return 0;
	proc = proc_of(task);
	return bpf_map_lookup_elem(&processes, &proc) ? proc : 0;
}

/*
 * The descriptor of @r, which is about to begin, by the number that it gives. A registered file has
 * none, and others do without one: what these are is looked at when there is a result.
 */
static __always_inline void uring_made_on(struct task_struct *task, struct request *r, u64 at)
{
	u32 op = r->opcode, fd;

	if (!op_is_input(op) && !op_is_output(op) && !op_is_multishot(op))
		return;
	if (FIELD8(at, io_kiocb, flags) & IOSQE_FIXED_FILE)
		return;
	fd = FIELD32(at, io_kiocb, cqe.fd);
	request_file(r, (u64)file_of(task, fd), fd);
}

static __always_inline void uring_made(u64 ring, u64 at, u64 user_data, u32 opcode)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct shot_key shot = { .ring = ring, .user_data = user_data };
	struct request r = { .opcode = opcode };
	struct model_sum *sum;

	if (stopped)
		return;
	r.proc = uring_proc(task);
	if (!r.proc)
		return;
	r.tid = task->pid;
	r.submit_ns = bpf_ktime_get_ns();
	if (knobs.models_by_fd)
		uring_made_on(task, &r, at);
	request_begins(MODEL_IO_URING, &r, 0, at);
	if (op_is_multishot(opcode))
		bpf_map_update_elem(&shots, &shot, &at, BPF_ANY);
	if (opcode != OP_POLL_ADD && !(task->flags & PF_IO_WORKER))
		return;
	sum = request_sum(MODEL_IO_URING, &r);
	if (!sum)
		return;
	ADD(sum, polls, opcode == OP_POLL_ADD);
	ADD(sum, sq_polled, !!(task->flags & PF_IO_WORKER));
}

/* The request that a result which names none is of, 0: not known. */
__noinline u64 shot_request(u64 ring, u64 user_data)
{
	struct shot_key key = { .ring = ring, .user_data = user_data };
	u64 *at = bpf_map_lookup_elem(&shots, &key);

	ONLY_WITH(models);
	return at ? *at : 0;
}

__noinline int shot_ends(u64 ring, u64 user_data)
{
	struct shot_key key = { .ring = ring, .user_data = user_data };

	ONLY_WITH(models);
	bpf_map_delete_elem(&shots, &key);
	return 0;
}

/* The sums that the result of @r goes to; without it, of the process that runs. */
static __always_inline struct model_sum *result_sum(struct request *r, u64 at)
{
	u64 proc;

	if (r) {
		if (knobs.models_by_fd && !r->born_ns && at)
			request_file(r, FIELD(at, io_kiocb, file), FD_UNKNOWN);
		return request_sum(MODEL_IO_URING, r);
	}
	proc = uring_proc(bpf_get_current_task_btf());
	return proc ? model_of_thread(MODEL_IO_URING, proc, 0) : NULL;
}

SEC("tracepoint/io_uring/io_uring_complete")
int iop_req_done(struct trace_event_raw_io_uring_complete *ctx)
{
	bool more = ctx->cflags & IORING_CQE_F_MORE;
	struct request_key key = { .at = (u64)ctx->req };
	u64 ring = (u64)ctx->ctx, user_data = ctx->user_data;
	s32 res = ctx->res;
	struct model_sum *sum;
	struct request *r;
	u32 op = ~0u;

	if (stopped)
		return 0;
	if (!key.at)
		key.at = shot_request(ring, user_data);
	r = bpf_map_lookup_elem(&requests, &key);
	sum = result_sum(r, key.at);
	if (!sum)
		return 0;
	if (r) {
		op = r->opcode;
		if (r->shots)
			ADD(sum, shots, 1);
		request_timed(sum, r, bpf_ktime_get_ns());
		ADD(sum, ended, !more);
	}
	request_result(sum, res, op_is_input(op), op_is_output(op));
	if (more)
		return 0;
	bpf_map_delete_elem(&requests, &key);
	if (op_is_multishot(op))
		shot_ends(ring, user_data);
	return 0;
}

SEC("tracepoint/io_uring/io_uring_queue_async_work")
int iop_req_queued(struct trace_event_raw_io_uring_queue_async_work *ctx)
{
	struct request_key key = { .at = (u64)ctx->req };
	struct request *r = stopped ? NULL : bpf_map_lookup_elem(&requests, &key);
	struct model_sum *sum = r ? request_sum(MODEL_IO_URING, r) : NULL;

	if (!sum || r->queued)
		return 0;
	r->queued = true;
	ADD(sum, queued, 1);
	return 0;
}

SEC("tracepoint/io_uring/io_uring_submit_req")
int iop_req_made(struct trace_event_raw_io_uring_submit_req *ctx)
{
	uring_made((u64)ctx->ctx, (u64)ctx->req, ctx->user_data, ctx->opcode);
	return 0;
}

/* Until 6.2 it had another name. */
SEC("tracepoint/io_uring/io_uring_submit_sqe")
int iop_sqe_made(struct trace_event_raw_io_uring_submit_sqe *ctx)
{
	uring_made((u64)ctx->ctx, (u64)ctx->req, ctx->user_data, ctx->opcode);
	return 0;
}

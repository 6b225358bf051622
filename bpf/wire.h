/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the BPF side and user space share: the calls, the figures, and the records they pass.
 * Included by both; the includer has defined the fixed-width types u8..u64 and s32, s64.
 */
#ifndef IOPHASE_WIRE_H
#define IOPHASE_WIRE_H

enum call_id {
	CALL_NONE,
#define CALL(name, class, args, ret, i386) CALL_##name,
#include "calls.def"
#undef CALL
	NR_CALLS,
	/* What is watched but has no rows of its own: see enum call_args. */
	CALL_NO_ROW = NR_CALLS,
};

enum call_class { CLASS_NONE, CLASS_WAIT, CLASS_INPUT, CLASS_OUTPUT, CLASS_CONTROL };

enum call_args {
	ARGS_FD, ARGS_SELECT, ARGS_POLL, ARGS_EPOLL, ARGS_CTL, ARGS_BUF, ARGS_BUFF, ARGS_MSG,
	ARGS_MMSG,
	/* Of what is watched but has no rows of its own. */
	ARGS_RESTART, ARGS_SIGRETURN, ARGS_EXIT, ARGS_CLOSE, ARGS_CLOSE_RANGE, ARGS_DUP,
	ARGS_CREATE,
};

enum call_ret { RET_OK, RET_READY, RET_BYTES, RET_SENT, RET_MSGS };

/*
 * How a system call number is treated. Packed so that the hooks, which see every system call
 * of the machine, need one load: enum call_id, enum call_args, and whether the number means a
 * watched call in 32-bit programs.
 */
#define ROUTE(call, args)	((call) | (args) << 8)
#define ROUTE_COMPAT		(1u << 16)
#define ROUTE_CALL(route)	((route) & 0xff)
#define ROUTE_ARGS(route)	((route) >> 8 & 0xff)

/* What the hooks know of a call, by enum call_id. */
struct call_kind {
	u8 class;		/* enum call_class */
	u8 ret;			/* enum call_ret */
	u8 args;		/* enum call_args */
	u8 pad;
};

#define NR_CALL_KINDS	32

/* Which threads are watched. A filter that is off lets everything pass; all must pass. */
struct filter {
	u32 own_tgid;
	bool follow;		/* children of watched processes are watched too */
	bool by_tgid, by_tid, by_comm, by_uid, by_cgroup;
	u64 cgroup_id;
};

/* What else is set before the programs are loaded. */
struct knobs {
	u64 min_ns;		/* count only calls at least this long */
	bool failed_only;
	bool per_thread;	/* keep rows of ended threads apart */
	bool switch_has_state;	/* sched_switch passes the state as its fourth argument */
	bool preempt_count_known;
	s64 preempt_count_from_rq;	/* from a CPU's run queue to its preempt count, bytes */
	bool scan_hooked;	/* poll functions are counted: nothing is to be inferred */
	bool sets_hooked;	/* epoll sets are followed where they change, not at system calls */
	bool ready_hooked;	/* readiness is seen when it comes, not when it wakes */
	u32 lacks;		/* parts that are left out: 1 << enum part */
	bool rdonly_cast;	/* the kernel has bpf_rdonly_cast() (6.2, commit a35b9af4ec2c) */
};

#define COMM_LEN	16
#define NR_SYSCALLS	512	/* numbers of the native table that are looked at */
#define NR_SLOTS	17	/* different calls one thread can have totals for at a time */

/*
 * Histograms: base-2 exponential, 8 buckets an octave, whose edges are those of *seconds*, so
 * that they are those of a Prometheus native histogram of schema 3. Bucket b of struct hist
 * is bucket b + HIST_BASE of that scheme, which covers (2^((i-1)/8), 2^(i/8)] seconds.
 */
#define HIST_BUCKETS	296
#define HIST_BASE	(8 * 6 - 239)	/* starts at about 2^6 ns */
#define HIST_ROWS	768

/*
 * Most calls never leave the CPU: their wall time is their on-CPU time, and they were neither
 * blocked nor runnable. They cost one increment, in direct[]; only the others cost four.
 */
struct hist {
	u64 direct[HIST_BUCKETS];
	u64 wall[HIST_BUCKETS];
	u64 blocked[HIST_BUCKETS];
	u64 runnable[HIST_BUCKETS];
	u64 on_cpu[HIST_BUCKETS];
};

struct totals {
#define FIGURE(name) u64 name;
#include "figures.def"
#undef FIGURE
};

#define NR_FIGURES (sizeof(struct totals) / sizeof(u64))

/* What the kernel may lack: parts.def. */
enum part {
#define PART(name, ...) PART_##name,
#include "parts.def"
#undef PART
	NR_PARTS,
};

enum loss_id {
#define LOSS(name, text) LOSS_##name,
#include "losses.def"
#undef LOSS
	NR_LOSSES,
};

/*
 * A process for as long as it lives: its thread group id above the low 32 bits of its start
 * time in units of 2^20 ns, so that a reused id is another process.
 */
typedef u64 proc_id;

static inline u32 proc_tgid(proc_id proc)
{
	return proc >> 32;
}

/*
 * Totals of threads that ended; tid is 0 unless rows are kept per thread. What was folded while
 * user space read the figures, of a thread that it had seen already, has a row of its own with
 * the number of that reading, which is to leave it out; else late is 0.
 */
struct folded_key {
	proc_id proc;
	u32 tid;
	u32 call;
	u32 late;
	u32 pad;
};

struct folded {
	struct totals sum;
	char comm[COMM_LEN];
};

struct hist_key {
	proc_id proc;
	u32 call;
	u32 pad;
};

struct errno_key {
	proc_id proc;
	u32 tid;
	u16 call;
	u16 error;
};

/* Calls of a 32-bit process, left out; by proc_id. */
struct left_out {
	u64 calls;
	char comm[COMM_LEN];
};

enum waker_kind { WAKER_NONE, WAKER_TASK, WAKER_SOFTIRQ, WAKER_HARDIRQ, WAKER_UNKNOWN };

/* Who made a thread runnable; tgid and comm are 0 unless kind is WAKER_TASK. */
struct waker {
	u32 kind;
	u32 tgid;
	char comm[COMM_LEN];
};

struct waker_key {
	proc_id proc;
	u32 tid;
	u32 call;
	u32 late;		/* as in struct folded_key */
	u32 pad;
	struct waker waker;
};

enum phase { PHASE_ON_CPU, PHASE_BLOCKED, PHASE_WOKEN, PHASE_PREEMPTED };

/* One live thread, as the dump iterator writes it: this, then nr_slots struct slot_record. */
struct thread_record {
	proc_id proc;
	u32 tgid;
	u32 tid;
	char comm[COMM_LEN];
	char proc_comm[COMM_LEN];
	u64 enter_ns;		/* CLOCK_MONOTONIC; of the call it is inside, if call != 0 */
	u32 call;
	u8 began_before;	/* was inside already when the watch began: enter_ns is that moment */
	u8 phase;
	u16 nr_slots;
	struct waker waker;	/* a run of wake-ups not yet in the wakers map */
	u32 waker_call;
	u32 waker_run;
};

struct slot_record {
	u32 call;
	u32 pad;
	struct totals sum;
};

/* One epoll instance held by a watched process, as the epoll iterator writes it. */
struct epoll_record {
	u64 ep;
	u32 tgid;
	u32 fd;
	s64 followed;		/* size known from following it, -1: not followed */
	s64 counted;		/* size counted just now, -1: could not be */
};

/* The size of an epoll interest list: what was counted once plus what changed since. */
struct epoll_size {
	s64 base;
	s64 delta;
	u64 ready_ns;		/* the first event since the last report; 0: none, or not hooked */
	u32 waiter;		/* the thread that waited on it first */
	u32 shared;		/* others did too */
};

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Event loops, and the turns of the threads that are in them. */
#ifndef IOPHASE_LOOPS_BPF_H
#define IOPHASE_LOOPS_BPF_H

#include "totals.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LOOP_ROWS);
	__type(key, u32);
	__type(value, struct event_loop);
} loops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LOOP_ROWS);
	__type(key, struct loop_key);
	__type(value, u32);
} loop_rows SEC(".maps");

/* Rows of loops that ended. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, LOOP_ROWS);
	__type(value, u32);
} free_loops SEC(".maps");

u64 next_loop = 1;

#define LOOPS_SEEN 16

/* What a watched thread does besides its call; only the thread itself, and its switches, write it. */
struct activity {
	u64 file;		/* what the call under way is on; 0: nothing, or not known */
	u64 turn_ns;		/* when the turn under way began, 0: none */
	u64 turn_runnable_ns;
	u64 turn_off_ns;	/* off the CPU, in all: that, and blocked */
	u64 turn_blocked_ns[NR_CALL_KINDS];	/* by call; [0]: outside of the watched ones */
	u64 turn_blocked;	/* in which of them: 1 << call */
	u64 asked_ns;		/* when the set of a select or poll was last looked at */
	u64 loop_ep;		/* the loop that it waited in last */
	u32 loop_watch;
	u32 loop;		/* its row */
	u32 seen[LOOPS_SEEN];	/* rows that it was counted in as a thread */
	u32 next_seen;
	u32 counted;		/* the call that is over passes the filters */

	/* By which model the call that is over was served (bpf/models.bpf.h). */
	u32 model;
	bool of_signalfd;	/* it is on one */
	bool edge_told;		/* its last wait that reported something did so of an edge */
	u64 model_born;		/* of its descriptor */
	proc_id model_proc;	/* the process that is kept apart by */

	/* For signs of misuse. */
	u64 run_born;		/* the descriptor of its last calls in this turn, */
	u64 run_ns;		/* since when, */
	u64 run_off_ns;		/* how long the turn had been off the CPU until then, */
	u32 run_calls;		/* and how many */
	u32 idle_run;		/* waits in a row that returned nothing and did not sleep */
	u64 idle_ns;		/* when the last of them returned */
	u64 hog_born;		/* the longest of such runs in this turn */
	u64 hog_ns;
	u64 hog_own_ns;		/* of that on the CPU */
	u64 last_hog_born;	/* and that of the turn before, if what came next was there at once */
	u64 last_hog_ns;
	u64 told_ns;		/* when its last wait ended, and reported what it did */
	u64 delay_ns;		/* all that it had waited for a CPU when its last wait ended */
	bool full_run;		/* its last wait returned as much as it had room for */
	bool late;		/* in this turn another was served late */
	bool slow;		/* the turn before this wait was slow, and none was */
	u64 slow_born;		/* the descriptor that it went into last */
	bool slow_then;		/* and what this wait found was there at once */
	bool writable;		/* its last wait reported room where there had been none */
	bool sleepy;		/* it was blocked for long in a turn, outside of the watched calls */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct activity);
} activities SEC(".maps");

static __always_inline struct activity *activity_of(struct task_struct *task)
{
	return bpf_task_storage_get(&activities, task, NULL, 0);
}

static __always_inline struct event_loop *loop_at(u32 row)
{
	return bpf_map_lookup_elem(&loops, &row);
}

/* The row of the loop @of, 0 if none is free. */
__noinline u32 loop_row(struct loop_key *of, u32 epfd)
{
	struct event_loop *loop;
	u32 row = 0, *known;
	struct loop_key key;

	ONLY_WITH(descriptors);
	if (!of)
		return 0;
	/* On the stack, from where the verifier of 6.1 lets it be used. */
	key = *of;
	known = bpf_map_lookup_elem(&loop_rows, &key);
	if (known)
		return *known;
	if (bpf_map_pop_elem(&free_loops, &row)) {
		if (next_loop >= LOOP_ROWS)
			return 0;
		row = __sync_fetch_and_add(&next_loop, 1);
	}
	loop = loop_at(row);
	if (!loop)
		return 0;
	/* Another thread may be faster; the row taken here then stays empty. */
	if (!bpf_map_update_elem(&loop_rows, &key, &row, BPF_NOEXIST)) {
		loop->epfd = epfd;
		loop->asked = ASKED_UNKNOWN;
		loop->key = key;
		return row;
	}
	known = bpf_map_lookup_elem(&loop_rows, &key);
	return known ? *known : 0;
}

static __always_inline void loop_joined(struct activity *act, struct event_loop *loop)
{
	for (u32 i = 0; i < LOOPS_SEEN; i++) {
		if (act->seen[i] == act->loop)
			return;
	}
	act->seen[act->next_seen & (LOOPS_SEEN - 1)] = act->loop;
	act->next_seen++;
	__sync_fetch_and_add(&loop->threads, 1);
}

static __always_inline u32 watch_of(u32 args)
{
	return args == ARGS_EPOLL ? WATCH_EPOLL : args == ARGS_POLL ? WATCH_POLL : WATCH_SELECT;
}

/* @task is about to wait, in the loop that it is in from now on; NULL: on nothing at all. */
static __always_inline struct event_loop *loop_enter(struct task_struct *task, struct thread *th,
						     struct activity *act, u32 args)
{
	u32 watch = watch_of(args);
	struct loop_key key = { .watch = watch };
	struct event_loop *loop;

	if (watch == WATCH_EPOLL && !th->ep) {
		act->loop_watch = WATCH_NONE;
		return NULL;
	}
	if (act->loop && act->loop_watch == watch && act->loop_ep == th->ep)
		return loop_at(act->loop);
	key.proc = th->proc;
	key.ep = th->ep;
	if (watch != WATCH_EPOLL)
		key.tid = task->pid;
	act->loop_watch = watch;
	act->loop_ep = th->ep;
	act->loop = loop_row(&key, th->args[0]);
	loop = loop_at(act->loop);
	if (!loop)
		return NULL;
	if (!act->loop) {
		loss(LOSS_loops_full);
		return loop;
	}
	bpf_probe_read_kernel(loop->comm, COMM_LEN, task->group_leader->comm);
	loop->tid = task->pid;
	loop_joined(act, loop);
	return loop;
}

/*
 * The running thread is in a turn, but not so its loop: of several threads that wait for the same
 * instance another waits now, or has since. Go's monitor, for one, looks at it once, and then naps.
 */
static __always_inline bool turn_apart(struct event_loop *loop)
{
	u32 last = loop->last_tid, in = loop->in_tid, tid = bpf_get_current_task_btf()->pid;

	return loop->threads > 1 && ((last && last != tid) || (in && in != tid));
}

/* @task ends, perhaps in a wait. */
static __always_inline void loop_left(struct task_struct *task)
{
	struct activity *act = activity_of(task);
	struct event_loop *loop = act && act->loop ? loop_at(act->loop) : NULL;

	if (loop && loop->in_tid == (u32)task->pid)
		loop->in_tid = 0;
}

static __always_inline void turn_clear(struct activity *act)
{
	act->turn_blocked = 0;
	act->turn_runnable_ns = 0;
	act->turn_off_ns = 0;
}

/* In which calls the turn was blocked, which for most turns is none; for how long in all. */
static __always_inline u64 turn_blocked_add(struct activity *act, struct event_loop *loop)
{
	u64 all_ns = 0;

	for (u32 call = 0; act->turn_blocked && call < NR_CALL_KINDS; call++) {
		if (!(act->turn_blocked >> call & 1))
			continue;
		all_ns += act->turn_blocked_ns[call];
		__sync_fetch_and_add(&loop->blocked_ns[call], act->turn_blocked_ns[call]);
	}
	if (all_ns)
		ADD(&loop->sum, turn_blocked_ns, all_ns);
	return all_ns;
}

static __always_inline void turn_slow(struct activity *act, struct event_loop *loop, u64 turn_ns,
				      u64 blocked_ns)
{
	act->slow = !act->late;
	act->slow_born = act->run_born;
	if (act->late)
		ADD(&loop->sum, held_up, 1);
	ADD(&loop->sum, slow_turns, 1);
	ADD(&loop->sum, slow_ns, turn_ns);
	ADD(&loop->sum, slow_blocked_ns, blocked_ns);
	ADD(&loop->sum, slow_runnable_ns, act->turn_runnable_ns);
}

/* The next wait begins at @now: the turn is over, and belongs to the wait that it came from. */
__noinline int turn_end(struct activity *act, u64 now)
{
	struct event_loop *loop;
	u64 turn, blocked;

	ONLY_WITH(descriptors);
	if (!act || !act->turn_ns)
		return 0;
	turn = now - act->turn_ns;
	act->turn_ns = 0;
	loop = loop_at(act->loop);
	if (!loop || stopped)
		return 0;
	ADD(&loop->sum, turns, 1);
	ADD(&loop->sum, turn_ns, turn);
	ADD(&loop->sum, turn_runnable_ns, act->turn_runnable_ns);
	blocked = turn_blocked_add(act, loop);
	/* That it waited for a CPU is not its own doing. */
	if (knobs.doctor && turn - act->turn_runnable_ns >= knobs.limits.turn_ns &&
	    !turn_apart(loop))
		turn_slow(act, loop, turn, blocked);
	act->late = false;
	hist_add(loop->turn_hist, turn);
	return 0;
}

/* The turn spent so long off the CPU in @call, or, if that is 0, outside of all watched calls. */
static __always_inline void turn_off_cpu(struct activity *act, u32 call, u64 blocked_ns,
					 u64 runnable_ns)
{
	u32 i = call & (NR_CALL_KINDS - 1);

	if (!act->turn_ns || !(blocked_ns | runnable_ns))
		return;
	act->turn_runnable_ns += runnable_ns;
	act->turn_off_ns += blocked_ns + runnable_ns;
	if (!blocked_ns)
		return;
	if (!(act->turn_blocked >> i & 1))
		act->turn_blocked_ns[i] = 0;
	act->turn_blocked |= 1ull << i;
	act->turn_blocked_ns[i] += blocked_ns;
}

#endif

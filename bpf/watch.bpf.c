// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which threads are watched, from their birth or from the start of the watch to their end,
 * and the iterators by which user space begins the watch and reads its figures.
 */
#include "activity.bpf.h"

static __always_inline bool in_ids(void *map, u32 id)
{
	return bpf_map_lookup_elem(map, &id);
}

/* The id of the cgroup that @cgrp is in, or is, at @level below the root. */
static __always_inline u64 ancestor_id(struct cgroup *cgrp, u32 level)
{
	u64 id = 0;

	if (bpf_core_field_exists(cgrp->ancestors)) {
		struct cgroup *at = NULL;

		bpf_core_read(&at, sizeof(at), (void *)cgrp +
			      bpf_core_field_offset(struct cgroup, ancestors) + level * 8);
		id = BPF_CORE_READ(at, kn, id);
	} else {
		bpf_core_read(&id, sizeof(id), (void *)cgrp +
			      bpf_core_field_offset(struct cgroup___ids, ancestor_ids) + level * 8);
	}
	return id;
}

#define CGROUP_LEVELS_MAX	64

static __always_inline bool in_cgroup(struct task_struct *task)
{
	struct cgroup *cgrp = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	int level = BPF_CORE_READ(cgrp, level);

	for (int i = 0; i < CGROUP_LEVELS_MAX && i <= level; i++) {
		if (ancestor_id(cgrp, i) == filter.cgroup_id)
			return true;
	}
	return false;
}

#define ANCESTORS_MAX	32

/* @task is, or descends from, a process that is asked for. */
static __always_inline bool of_family(struct task_struct *task)
{
	for (u32 i = 0; i < ANCESTORS_MAX; i++) {
		u32 tgid = BPF_CORE_READ(task, tgid);

		if (in_ids(&filter_tgids, tgid))
			return true;
		if (tgid <= 1 || LACKS(family))
			break;
		task = BPF_CORE_READ(task, real_parent);
	}
	return false;
}

/*
 * @name: the one that @task is about to get, NULL: the one it has; @family: descendants of
 * processes that are asked for pass, too. Those born later are followed by their parents' records.
 */
static __always_inline bool filter_passes_as(struct task_struct *task, const char *name,
					     bool family)
{
	char comm[COMM_LEN];
	u32 uid;

	if (task->flags & PF_KTHREAD || (u32)task->tgid == filter.own_tgid)
		return false;
	if (filter.by_tgid && !in_ids(&filter_tgids, task->tgid) && !(family && of_family(task)))
		return false;
	if (filter.by_tid && !in_ids(&filter_tids, task->pid))
		return false;
	if (filter.by_comm) {
		bpf_probe_read_kernel_str(comm, sizeof(comm), name ? : task->comm);
		/* What follows the end of the name is not part of the key. */
		for (u32 i = 0, ended = 0; i < COMM_LEN; i++) {
			ended |= !comm[i];
			if (ended)
				comm[i] = 0;
		}
		if (!bpf_map_lookup_elem(&filter_comms, comm))
			return false;
	}
	if (filter.by_uid) {
		uid = BPF_CORE_READ(task, cred, uid.val);
		if (!in_ids(&filter_uids, uid))
			return false;
	}
	return !filter.by_cgroup || in_cgroup(task);
}

static __always_inline bool filter_passes(struct task_struct *task)
{
	return filter_passes_as(task, NULL, false);
}

static __always_inline proc_id proc_of(struct task_struct *task)
{
	return (u64)(u32)task->tgid << 32 | (u32)(task->group_leader->start_time >> 20);
}

static __always_inline void process_begins(u64 proc)
{
	u8 watched = 1;

	if (bpf_map_update_elem(&processes, &proc, &watched, BPF_ANY))
		loss(LOSS_fds_full);
}

/* Process @proc ends: what it was called is asked for later. */
static __always_inline void process_named(struct task_struct *task, u64 proc)
{
	char comm[COMM_LEN] = {};

	read_comm(comm, task->group_leader);
	bpf_map_update_elem(&ended_comms, &proc, comm, BPF_ANY);
}

/* The process that @task leads, if any thread of it is watched; else 0. */
static __always_inline u64 process_watched(struct task_struct *task)
{
	struct thread *th = thread_of(task);
	u64 proc;

	if (th || !knobs.descriptors)
		return th ? th->proc : 0;
	proc = proc_of(task);
	return bpf_map_lookup_elem(&processes, &proc) ? proc : 0;
}

static __always_inline struct thread *watch_begin(struct task_struct *task)
{
	struct thread *th = bpf_task_storage_get(&threads, task, NULL,
						 BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!th) {
		loss(LOSS_storage_refused);
		return NULL;
	}
	if (!th->proc) {
		th->proc = proc_of(task);
		if (knobs.descriptors)
			process_begins(th->proc);
		__sync_fetch_and_add(&watched_threads, 1);
	}
	return th;
}

/* Where the kernel does not say it, it may be so. */
static __always_inline bool group_exits(struct task_struct *task)
{
	if (!bpf_core_field_exists(task->signal) ||
	    !bpf_core_field_exists(struct signal_struct, flags))
		return true;
	return task->signal->flags & SIGNAL_GROUP_EXIT;
}

/* It dies inside a call, for which there is no end but this. */
static __always_inline void trace_unfinished(struct thread *th)
{
	u32 flags = TRACE_UNFINISHED | (th->began_before ? TRACE_BEFORE : 0);
	u64 now = bpf_ktime_get_ns();

	switch_check(th, now);
	if (call_selected(th->call))
		trace_emit(th, th->call, 0, now, flags);
}

/* All that the thread counted goes to the row that outlives it. */
static __always_inline void watch_end(struct task_struct *task, struct thread *th)
{
	u32 late = late_for(__sync_lock_test_and_set(&th->dumped, DUMPED_ENDED));
	struct slot *slot;

	/* All its process ends, and its files are closed after this. */
	if (!stopped && group_exits(task))
		epoll_check(th->sized_ep);
	/* The last of its threads: what the process still has open ends now. */
	if (knobs.descriptors && !task->signal->live.counter) {
		u64 proc = th->proc;

		if (!stopped)
			range_closed(task, proc, 0, -1, true);
		bpf_map_delete_elem(&processes, &proc);
		process_named(task, proc);
	}
	if (knobs.doctor)
		loop_left(task);
	if (knobs.trace && th->call && !stopped)
		trace_unfinished(th);
	if (th->call && th->call < NR_CALLS && !th->began_before && !stopped) {
		slot = slot_of(th, th->call);
		if (slot)
			slot->sum.unfinished++;
	}
	for (u32 i = 0; i < NR_SLOTS; i++) {
		if (th->slots[i].call)
			slot_fold(th, i, late);
	}
	waker_flush(th, task->pid, late);
	bpf_task_storage_delete(&threads, task);
	__sync_fetch_and_add(&folds, 1);
	__sync_fetch_and_add(&watched_threads, -1);
}

static __always_inline void thread_born(struct task_struct *parent, struct task_struct *child)
{
	struct thread *th;

	if (stopped)
		return;
	th = thread_of(parent);
	if (!(th && !filter.by_tid && (filter.follow || parent->tgid == child->tgid)) &&
	    !filter_passes(child))
		return;
	th = watch_begin(child);
	if (th)
		th->synced = true;	/* it is in no call yet */
}

/* Before a new program begins, its process may have been given another user or cgroup. */
static __always_inline void program_begins(struct task_struct *task)
{
	if (!stopped && !thread_of(task) && filter_passes(task))
		watch_begin(task);
}

/* A new name, of a program or by which a thread calls itself, may be one that is asked for. */
static __always_inline void thread_renamed(struct task_struct *task, const char *name)
{
	if (!stopped && filter.by_comm && !thread_of(task) && filter_passes_as(task, name, false))
		watch_begin(task);
}

static __always_inline void thread_ends(struct task_struct *task)
{
	struct thread *th = thread_of(task);

	if (th)
		watch_end(task, th);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(iop_fork, struct task_struct *parent, struct task_struct *child)
{
	thread_born(parent, child);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(iop_exec, struct task_struct *task)
{
	program_begins(task);
	return 0;
}

SEC("tp_btf/task_rename")
int BPF_PROG(iop_rename, struct task_struct *task, const char *name)
{
	thread_renamed(task, name);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(iop_end, struct task_struct *task)
{
	thread_ends(task);
	return 0;
}

/*
 * The same where those above can be pre-empted, and are then dropped. Only this one has the child
 * at hand and runs with interrupts off: in its parent, who is about to let it go.
 */
SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(iop_born, struct task_struct *child)
{
	thread_born(bpf_get_current_task_btf(), child);
	return 0;
}

SEC("tracepoint/sched/sched_process_exec")
int iop_exec_tp(void *ctx)
{
	program_begins(bpf_get_current_task_btf());
	return 0;
}

SEC("tracepoint/task/task_rename")
int iop_rename_tp(struct trace_event_raw_task_rename *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	/* One thread can name another of its process; some kernels do not say so. */
	if (!bpf_core_field_exists(ctx->pid) || ctx->pid == task->pid)
		thread_renamed(task, (void *)ctx + bpf_core_field_offset(
				       struct trace_event_raw_task_rename, newcomm));
	return 0;
}

SEC("tracepoint/sched/sched_process_exit")
int iop_end_tp(void *ctx)
{
	thread_ends(bpf_get_current_task_btf());
	return 0;
}

/* A thread that sleeps in a call when the watch begins is known to be inside it, not since when. */
static __always_inline void join_call(struct task_struct *task, struct thread *th)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	u32 state;
	u64 nr;

	if (LACKS(joining))
		return;
	state = task->__state;
	nr = regs->orig_ax;
	/* Asleep, and no more on its way there. The field is an int, and in 7.2 is a byte. */
	if (!state || BPF_CORE_READ_BITFIELD_PROBED(task, on_cpu) ||
	    task->thread_info.status & TS_COMPAT)
		return;
	/* Whatever else returns from now on was seen to begin. */
	th->synced = true;
	if (nr >= NR_SYSCALLS || th->call)
		return;
	if (ROUTE_CALL(routes[nr]) >= NR_CALLS || ROUTE_ARGS(routes[nr]) == ARGS_RESTART)
		return;
	th->enter_ns = bpf_ktime_get_ns();
	th->out_ns = th->enter_ns;
	th->began_before = true;
	th->phase = PHASE_BLOCKED;
	if (knobs.descriptors && args_are_set(kind_of(ROUTE_CALL(routes[nr])).args))
		activity_joins(task, th, ROUTE_ARGS(routes[nr]), regs);
	barrier();
	th->call = ROUTE_CALL(routes[nr]);
}

SEC("iter/task")
int iop_adopt(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread *th;

	if (!task || task->flags & PF_EXITING || thread_of(task) ||
	    !filter_passes_as(task, NULL, filter.follow))
		return 0;
	th = watch_begin(task);
	if (th)
		join_call(task, th);
	return 0;
}

/* False if a hook changed the slot meanwhile. */
static __always_inline bool slot_try_copy(struct thread *th, u32 i, struct slot_record *record)
{
	u32 seq = *(volatile u32 *)&th->seq;

	record->call = th->slots[i].call;
	record->sum = th->slots[i].sum;
	barrier();
	return !(seq & 1) && seq == *(volatile u32 *)&th->seq;
}

/* A copy of slot @i; after 3 tries, as it is. */
__noinline int slot_copy(struct thread *th, u32 i, struct slot_record *record)
{
	if (!th || !record || i >= NR_SLOTS)
		return 0;
	return slot_try_copy(th, i, record) || slot_try_copy(th, i, record) ||
	       slot_try_copy(th, i, record);
}

/*
 * Marks @th as seen by the reading under way; false if it has ended, so that its figures are in
 * the rows that outlive it. What it folds from now on, this reading leaves out.
 */
static __always_inline bool dump_begin(struct thread *th)
{
	u64 was = *(volatile u64 *)&th->dumped;

	return was != DUMPED_ENDED &&
	       __sync_val_compare_and_swap(&th->dumped, was, (u64)reading) == was;
}

struct slots_dump {
	struct seq_file *seq;
	struct thread *th;
};

static long dump_slot(u32 i, struct slots_dump *dump)
{
	struct slot_record slot = {};

	slot_copy(dump->th, i, &slot);
	bpf_seq_write(dump->seq, &slot, sizeof(slot));
	return 0;
}

/* Where @task sleeps, in whatever call. */
static __always_inline void place_of(struct task_struct *task, struct user_place *place)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	/* Of one that runs they are those of its last entry. */
	if (LACKS(joining) || !task->__state || BPF_CORE_READ_BITFIELD_PROBED(task, on_cpu))
		return;
	place->ip = regs->ip;
	place->sp = regs->sp;
	place->bp = regs->bp;
}

SEC("iter/task")
int iop_dump(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread_record record = {};
	struct slots_dump slots = {};
	struct activity *act;
	struct thread *th;

	if (!task)
		return 0;
	th = thread_of(task);
	if (!th || !dump_begin(th))
		return 0;
	act = knobs.descriptors ? activity_of(task) : NULL;
	if (act) {
		record.loop = act->loop;
		record.turn_ns = act->turn_ns;
		record.turn_runnable_ns = act->turn_runnable_ns +
					  (th->call ? th->runnable_ns : 0);
	}
	record.proc = th->proc;
	record.tgid = task->tgid;
	record.tid = task->pid;
	read_comm(record.comm, task);
	read_comm(record.proc_comm, task->group_leader);
	record.enter_ns = th->enter_ns;
	record.call = th->call < NR_CALLS ? th->call : 0;
	record.began_before = th->began_before;
	record.phase = th->phase;
	record.wants_cpu_ns = th->phase == PHASE_WOKEN ? th->wake_ns :
			      th->phase == PHASE_PREEMPTED ? th->out_ns : 0;
	record.nr_slots = th->used_slots;
	record.waker = th->waker;
	record.waker_call = th->waker_call;
	record.waker_run = th->waker_run;
	if (knobs.doctor)
		place_of(task, &record.place);
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	slots.seq = ctx->meta->seq;
	slots.th = th;
	/* Slots are taken in order, and never given back; one taken just now is not announced. */
	bpf_loop(record.nr_slots, dump_slot, &slots, 0);
	return 0;
}

/* Descriptors of our own teach what those without a mode of their own look like. */
static __always_inline void kind_learn(struct task_struct *task, u32 fd, struct file *file)
{
	if ((u32)task->tgid != filter.own_tgid)
		return;
	for (u32 kind = 1; kind < NR_FILE_KINDS; kind++) {
		if (own_fds[kind] && own_fds[kind] == fd)
			kind_fops[kind] = (u64)file->f_op;
	}
}

/* Epoll instances of watched processes: each with its counted size. */
SEC("iter/task_file")
int iop_epolls(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct task_struct *task = ctx->task;
	struct epoll_record record = {};
	struct epoll_size *size;

	if (!file || !task)
		return 0;
	kind_learn(task, ctx->fd, file);
	if (!file_is_epoll(file) || !process_watched(task))
		return 0;
	record.ep = file_private(file);
	record.tgid = task->tgid;
	record.fd = ctx->fd;
	record.followed = -1;
	size = bpf_map_lookup_elem(&epolls, &record.ep);
	if (size && size->base >= 0)
		record.followed = size->base + size->delta;
	record.counted = tree_count(record.ep, INTEREST_MAX);
	if (!size)
		epoll_follow(record.ep, record.counted);
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

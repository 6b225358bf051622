/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Signs of misuse: what is seen of descriptors, loops and turns that the doctor's rules are about.
 * Here it is counted; what it means is said in user space. Only with knobs.doctor.
 */
#ifndef IOPHASE_SIGNS_BPF_H
#define IOPHASE_SIGNS_BPF_H

#include "count.bpf.h"
#include "descriptors.bpf.h"
#include "loops.bpf.h"
#include "stacks.bpf.h"

/* Its number is set by user space: where no signs are asked for, to next to nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SIGNS_MAX);
	__type(key, u64);
	__type(value, struct signs);
} signs SEC(".maps");

static const struct signs signs_zero = { .left = LEFT_UNKNOWN };

/* The signs of the descriptor born at @born, made if need be; NULL if there is no room. */
static __always_inline struct signs *signs_of(u64 born)
{
	struct signs *found = bpf_map_lookup_elem(&signs, &born);

	if (found)
		return found;
	bpf_map_update_elem(&signs, &born, &signs_zero, BPF_NOEXIST);
	found = bpf_map_lookup_elem(&signs, &born);
	if (!found)
		loss(LOSS_signs_full);
	return found;
}

/*
 * One more of sign @id of the descriptor born at @born, which took @ns: the next figure of signs.def.
 * By the running thread.
 */
__noinline int sign_add(u64 born, u32 id, u64 ns)
{
	struct signs *sum = signs_of(born);
	struct task_struct *task = bpf_get_current_task_btf();
	struct activity *act = activity_of(task);
	struct thread *th = thread_of(task);

	ONLY_WITH(doctor);
	if (!sum || !th || id >= NR_SIGNS - 1)
		return 0;
	__sync_fetch_and_add(&sum->sum[id], 1);
	if (id != SIGN_resumes && id != SIGN_returns && id != SIGN_out_resumes)
		__sync_fetch_and_add(&sum->sum[id + 1], ns);
	sum->proc = th->proc;
	sum->tid = task->pid;
	sum->loop = act ? act->loop : 0;
	return 0;
}

/* A level-triggered report that comes again, and of which nothing came, so many times, is a spin. */
#define SPIN_AGAIN	16

/* And so many waits in a row that return nothing at once are no mere look at what there is. */
#define IDLE_RUN	64

/* The clock of the loop that the running thread is in. */
static __always_inline u32 clock_now(struct activity *act)
{
	struct event_loop *loop = act->loop ? loop_at(act->loop) : NULL;

	return loop ? sleep_clock(loop->sum.wait_blocked_ns, loop->threads) : 0;
}

/* Whether the loop has slept for so long since @then. */
static __always_inline bool slept_since(u32 clock, u32 then, u64 ns)
{
	return clock - then < 1u << 31 && clock - then >= ns >> SLEEP_CLOCK_SHIFT;
}

/* What was at @ns was before the turn of the running thread, if it is in one. */
static __always_inline bool before_turn(struct activity *act, u64 ns)
{
	return !act->turn_ns || ns < act->told_ns;
}

/*
 * Edge-triggered: what an input call left in it was not touched while the loop slept for long. One that was written to
 * since its report, but not read from, is not meant to be read now.
 */
static __always_inline bool left_stalls(struct descriptor *d, u32 clock)
{
	return (d->flags & (FD_REPORTED | FD_READ | FD_DRAINED)) == (FD_REPORTED | FD_READ) &&
	       d->left && d->left != LEFT_UNKNOWN &&
	       slept_since(clock, d->slept, knobs.limits.stall_ns);
}

/* It was reported, and nobody has looked into it for long. */
static __always_inline bool report_lies(struct descriptor *d, u32 clock)
{
	return (d->flags & (FD_REPORTED | FD_READ)) == FD_REPORTED &&
	       slept_since(clock, d->slept, knobs.limits.stall_ns);
}

/* There was no room to write, and now there is. */
static __always_inline void signs_writable(struct activity *act, struct descriptor *d, u32 events,
					   u64 now)
{
	struct signs *sum = signs_of(d->born_ns);

	act->writable = true;
	if (sum) {
		sum->out_ready_ns = now;
		sum->out_slept = clock_now(act);
		sum->out_with_in = !!(events & EPOLLIN);
	}
	d->flags |= FD_OUT_READY;
}

/* It is a stall if it is this report that lets the program read on: signs_read(). */
static __always_inline void signs_stall(struct descriptor *d, u64 now)
{
	struct signs *sum = signs_of(d->born_ns);

	if (!sum)
		return;
	sum->left = d->left;
	sum->stalled_ns = now - d->called_ns;
	d->flags |= FD_STALLED;
}

/*
 * An input call on @d begins, which is edge-triggered. The program may come to it by itself: for
 * time has passed, or there is room again where it is to write what it reads. Then what was in it
 * was left on purpose, and nothing was forgotten.
 */
static __always_inline void signs_read(struct activity *act, struct descriptor *d)
{
	u32 clock = clock_now(act);
	struct signs *sum;

	/* Long after, but in the same turn, is a turn that is slow. */
	if (d->flags & FD_WAITED || (left_stalls(d, clock) && before_turn(act, d->called_ns)) ||
	    (report_lies(d, clock) && before_turn(act, d->reported_ns))) {
		sign_add(d->born_ns, SIGN_resumes, 0);
	} else if (d->flags & FD_STALLED && !act->writable) {
		sum = signs_of(d->born_ns);
		sign_add(d->born_ns, SIGN_stalls, sum ? sum->stalled_ns : 0);
	}
	d->flags &= ~(FD_WAITED | FD_STALLED);
}

static __always_inline void signs_spin(struct descriptor *d, u32 events, u64 now)
{
	struct signs *sum;

	sign_add(d->born_ns, SIGN_spins, now - d->reported_ns);
	sum = signs_of(d->born_ns);
	if (!sum)
		return;
	sum->events = events;
	sum->result = d->result;
	sum->called = d->called;
}

/*
 * What is reported at once after a turn that went into one descriptor has waited for that, unless it is
 * known to have come later.
 */
static __always_inline void signs_starved(struct activity *act, struct descriptor *d, u64 now)
{
	u64 lag;

	if (!act->last_hog_born || act->last_hog_born == d->born_ns)
		return;
	lag = d->ready_ns && d->ready_ns < now ? now - d->ready_ns : act->last_hog_ns;
	if (lag < knobs.limits.starve_ns)
		return;
	sign_add(act->last_hog_born, SIGN_starves, lag);
	sign_add(act->last_hog_born, SIGN_drains, act->last_hog_ns);
}

/*
 * What is reported at once after a slow turn has waited for its end, unless it is known to have
 * come no sooner than that: as when a client that was answered in the end asks again.
 */
static __always_inline void signs_held_up(struct activity *act, struct descriptor *d, u64 now)
{
	struct event_loop *loop;

	/* What it went into itself has more to do, and waits for nobody else. */
	if (!act->slow_then || d->born_ns == act->slow_born || (d->ready_ns && d->ready_ns + knobs.limits.block_ns > now))
		return;
	act->slow_then = false;
	loop = loop_at(act->loop);
	if (loop)
		ADD(&loop->sum, held_up, 1);
}

/* @d is reported by number @fd, which was closed. */
__noinline int signs_stale(struct descriptor *d, u32 fd)
{
	struct signs *sum;
	u64 born;

	ONLY_WITH(doctor);
	if (!d)
		return 0;
	born = d->born_ns;
	sign_add(born, SIGN_stale, 0);
	stack_take(born, STACK_WAIT);
	sum = signs_of(born);
	if (sum)
		sum->fd = fd;
	return 0;
}

/* A one-shot descriptor that has fired is about to be armed again. */
__noinline int signs_arm(struct descriptor *d, u32 left, u64 now)
{
	struct activity *act = activity_of(bpf_get_current_task_btf());
	struct signs *sum;

	ONLY_WITH(doctor);
	if (!d || !act || !left || left == LEFT_UNKNOWN || !(d->flags & FD_REPORTED) ||
	    !slept_since(clock_now(act), d->slept, knobs.limits.oneshot_ns))
		return 0;
	sign_add(d->born_ns, SIGN_unarmed, now - later(d->called_ns, d->reported_ns));
	sum = signs_of(d->born_ns);
	if (sum)
		sum->left = left;
	return 0;
}

/* @events of @d are about to be reported by a wait that @slept, or did not. */
__noinline int signs_report(struct descriptor *d, u32 events, u64 now, u32 slept)
{
	struct activity *act = activity_of(bpf_get_current_task_btf());
	u32 flags, clock;

	ONLY_WITH(doctor);
	if (!d || !act)
		return 0;
	clock = clock_now(act);
	flags = d->flags;
	if (!slept) {
		signs_starved(act, d, now);
		signs_held_up(act, d, now);
	}
	if ((flags & (FD_OUT_BLOCKED | FD_OUT_READY)) == FD_OUT_BLOCKED && events & EPOLLOUT)
		signs_writable(act, d, events, now);
	if (d->watch == WATCH_EPOLL && d->mask & EPOLLET) {
		if (left_stalls(d, clock))
			signs_stall(d, now);
		d->slept = clock;
		return 0;
	}
	d->slept = clock;
	if (slept || (flags & (FD_REPORTED | FD_PROGRESS)) != FD_REPORTED) {
		d->again = 0;
		return 0;
	}
	d->again++;
	if (d->again >= SPIN_AGAIN) {
		signs_spin(d, events, now);
		stack_take(d->born_ns, STACK_WAIT);
	}
	return 0;
}

/* Who looks into an empty descriptor again so soon polls it. */
#define POLL_NS		10000000

/*
 * There is room again, and it was not used for long: not until another report, or what came with it
 * was read alone. Else the program came to it by itself, as who limits the rate of what it sends.
 */
static __always_inline void signs_written_late(struct descriptor *d, u64 now, u32 clock)
{
	struct signs *sum = signs_of(d->born_ns);
	bool lost;

	if (!sum)
		return;
	lost = d->reported_ns > sum->out_ready_ns || (sum->out_with_in && d->flags & FD_READ);
	if (sum->out_ready_ns && slept_since(clock, sum->out_slept, knobs.limits.out_ns))
		sign_add(d->born_ns, lost ? SIGN_lost_outs : SIGN_out_resumes,
			 now - sum->out_ready_ns);
	sum->out_ready_ns = 0;
}

static __always_inline void signs_output(struct descriptor *d, s64 ret, u64 now, u32 clock)
{
	if (d->flags & FD_OUT_READY)
		signs_written_late(d, now, clock);
	d->flags &= ~(FD_OUT_BLOCKED | FD_OUT_READY);
	if (ret == -EAGAIN)
		d->flags |= FD_OUT_BLOCKED;
}

/* A call on @d was blocked in a turn. */
static __always_inline void signs_blocked(struct thread *th, struct activity *act,
					  struct descriptor *d)
{
	bool disk = th->blocked_d_ns * 2 > th->blocked_ns;
	struct event_loop *loop;
	struct signs *sum;

	if (th->blocked_ns < knobs.limits.block_ns)
		return;
	loop = act->turn_ns ? loop_at(act->loop) : NULL;
	if (loop && turn_apart(loop))
		return;
	sign_add(d->born_ns, disk ? SIGN_disk_blocks : SIGN_blocks, th->blocked_ns);
	sum = signs_of(d->born_ns);
	if (sum)
		sum->called = d->called;
	stack_take(d->born_ns, STACK_CALL);
}

/* Something came of the call: a look at what is there, or the end of a stream, is nothing. */
static __always_inline bool call_progresses(struct thread *th, struct descriptor *d,
					    struct call_kind kind, s64 ret)
{
	if (!ret)
		return kind.ret == RET_OK || d->kind == KIND_UDP;
	return ret > 0 && !call_peeks(th, kind);
}

/* It left something in an edge-triggered descriptor, which may be its next call's. */
static __always_inline void signs_left(struct thread *th, struct descriptor *d)
{
	u64 born = d->born_ns;

	stack_take_left(born, th->proc, bpf_map_lookup_elem(&signs, &born));
}

/* @call on @d returned @ret; @drained: it was known to be empty. */
__noinline int signs_call(struct thread *th, struct descriptor *d, u32 call, s64 ret, bool drained)
{
	struct activity *act = activity_of(bpf_get_current_task_btf());
	u64 now = bpf_ktime_get_ns();
	struct call_kind kind;

	ONLY_WITH(doctor);
	if (!th || !d || !act)
		return 0;
	kind = kind_of(call);
	d->slept = clock_now(act);
	d->called = call;
	d->result = ret > 0 ? 1 : ret;
	if (call_progresses(th, d, kind, ret))
		d->flags |= FD_PROGRESS;
	if (act->turn_ns || d->mask & EPOLLET)
		signs_blocked(th, act, d);
	/* It takes from this one; whether it was empty, or no room in the other, is not known. */
	if (kind.args == ARGS_SPLICE) {
		d->flags |= FD_READ;
		return 0;
	}
	if (kind.class == CLASS_OUTPUT) {
		signs_output(d, ret, now, d->slept);
		return 0;
	}
	if (!call_peeks(th, kind))
		d->flags |= FD_READ;
	if (input_flags(th, kind) & MSG_DONTWAIT)
		d->flags |= FD_DONTWAIT;
	else
		d->flags &= ~FD_DONTWAIT;
	if (ret == -EAGAIN && drained && now < d->called_ns + POLL_NS) {
		sign_add(d->born_ns, SIGN_polls, now - d->called_ns);
		stack_take(d->born_ns, STACK_CALL);
	}
	if (ret > 0 && d->mask & EPOLLET && d->left && d->left != LEFT_UNKNOWN)
		signs_left(th, d);
	return 0;
}

/* So many calls in a row on one descriptor drain it, or try to. */
#define DRAIN_CALLS	8

/* The calls of the running thread go on to another descriptor, or its turn ends. */
static __always_inline void run_ends(struct activity *act, u64 now)
{
	if (act->run_calls >= DRAIN_CALLS && now - act->run_ns > act->hog_ns) {
		act->hog_born = act->run_born;
		act->hog_ns = now - act->run_ns;
		/* The rest is the doing of others: who has the CPU, or a lock. */
		act->hog_own_ns = act->hog_ns - (act->turn_off_ns - act->run_off_ns);
	}
	act->run_calls = 0;
}

/*
 * It is written to, long after all else that was done with it, and no report of it has come. The
 * answer to a question goes on, and what else was asked meanwhile is left until its turn has come.
 */
static __always_inline void signs_written(struct descriptor *d)
{
	d->flags |= FD_WAITED;
	sign_add(d->born_ns, SIGN_returns, 0);
}

/* A call on @d begins, which @takes something from it. */
__noinline int signs_enter(struct activity *act, struct descriptor *d, bool takes, u64 now)
{
	ONLY_WITH(doctor);
	if (!act || !d)
		return 0;
	if (d->mask & EPOLLET) {
		u32 clock = clock_now(act);

		if (takes)
			signs_read(act, d);
		else if ((left_stalls(d, clock) || report_lies(d, clock)) &&
			 before_turn(act, later(d->called_ns, d->reported_ns)))
			signs_written(d);
	}
	if (act->run_born != d->born_ns) {
		run_ends(act, now);
		act->run_born = d->born_ns;
		act->run_ns = now;
		act->run_off_ns = act->turn_off_ns;
	}
	act->run_calls++;
	return 0;
}

/* @d is served this late, perhaps for the sake of another. */
__noinline int signs_late(struct activity *act, struct descriptor *d, u64 lag)
{
	ONLY_WITH(doctor);
	if (!act || !d)
		return 0;
	act->late = true;
	if (act->hog_born && act->hog_born != d->born_ns && act->hog_own_ns * 2 > lag &&
	    act->hog_own_ns >= knobs.limits.starve_ns) {
		sign_add(act->hog_born, SIGN_starves, lag);
		sign_add(act->hog_born, SIGN_drains, act->hog_own_ns);
	}
	return 0;
}

struct user_time {
	u64 seconds;
	u64 parts;
};

/* What is left of the timeout of a wait that returned nothing at @wall_ns, as far as that is known. */
static __always_inline s64 timeout_left(struct thread *th, u32 call, u64 wall_ns)
{
	struct user_time time = {};
	s32 ms;

	if (call == CALL_epoll_wait || call == CALL_epoll_pwait || call == CALL_poll) {
		ms = call == CALL_poll ? th->args[2] : th->args[3];
		return ms < 0 ? 1ll << 62 : ms * 1000000ll - (s64)wall_ns;
	}
	if (call == CALL_epoll_pwait2) {
		if (!th->args[3] ||
		    bpf_probe_read_user(&time, sizeof(time), (void *)th->args[3]))
			return 0;
		return time.seconds * 1000000000ll + time.parts - wall_ns;
	}
	/* The others leave there what was left. */
	bpf_probe_read_user(&time, sizeof(time),
			    (void *)th->args[call == CALL_ppoll ? 2 : 4]);
	return time.seconds * 1000000000ll + time.parts * (call == CALL_select ? 1000 : 1);
}

/* A clock tick, and what a timer may be early by its slack. */
#define EARLY_NS	10000000

/* A wait that began so long ago returned nothing at @now. */
static __always_inline void signs_empty(struct thread *th, struct activity *act,
					struct event_loop *loop, u32 call, u64 now)
{
	u64 wall_ns = now - th->enter_ns, since = act->idle_ns;
	u32 row = act->loop;

	act->idle_ns = now;

	if (th->sleeps) {
		act->idle_run = 0;
		if (timeout_left(th, call, wall_ns) > EARLY_NS) {
			ADD(&loop->sum, early, 1);
			stack_take(row, STACK_LOOP);
		}
		return;
	}
	ADD(&loop->sum, idle, 1);
	if (act->idle_run++ < IDLE_RUN)
		return;
	ADD(&loop->sum, idle_runs, 1);
	ADD(&loop->sum, idle_run_ns, now - since);
	stack_take(row, STACK_LOOP);
}

static __always_inline void signs_found(struct thread *th, struct activity *act,
					struct event_loop *loop, bool full)
{
	act->idle_run = 0;
	if (th->sleeps)
		return;
	act->slow_then = act->slow;
	if (full && act->full_run)
		ADD(&loop->sum, full_runs, 1);
}

/*
 * The scheduler's own account of the time without a CPU: where the kernel hides some switches,
 * that of the hooks takes what was slept for it.
 */
static __always_inline void signs_delay(struct activity *act, struct event_loop *loop)
{
	u64 delay;

	if (LACKS(queued)) {
		loop->delay_ns = DELAY_UNKNOWN;
		return;
	}
	delay = bpf_get_current_task_btf()->sched_info.run_delay;
	if (delay == act->delay_ns)
		return;
	if (act->delay_ns)
		__sync_fetch_and_add(&loop->delay_ns, delay - act->delay_ns);
	act->delay_ns = delay;
}

/* A wait is over, and with it what the turn before it went into. */
static __always_inline void hog_ends(struct thread *th, struct activity *act)
{
	run_ends(act, th->enter_ns);
	act->last_hog_born = act->hog_own_ns >= knobs.limits.starve_ns && !th->sleeps ?
			     act->hog_born : 0;
	act->last_hog_ns = act->hog_own_ns;
	act->run_born = 0;
	act->hog_born = 0;
	act->hog_ns = 0;
	act->hog_own_ns = 0;
}

/* The wait @call returned @ret at @now. */
__noinline int signs_wait(struct thread *th, struct activity *act, u32 call, s64 ret, u64 now)
{
	struct event_loop *loop;
	u64 cpu;
	bool full;
	u32 args;

	ONLY_WITH(doctor);
	if (!th || !act)
		return 0;
	loop = loop_at(act->loop);
	if (!loop)
		return 0;
	if (loop->in_tid == (u32)bpf_get_current_task_btf()->pid)
		loop->in_tid = 0;
	signs_delay(act, loop);
	if (th->began_before)
		return 0;
	args = kind_of(call).args;
	loop->last_tid = bpf_get_current_task_btf()->pid;
	loop->waited_ns = now;
	act->writable = false;
	act->slow_then = false;
	cpu = now - th->enter_ns - th->blocked_ns - th->runnable_ns;
	if (args == ARGS_EPOLL)
		loop->room = th->args[2];
	full = args == ARGS_EPOLL && ret == (u32)th->args[2];
	if (!ret)
		signs_empty(th, act, loop, call, now);
	else if (ret > 0)
		signs_found(th, act, loop, full);
	if (th->sleeps > 1)
		ADD(&loop->sum, vain_wakes, th->sleeps - 1);
	if (cpu >= knobs.limits.wait_cpu_ns) {
		ADD(&loop->sum, long_waits, 1);
		ADD(&loop->sum, long_wait_ns, cpu);
	}
	act->full_run = full;
	act->slow = false;
	hog_ends(th, act);
	return 0;
}

/* The running thread, which is in none of the watched calls, goes to sleep. */
static __always_inline void signs_sleep(void)
{
	struct activity *act = activity_of(bpf_get_current_task_btf());

	if (act && act->turn_ns && act->sleepy)
		stack_take(act->loop, STACK_SLEEP);
}

/* Interrupted at any moment: a turn that is long already says where it is. */
static __always_inline void signs_sample(void)
{
	struct activity *act = activity_of(bpf_get_current_task_btf());

	if (act && act->turn_ns && bpf_ktime_get_ns() > act->turn_ns + knobs.limits.turn_ns)
		stack_take(act->loop, STACK_TURN);
}

#endif

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
	ARGS_MMSG, ARGS_SPLICE, ARGS_SENDFILE, ARGS_SIGWAIT, ARGS_SUBMIT, ARGS_GETEVENTS, ARGS_URING,
	/* Of what is watched but has no rows of its own. */
	ARGS_RESTART, ARGS_SIGRETURN, ARGS_EXIT, ARGS_CLOSE, ARGS_CLOSE_RANGE, ARGS_DUP,
	ARGS_CREATE,
};

/* Of a wait call: it waits on a set of descriptors, of which it reports those that are ready. */
static inline bool args_are_set(u32 args)
{
	return args >= ARGS_SELECT && args <= ARGS_EPOLL;
}

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
	u8 selected;		/* it is asked for */
};

#define NR_CALL_KINDS	64	/* a power of two, and no more than a word has bits */

/* Which threads are watched. A filter that is off lets everything pass; all must pass. */
struct filter {
	u32 own_tgid;
	bool follow;		/* children of watched processes are watched too */
	bool by_tgid, by_tid, by_comm, by_uid, by_cgroup;
	bool by_fd;		/* of calls that are traced */
	u64 cgroup_id;
};

/* From when on something is a sign of misuse (struct signs), ns. */
struct limits {
	u64 stall_ns;		/* data that nobody reads */
	u64 out_ns;		/* room that nobody writes to */
	u64 oneshot_ns;		/* a one-shot descriptor that is not armed */
	u64 starve_ns;		/* a descriptor that was reported, and is not served */
	u64 block_ns;		/* a call that blocks a turn */
	u64 turn_ns;		/* a turn */
	u64 wait_cpu_ns;	/* CPU time of a wait */
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
	bool descriptors;	/* each descriptor and each event loop has figures of its own */
	bool models;		/* and so has each model of input, */
	bool models_by_fd;	/* apart by descriptors */
	bool signals_hooked;	/* signals that tell of descriptors are seen */
	bool doctor;		/* and signs of misuse, with the stacks of who shows them */
	bool weigh;		/* stacks are taken, by the time that calls take */
	bool trace;		/* each call is a record; sums and histograms are then not kept */
	struct limits limits;
};

/* What is not about a descriptor that is among its arguments, nor about a set of them. */
static inline bool args_are_request(u32 args)
{
	return args >= ARGS_SIGWAIT && args <= ARGS_URING;
}

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

/* Where in user space a thread was when it entered the kernel; ip 0: not known. */
struct user_place {
	u64 ip, sp, bp;
};

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
	u64 turn_ns;		/* when the turn it is in began; 0: in none */
	u64 turn_runnable_ns;	/* how long it has waited for a CPU in it, */
	u64 wants_cpu_ns;	/* and since when it does so now; 0: it does not */
	u32 loop;		/* row of the loop whose turn it is */
	u32 pad;
	struct user_place place;	/* for the doctor, of a thread that sleeps */
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

enum file_kind {
#define KIND(name, text, left) KIND_##name,
#include "kinds.def"
#undef KIND
	NR_FILE_KINDS,
};

/* How a descriptor is waited for. */
enum watch { WATCH_NONE, WATCH_SELECT, WATCH_POLL, WATCH_EPOLL };

/* struct descriptor: flags */
#define FD_REPORTED	0x01	/* since the last report that was judged */
#define FD_SERVED	0x02	/* there was a call on it since its last report */
#define FD_DRAINED	0x04	/* the last of them left nothing in it */
#define FD_AMBIGUOUS	0x08	/* another one has the same epoll data: whose a report is is not known */
#define FD_CLOSED	0x10	/* the number was closed; others keep the file open */
#define FD_DONTWAIT	0x20	/* the last input call said MSG_DONTWAIT */
#define FD_SHARED	0x40	/* another process than the first used it too */
#define FD_PROGRESS	0x80	/* a call since the last report moved something */
#define FD_OUT_BLOCKED	0x100	/* there was no room for the last output call */
#define FD_OUT_READY	0x200	/* and it was reported since that there is */
#define FD_READ		0x400	/* there was an input call on it since its last report */
#define FD_WAITED	0x800	/* with something in it, it was written to long after its report */
#define FD_EMPTY	0x2000	/* an input call since its last report found nothing in it */
#define FD_STALLED	0x1000	/* something was left in it until a report that is not read yet */
#define FD_DESCRIBED	0x2000	/* who reads the trace has been told what it is */

/* Histograms of a descriptor: bucket b, but for the ends, is [2^(b+10), 2^(b+11)) ns. */
#define LAG_BUCKETS	20
#define LAG_BASE	10

struct descriptor_sum {
#define FIGURE(name) u64 name;
#include "descriptor.def"
#undef FIGURE
};

#define NR_DESCRIPTOR_FIGURES (sizeof(struct descriptor_sum) / sizeof(u64))

#define LEFT_UNKNOWN	0xffffffffu
/* A file that requests were seen on, but no descriptor of. */
#define FD_UNKNOWN	0xffffffffu
#define DESCRIPTORS_MAX	(1 << 17)
#define CLOSED_RING_SIZE	(4 << 20)

/*
 * An open file that a watched thread called on or waited for; by the address of its struct file,
 * which is used again when it ends: ino and private_data then tell it from its successor. In 448
 * bytes, so that with what the kernel adds it fits in 512.
 */
struct descriptor {
	u64 born_ns;		/* when it was first seen; no two are the same */
	u64 private_data;
	proc_id proc;		/* the process that was first seen to use it */
	u32 ino;
	u32 fd;			/* by which it was last used */
	u16 flags;		/* FD_* */
	u8 kind;		/* enum file_kind */
	u8 watch;		/* enum watch */
	u8 seen;		/* the last reading, by its lowest bits, that found it open */
	u8 called;		/* enum call_id of the last call on it */
	s16 result;		/* -errno of it, 0, or 1 for more */
	u32 slept;		/* sleep_clock() of its loop at the last report of it, or call on it */
	u16 again;		/* reports in a row with no progress between them */
	u16 sets;		/* epoll sets it was seen to be put in, less those it was taken out of */

	u32 mask;		/* the events it is waited for with */
	u32 left;		/* what the last input call left in it; LEFT_UNKNOWN */
	u64 ep;			/* the epoll instance it was last registered with */
	u64 data;		/* and the data it was registered with there */
	u64 since_ns;		/* when; 0: before the watch began */

	u64 ready_ns;		/* it became ready, and was not reported since; 0: not seen to */
	u64 reported_ns;	/* its last report */
	u64 called_ns;		/* the end of the last call on it */

	struct descriptor_sum sum;
	u32 masks[4];		/* reports with IN, OUT, HUP or RDHUP, ERR */
	u32 report_hist[LAG_BUCKETS];
	u32 serve_hist[LAG_BUCKETS];
};

_Static_assert(sizeof(struct descriptor) <= 448, "a descriptor takes more than 512 bytes");

/* The models of input: models.def. */
enum model_id {
#define MODEL(id, name) MODEL_##id,
#include "models.def"
#undef MODEL
	NR_MODELS,
};

struct model_sum {
#define FIGURE(name) u64 name;
#include "model.def"
#undef FIGURE
};

#define NR_MODEL_FIGURES (sizeof(struct model_sum) / sizeof(u64))
#define MODELS_MAX	(1 << 14)
#define REQUESTS_MAX	(1 << 15)
#define SIGNALED_MAX	(1 << 14)

/* Of what it is: a process, a thread, or a descriptor of the process that was first seen to use it. */
struct model_key {
	proc_id proc;
	u64 born_ns;		/* of the descriptor, 0: not kept apart */
	u32 tid;		/* 0: not kept apart */
	u32 model;		/* enum model_id */
};

struct model_row {
	struct model_sum sum;
	char comm[COMM_LEN];	/* of the thread that was the first */
};

enum sign_id {
#define SIGN(name) SIGN_##name,
#include "signs.def"
#undef SIGN
	NR_SIGNS,
};

#define SIGNS_MAX	8192

/* By born_ns of the descriptor, which outlives it. */
struct signs {
	u64 sum[NR_SIGNS];
	proc_id proc;		/* who showed the last of them */
	u32 tid;
	u32 loop;		/* row of the loop that it was in */
	u32 fd;			/* by which it was registered, if it is closed */
	u32 events;		/* of the last report that was a spin */
	u32 left;		/* what was left in it at the last stall; LEFT_UNKNOWN */
	u32 out_slept;		/* sleep_clock() at out_ready_ns */
	u64 first_ns;		/* when the first of them was seen */
	u64 stalled_ns;		/* how long it had been, if it is FD_STALLED */
	u64 out_ready_ns;	/* it was reported as writable, and nothing was written since; 0 */
	s16 result;		/* of the last call before the last spin, as in struct descriptor */
	u8 called;
	u8 out_with_in;		/* it was reported as readable together with that */
	u32 pad;
};

/*
 * How long a loop has slept in its waits, in units of some ms, for each of its threads: by this clock a
 * stall is one, and not the want of a CPU.
 */
#define SLEEP_CLOCK_SHIFT 20

static inline u32 sleep_clock(u64 wait_blocked_ns, u32 threads)
{
	return (threads > 1 ? wait_blocked_ns / threads : wait_blocked_ns) >> SLEEP_CLOCK_SHIFT;
}

/* The descriptor that an epoll instance reports by this data. */
struct watched_key {
	u64 ep;
	u64 data;
};

struct watched {
	u64 file;
	u32 mask;
	u32 fd;			/* its number when it was registered */
};

#define FILE_NAME_LEN	44

/* What a descriptor is called, as read from the kernel's objects. */
struct file_name {
	u8 family;		/* of a socket */
	u8 state;		/* of a TCP socket */
	u16 type;		/* of a socket */
	u16 port, peer_port;
	u32 peer_tgid;		/* of a unix socket: who connected it, or listened */
	u8 address[16], peer[16];	/* IPv4 in the first 4 */
	char path[FILE_NAME_LEN];	/* of a unix socket, which may be abstract; the last part of a file's */
};

/* Who has a descriptor, and what it is called. */
struct descriptor_head {
	u64 file;
	u32 tgid;
	u32 fd;
	char comm[COMM_LEN];	/* of the process */
	u64 closed_ns;		/* 0: it is open */
	u8 ended;		/* it was open when its process ended */
	u8 named;		/* 0: it had ended already, when it was to be asked */
	u8 nonblock;
	u8 disarmed;		/* a one-shot registration that has fired and was not armed again */
	u32 queued;		/* what is left in it now; LEFT_UNKNOWN */
	struct file_name name;
};

/* As iterators write it, and, when it is closed, the ring has it. */
struct descriptor_record {
	struct descriptor_head head;
	struct descriptor descriptor;
};

/* A loop: its process, and its epoll instance, or a thread that selects or polls. */
struct loop_key {
	proc_id proc;
	u64 ep;			/* 0: none */
	u32 tid;		/* 0: any */
	u32 watch;		/* enum watch */
};

#define LOOP_ROWS	512
#define ASKED_UNKNOWN	(-1ull)

struct loop_sum {
#define FIGURE(name) u64 name;
#include "loop.def"
#undef FIGURE
};

#define DELAY_UNKNOWN	(1ull << 62)

#define NR_LOOP_FIGURES (sizeof(struct loop_sum) / sizeof(u64))

/* The row of a loop; row 0 is the sum of those for which there was no row. */
struct event_loop {
	struct loop_key key;
	char comm[COMM_LEN];	/* of the process */
	u32 epfd;
	u32 threads;		/* that were seen in it */
	u64 asked;		/* descriptors it last waited for; ASKED_UNKNOWN */
	u32 room;		/* events that its last wait had room for; of select, the highest number + 1 */
	u32 tid;		/* the thread that joined it last */
	u32 last_tid;		/* the thread whose wait ended last, and when (for the doctor) */
	u32 in_tid;		/* one that is in a wait, 0: none is known to be */
	u64 waited_ns;
	u64 delay_ns;		/* in which it had no CPU, by the scheduler (for the doctor) */
	struct loop_sum sum;
	u64 blocked_ns[NR_CALL_KINDS];	/* in its turns, by call; [0]: outside of the watched ones */
	u64 turn_hist[HIST_BUCKETS];
	u64 report_hist[HIST_BUCKETS];
	u64 serve_hist[HIST_BUCKETS];
};

/* The size of an epoll interest list: what was counted once plus what changed since. */
struct epoll_size {
	s64 base;
	s64 delta;
	u64 ready_ns;		/* the first event since the last report; 0: none, or not hooked */
	u32 waiter;		/* the thread that waited on it first */
	u32 shared;		/* others did too */
};

/*
 * Where a thread was when it entered a system call, and what is needed to find its callers.
 * Frame pointers alone lose the caller of the C library's wrapper, which has no frame of its own.
 */
#define STACK_FRAMES	32
#define STACK_BYTES	1024

struct user_stack {
	u32 tgid;
	u32 tid;
	u64 ip;			/* behind the syscall instruction */
	u64 sp;
	u64 bp;
	u32 nr_frames;
	u32 stack_bytes;
	u64 frames[STACK_FRAMES];	/* bpf_get_stack(BPF_F_USER_STACK); the first is ip */
	u8 stack[STACK_BYTES];	/* what is from sp up, of which stack_bytes are valid */
};

/* What the thread was doing whose stack it is. */
enum stack_kind {
	STACK_CALL,	/* a call that blocked, or found nothing again; by descriptor */
	STACK_WAIT,	/* the wait that reported what nobody cares for; by descriptor */
	STACK_LEFT,	/* an input call that left something; by descriptor */
	STACK_LEFT_ANY,	/* the same by process, of whatever descriptor */
	STACK_SLEEP,	/* it slept in a turn, in no call that is watched; by loop */
	STACK_TURN,	/* it was on the CPU in a turn that took long already; by loop */
	STACK_LOOP,	/* it waited, in a way that is a sign; by loop */
	STACK_HERE,	/* it sleeps, and is read from /proc, not taken; by tgid << 32 | tid */
};

#define STACKS_MAX	512

struct stack_key {
	u64 object;
	u32 kind;
	u32 pad;
};

struct taken_stack {
	u64 taken_ns;
	u32 busy;
	u32 call;
	struct user_stack stack;
};

/* The phases by which stacks are weighted. */
enum weight {
#define WEIGHT(name) WEIGHT_##name,
#include "weights.def"
#undef WEIGHT
	NR_WEIGHTS,
};

/* A stack is taken each time that a thread has spent about so long in a phase, ns. */
#define WEIGH_BLOCKED_NS	10000000ull
#define WEIGH_NS		1000000ull
#define SAMPLES_RING_SIZE	(4 << 20)

/* A stack, and the time of each phase that it stands for; 0: it is not one of that phase. */
struct stack_sample {
	proc_id proc;
	u32 call;		/* enum call_id */
	u32 pad;
	u64 weight_ns[NR_WEIGHTS];
	char comm[COMM_LEN];	/* of the thread */
	struct user_stack stack;
};

/* What the ring of iophase trace holds; each begins with its kind. */
enum trace_kind { TRACE_CALL, TRACE_NAME };

/* What a wait reported. */
struct trace_event {
	u64 object;		/* born_ns of its descriptor; 0: not known */
	u64 ready_ns;		/* when it became ready; 0: not known */
	s32 fd;
	u32 events;		/* EPOLLIN, ... */
};

#define TRACE_EVENTS	16
#define TRACE_ARGS	4

/* struct trace_call: flags */
#define TRACE_BEFORE	1	/* it began before the watch: what is known of it is since then */
#define TRACE_UNFINISHED 2	/* the thread died inside */
#define TRACE_ASKED_UNKNOWN 4	/* its interest set could not be counted */

/* A call that is over. Times are CLOCK_MONOTONIC. */
struct trace_call {
	u16 kind;		/* enum trace_kind */
	u8 flags;
	u8 call;		/* enum call_id */
	u32 tgid;
	u32 tid;
	u32 events_ready;	/* of what was reported, as many are known by descriptor */
	u64 lost;		/* calls lost so far, all in all */
	u64 enter_ns;
	u64 end_ns;
	u64 blocked_ns;
	u64 runnable_ns;
	u64 blocked_d_ns;
	u64 copy_ns;
	u64 copy_bound_ns;	/* the part of it that is only an upper bound */
	u64 out_ns;		/* when the thread last left the CPU, if it did in this call */
	u64 wake_ns;		/* and was last woken */
	s64 ret;
	u64 moved;		/* bytes */
	u64 args[TRACE_ARGS];
	u64 object;		/* born_ns of the descriptor it is on, 0: none, or not known */
	u64 accepted;		/* and of the one that was accepted */
	u64 asked;
	u64 scanned;
	u32 passes;
	u32 sleeps;		/* interruptible ones */
	u32 entries;		/* 1, and once more each time that the kernel ran it again */
	u32 waker_tid;		/* 0: not by a task */
	struct waker waker;	/* the last that woke it; its kind is WAKER_NONE: it was not woken */
	char comm[COMM_LEN];	/* of the thread */
	struct trace_event events[TRACE_EVENTS];
};

/* What a descriptor is called, for the calls that follow; a later one replaces it. */
struct trace_name {
	u16 kind;		/* enum trace_kind */
	u8 file_kind;		/* enum file_kind */
	u8 pad;
	u32 tgid;
	u32 fd;
	u32 ino;
	u64 object;		/* born_ns */
	struct file_name name;
};

#endif

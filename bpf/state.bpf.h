/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state all hooks share: knobs set before load, maps, and the record of each watched
 * thread. A thread is watched if and only if it has a record in its task storage, so a hook
 * that meets any other thread is done after one failed lookup.
 */
#ifndef IOPHASE_STATE_BPF_H
#define IOPHASE_STATE_BPF_H

#include "kern.h"
#include "wire.h"

#define barrier() asm volatile("" ::: "memory")

/* Whether the kernel lacks what @part of parts.def reads; the verifier then skips what does. */
#define LACKS(part)	(knobs.lacks & 1u << PART_##part)

/* By system call number: ROUTE() of wire.h, 0 for those that are not looked at. */
const volatile u32 routes[NR_SYSCALLS] = {};

const volatile struct call_kind call_kinds[NR_CALL_KINDS] = {};

const volatile struct filter filter = {};

const volatile struct knobs knobs = {};

/*
 * Begins a function that is called only where @knob is set. Some kernels (6.1 is one) verify all functions
 * that a program has, called or not: with this there is next to nothing to verify.
 */
#define ONLY_WITH(knob)		\
	do {			\
		if (!knobs.knob)	\
			return 0;	\
	} while (0)

/* Set while the last figures are read: nothing is counted any more. */
volatile bool stopped = false;
u64 losses[NR_LOSSES] = {};
/* Number of the reading under way, 0: none. */
volatile u32 reading = 0;
/* Threads watched at the moment, and folds of ended threads since the start. */
u64 watched_threads = 0;
u64 folds = 0;
u64 next_hist = 0;
/* Changes of epoll sets: what is remembered of a size is good while this stands still. */
u64 epoll_changes = 1;
/* A set that has ended held something else than following it had come to. */
bool asked_astray = false;
/* The file operations of each kind, learnt from a descriptor of our own; 0 until then. */
u64 kind_fops[NR_FILE_KINDS] = {};
u32 own_fds[NR_FILE_KINDS] = {};
/* Events came of what is not known to be registered: the sets are to be walked again. */
bool watched_unknown = false;
/* All sets were walked once. */
bool watched_known = false;
/* Or all of them are, not only those that following them has missed something of. */
bool watched_all = false;

static __always_inline void loss(enum loss_id id)
{
	__sync_fetch_and_add(&losses[id], 1);
}

struct slot {
	struct totals sum;
	u16 call;
	u16 hist;		/* row + 1 in hists; 0: none was free */
	u32 pad;
};

#define DUMPED_ENDED	(-1ull)

/*
 * What a watched thread is doing. Only the thread itself writes it while it is on a CPU, but for
 * woken_early. What every call touches comes first: with thousands of threads its cache lines are
 * the cost.
 */
struct thread {
	/* The call it is inside. */
	u64 enter_ns;
	u64 in_ns;		/* when it entered, or came back from its last interruptible sleep */
	u64 off_ns;		/* off the CPU since then */
	u64 out_ns;		/* when it last left the CPU */
	u64 wake_ns;		/* when it was woken since */
	u64 ready_ns;		/* what it waits for became ready, 0: not seen to */
	u64 blocked_ns;
	u64 runnable_ns;
	u64 copy_from_ns;	/* a copy is under way since, 0: none */
	u8 call;		/* enum call_id; 0: in no watched call */
	u8 phase;		/* enum phase */
	bool began_before;	/* was inside when the watch began */
	bool slept_d;		/* the sleep under way is uninterruptible */
	bool slept_i;		/* it is interruptible */
	bool copy_loose;	/* what was timed as copying is not just that */
	bool copy_missed;	/* not all of it was timed */
	bool asked_unknown;
	bool walk_cut;		/* the ready list was longer than the call can report */
	bool synced;		/* an entry was seen, so a lone exit is a loss */
	bool woken_early;	/* on its way off the CPU, or when it turned back */
	bool held;		/* returned to be restarted: it may go on, or be over since held_ns */

	u64 args[5];
	u64 copy_ns;		/* exact part */
	u64 copy_open_ns;	/* from begins whose end was not seen to what came next */
	u64 copy_skb;		/* the buffer being copied from */
	u64 asked;
	u64 invalid;		/* asked for by poll, but no descriptor */
	u64 scanned;
	u64 moved;		/* bytes that the call which is over moved */
	u64 ep;			/* struct eventpoll of an epoll wait */
	u64 ep_last;		/* last item of its ready list at the last walk */
	u32 passes;		/* non-empty walks of the ready list; of sets, in earlier entries */
	u32 sleeps;		/* interruptible ones */
	u32 sleeps_before;	/* of those, in earlier entries */

	/* Of the entry under way, where the poll functions of the file types are hooked. */
	u32 polled;		/* files that were asked whether they are ready */
	u32 polled_first;	/* of which in the first pass over a set */
	u32 polled_before;	/* when the last scan of a ready list was over */
	u64 table;		/* the poll table of select or poll */
	u64 blocked_d_ns;

	proc_id proc;
	u32 seq;		/* odd while slots change */
	u16 next_slot;		/* to be taken, and folded if it is in use */
	u16 used_slots;		/* the first so many have been taken, and stay so */
	u8 slot_of[NR_CALL_KINDS];	/* enum call_id -> index in slots, plus 1 */

	/* The size of the epoll set last waited on, good while no set changed. */
	u64 sized_ep;
	u64 sized_at;		/* epoll_changes when it was looked up */
	s64 size;		/* -1: not known */
	bool shared;		/* others wait on it too, or may */

	/* A run of wake-ups by the same waker in the same call. */
	struct waker waker;
	u32 waker_call;
	u32 waker_run;
	u32 waker_call_run;	/* of which in the call under way */
	u32 waker_tid;		/* the thread that woke it last, if it was a task (for traces) */

	u64 dumped;		/* number of the last reading that has it, or DUMPED_ENDED */

	/* A call that is held. */
	u64 held_ns;		/* when it returned */
	u16 held_ret;		/* what it returned, negated */
	u16 entries;		/* how often it was entered: 1, and once more for each restart */

	struct slot slots[NR_SLOTS];
};

/* With what the kernel puts before it, it is to fit in 4 KiB: the next size it allocates is 8. */
_Static_assert(sizeof(struct thread) <= 4096 - 128, "a thread's record takes 8 KiB");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct folded_key);
	__type(value, struct folded);
} folded SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HIST_ROWS);
	__type(key, u32);
	__type(value, struct hist);
} hists SEC(".maps");

/* Rows of hists that were used by processes that have ended. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, HIST_ROWS);
	__type(value, u32);
} free_hists SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HIST_ROWS);
	__type(key, struct hist_key);
	__type(value, u32);
} hist_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct errno_key);
	__type(value, u64);
} errnos SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct waker_key);
	__type(value, u64);
} wakers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct epoll_size);
} epolls SEC(".maps");

#define SCRATCH_WORDS	256
/* Loops over it do so many words between two looks at the end: the verifier follows each look. */
#define GROUP		16

struct scratch {
	u64 words[SCRATCH_WORDS + GROUP];
	/*
	 * How many of them are to be looked at. Read back from here it is just a number to the
	 * verifier, which otherwise follows each value it may have into the next round.
	 */
	volatile u64 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, proc_id);
	__type(value, struct left_out);
} left_outs SEC(".maps");

/* Sets of ids of the filters: a key that is present passes. */
struct ids_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u8);
};

struct ids_map filter_tgids SEC(".maps");
struct ids_map filter_tids SEC(".maps");
struct ids_map filter_uids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, char[COMM_LEN]);
	__type(value, u8);
} filter_comms SEC(".maps");

extern void *bpf_rdonly_cast(const void *obj, u32 btf_id) __ksym __weak;

/*
 * Reads a field of a kernel object found by address. A load through bpf_rdonly_cast() costs
 * 1 ns, bpf_probe_read_kernel() 25 ns; both give 0 for an address that is not mapped.
 */
#define READ(ptr, field)								\
	(knobs.rdonly_cast ?								\
	 ((typeof(ptr))bpf_rdonly_cast(ptr, bpf_core_type_id_kernel(typeof(*(ptr)))))->field :	\
	 BPF_CORE_READ(ptr, field))

/*
 * The word at @addr, as a number: a pointer would keep the verifier from seeing that the
 * rounds of a loop are alike. A struct rb_node begins with an unsigned long, and so will do.
 */
static __always_inline u64 read_word(u64 addr)
{
	u64 word = 0;

	if (knobs.rdonly_cast)
		return READ((struct rb_node *)addr, __rb_parent_color);
	bpf_probe_read_kernel(&word, sizeof(word), (void *)addr);
	return word;
}

/* The record of @task, NULL if it is not watched. */
static __always_inline struct thread *thread_of(struct task_struct *task)
{
	/* Most tasks of a machine have no storage at all: known for 1 ns instead of 12. */
	if (bpf_core_field_exists(task->bpf_storage) && !task->bpf_storage)
		return NULL;
	return bpf_task_storage_get(&threads, task, NULL, 0);
}

/* The record of the running thread, NULL unless it is watched and inside a watched call. */
static __always_inline struct thread *thread_in_call(void)
{
	struct thread *th = thread_of(bpf_get_current_task_btf());

	return th && th->call ? th : NULL;
}

#endif

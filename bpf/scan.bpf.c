// SPDX-License-Identifier: GPL-2.0-only
/*
 * What select, poll and epoll really scan: every time the kernel asks a file whether it is
 * ready it calls the poll function of the file's type. Exact, but each descriptor of each scan
 * on the machine pays for it (docs/hooks.md), so this is not the first choice.
 */
#include "sets.bpf.h"

/* The low bits of the owner word are flags (kernel/locking/mutex.c). */
static __always_inline bool mutex_is_ours(struct mutex *mutex)
{
	return (BPF_CORE_READ(mutex, owner.counter) & ~7ull) == (u64)bpf_get_current_task_btf();
}

/*
 * @file is scanned as an item of @ep itself, not as one of an epoll instance nested in it: a
 * nested scan holds the mutex of its own instance (__ep_eventpoll_poll(), fs/eventpoll.c).
 */
static __always_inline bool item_of(struct file *file, u64 ep)
{
	struct hlist_node *link = BPF_CORE_READ(file, f_ep, first);
	bool found = false;

	for (u32 i = 0; i < FILE_EPOLLS_MAX && link; i++) {
		struct epitem *item = (void *)link - bpf_core_field_offset(struct epitem, fllink);
		struct eventpoll *of = BPF_CORE_READ(item, ep);

		link = BPF_CORE_READ(link, next);
		if ((u64)of == ep)
			found = true;
		else if (mutex_is_ours(&of->mtx))
			return false;
	}
	return found;
}

/* The kernel asks @file whether it is ready, with @table at hand. */
static __always_inline void file_polled(struct file *file, struct poll_table_struct *table)
{
	struct thread *th = thread_in_call();

	if (!th)
		return;
	if (th->ep) {
		th->polled += item_of(file, th->ep);
		return;
	}
	/* The first file asked is one of the set; what an epoll instance in it asks is not. */
	if (!th->table)
		th->table = (u64)table;
	if (th->table != (u64)table)
		return;
	th->polled++;
	/* The first pass is the one that registers with the wait queues, until something is ready. */
	th->polled_first += !!table->_qproc;
}

#define POLLED(function)								\
	SEC("fentry/" #function)							\
	int BPF_PROG(iop_##function, struct file *file, struct poll_table_struct *table)	\
	{										\
		file_polled(file, table);						\
		return 0;								\
	}
#include "polled.def"
#undef POLLED

/* An epoll instance nested in another has no poll function that is called: its scan ends here. */
SEC("fentry/ep_done_scan")
int BPF_PROG(iop_scan_done, struct eventpoll *ep)
{
	struct thread *th = thread_in_call();

	if (!th || !th->ep)
		return 0;
	if (th->ep != (u64)ep) {
		th->polled += item_of(ep->file, th->ep);
		return 0;
	}
	th->passes += th->polled != th->polled_before;
	th->polled_before = th->polled;
	return 0;
}

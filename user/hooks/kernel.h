/* SPDX-License-Identifier: GPL-2.0-only */
/* What this kernel is and allows. */
#ifndef IOPHASE_KERNEL_H
#define IOPHASE_KERNEL_H

#include "types.h"

struct btf;

struct kernel {
	bool switch_has_state;		/* sched_switch passes the previous state */
	bool rdonly_cast;		/* bpf_rdonly_cast() can be called */
	bool preempt_count_known;
	s64 preempt_count_from_rq;	/* from a CPU's run queue to its preempt count, bytes */
	bool preemptible;		/* kernel code can be pre-empted */
	bool tracepoints_preemptible;	/* and so can tp_btf programs in process context */
	struct btf *btf;		/* the kernel's types while they are loaded; owned */
};

/*
 * Finds out what the hooks need to know. Returns 0, or an exit code after a message when
 * the kernel lacks something without which nothing works.
 */
int kernel_check(struct kernel *kernel);

/* The kernel's types, loaded if they are not; NULL if it has none. They take 7 MB. */
const struct btf *kernel_types(struct kernel *kernel);
void kernel_drop_types(struct kernel *kernel);

/*
 * Id of the cgroup (version 2) at @path, by whatever mount; 0 or -errno, -EINVAL if it is none.
 * The id is the inode number of its directory (kernfs, cgroup_id()).
 */
int cgroup_find(const char *path, u64 *id);

#endif

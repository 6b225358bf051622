/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process as /proc shows it, and files as that process sees them. All of it is hostile: what
 * is at a path may be a pipe, a device or somebody else's file, and the process may be gone.
 */
#ifndef IOPHASE_PROCESS_H
#define IOPHASE_PROCESS_H

#include <sys/types.h>

#include "types.h"

struct process {
	u32 tgid;
	u32 inner_tgid;		/* in its own pid namespace */
	uid_t uid;		/* effective */
	int dir;		/* its directory in /proc, which stays its own; -1: it was gone */
	bool own_root;		/* it sees the same files as we do */
};

/* Fills in @process, as far as it is still there. */
void process_open(struct process *process, u32 tgid);
void process_close(struct process *process);

/*
 * Opens the regular file that the process has at @path, which is absolute, for reading; -1 if
 * there is none. No link on the way leads out of the process's own root; one at the end is only
 * followed with @follow. Never blocks on what it opens, nor opens what is no regular file.
 */
int process_open_file(const struct process *process, const char *path, bool follow);

/* The same for its file mapped at [@start, @end), also when that has been deleted or replaced. */
int process_open_mapped(const struct process *process, u64 start, u64 end);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What processes are known for, by all of their descriptors, so that a rule about one of them need
 * not look at all others.
 */
#ifndef IOPHASE_HABITS_H
#define IOPHASE_HABITS_H

#include <uthash.h>

#include "session/session.h"

struct habit {
	proc_id proc;
	/* Some descriptor waits for room to write: what is not read may be so for its sake. */
	bool held_back;
	/*
	 * It has come back by itself to what it had left in some descriptor: it remembers, and may come
	 * back to others too. HTTP servers do not read what is pipelined before its turn has come.
	 */
	bool comes_back;
	/* The same of room that it did not use. */
	bool comes_to_write;
	UT_hash_handle hh;
};

/* Of all processes in @reading; the caller frees it. */
struct habit *habits_learn(const struct reading *reading);
void habits_free(struct habit *habits);

/* Never NULL: of a process that is known for nothing, none. */
const struct habit *habit_of(const struct habit *habits, proc_id proc);

#endif

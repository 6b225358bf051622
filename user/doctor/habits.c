// SPDX-License-Identifier: GPL-2.0-only
#include "doctor/habits.h"

#include <err.h>
#include <stdlib.h>

#include "fail.h"

static struct habit *habit_for(struct habit **habits, proc_id proc)
{
	struct habit *habit;

	HASH_FIND(hh, *habits, &proc, sizeof(proc), habit);
	if (habit)
		return habit;
	habit = calloc(1, sizeof(*habit));
	if (!habit)
		errx(EXIT_RUNTIME, "out of memory");
	habit->proc = proc;
	HASH_ADD(hh, *habits, proc, sizeof(habit->proc), habit);
	return habit;
}

/* It is open, known by itself, and has had no room since. */
static bool waits_for_room(const struct row_fd *fd)
{
	return !fd->head.closed_ns && !fd->many && fd->descriptor.flags & FD_OUT_BLOCKED &&
	       !(fd->descriptor.flags & FD_OUT_READY);
}

struct habit *habits_learn(const struct reading *reading)
{
	struct habit *habits = NULL, *habit;
	struct row *row, *next;

	HASH_ITER(hh, reading->fds.table, row, next) {
		if (waits_for_room(row->fd))
			habit_for(&habits, row->key.proc)->held_back = true;
	}
	for (u32 i = 0; i < reading->nr_signs; i++) {
		const struct signs *signs = &reading->signs[i].signs;

		habit = habit_for(&habits, signs->proc);
		habit->comes_back |= signs->sum[SIGN_resumes] || signs->sum[SIGN_returns];
		habit->comes_to_write |= signs->sum[SIGN_out_resumes] != 0;
	}
	return habits;
}

void habits_free(struct habit *habits)
{
	struct habit *habit, *next;

	HASH_ITER(hh, habits, habit, next) {
		HASH_DEL(habits, habit);
		free(habit);
	}
}

const struct habit *habit_of(const struct habit *habits, proc_id proc)
{
	static const struct habit none;
	const struct habit *habit;

	HASH_FIND(hh, habits, &proc, sizeof(proc), habit);
	return habit ? : &none;
}

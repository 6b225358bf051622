/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The event loop of a measurement: one epoll set with signals, timers and the ends of the
 * targets. It says what happened; what to do about it is the caller's.
 */
#ifndef IOPHASE_LOOP_H
#define IOPHASE_LOOP_H

#include <sys/types.h>

#include "types.h"

enum loop_event {
	LOOP_SIGNAL,	/* SIGINT, SIGTERM or SIGHUP */
	LOOP_INTERVAL,	/* the time of an interval is over */
	LOOP_DURATION,	/* the time of the measurement is over */
	LOOP_SAMPLE,	/* time to begin or to end a sample of our own cost */
	LOOP_SLICE,	/* the time of a part of what is saved is over */
	LOOP_RETIRE,	/* time to take the rows of ended processes out of the kernel */
	LOOP_TRACE,	/* time to take traced calls out of the kernel */
	LOOP_TARGET,	/* a watched process ended, or one of its descendants may have */
	LOOP_INPUT,	/* there is something to be read, or its end */
	LOOP_RESIZE,	/* the terminal has another size */
	LOOP_ERROR,
};

struct loop;

/*
 * Catches the signals it waits for, of which the caller handles @signals. One more ends the
 * program at once, with status 128 + signal, wherever it hangs; @abandon is called before, in
 * the signal handler. There is one loop in a program. NULL after a message.
 */
struct loop *loop_open(int signals, void (*abandon)(void));
void loop_close(struct loop *loop);

/* Makes @event happen after @first_ns and then every @every_ns (0: once). @first_ns 0: never. */
int loop_timer(struct loop *loop, enum loop_event event, u64 first_ns, u64 every_ns);

/* Makes LOOP_TARGET happen when process @pid ends; 0 or -errno. */
int loop_target(struct loop *loop, pid_t pid);

/* Makes LOOP_INPUT happen while there is something to be read from @fd, the caller's; 0 or -errno. */
int loop_input(struct loop *loop, int fd);

/* Makes LOOP_RESIZE happen when the terminal is given another size, by SIGWINCH. */
void loop_resize(void);

/* Waits for the next event. For LOOP_SIGNAL *@by_user tells one sent by kill from a key. */
enum loop_event loop_wait(struct loop *loop, int *signal, bool *by_user);

/* Targets given to loop_target() that have not ended. */
u32 loop_targets(const struct loop *loop);

#endif

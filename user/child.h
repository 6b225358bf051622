/* SPDX-License-Identifier: GPL-2.0-only */
/* The command of `-- COMMAND`: started, held until the watch has begun, then let go. */
#ifndef IOPHASE_CHILD_H
#define IOPHASE_CHILD_H

#include <sys/types.h>

struct child {
	pid_t pid;		/* 0: none */
	int error_fd;		/* gives the errno of a failed exec; end of file: it went well */
	int status;		/* exit code of a shell: its status, or 128 + signal */
	int released, ended;
};

/* Forks a child that waits for child_release(); 0, or an exit code after a message. */
int child_start(struct child *child, char **command);

/* Lets it run the command; 0, or 127 or 126 after a message if that cannot be run. */
int child_release(struct child *child, char **command);

/* Notes its end if it has ended; with @wait, waits for it. */
void child_reap(struct child *child, int wait);

/* Ends a child that was not released; one that was is left alone. */
void child_abandon(struct child *child);

#endif

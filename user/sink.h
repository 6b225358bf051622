/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a result goes: a stream that is there already, or the file of -o. */
#ifndef IOPHASE_SINK_H
#define IOPHASE_SINK_H

#include <stdio.h>

/* So many can be open at a time. */
#define SINKS_MAX 2

struct sink {
	FILE *stream;
	const char *path;	/* NULL: not ours to close */
	char *temporary;	/* renamed to path at the end; NULL: written to as it is */
};

/*
 * Opens @path for writing, or takes @stream if @path is NULL. A regular file, or one that is
 * not there yet, is written beside and replaced only when complete. 0, or an exit code after
 * a message.
 */
int sink_open(struct sink *sink, const char *path, FILE *stream);

/* Hands on what was printed so far; 0, or an exit code after a message. */
int sink_flush(struct sink *sink);

/* Completes the file; 0, or an exit code after a message, and then the old file is as it was. */
int sink_close(struct sink *sink);

/* Leaves no trace of what was printed. */
void sink_abandon(struct sink *sink);

/*
 * ".NAME.XXXXXX", for mkstemp(3), in the directory of @path, so that a rename to it stays on one file
 * system. The caller frees it; NULL: no memory.
 */
char *sink_temporary_name(const char *path);

/* Removes the unfinished files of the sinks that are open; for a signal handler. */
void sink_remove(void);

#endif

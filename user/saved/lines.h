/* SPDX-License-Identifier: GPL-2.0-only */
/* The kinds of lines that a saved session has, each with what it is made of: docs/sessions.md. */
#ifndef IOPHASE_LINES_H
#define IOPHASE_LINES_H

#include "cost.h"
#include "saved/column.h"
#include "session/session.h"
#include "stack/symbols.h"

/* A row of any kind, laid out flat. */
struct flat_row {
	struct row_key key;
	char comm[COMM_LEN];
	struct totals sum;
	struct row_fd fd;
	char path[256];
	struct row_loop loop;
};

/* A frame of a stack that was taken. */
struct flat_stack {
	struct stack_key key;
	struct symbol symbol;
};

enum line_kind {
	LINE_CALL,	/* a row of calls, by process */
	LINE_THREAD,	/* the same by thread */
	LINE_HIST,	/* the histograms of the row before it */
	LINE_ERRNO,	/* an error of the row before it, and how often */
	LINE_WAKER,	/* who woke it */
	LINE_FD,
	LINE_LOOP,
	LINE_SIGNS,
	LINE_LISTENING,
	LINE_IN_FLIGHT,
	LINE_WATCHED,	/* a thread that is watched */
	LINE_LEFT_OUT,
	LINE_FRAME,	/* of the stack of what was found, the innermost first */
	LINE_LOSSES,
	LINE_COST,
	NR_LINE_KINDS,
};

struct line {
	const char *name;
	const struct column *columns;
	u32 count;
};

extern const struct line lines[NR_LINE_KINDS];

/* More than any line has. */
#define COLUMNS_MAX 128

/* Writes @record, which is what lines of @kind are of. */
void line_put(FILE *out, enum line_kind kind, const void *record);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A session that was saved, read back into the model: docs/sessions.md. */
#ifndef IOPHASE_SAVED_H
#define IOPHASE_SAVED_H

#include "doctor.h"
#include "output/output.h"
#include "saved/format.h"
#include "saved/lines.h"
#include "saved/members.h"
#include "saved/stacks.h"

/* What the values of one kind of line are in this file; a value that is not known here has no column. */
struct saved_line {
	const struct column *columns[COLUMNS_MAX];
	u32 count;
};

struct saved {
	const char *path;
	struct member_reader reader;
	json_t *header;
	const char *version, *kernel, *backend, *scan_tier, *lag_tier, *fd_lag_tier;
	json_t *arguments;		/* an array of strings */
	u64 interval_ns;		/* of the reports that were asked for; 0: one at the end */
	bool whole, named, direct;
	struct parts parts;
	double thresholds[NR_THRESHOLDS];
	struct saved_line lines[NR_LINE_KINDS];
	u64 counts[NR_RECORD_KINDS];	/* records that are whole */
	u64 records, taken;		/* all of them, and how many were given out */
	bool damaged;			/* there is more, which cannot be used */
	char incomplete[512];		/* why it is, in words; "": it is complete */
	u64 unread;			/* lines of what this version does not know */
};

/* One record, which has all that its report refers to. */
struct saved_record {
	enum record_kind kind;
	struct saved *saved;		/* that it is of, */
	unsigned int kinds;		/* of which only these are wanted */
	bool begun;			/* its first line was read */
	struct row *row;		/* that the next lines are about; NULL: none */
	struct report report;		/* without options */
	struct reading reading;
	struct cost cost;
	struct kept_stacks stacks;
	struct stack_source source;
};

/*
 * Opens the session in @path, or in the open file @fd if that is not negative, and looks through all of it
 * for damage, of which saved->incomplete then tells. 0, or an exit code after a message, if there is nothing
 * that can be used; saved_close() is to be called in any case.
 */
int saved_open(struct saved *saved, const char *path, int fd);
void saved_close(struct saved *saved);

/*
 * Reads the next record that is whole into @record, which record_free() releases; false: there is no more.
 * Those of a kind that is not in @kinds, 1 << enum record_kind, are passed over.
 */
bool saved_next(struct saved *saved, unsigned int kinds, struct saved_record *record);
void record_free(struct saved_record *record);

#endif

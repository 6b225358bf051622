/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line, parsed and checked. */
#ifndef IOPHASE_OPTIONS_H
#define IOPHASE_OPTIONS_H

#include <argp.h>

#include "hooks/backend.h"
#include "types.h"

/* What rows are kept apart by; a set of bits. */
enum { BY_PROCESS = 1, BY_THREAD = 2, BY_CALL = 4, BY_FD = 8, BY_LOOP = 16, BY_MODEL = 32 };
#define BY_OBJECT (BY_FD | BY_LOOP)
/* Rows that are not those of calls. */
#define BY_OTHERS (BY_OBJECT | BY_MODEL)

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_NDJSON, FORMAT_CSV };
enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

#define FILTER_MAX 1024	/* ids of one kind */
#define COMMS_MAX 64

struct id_list {
	u32 ids[FILTER_MAX];
	u32 count;
};

struct options {
	struct id_list tgids, tids, uids;
	char comms[COMMS_MAX][COMM_LEN];
	u32 comm_count;
	const char *cgroup;		/* path, NULL: any */
	bool selected[NR_CALLS];
	u64 min_ns;
	bool failed_only;
	bool no_follow;

	u64 interval_ns;		/* 0: one summary at the end */
	u64 count;			/* intervals, 0: no limit */
	u64 duration_ns;		/* 0: no limit */
	bool timestamp;
	bool live;			/* a screen; rows of threads are of those that live */
	enum backend backend;

	unsigned int by;		/* BY_* */
	enum format format;
	enum color color;
	const char *output;		/* file, NULL: standard output */
	const char *sort;		/* name of a sort key */
	u32 top;			/* rows shown, 0: all */

	char **command;			/* NULL-terminated, NULL: none */
	struct doctor *doctor;		/* signs of misuse are looked for; NULL: they are not */
	struct weigh *weigh;		/* stacks are weighted by the time of calls; NULL: not */
	struct trace *trace;		/* each call is a line; NULL: they are summed */

	char **arguments;		/* all of them, as they were given */
	const char *save;		/* session file, NULL: none */
	const char *html;		/* file for a page of all that was measured, NULL: none */
	bool everything;		/* all that a session holds is measured, whatever `by` says */
};

/* The words that options take, in the order of their enum, or of BY_*; NULL at the end. */
extern const char *const format_words[], *const color_words[], *const by_words[];

/*
 * What all commands that measure understand, what all understand that print anything, and what those do
 * that print rows; a parser hands them its options as their input.
 */
extern const struct argp options_common, options_print, options_rows;

/* Says "WHAT: 'VALUE' (see iophase --help)", and returns what a parser is to return then. */
int options_usage(const char *what, const char *value);

/* Parses an argument that is an interval, the only one; what a parser is to return. */
int options_interval(struct options *options, const char *arg);

/* "-p"'s list of numbers, each at least @least, added to @list; false if it is none. */
bool options_ids(const char *text, u64 least, struct id_list *list);

/* Parses -e, -m and -x, of commands that look at calls; ARGP_ERR_UNKNOWN for any other @key. */
error_t options_filter_calls(int key, char *arg, struct options *options);

/* Parses as options_parse() does, by @argp, into @options, which hold what is the default. */
int options_parse_with(struct options *options, const struct argp *argp, int argc, char **argv);

/*
 * Parses the arguments of `iophase stat`. Returns 0 to go on, or prints what is wrong (or the
 * help, or the version) and returns the negated exit code - 1, so that -1 is EXIT_OK.
 */
int options_parse(struct options *options, int argc, char **argv);

#endif

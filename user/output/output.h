/* SPDX-License-Identifier: GPL-2.0-only */
/* A report, and the ways to print it; each is one file behind one struct. */
#ifndef IOPHASE_OUTPUT_H
#define IOPHASE_OUTPUT_H

#include <stdio.h>
#include <time.h>

#include "cost.h"
#include "options.h"
#include "session/session.h"
#include "stack/source.h"

/* What was measured in one interval, or from start to end. */
struct report {
	const struct options *options;
	const char *version;		/* of what measured, */
	const char *kernel;		/* and the release of the kernel that it was measured on */
	const char *backend;
	const char *scan_tier;		/* of scanned and passes */
	const char *lag_tier;		/* of the lag of epoll */
	const char *fd_lag_tier;	/* and of that of its descriptors */
	bool signals_seen, uring_seen;	/* such signals, and requests of io_uring */
	const struct parts *parts;	/* what was left out */
	bool whole;			/* all threads of the watched processes are watched, */
	bool named;			/* which were named, and are not just anybody's */
	bool direct;			/* the calls themselves are hooked */
	u64 duration_ns;
	struct timespec at;		/* time of day at its end */
	const struct reading *reading;
	const struct cost *cost;
	bool last;
	const struct stack_source *stacks;
	struct session *session;	/* that is under way; NULL: it was saved */
	const char *incomplete;		/* why the session it is read from is; NULL: it is not */
};

/* What is to be done after a key. */
enum live_wish { LIVE_GO_ON, LIVE_INTERVAL, LIVE_END };

/* A screen, which is shown while the measurement runs. */
struct live {
	/* The watch has begun; the screen is taken. 0, or an exit code after a message. */
	int (*begin)(const struct options *options);
	/* All that was counted since then, with what is in @reading, which it takes over. */
	void (*show)(const struct report *report, struct reading *reading);
	/* Whether show() is to be called now. */
	bool (*wanted)(void);
	/* There are keys. LIVE_INTERVAL: options->interval_ns is another one now. */
	enum live_wish (*input)(struct options *options);
	/* The terminal has another size. */
	void (*resize)(void);
	/* The terminal is as it was before; also where begin() was not called, or failed. */
	void (*end)(void);
};

struct output {
	const struct live *live;	/* NULL: none. Its reports are of all of the time since the start */
	/*
	 * Of a trace: takes what came since the last time; @last: what is left. NULL: there is none.
	 * Returns after how many ns to come again.
	 */
	u64 (*drain)(FILE *out, const struct options *options, struct session *session, bool last);
	/* Once, before the first report; NULL: nothing to do. */
	void (*begin)(FILE *out, const struct options *options);
	void (*print)(FILE *out, const struct report *report);
};

extern const struct output output_table, output_json, output_ndjson, output_csv;

/* Ordered and cut by the options; the caller frees the array. */
struct row **report_rows(const struct report *report, u32 *count);

/* A line for each kind of loss there was. */
void report_losses(FILE *out, const struct report *report);

/* The copy phase of such calls is known, at least as a bound. */
bool call_copies(u32 call);

#endif

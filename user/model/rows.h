/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model that all outputs print: rows of figures, each for a process, thread and call, or
 * for the sum over those it is not kept apart by.
 */
#ifndef IOPHASE_ROWS_H
#define IOPHASE_ROWS_H

#include <uthash.h>

#include "types.h"

struct row_key {
	proc_id proc;		/* 0: all */
	u32 tid;		/* 0: all, or threads that ended */
	u32 call;		/* enum call_id, 0: all */
	u64 object;		/* a descriptor or an event loop, 0: not kept apart */
	u32 model;		/* enum model_id, where rows are kept apart by it */
	u32 pad;
};

/* What is left of the smallest of many closed descriptors: their sum. */
#define OBJECT_MERGED	1

/* What is known of the descriptor of a row; owned by it. */
struct row_fd {
	struct descriptor_head head;	/* of the process that was first seen to use it, if that has it */
	struct descriptor descriptor;
	u32 holders;		/* watched processes that have it open */
	bool many;		/* it is the sum of closed ones, */
	u64 merged;		/* of so many */
	char *path;		/* of an open file, "": it has none; NULL: not looked up; owned */
};

/* Which histogram of a row. */
enum { HIST_WALL, HIST_BLOCKED, HIST_RUNNABLE, HIST_ON_CPU, NR_HISTS };

struct row_hist {
	u64 buckets[NR_HISTS][HIST_BUCKETS];
};

struct errno_count {
	u32 error;
	u64 count;
};

struct waker_count {
	struct waker waker;
	u64 count;
};

/* The same of the event loop of a row. */
struct row_loop {
	struct event_loop figures;
	u64 descriptors;	/* that it waits for now; ASKED_UNKNOWN */
	u32 turning;		/* threads that were in a turn of it when it was read */
	u64 turning_ns;		/* for how long the first of them had been, */
	u64 turning_runnable_ns;	/* and of that waited for a CPU */
};

/* Parts of the whole, 0..1; -1 where there is no whole. */
struct model_shares {
	double calls, bytes, time;
};

/* And of the model of input of a row. */
struct row_model {
	struct model_sum sum;
	u64 in_flight;		/* requests that were not over when it was read */
	struct model_shares shares;	/* once models_share() has seen all rows */
	struct row_fd *fd;	/* what it is of; NULL: no descriptor, or not known which; owned */
};

struct row {
	struct row_key key;
	char comm[COMM_LEN];	/* of the process, or of the thread; not terminated if full */
	char proc_comm[COMM_LEN];	/* of the process, where rows are of threads */
	struct totals sum;
	u64 wait_calls;		/* those of sum.calls that are wait calls */
	u64 timeouts;		/* and those of them that returned nothing */
	struct row_hist *hist;	/* NULL: none, as for threads */
	struct errno_count *errnos;
	u32 nr_errnos;
	struct waker_count *wakers;
	u32 nr_wakers;
	struct row_fd *fd;	/* NULL: not of a descriptor */
	struct row_loop *loop;	/* NULL: not of an event loop; owned */
	struct row_model *model;	/* NULL: not of a model; owned */
	UT_hash_handle hh;
};

struct rows {
	unsigned int by;	/* BY_* of options.h */
	struct row *table;
};

/* An empty set of rows, kept apart by @by; rows_free() empties it again. */
void rows_init(struct rows *rows, unsigned int by);
void rows_free(struct rows *rows);

/*
 * The row that @key belongs to, made if need be. The parts of the key that rows are not kept
 * apart by are ignored. Never NULL: ends the program if there is no memory.
 */
struct row *rows_get(struct rows *rows, struct row_key key);

/* The same, but NULL if there is none. */
struct row *rows_find(const struct rows *rows, struct row_key key);

void row_add_totals(struct row *row, const struct totals *sum);

/* The same for totals of @call, which tells the wait calls apart in a row of several. */
void row_add_call(struct row *row, u32 call, const struct totals *sum);
void row_add_hist(struct row *row, const struct hist *hist);
void row_add_errno(struct row *row, u32 error, u64 count);
void row_add_waker(struct row *row, const struct waker *waker, u64 count);

/* The row gets, or adds, the figures of a descriptor, of an event loop, or of a model. */
void row_add_fd(struct row *row, const struct row_fd *fd);
void row_add_loop(struct row *row, const struct row_loop *loop);
void row_add_model(struct row *row, const struct row_model *model);

/* Takes what @before, of the same descriptor or loop, held off the figures of @fd or @loop. */
void row_fd_subtract(struct row_fd *fd, const struct row_fd *before);
void row_loop_subtract(struct row_loop *loop, const struct row_loop *before);

/* Takes @row, and what it owns, off @rows. */
void rows_drop(struct rows *rows, struct row *row);

/* Adds all rows of @more; or one of them. */
void rows_add(struct rows *rows, const struct rows *more);
void rows_add_row(struct rows *rows, const struct row *row);

/*
 * Takes what @before held off @now, and drops the rows in which nothing is left. A row of
 * @before that is not in @now any more has been summed into the one of process 0 and its call,
 * and so it is in @before, too.
 */
void rows_subtract(struct rows *now, struct rows *before);

/* On-CPU time of the row that is not copying, ns: inside the kernel, for wait calls the scan. */
u64 row_kernel_ns(const struct row *row);

/*
 * Upper edge, in ns, of the bucket that holds quantile @q (0..1) of histogram @which;
 * 0 if the value itself is 0, -1 if there is no histogram.
 */
double row_quantile(const struct row *row, int which, double q);

/* The same of a histogram in which @count values were counted. */
double hist_quantile(const u64 *buckets, u64 count, double q);

/*
 * The part of @duration_ns, for each of its threads, that a loop was not blocked in its waits, with
 * the turn that is under way: 1 is a loop at its limit, whether it works or spins.
 */
double loop_utilisation(const struct row_loop *loop, u64 duration_ns);

/* On-CPU time of its turns, ns. */
u64 loop_turn_on_cpu_ns(const struct row_loop *loop);

/* Sorted by @key of SORT_KEYS, largest first; the caller frees the array of *@count. */
#define SORT_KEYS "wall, blocked, runnable, kernel, copy, calls, scanned, bytes, name"
struct row **rows_sorted(const struct rows *rows, const char *key, u32 *count);

/* Whether rows that are kept apart by @by, BY_*, have what @key sorts by. */
bool rows_sort_known(const char *key, unsigned int by);

#endif

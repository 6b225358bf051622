/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What came between two readings, of a process, a thread, a call, an event loop or a descriptor, and
 * what the doctor says: each is a line on the screen.
 */
#ifndef IOPHASE_ITEM_H
#define IOPHASE_ITEM_H

#include "session/session.h"
#include "top/news.h"

/* Two readings of one measurement, and what is known of the later. */
struct interval {
	const struct reading *before, *now;
	u64 duration_ns;	/* from the one to the other */
	const struct news *news;
};

enum item_kind { ITEM_PROCESS, ITEM_THREAD, ITEM_CALL, ITEM_LOOP, ITEM_FD, ITEM_FINDING };

/* What items are wanted of. */
struct scope {
	proc_id proc;		/* 0: all */
	u32 tid;		/* 0: all of its threads */
	u64 ep;			/* the epoll instance that waits for descriptors; 0: any */
};

struct item {
	struct row_key key;
	enum item_kind kind;
	const struct interval *interval;
	char comm[COMM_LEN];	/* of the process, or of the thread; not terminated if full */
	char proc_comm[COMM_LEN];	/* of the process */
	struct totals sum;	/* in the interval, of the calls */
	u64 wait_calls;
	double busy;		/* part of the time that the loop, or the busiest, was; -1: no loop */
	double lag_ns;		/* p99 from ready to reported, -1: not known */
	double serve_ns;	/* p99 from there to the first call, -1: not known */
	const struct in_flight *inside;	/* the oldest call under way; NULL: none */
	u32 nr_inside;
	u32 findings;
	enum severity worst;	/* of these */
	u64 *lag_hist, lag_count;	/* of the loops of a process; owned; NULL: none */
	struct row_loop *loop;	/* in the interval; owned; NULL: of no loop */
	struct row_fd *fd;	/* the same of a descriptor */
	const struct headline *headline;	/* of a finding */
	UT_hash_handle hh;
};

struct items {
	struct item *table;
};

/*
 * Adds what @kind there is in @scope. Where nothing came, and nothing is under way, there is no item:
 * of what has ended, the rows stay. items_free() frees what it made.
 */
void items_make(struct items *items, const struct interval *interval, enum item_kind kind,
		const struct scope *scope);
void items_free(struct items *items);

/* For each second of the interval. */
double item_rate(const struct item *item, double amount);

/* On-CPU time inside the calls of the item, copying or not, ns. */
u64 item_on_cpu_ns(const struct item *item);

#endif

// SPDX-License-Identifier: GPL-2.0-only
#include "top/item.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "model/fd.h"

static void *allocate(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		errx(EXIT_RUNTIME, "out of memory");
	return memory;
}

static struct item *find(const struct items *items, struct row_key key)
{
	struct item *item;

	HASH_FIND(hh, items->table, &key, sizeof(key), item);
	return item;
}

static struct item *get(struct items *items, const struct interval *interval, enum item_kind kind,
			struct row_key key)
{
	struct item *item = find(items, key);

	if (item)
		return item;
	item = allocate(sizeof(*item));
	item->key = key;
	item->kind = kind;
	item->interval = interval;
	item->busy = item->lag_ns = item->serve_ns = -1;
	HASH_ADD(hh, items->table, key, sizeof(item->key), item);
	return item;
}

static void drop(struct items *items, struct item *item)
{
	HASH_DEL(items->table, item);
	free(item->lag_hist);
	free(item->loop);
	free(item->fd);
	free(item);
}

void items_free(struct items *items)
{
	struct item *item, *next;

	HASH_ITER(hh, items->table, item, next)
		drop(items, item);
}

double item_rate(const struct item *item, double amount)
{
	return item->interval->duration_ns ?
	       amount * NS_PER_SEC / item->interval->duration_ns : 0;
}

u64 item_on_cpu_ns(const struct item *item)
{
	u64 off_ns = item->sum.blocked_ns + item->sum.runnable_ns;

	return item->sum.wall_ns > off_ns ? item->sum.wall_ns - off_ns : 0;
}

/* The item that a row of calls belongs to. */
static struct row_key call_key(enum item_kind kind, const struct scope *scope,
			       const struct row_key *key)
{
	struct row_key narrow = { .proc = key->proc };

	if (kind == ITEM_THREAD)
		narrow.tid = key->tid;
	if (kind == ITEM_CALL) {
		narrow.tid = scope->tid;
		narrow.call = key->call;
	}
	return narrow;
}

static bool in_scope(const struct scope *scope, const struct row_key *key)
{
	return (!scope->proc || scope->proc == key->proc) &&
	       (!scope->tid || scope->tid == key->tid);
}

static void name_item(struct item *item, const struct row *row)
{
	/* A row of ended threads has the name of the process as its own. */
	const char *process = row->proc_comm[0] ? row->proc_comm : row->comm;
	const char *name = item->kind == ITEM_THREAD ? row->comm : process;

	if (process[0])
		memcpy(item->proc_comm, process, COMM_LEN);
	if (name[0])
		memcpy(item->comm, name, COMM_LEN);
}

static void add_calls(struct items *items, const struct interval *interval, enum item_kind kind,
		      const struct scope *scope)
{
	struct row *row, *next;

	HASH_ITER(hh, interval->now->rows.table, row, next) {
		struct item *item;

		if (!in_scope(scope, &row->key))
			continue;
		item = get(items, interval, kind, call_key(kind, scope, &row->key));
		name_item(item, row);
		item->wait_calls += row->wait_calls;
#define FIGURE(name) item->sum.name += row->sum.name;
#include "bpf/figures.def"
#undef FIGURE
	}
}

static void less(u64 *figure, u64 by)
{
	*figure -= by < *figure ? by : *figure;
}

/*
 * What was there before is not of the interval. The rows of an ended process are merged in time, with
 * what they had before; those of an ended thread, with those of its process. A thread that makes more
 * different calls than it has room for gives some of them to its process, and seems to have made less.
 */
static void take_before(struct items *items, const struct interval *interval, enum item_kind kind,
			const struct scope *scope)
{
	struct row *row, *next;

	HASH_ITER(hh, interval->before->rows.table, row, next) {
		struct item *item;

		if (!in_scope(scope, &row->key))
			continue;
		item = find(items, call_key(kind, scope, &row->key));
		if (!item && kind == ITEM_THREAD)
			item = find(items, (struct row_key){ .proc = row->key.proc });
		if (!item)
			item = find(items, (struct row_key){
				.call = kind == ITEM_CALL ? row->key.call : 0 });
		if (!item)
			continue;
		less(&item->wait_calls, row->wait_calls);
#define FIGURE(name) less(&item->sum.name, row->sum.name);
#include "bpf/figures.def"
#undef FIGURE
	}
}

/* A thread that was inside its call since before the watch began has made none yet. */
static void add_inside(struct items *items, const struct interval *interval, enum item_kind kind,
		       const struct scope *scope)
{
	const struct reading *now = interval->now;

	for (u32 i = 0; i < now->nr_in_flight; i++) {
		const struct in_flight *thread = &now->in_flight[i];
		struct row_key key = { .proc = thread->proc, .tid = thread->tid,
				       .call = thread->call };
		struct item *item;

		if (!in_scope(scope, &key))
			continue;
		item = get(items, interval, kind, call_key(kind, scope, &key));
		if (!item->comm[0] && (kind == ITEM_THREAD || thread->tid == thread->tgid))
			memcpy(item->comm, thread->comm, COMM_LEN);
		item->nr_inside++;
		if (!item->inside || thread->age_ns > item->inside->age_ns)
			item->inside = thread;
	}
}

/* What came in the interval of the loop of @row. */
static struct row_loop *loop_change(const struct interval *interval, const struct row *row)
{
	struct row_loop *loop = allocate(sizeof(*loop));
	const struct row *was = rows_find(&interval->before->loops, row->key);

	*loop = *row->loop;
	if (was)
		row_loop_subtract(loop, was->loop);
	return loop;
}

static double p99(const u64 *hist, u64 count)
{
	return hist_quantile(hist, count, 0.99);
}

/* The lag of a process is that of all of its loops, and it is as busy as the busiest. */
static void add_to_process(struct items *items, const struct row *row, const struct row_loop *loop,
			   double busy)
{
	struct item *item = find(items, (struct row_key){ .proc = row->key.proc });

	if (!item)
		return;
	if (busy > item->busy)
		item->busy = busy;
	if (!item->lag_hist)
		item->lag_hist = allocate(HIST_BUCKETS * sizeof(*item->lag_hist));
	for (int i = 0; i < HIST_BUCKETS; i++)
		item->lag_hist[i] += loop->figures.report_hist[i];
	item->lag_count += loop->figures.sum.timed_reports;
	item->lag_ns = p99(item->lag_hist, item->lag_count);
}

static void add_loop(struct items *items, const struct interval *interval, const struct row *row,
		     struct row_loop *loop, double busy)
{
	struct item *item = get(items, interval, ITEM_LOOP, row->key);

	memcpy(item->comm, row->comm, COMM_LEN);
	memcpy(item->proc_comm, row->comm, COMM_LEN);
	item->loop = loop;
	item->busy = busy;
	item->lag_ns = p99(loop->figures.report_hist, loop->figures.sum.timed_reports);
	item->serve_ns = p99(loop->figures.serve_hist, loop->figures.sum.serves);
}

/* Of a loop that has ended the row stays, and nothing comes to it. */
static bool loop_lives(const struct row_loop *loop)
{
	return loop->figures.sum.waits || loop->figures.sum.turns || loop->turning ||
	       loop->figures.in_tid;
}

static void add_loops(struct items *items, const struct interval *interval, enum item_kind kind,
		      const struct scope *scope)
{
	struct row *row, *next;

	HASH_ITER(hh, interval->now->loops.table, row, next) {
		struct row_loop *loop;
		double busy;

		if (!in_scope(scope, &row->key))
			continue;
		loop = loop_change(interval, row);
		busy = loop_utilisation(loop, interval->duration_ns);
		if (kind == ITEM_LOOP && loop_lives(loop)) {
			add_loop(items, interval, row, loop, busy);
			continue;
		}
		if (kind == ITEM_PROCESS && loop_lives(loop))
			add_to_process(items, row, loop, busy);
		free(loop);
	}
}

static bool fd_in_scope(const struct scope *scope, const struct row *row)
{
	return in_scope(scope, &row->key) &&
	       (!scope->ep || row->fd->descriptor.ep == scope->ep);
}

static struct row_fd *fd_change(const struct interval *interval, const struct row *row)
{
	struct row_fd *fd = allocate(sizeof(*fd));
	const struct row *was = rows_find(&interval->before->fds, row->key);

	*fd = *row->fd;
	if (was)
		row_fd_subtract(fd, was->fd);
	return fd;
}

static void add_fds(struct items *items, const struct interval *interval,
		    const struct scope *scope)
{
	struct row *row, *next;

	HASH_ITER(hh, interval->now->fds.table, row, next) {
		struct item *item;
		struct row_fd *fd;

		if (!fd_in_scope(scope, row))
			continue;
		fd = fd_change(interval, row);
		/* Those that are closed are seen once more, if something came. */
		if (fd_closed(fd) && !fd->descriptor.sum.calls && !fd->descriptor.sum.reported) {
			free(fd);
			continue;
		}
		item = get(items, interval, ITEM_FD, row->key);
		memcpy(item->comm, row->comm, COMM_LEN);
		memcpy(item->proc_comm, row->comm, COMM_LEN);
		item->fd = fd;
		item->serve_ns = fd_lag_quantile(fd->descriptor.serve_hist, 0.99);
		item->lag_ns = fd_lag_quantile(fd->descriptor.report_hist, 0.99);
	}
}

static void add_findings(struct items *items, const struct interval *interval,
			 const struct scope *scope)
{
	const struct news *news = interval->news;

	for (u32 i = 0; i < news->count; i++) {
		const struct headline *headline = &news->list[i];
		struct row_key key = { .object = headline->id };
		struct item *item;

		if (scope->proc && proc_tgid(scope->proc) != headline->finding.tgid)
			continue;
		item = get(items, interval, ITEM_FINDING, key);
		item->headline = headline;
		memcpy(item->comm, headline->finding.comm, COMM_LEN);
		item->worst = headline->finding.severity;
	}
}

/* What ended long ago, or makes no calls at all: a row of nothing. */
static bool item_quiet(const struct item *item)
{
	return !item->loop && !item->fd && !item->headline && !item->sum.calls && !item->inside && item->busy <= 0;
}

static void judge_item(struct item *item)
{
	const struct news *news = item->interval->news;

	if (item->kind == ITEM_PROCESS)
		item->findings = news_count(news, proc_tgid(item->key.proc), -1, &item->worst);
	else if (item->kind == ITEM_FD && !item->fd->many)
		item->findings = news_count(news, proc_tgid(item->key.proc), item->fd->head.fd,
					    &item->worst);
}

void items_make(struct items *items, const struct interval *interval, enum item_kind kind,
		const struct scope *scope)
{
	struct item *item, *next;

	if (kind == ITEM_FD) {
		add_fds(items, interval, scope);
	} else if (kind == ITEM_FINDING) {
		add_findings(items, interval, scope);
	} else if (kind == ITEM_LOOP) {
		add_loops(items, interval, kind, scope);
	} else {
		add_calls(items, interval, kind, scope);
		take_before(items, interval, kind, scope);
		add_inside(items, interval, kind, scope);
	}
	if (kind == ITEM_PROCESS)
		add_loops(items, interval, kind, scope);
	HASH_ITER(hh, items->table, item, next) {
		if (item_quiet(item))
			drop(items, item);
		else
			judge_item(item);
	}
}

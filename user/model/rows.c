// SPDX-License-Identifier: GPL-2.0-only
#include "model/rows.h"

#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/calls.h"
#include "fail.h"
#include "options.h"

static void *grow(void *array, size_t count, size_t size)
{
	void *bigger = reallocarray(array, count, size);

	if (!bigger)
		errx(EXIT_RUNTIME, "out of memory");
	return bigger;
}

void rows_init(struct rows *rows, unsigned int by)
{
	*rows = (struct rows){ .by = by };
}

static struct row_fd *fd_copy(const struct row_fd *fd)
{
	struct row_fd *copy = grow(NULL, 1, sizeof(*copy));

	*copy = *fd;
	if (fd->path && !(copy->path = strdup(fd->path)))
		errx(EXIT_RUNTIME, "out of memory");
	return copy;
}

static void fd_free(struct row_fd *fd)
{
	if (fd)
		free(fd->path);
	free(fd);
}

static void row_free(struct rows *rows, struct row *row)
{
	HASH_DEL(rows->table, row);
	free(row->hist);
	free(row->errnos);
	free(row->wakers);
	fd_free(row->fd);
	free(row->loop);
	if (row->model)
		fd_free(row->model->fd);
	free(row->model);
	free(row);
}

void rows_drop(struct rows *rows, struct row *row)
{
	row_free(rows, row);
}

void rows_free(struct rows *rows)
{
	struct row *row, *next;

	HASH_ITER(hh, rows->table, row, next)
		row_free(rows, row);
}

static void key_narrow(const struct rows *rows, struct row_key *key)
{
	/* Objects are not kept apart by the calls that they are used with. */
	if (!(rows->by & BY_MODEL))
		key->model = 0;
	if (rows->by & BY_OBJECT) {
		key->tid = 0;
		key->call = 0;
		return;
	}
	if (!(rows->by & BY_PROCESS))
		key->proc = 0;
	if (!(rows->by & BY_THREAD))
		key->tid = 0;
	if (!(rows->by & BY_CALL))
		key->call = 0;
}

struct row *rows_find(const struct rows *rows, struct row_key key)
{
	struct row *row;

	key_narrow(rows, &key);
	HASH_FIND(hh, rows->table, &key, sizeof(key), row);
	return row;
}

struct row *rows_get(struct rows *rows, struct row_key key)
{
	struct row *row;

	key_narrow(rows, &key);
	row = rows_find(rows, key);
	if (row)
		return row;
	row = grow(NULL, 1, sizeof(*row));
	*row = (struct row){ .key = key };
	HASH_ADD(hh, rows->table, key, sizeof(row->key), row);
	return row;
}

void row_add_totals(struct row *row, const struct totals *sum)
{
#define FIGURE(name) row->sum.name += sum->name;
#include "bpf/figures.def"
#undef FIGURE
}

void row_add_call(struct row *row, u32 call, const struct totals *sum)
{
	row_add_totals(row, sum);
	if (!args_are_set(calls[call].args))
		return;
	row->wait_calls += sum->calls;
	row->timeouts += sum->zero;
}

static struct row_hist *row_hist(struct row *row)
{
	if (!row->hist) {
		row->hist = grow(NULL, 1, sizeof(*row->hist));
		memset(row->hist, 0, sizeof(*row->hist));
	}
	return row->hist;
}

void row_add_hist(struct row *row, const struct hist *hist)
{
	struct row_hist *sum = row_hist(row);

	for (int i = 0; i < HIST_BUCKETS; i++) {
		sum->buckets[HIST_WALL][i] += hist->wall[i] + hist->direct[i];
		sum->buckets[HIST_BLOCKED][i] += hist->blocked[i];
		sum->buckets[HIST_RUNNABLE][i] += hist->runnable[i];
		sum->buckets[HIST_ON_CPU][i] += hist->on_cpu[i] + hist->direct[i];
	}
}

void row_add_errno(struct row *row, u32 error, u64 count)
{
	for (u32 i = 0; i < row->nr_errnos; i++) {
		if (row->errnos[i].error == error) {
			row->errnos[i].count += count;
			return;
		}
	}
	row->errnos = grow(row->errnos, row->nr_errnos + 1, sizeof(*row->errnos));
	row->errnos[row->nr_errnos++] = (struct errno_count){ error, count };
}

void row_add_waker(struct row *row, const struct waker *waker, u64 count)
{
	if (!count)
		return;
	for (u32 i = 0; i < row->nr_wakers; i++) {
		if (!memcmp(&row->wakers[i].waker, waker, sizeof(*waker))) {
			row->wakers[i].count += count;
			return;
		}
	}
	row->wakers = grow(row->wakers, row->nr_wakers + 1, sizeof(*row->wakers));
	row->wakers[row->nr_wakers++] = (struct waker_count){ *waker, count };
}

static void add_all(u64 *sum, const u64 *more, size_t count, int sign)
{
	for (size_t i = 0; i < count; i++)
		sum[i] += sign * more[i];
}

static void add_all_u32(u32 *sum, const u32 *more, size_t count, int sign)
{
	for (size_t i = 0; i < count; i++)
		sum[i] += sign * more[i];
}

static void fd_add(struct descriptor *fd, const struct descriptor *more, int sign)
{
	add_all((u64 *)&fd->sum, (const u64 *)&more->sum, NR_DESCRIPTOR_FIGURES, sign);
	add_all_u32(fd->masks, more->masks, ARRAY_SIZE(fd->masks), sign);
	add_all_u32(fd->report_hist, more->report_hist, LAG_BUCKETS, sign);
	add_all_u32(fd->serve_hist, more->serve_hist, LAG_BUCKETS, sign);
}

static void loop_add(struct event_loop *loop, const struct event_loop *more, int sign)
{
	add_all((u64 *)&loop->sum, (const u64 *)&more->sum, NR_LOOP_FIGURES, sign);
	loop->delay_ns += more->delay_ns * sign;
	add_all(loop->blocked_ns, more->blocked_ns, NR_CALL_KINDS, sign);
	add_all(loop->turn_hist, more->turn_hist, HIST_BUCKETS, sign);
	add_all(loop->report_hist, more->report_hist, HIST_BUCKETS, sign);
	add_all(loop->serve_hist, more->serve_hist, HIST_BUCKETS, sign);
}

void row_add_fd(struct row *row, const struct row_fd *fd)
{
	const struct descriptor_sum *sum = &fd->descriptor.sum;
	struct totals totals = {
		.calls = sum->calls, .wall_ns = sum->wall_ns, .blocked_ns = sum->blocked_ns,
		.runnable_ns = sum->runnable_ns, .copy_ns = sum->copy_ns,
		.copy_bound_ns = sum->copy_bound_ns, .bytes = sum->in_bytes + sum->out_bytes,
		.zero = sum->zero, .eagain = sum->eagain, .errors = sum->errors,
	};

	row_add_totals(row, &totals);
	if (row->fd) {
		fd_add(&row->fd->descriptor, &fd->descriptor, 1);
		row->fd->merged += fd->merged;
		return;
	}
	row->fd = fd_copy(fd);
}

void row_add_loop(struct row *row, const struct row_loop *loop)
{
	const struct loop_sum *sum = &loop->figures.sum;
	struct totals totals = {
		.calls = sum->waits, .wall_ns = sum->wait_ns, .blocked_ns = sum->wait_blocked_ns,
		.runnable_ns = sum->wait_runnable_ns, .ready = sum->events, .zero = sum->empty,
	};

	row_add_totals(row, &totals);
	if (row->loop) {
		loop_add(&row->loop->figures, &loop->figures, 1);
		return;
	}
	row->loop = grow(NULL, 1, sizeof(*row->loop));
	*row->loop = *loop;
}

void row_add_model(struct row *row, const struct row_model *model)
{
	const struct model_sum *sum = &model->sum;
	struct totals totals = {
		.calls = sum->calls, .wall_ns = sum->wall_ns, .blocked_ns = sum->blocked_ns,
		.runnable_ns = sum->runnable_ns, .copy_ns = sum->copy_ns,
		.copy_bound_ns = sum->copy_bound_ns, .bytes = sum->in_bytes + sum->out_bytes,
		.zero = sum->zero, .eagain = sum->eagain, .errors = sum->errors,
		.asked = sum->asked, .scanned = sum->scanned, .passes = sum->passes,
		.ready = sum->ready,
	};

	row_add_totals(row, &totals);
	if (!row->model) {
		row->model = grow(NULL, 1, sizeof(*row->model));
		*row->model = (struct row_model){ 0 };
	}
	add_all((u64 *)&row->model->sum, (const u64 *)sum, NR_MODEL_FIGURES, 1);
	row->model->in_flight += model->in_flight;
	if (model->fd && !row->model->fd) {
		row->model->fd = fd_copy(model->fd);
	}
}

static void row_add(struct row *row, const struct row *more)
{
	if (more->fd || more->loop || more->model) {
		if (more->fd)
			row_add_fd(row, more->fd);
		else if (more->loop)
			row_add_loop(row, more->loop);
		else
			row_add_model(row, more->model);
		if (!row->comm[0])
			memcpy(row->comm, more->comm, COMM_LEN);
		return;
	}
	row_add_totals(row, &more->sum);
	row->wait_calls += more->wait_calls;
	row->timeouts += more->timeouts;
	if (!row->comm[0])
		memcpy(row->comm, more->comm, COMM_LEN);
	if (!row->proc_comm[0])
		memcpy(row->proc_comm, more->proc_comm, COMM_LEN);
	if (more->hist) {
		u64 *buckets = &row_hist(row)->buckets[0][0];
		const u64 *added = &more->hist->buckets[0][0];

		for (int i = 0; i < NR_HISTS * HIST_BUCKETS; i++)
			buckets[i] += added[i];
	}
	for (u32 i = 0; i < more->nr_errnos; i++)
		row_add_errno(row, more->errnos[i].error, more->errnos[i].count);
	for (u32 i = 0; i < more->nr_wakers; i++)
		row_add_waker(row, &more->wakers[i].waker, more->wakers[i].count);
}

void rows_add_row(struct rows *rows, const struct row *row)
{
	row_add(rows_get(rows, row->key), row);
}

void rows_add(struct rows *rows, const struct rows *more)
{
	struct row *row, *next;

	HASH_ITER(hh, more->table, row, next)
		rows_add_row(rows, row);
}

static void less(u64 *count, u64 before)
{
	*count -= before < *count ? before : *count;
}

static void less_u32(u32 *counts, const u32 *before, size_t count)
{
	for (size_t i = 0; i < count; i++)
		counts[i] -= before[i] < counts[i] ? before[i] : counts[i];
}

/*
 * What ended just now can be in no row yet, and is then taken to be in this one: until it is, there is
 * less in it than there was.
 */
static void many_subtract(struct row_fd *fd, const struct row_fd *before)
{
	struct descriptor *d = &fd->descriptor;
	const struct descriptor *was = &before->descriptor;
	u64 *figures = (u64 *)&d->sum;

	less(&fd->merged, before->merged);
	for (size_t i = 0; i < NR_DESCRIPTOR_FIGURES; i++)
		less(&figures[i], ((const u64 *)&was->sum)[i]);
	less_u32(d->masks, was->masks, ARRAY_SIZE(d->masks));
	less_u32(d->report_hist, was->report_hist, LAG_BUCKETS);
	less_u32(d->serve_hist, was->serve_hist, LAG_BUCKETS);
}

/* The last report of an interval was judged as it then was, which may have become another. */
void row_fd_subtract(struct row_fd *fd, const struct row_fd *before)
{
	struct descriptor_sum *sum = &fd->descriptor.sum, judged = *sum;
	const struct descriptor_sum *was = &before->descriptor.sum;

	if (fd->many) {
		many_subtract(fd, before);
		return;
	}
	fd_add(&fd->descriptor, &before->descriptor, -1);
	less(&judged.unserved, was->unserved);
	less(&judged.drained, was->drained);
	less(&judged.undrained, was->undrained);
	sum->unserved = judged.unserved;
	sum->drained = judged.drained;
	sum->undrained = judged.undrained;
}

void row_loop_subtract(struct row_loop *loop, const struct row_loop *before)
{
	loop_add(&loop->figures, &before->figures, -1);
}

static void row_subtract(struct row *row, const struct row *before)
{
	bool many = row->fd && row->fd->many;

#define FIGURE(name)							\
	if (many)							\
		less(&row->sum.name, before->sum.name);			\
	else								\
		row->sum.name -= before->sum.name;
#include "bpf/figures.def"
#undef FIGURE
	row->wait_calls -= before->wait_calls;
	row->timeouts -= before->timeouts;
	if (before->fd && row->fd)
		row_fd_subtract(row->fd, before->fd);
	if (before->loop && row->loop)
		row_loop_subtract(row->loop, before->loop);
	if (before->model && row->model)
		add_all((u64 *)&row->model->sum, (const u64 *)&before->model->sum,
			NR_MODEL_FIGURES, -1);
	if (before->hist) {
		u64 *buckets = &row_hist(row)->buckets[0][0];
		const u64 *taken = &before->hist->buckets[0][0];

		for (int i = 0; i < NR_HISTS * HIST_BUCKETS; i++)
			buckets[i] -= taken[i];
	}
	for (u32 i = 0; i < before->nr_errnos; i++)
		row_add_errno(row, before->errnos[i].error, -before->errnos[i].count);
	for (u32 i = 0; i < before->nr_wakers; i++)
		row_add_waker(row, &before->wakers[i].waker, -before->wakers[i].count);
}

/* Rows never go, they are merged: what was reported of them goes the same way. */
static void rows_follow(struct rows *before, const struct rows *now)
{
	struct row *row, *next;

	HASH_ITER(hh, before->table, row, next) {
		struct row_key key = {
			.call = row->key.call,
			.object = row->key.object ? OBJECT_MERGED : 0,
			.model = row->key.model,
		};

		if (!row->key.proc || rows_find(now, row->key) || !rows_find(now, key))
			continue;
		row_add(rows_get(before, key), row);
		row_free(before, row);
	}
}

/* Waited for: of interest even if nothing happens. What was closed before is not. */
static bool row_watched(const struct row *row)
{
	if (row->model)
		return row->model->sum.waits || row->model->sum.submits ||
		       row->model->sum.requests || row->model->sum.signals || row->model->in_flight;
	if (row->loop)
		return row->loop->descriptors != ASKED_UNKNOWN || row->loop->turning;
	return row->fd && (row->fd->descriptor.sum.reported ||
			   (row->fd->descriptor.watch &&
			    (!row->fd->head.closed_ns || row->fd->head.ended)));
}

void rows_subtract(struct rows *now, struct rows *before)
{
	struct row *row, *next, *old;

	rows_follow(before, now);
	HASH_ITER(hh, now->table, row, next) {
		old = rows_find(before, row->key);
		if (old)
			row_subtract(row, old);
		if (!row->sum.calls && !row->sum.unfinished && !row_watched(row))
			row_free(now, row);
	}
}

u64 row_kernel_ns(const struct row *row)
{
	const struct totals *sum = &row->sum;

	return sum->wall_ns - sum->blocked_ns - sum->runnable_ns - sum->copy_ns;
}

double hist_quantile(const u64 *buckets, u64 count, double q)
{
	u64 counted = 0, seen, rank = ceil(q * count);

	if (!count)
		return -1;
	for (int i = 0; i < HIST_BUCKETS; i++)
		counted += buckets[i];
	/* Those in no bucket had the value 0. */
	seen = count > counted ? count - counted : 0;
	if (seen >= rank)
		return 0;
	for (int i = 0; i < HIST_BUCKETS; i++) {
		seen += buckets[i];
		if (seen >= rank)
			return exp2((i + HIST_BASE) / 8.0) * NS_PER_SEC;
	}
	return -1;
}

double row_quantile(const struct row *row, int which, double q)
{
	return row->hist ? hist_quantile(row->hist->buckets[which], row->sum.calls, q) : -1;
}

double loop_utilisation(const struct row_loop *loop, u64 duration_ns)
{
	const struct loop_sum *sum = &loop->figures.sum;
	u32 threads = loop->figures.threads ? : 1;
	u64 turning_ns = loop->turning_ns < duration_ns ? loop->turning_ns : duration_ns;
	double busy = sum->turn_ns + sum->wait_ns - sum->wait_blocked_ns + turning_ns;

	/* A turn that began before is counted when it ends. */
	return busy < (double)duration_ns * threads ? busy / duration_ns / threads : 1;
}

u64 loop_turn_on_cpu_ns(const struct row_loop *loop)
{
	const struct loop_sum *sum = &loop->figures.sum;

	return sum->turn_ns - sum->turn_blocked_ns - sum->turn_runnable_ns;
}

static u64 sort_wall(const struct row *row) { return row->sum.wall_ns; }
static u64 sort_blocked(const struct row *row) { return row->sum.blocked_ns; }
static u64 sort_runnable(const struct row *row) { return row->sum.runnable_ns; }
static u64 sort_copy(const struct row *row) { return row->sum.copy_ns; }
static u64 sort_calls(const struct row *row) { return row->sum.calls; }
static u64 sort_scanned(const struct row *row) { return row->sum.scanned; }
static u64 sort_bytes(const struct row *row) { return row->sum.bytes; }

static const struct sort_key {
	const char *name;
	u64 (*value)(const struct row *row);	/* NULL: by name, smallest first */
	unsigned int not_by;	/* BY_* of rows that do not have the figure */
} sort_keys[] = {
	{ "wall", sort_wall, 0 },
	{ "blocked", sort_blocked, 0 },
	{ "runnable", sort_runnable, 0 },
	{ "kernel", row_kernel_ns, 0 },
	{ "copy", sort_copy, BY_LOOP },
	{ "calls", sort_calls, 0 },
	{ "scanned", sort_scanned, BY_FD | BY_LOOP },
	{ "bytes", sort_bytes, BY_LOOP },
	{ "name", NULL, 0 },
};

static const struct sort_key *sort_find(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(sort_keys); i++) {
		if (!strcmp(sort_keys[i].name, key))
			return &sort_keys[i];
	}
	return NULL;
}

bool rows_sort_known(const char *key, unsigned int by)
{
	const struct sort_key *found = sort_find(key);

	return found && !(found->not_by & by);
}

/* Ties are broken by the key of the row, so that the order never depends on chance. */
static int compare(const void *a, const void *b, void *arg)
{
	const struct row *left = *(struct row *const *)a, *right = *(struct row *const *)b;
	const struct sort_key *key = arg;
	int order;

	if (key->value) {
		u64 l = key->value(left), r = key->value(right);

		if (l != r)
			return l > r ? -1 : 1;
	} else {
		order = strncmp(left->comm, right->comm, COMM_LEN);
		if (order)
			return order;
	}
	if (left->key.proc != right->key.proc)
		return left->key.proc < right->key.proc ? -1 : 1;
	if (left->key.tid != right->key.tid)
		return left->key.tid < right->key.tid ? -1 : 1;
	if (left->key.object != right->key.object)
		return left->key.object < right->key.object ? -1 : 1;
	if (left->key.model != right->key.model)
		return left->key.model < right->key.model ? -1 : 1;
	return (int)left->key.call - (int)right->key.call;
}

struct row **rows_sorted(const struct rows *rows, const char *key, u32 *count)
{
	struct row **sorted = grow(NULL, HASH_COUNT(rows->table) + 1, sizeof(*sorted));
	struct row *row, *next;

	*count = 0;
	HASH_ITER(hh, rows->table, row, next)
		sorted[(*count)++] = row;
	qsort_r(sorted, *count, sizeof(*sorted), compare, (void *)sort_find(key));
	return sorted;
}

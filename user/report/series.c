// SPDX-License-Identifier: GPL-2.0-only
#include "report/series.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "model/calls.h"
#include "model/fd.h"
#include "output/json_rows.h"
#include "text.h"

#define COLUMNS_MOST	240	/* as many as a wide screen tells apart */
#define SERIES_KEPT	4096
#define SERIES_SHOWN	48

enum series_kind { SERIES_WALL, SERIES_TURN, SERIES_REPORT, SERIES_SERVE, NR_SERIES_KINDS };

static const char *const kind_words[NR_SERIES_KINDS] = { "wall", "turn", "reported", "served" };

struct series_key {
	proc_id proc;
	u64 object;		/* of a loop; 0: of a call */
	u32 call;
	u32 kind;		/* enum series_kind */
};

struct series {
	struct series_key key;
	char comm[COMM_LEN];
	struct text name;	/* of the call, or of the loop */
	u64 column[HIST_BUCKETS];	/* of the one that is being filled, */
	u64 column_count;	/* and all that were counted in it, also those of time 0 */
	u64 count;		/* in all columns */
	json_t *cells;		/* [[column, buckets]...] */
	UT_hash_handle hh;
};

struct series_set {
	struct series *table;
	json_t *columns;
	u64 group;		/* slices for each column */
	u64 taken;		/* slices in the column that is being filled */
	u64 duration_ns;	/* of it */
	double end;		/* time of day at its end, seconds since 1970 */
	bool more;		/* there were series that were not kept at all */
};

struct series_set *series_new(u64 slices)
{
	struct series_set *set = calloc(1, sizeof(*set));

	if (!set)
		errx(EXIT_RUNTIME, "out of memory");
	set->group = (slices + COLUMNS_MOST - 1) / COLUMNS_MOST;
	set->columns = json_array();
	return set;
}

void series_free(struct series_set *set)
{
	struct series *series, *next;

	HASH_ITER(hh, set->table, series, next) {
		HASH_DEL(set->table, series);
		json_decref(series->cells);
		free(series);
	}
	json_decref(set->columns);
	free(set);
}

static struct series *series_get(struct series_set *set, const struct series_key *key)
{
	struct series *series;

	HASH_FIND(hh, set->table, key, sizeof(*key), series);
	if (series)
		return series;
	if (HASH_COUNT(set->table) == SERIES_KEPT) {
		set->more = true;
		return NULL;
	}
	series = calloc(1, sizeof(*series));
	if (!series)
		errx(EXIT_RUNTIME, "out of memory");
	series->key = *key;
	series->cells = json_array();
	HASH_ADD(hh, set->table, key, sizeof(series->key), series);
	return series;
}

static void add(struct series_set *set, const struct row *row, u32 kind, const u64 *buckets,
		u64 count)
{
	struct series_key key = {
		.proc = row->key.proc, .object = row->key.object, .call = row->key.call, .kind = kind,
	};
	struct series *series = count ? series_get(set, &key) : NULL;

	if (!series)
		return;
	memcpy(series->comm, row->comm, COMM_LEN);
	if (row->loop)
		series->name = loop_name(&row->loop->figures);
	else
		snprintf(series->name.buf, TEXT_MAX, "%s", calls[row->key.call].name);
	for (int i = 0; i < HIST_BUCKETS; i++)
		series->column[i] += buckets[i];
	series->column_count += count;
	series->count += count;
}

/*
 * No call and no turn takes no time. What ends while a slice is read can be in its histogram, and in the sums
 * of the next.
 */
static u64 counted(const u64 *buckets)
{
	u64 count = 0;

	for (int i = 0; i < HIST_BUCKETS; i++)
		count += buckets[i];
	return count;
}

static void column_end(struct series_set *set)
{
	struct series *series, *next;
	size_t index = json_array_size(set->columns);

	if (!set->taken)
		return;
	json_array_append_new(set->columns, json_pack("{s:f,s:I}", "end", set->end, "duration_ns",
						      (json_int_t)set->duration_ns));
	HASH_ITER(hh, set->table, series, next) {
		if (!series->column_count)
			continue;
		json_array_append_new(series->cells, json_pack("[I,o]", (json_int_t)index,
			buckets_json(series->column, series->column_count)));
		memset(series->column, 0, sizeof(series->column));
		series->column_count = 0;
	}
	set->taken = 0;
	set->duration_ns = 0;
}

void series_add(struct series_set *set, const struct report *report)
{
	struct row *row, *next;

	HASH_ITER(hh, report->reading->rows.table, row, next) {
		if (row->hist)
			add(set, row, SERIES_WALL, row->hist->buckets[HIST_WALL],
			    counted(row->hist->buckets[HIST_WALL]));
	}
	HASH_ITER(hh, report->reading->loops.table, row, next) {
		const struct event_loop *loop = &row->loop->figures;

		add(set, row, SERIES_TURN, loop->turn_hist, counted(loop->turn_hist));
		add(set, row, SERIES_REPORT, loop->report_hist, loop->sum.timed_reports);
		add(set, row, SERIES_SERVE, loop->serve_hist, loop->sum.serves);
	}
	set->duration_ns += report->duration_ns;
	set->end = report->at.tv_sec + report->at.tv_nsec / 1e9;
	if (++set->taken >= set->group)
		column_end(set);
}

static int larger(const struct series *a, const struct series *b)
{
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return memcmp(&a->key, &b->key, sizeof(a->key));
}

json_t *series_json(struct series_set *set)
{
	json_t *array = json_array();
	struct series *series, *next;

	column_end(set);
	HASH_SORT(set->table, larger);
	HASH_ITER(hh, set->table, series, next) {
		if (json_array_size(array) == SERIES_SHOWN) {
			continue;
		}
		json_array_append_new(array, json_pack("{s:I,s:s,s:s,s:s,s:I,s:O}",
			"tgid", (json_int_t)proc_tgid(series->key.proc),
			"comm", text_json_name(series->comm, COMM_LEN).buf,
			"of", series->name.buf, "what", kind_words[series->key.kind],
			"count", (json_int_t)series->count, "cells", series->cells));
	}
	return json_pack("{s:O,s:I,s:b,s:o}", "columns", set->columns, "left_out",
			 (json_int_t)(HASH_COUNT(set->table) - json_array_size(array)),
			 "more", set->more, "series", array);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The model: rows kept apart, added, subtracted, sorted, and their quantiles. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "user/options.h"
#include "user/model/rows.h"

#define PROC(tgid) ((proc_id)(tgid) << 32 | 77)

static struct row *row_at(struct rows *rows, u32 tgid, u32 tid, u32 call)
{
	return rows_get(rows, (struct row_key){ .proc = PROC(tgid), .tid = tid, .call = call });
}

static u32 count_of(const struct rows *rows)
{
	return HASH_COUNT(rows->table);
}

static void keys(void **state)
{
	static const struct {
		unsigned int by;
		u32 rows;
	} cases[] = {
		{ BY_PROCESS | BY_THREAD | BY_CALL, 8 }, { BY_PROCESS | BY_CALL, 4 },
		{ BY_PROCESS | BY_THREAD, 4 }, { BY_PROCESS, 2 }, { BY_CALL, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rows rows;

		rows_init(&rows, cases[i].by);
		for (u32 j = 0; j < 16; j++) {
			struct totals one = { .calls = 1 };

			row_add_totals(row_at(&rows, 1 + (j & 1), 10 + (j >> 1 & 1) + 2 * (j & 1),
					      1 + (j >> 2 & 1)), &one);
		}
		assert_int_equal(count_of(&rows), cases[i].rows);
		assert_int_equal(rows.table->sum.calls, 16 / cases[i].rows);
		rows_free(&rows);
		assert_int_equal(count_of(&rows), 0);
	}
}

/* Every figure is added: none is forgotten when one more comes. */
static void totals(void **state)
{
	struct row row = { 0 };
	struct totals sum;

	(void)state;
	for (size_t i = 0; i < NR_FIGURES; i++)
		((u64 *)&sum)[i] = i + 1;
	row_add_totals(&row, &sum);
	row_add_totals(&row, &sum);
	for (size_t i = 0; i < NR_FIGURES; i++)
		assert_int_equal(((u64 *)&row.sum)[i], 2 * (i + 1));
}

/* In a row of several calls the averages of scans are those of the wait calls alone. */
static void waits(void **state)
{
	struct rows before, now;

	(void)state;
	rows_init(&before, BY_PROCESS);
	rows_init(&now, BY_PROCESS);
	row_add_call(row_at(&now, 1, 1, CALL_poll), CALL_poll, &(struct totals){ .calls = 9, .zero = 4 });
	row_add_call(row_at(&now, 1, 1, CALL_read), CALL_read, &(struct totals){ .calls = 90, .zero = 7 });
	rows_add(&before, &now);
	row_add_call(row_at(&now, 1, 1, CALL_poll), CALL_poll, &(struct totals){ .calls = 2, .zero = 1 });
	assert_int_equal(now.table->sum.calls, 101);
	assert_int_equal(now.table->wait_calls, 11);
	assert_int_equal(now.table->timeouts, 5);
	rows_subtract(&now, &before);
	assert_int_equal(now.table->wait_calls, 2);
	assert_int_equal(now.table->timeouts, 1);
	rows_free(&now);
	rows_free(&before);
}

static void phases(void **state)
{
	struct row row = { .sum = { .wall_ns = 100, .blocked_ns = 50, .runnable_ns = 20,
				    .copy_ns = 7, .blocked_d_ns = 30 } };

	(void)state;
	assert_int_equal(row_kernel_ns(&row), 23);
}

static u64 errors_of(const struct row *row, u32 error)
{
	for (u32 i = 0; i < row->nr_errnos; i++) {
		if (row->errnos[i].error == error)
			return row->errnos[i].count;
	}
	return 0;
}

static void fill(struct rows *rows, u64 times)
{
	struct waker waker = { .kind = WAKER_TASK, .tgid = 5, .comm = "waker" };
	struct totals sum = { .calls = 2 * times, .wall_ns = 300 * times };
	struct hist hist = { .direct[3] = times, .wall[9] = times, .blocked[8] = times,
			     .on_cpu[2] = times };
	struct row *row = row_at(rows, 1, 1, 1);

	row_add_totals(row, &sum);
	row_add_hist(row, &hist);
	row_add_errno(row, EBADF, times);
	row_add_errno(row, EINVAL, 1);
	row_add_waker(row, &waker, times);
	row_add_waker(row, &waker, 0);
	row_add_totals(row_at(rows, 2, 2, 1), &(struct totals){ .calls = 5 });
}

static void histograms(void **state)
{
	struct rows rows;
	struct row *row;

	(void)state;
	rows_init(&rows, BY_PROCESS | BY_CALL);
	fill(&rows, 4);
	row = row_at(&rows, 1, 1, 1);
	/* A call that never left the CPU is in two of the four. */
	assert_int_equal(row->hist->buckets[HIST_WALL][3], 4);
	assert_int_equal(row->hist->buckets[HIST_ON_CPU][3], 4);
	assert_int_equal(row->hist->buckets[HIST_WALL][9], 4);
	assert_int_equal(row->hist->buckets[HIST_BLOCKED][8], 4);
	assert_int_equal(row->hist->buckets[HIST_BLOCKED][3], 0);
	assert_int_equal(row->hist->buckets[HIST_ON_CPU][2], 4);
	rows_free(&rows);
}

/* What intervals do: the difference to what was reported, which then is reported, too. */
static void intervals(void **state)
{
	struct rows before, now;
	struct row *row;

	(void)state;
	rows_init(&before, BY_PROCESS | BY_CALL);
	rows_init(&now, BY_PROCESS | BY_CALL);
	fill(&now, 4);
	rows_subtract(&now, &before);
	assert_int_equal(count_of(&now), 2);
	rows_add(&before, &now);
	rows_free(&now);

	rows_init(&now, BY_PROCESS | BY_CALL);
	fill(&now, 10);
	rows_subtract(&now, &before);
	/* The row that stands still is gone, the other holds what came. */
	assert_int_equal(count_of(&now), 1);
	row = now.table;
	assert_int_equal(proc_tgid(row->key.proc), 1);
	assert_int_equal(row->sum.calls, 12);
	assert_int_equal(row->sum.wall_ns, 1800);
	assert_int_equal(row->hist->buckets[HIST_WALL][3], 6);
	assert_int_equal(row->hist->buckets[HIST_BLOCKED][8], 6);
	assert_int_equal(errors_of(row, EBADF), 6);
	assert_int_equal(errors_of(row, EINVAL), 0);
	assert_int_equal(row->nr_wakers, 1);
	assert_int_equal(row->wakers[0].count, 6);
	rows_add(&before, &now);
	assert_int_equal(row_at(&before, 1, 1, 1)->sum.calls, 20);
	assert_int_equal(row_at(&before, 2, 2, 1)->sum.calls, 5);
	rows_free(&now);
	rows_free(&before);
}

/* A process that was reported by itself and has been merged since: only what is new is left. */
static void merged(void **state)
{
	struct row_key sum = { .call = 1 };
	struct rows before, now;

	(void)state;
	rows_init(&before, BY_PROCESS | BY_CALL);
	rows_init(&now, BY_PROCESS | BY_CALL);
	fill(&before, 4);
	row_add_totals(rows_get(&before, sum), &(struct totals){ .calls = 100 });
	row_add_totals(rows_get(&now, sum), &(struct totals){ .calls = 100 + 2 * 4 + 5 + 3 });
	row_add_hist(rows_get(&now, sum), &(struct hist){ .direct[3] = 4 + 2 });
	rows_subtract(&now, &before);
	assert_int_equal(count_of(&now), 1);
	assert_int_equal(now.table->sum.calls, 3);
	assert_int_equal(now.table->hist->buckets[HIST_WALL][3], 2);
	/* And nothing is kept of it. */
	rows_add(&before, &now);
	assert_int_equal(count_of(&before), 1);
	assert_int_equal(before.table->sum.calls, 116);
	rows_free(&now);
	rows_free(&before);
}

/* A call inside which its thread died is something that happened, though no call ended. */
static void unfinished(void **state)
{
	struct rows before, now;

	(void)state;
	rows_init(&before, BY_CALL);
	rows_init(&now, BY_CALL);
	row_at(&now, 1, 1, 1)->sum.unfinished = 1;
	row_at(&now, 1, 1, 2)->sum.wall_ns = 1;
	rows_subtract(&now, &before);
	assert_int_equal(count_of(&now), 1);
	rows_free(&now);
}

static void wakers(void **state)
{
	struct waker task = { .kind = WAKER_TASK, .tgid = 5, .comm = "a" };
	struct waker other = { .kind = WAKER_TASK, .tgid = 6, .comm = "a" };
	struct waker softirq = { .kind = WAKER_SOFTIRQ };
	struct rows rows;
	struct row *row;

	(void)state;
	rows_init(&rows, BY_CALL);
	row = row_at(&rows, 1, 1, 1);
	row_add_waker(row, &task, 1);
	row_add_waker(row, &other, 2);
	row_add_waker(row, &softirq, 3);
	row_add_waker(row, &task, 10);
	assert_int_equal(row->nr_wakers, 3);
	assert_int_equal(row->wakers[0].count, 11);
	rows_free(&rows);
}

static double edge(int bucket)
{
	return exp2((bucket + HIST_BASE) / 8.0) * NS_PER_SEC;
}

static void quantiles(void **state)
{
	struct rows rows;
	struct row *row;

	(void)state;
	rows_init(&rows, BY_CALL);
	row = row_at(&rows, 1, 1, 1);
	assert_true(row_quantile(row, HIST_WALL, 0.5) == -1);
	row_add_hist(row, &(struct hist){ .wall[10] = 50, .wall[20] = 49, .wall[295] = 1,
					  .blocked[5] = 40 });
	assert_true(row_quantile(row, HIST_WALL, 0.5) == -1);
	row->sum.calls = 100;
	assert_true(row_quantile(row, HIST_WALL, 0.001) == edge(10));
	assert_true(row_quantile(row, HIST_WALL, 0.5) == edge(10));
	assert_true(row_quantile(row, HIST_WALL, 0.501) == edge(20));
	assert_true(row_quantile(row, HIST_WALL, 0.99) == edge(20));
	assert_true(row_quantile(row, HIST_WALL, 1) == edge(295));
	/* 60 of the calls did not block at all. */
	assert_true(row_quantile(row, HIST_BLOCKED, 0.6) == 0);
	assert_true(row_quantile(row, HIST_BLOCKED, 0.61) == edge(5));
	assert_true(row_quantile(row, HIST_RUNNABLE, 0.99) == 0);
	rows_free(&rows);
}

static void check_order(const struct rows *rows, const char *key, const char *tgids)
{
	char found[16] = "";
	u32 count;
	struct row **sorted = rows_sorted(rows, key, &count);

	assert_int_equal(count, strlen(tgids));
	for (u32 i = 0; i < count; i++)
		found[i] = '0' + proc_tgid(sorted[i]->key.proc);
	assert_string_equal(found, tgids);
	free(sorted);
}

static void order(void **state)
{
	static const struct totals sums[] = {
		{ .calls = 1, .wall_ns = 50, .blocked_ns = 40, .scanned = 1 },
		{ .calls = 3, .wall_ns = 90, .blocked_ns = 10, .copy_ns = 70, .bytes = 9 },
		{ .calls = 2, .wall_ns = 70, .runnable_ns = 5, .scanned = ~0ull },
	};
	static const char *const names[] = { "beta", "gamma", "alpha" };
	struct rows rows;

	(void)state;
	rows_init(&rows, BY_PROCESS);
	for (u32 i = 0; i < ARRAY_SIZE(sums); i++) {
		struct row *row = row_at(&rows, i + 1, 0, 0);

		row->sum = sums[i];
		strcpy(row->comm, names[i]);
	}
	check_order(&rows, "wall", "231");
	check_order(&rows, "blocked", "123");
	check_order(&rows, "runnable", "312");
	check_order(&rows, "kernel", "312");
	check_order(&rows, "copy", "213");
	check_order(&rows, "calls", "231");
	check_order(&rows, "scanned", "312");
	check_order(&rows, "bytes", "213");
	check_order(&rows, "name", "312");
	rows_free(&rows);
	check_order(&rows, "wall", "");
}

/* Equal rows keep one order, whatever order they came in. */
static void ties(void **state)
{
	(void)state;
	for (u32 round = 0; round < 8; round++) {
		struct rows rows;
		u32 count;
		struct row **sorted;

		rows_init(&rows, BY_PROCESS | BY_THREAD | BY_CALL);
		for (u32 i = 0; i < 8; i++) {
			u32 j = i ^ round;

			row_at(&rows, 1 + (j >> 2), 1 + (j >> 1 & 1), 1 + (j & 1));
		}
		sorted = rows_sorted(&rows, "wall", &count);
		for (u32 i = 0; i < count; i++) {
			assert_int_equal(proc_tgid(sorted[i]->key.proc), 1 + (i >> 2));
			assert_int_equal(sorted[i]->key.tid, 1 + (i >> 1 & 1));
			assert_int_equal(sorted[i]->key.call, 1 + (i & 1));
		}
		free(sorted);
		rows_free(&rows);
	}
}

/* What the help lists is what is known. */
static void sort_keys(void **state)
{
	char listed[] = SORT_KEYS;

	(void)state;
	for (char *key = strtok(listed, ", "); key; key = strtok(NULL, ", "))
		assert_true(rows_sort_known(key, 0));
	assert_false(rows_sort_known("nonsense", 0));
	assert_false(rows_sort_known("", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys), cmocka_unit_test(totals), cmocka_unit_test(phases),
		cmocka_unit_test(waits),
		cmocka_unit_test(histograms), cmocka_unit_test(intervals),
		cmocka_unit_test(merged), cmocka_unit_test(unfinished), cmocka_unit_test(wakers),
		cmocka_unit_test(quantiles), cmocka_unit_test(order), cmocka_unit_test(ties),
		cmocka_unit_test(sort_keys),
	};

	return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}

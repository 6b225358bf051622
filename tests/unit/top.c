// SPDX-License-Identifier: GPL-2.0-only
/* What is on the live screen, made of two readings that are made up, and drawn on no terminal. */
#include <math.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "unit.h"

#include "user/doctor/rules.h"
#include "user/model/calls.h"
#include "user/options.h"
#include "user/top/frame.h"

#define PROC(tgid) ((proc_id)(tgid) << 32 | 77)
#define MS 1000000ull
#define EP 0xe9000ull

static struct reading before, now;
static struct in_flight inside[2];
static struct news news;
static struct interval interval;
static struct items items;
static struct browser browser;
static struct canvas canvas;

static int begin(void **state)
{
	(void)state;
	memset(&before, 0, sizeof(before));
	memset(&now, 0, sizeof(now));
	memset(&news, 0, sizeof(news));
	for (int i = 0; i < 2; i++) {
		struct reading *reading = i ? &now : &before;

		rows_init(&reading->rows, BY_PROCESS | BY_THREAD | BY_CALL);
		rows_init(&reading->fds, BY_FD);
		rows_init(&reading->loops, BY_LOOP);
	}
	now.now_ns = 100 * NS_PER_SEC;
	now.in_flight = inside;
	interval = (struct interval){
		.before = &before, .now = &now, .duration_ns = 2 * NS_PER_SEC, .news = &news,
	};
	items = (struct items){ 0 };
	browser_init(&browser);
	return 0;
}

static int end(void **state)
{
	(void)state;
	items_free(&items);
	for (int i = 0; i < 2; i++) {
		struct reading *reading = i ? &now : &before;

		rows_free(&reading->rows);
		rows_free(&reading->fds);
		rows_free(&reading->loops);
	}
	news_free(&news);
	canvas_free(&canvas);
	return 0;
}

static void add_row(struct reading *reading, u32 tgid, u32 tid, u32 call, const char *name,
		    const struct totals *sum)
{
	struct row *row = rows_get(&reading->rows, (struct row_key){
		.proc = tgid ? PROC(tgid) : 0, .tid = tid, .call = call });

	row_add_call(row, call, sum);
	snprintf(row->comm, COMM_LEN, "%s", name);
	snprintf(row->proc_comm, COMM_LEN, "p%u", tgid);
}

static struct row *add_loop(struct reading *reading, u32 tgid, const struct loop_sum *sum)
{
	struct row_loop loop = {
		.figures = { .key = { .proc = PROC(tgid), .ep = EP, .watch = WATCH_EPOLL },
			     .epfd = 5, .threads = 1, .sum = *sum },
		.descriptors = 3,
	};
	struct row *row = rows_get(&reading->loops, (struct row_key){
		.proc = PROC(tgid), .object = 2 });

	row_add_loop(row, &loop);
	strcpy(row->comm, "server");
	return row;
}

static struct row *add_fd(struct reading *reading, u32 tgid, u32 fd, u64 calls)
{
	struct row_fd what = {
		.head = { .tgid = tgid, .fd = fd, .queued = LEFT_UNKNOWN },
		.descriptor = { .born_ns = 1000 + fd, .proc = PROC(tgid), .fd = fd, .kind = KIND_EVENTFD,
				.watch = WATCH_EPOLL, .mask = EPOLLIN | EPOLLET, .ep = EP,
				.left = LEFT_UNKNOWN, .sum = { .calls = calls } },
		.holders = 1,
	};
	struct row *row = rows_get(&reading->fds, (struct row_key){
		.proc = PROC(tgid), .object = 1000 + fd });

	row_add_fd(row, &what);
	strcpy(row->comm, "server");
	return row;
}

static const struct item *item_of(proc_id proc, u32 tid, u32 call)
{
	struct row_key key = { .proc = proc, .tid = tid, .call = call };
	struct item *item;

	HASH_FIND(hh, items.table, &key, sizeof(key), item);
	return item;
}

static void make(enum item_kind kind, struct scope scope)
{
	items_free(&items);
	items_make(&items, &interval, kind, &scope);
}

/* Items */

static void differences(void **state)
{
	const struct item *item;

	(void)state;
	add_row(&before, 7, 7, CALL_read, "main", &(struct totals){ .calls = 10, .wall_ns = 5 * MS });
	add_row(&now, 7, 7, CALL_read, "main", &(struct totals){ .calls = 16, .wall_ns = 9 * MS });
	add_row(&now, 7, 8, CALL_poll, "other", &(struct totals){ .calls = 4, .wall_ns = 2 * MS,
								  .blocked_ns = MS });
	make(ITEM_PROCESS, (struct scope){ 0 });
	assert_int_equal(HASH_COUNT(items.table), 1);
	item = item_of(PROC(7), 0, 0);
	assert_int_equal(item->sum.calls, 10);
	assert_int_equal(item->sum.wall_ns, 6 * MS);
	assert_int_equal(item->wait_calls, 4);
	assert_true(item_rate(item, item->sum.calls) == 5);
	assert_int_equal(item_on_cpu_ns(item), 5 * MS);
	/* By the name of the process, not by that of one of its threads. */
	assert_string_equal(item->comm, "p7");
	assert_true(item->busy == -1 && item->lag_ns == -1);

	make(ITEM_THREAD, (struct scope){ .proc = PROC(7) });
	assert_int_equal(HASH_COUNT(items.table), 2);
	assert_int_equal(item_of(PROC(7), 7, 0)->sum.calls, 6);
	assert_string_equal(item_of(PROC(7), 8, 0)->comm, "other");

	make(ITEM_CALL, (struct scope){ .proc = PROC(7), .tid = 8 });
	assert_int_equal(HASH_COUNT(items.table), 1);
	assert_int_equal(item_of(PROC(7), 8, CALL_poll)->sum.calls, 4);
	make(ITEM_CALL, (struct scope){ .proc = PROC(9) });
	assert_int_equal(HASH_COUNT(items.table), 0);
}

/* A thread ended: what it did before the interval, now a part of its process, is not of this one. */
static void ended_thread(void **state)
{
	(void)state;
	add_row(&before, 7, 8, CALL_read, "t", &(struct totals){ .calls = 100 });
	add_row(&before, 7, 7, CALL_read, "t", &(struct totals){ .calls = 1 });
	add_row(&now, 7, 7, CALL_read, "t", &(struct totals){ .calls = 2 });
	add_row(&now, 7, 0, CALL_read, "p7", &(struct totals){ .calls = 103 });
	make(ITEM_PROCESS, (struct scope){ 0 });
	assert_int_equal(item_of(PROC(7), 0, 0)->sum.calls, 4);
	make(ITEM_THREAD, (struct scope){ .proc = PROC(7) });
	assert_int_equal(item_of(PROC(7), 0, 0)->sum.calls, 3);
	assert_int_equal(item_of(PROC(7), 7, 0)->sum.calls, 1);
}

/* A process ended, and was merged with others: the same. */
static void ended_process(void **state)
{
	(void)state;
	add_row(&before, 7, 7, CALL_read, "p7", &(struct totals){ .calls = 100 });
	add_row(&before, 0, 0, CALL_read, "(ended)", &(struct totals){ .calls = 1000 });
	add_row(&now, 0, 0, CALL_read, "(ended)", &(struct totals){ .calls = 1107 });
	make(ITEM_PROCESS, (struct scope){ 0 });
	assert_int_equal(HASH_COUNT(items.table), 1);
	assert_int_equal(item_of(0, 0, 0)->sum.calls, 7);
	make(ITEM_CALL, (struct scope){ 0 });
	assert_int_equal(item_of(0, 0, CALL_read)->sum.calls, 7);
}

/* Nothing came, and nothing is under way: it is no line. */
static void quiet_ones(void **state)
{
	(void)state;
	add_row(&before, 7, 7, CALL_read, "p7", &(struct totals){ .calls = 100 });
	add_row(&now, 7, 7, CALL_read, "p7", &(struct totals){ .calls = 100 });
	make(ITEM_PROCESS, (struct scope){ 0 });
	assert_int_equal(HASH_COUNT(items.table), 0);
	now.nr_in_flight = 2;
	inside[0] = (struct in_flight){ .proc = PROC(7), .tgid = 7, .tid = 7, .call = CALL_read,
					.age_ns = 5 * NS_PER_SEC };
	inside[1] = (struct in_flight){ .proc = PROC(9), .tgid = 9, .tid = 9, .call = CALL_poll,
					.age_ns = 7 * NS_PER_SEC, .age_bound = true, .comm = "nine" };
	make(ITEM_PROCESS, (struct scope){ 0 });
	assert_int_equal(HASH_COUNT(items.table), 2);
	assert_string_equal(item_inside_text(item_of(PROC(7), 0, 0)).buf, "read 5s");
	assert_string_equal(item_inside_text(item_of(PROC(9), 0, 0)).buf, "poll >7s");
	assert_string_equal(item_of(PROC(9), 0, 0)->comm, "nine");
	make(ITEM_THREAD, (struct scope){ .proc = PROC(9) });
	assert_int_equal(HASH_COUNT(items.table), 1);
}

static void loops(void **state)
{
	struct loop_sum sum = { .waits = 10, .wait_ns = 1000 * MS, .wait_blocked_ns = 1000 * MS };
	const struct item *item;
	struct row *row;

	(void)state;
	add_row(&now, 7, 7, CALL_epoll_wait, "p7", &(struct totals){ .calls = 4 });
	add_loop(&before, 7, &sum);
	sum.waits = 20;
	sum.turns = 10;
	sum.turn_ns = 500 * MS;
	sum.turn_blocked_ns = 100 * MS;
	sum.wait_ns += 1500 * MS;
	sum.wait_blocked_ns += 1400 * MS;
	sum.timed_reports = 100;
	row = add_loop(&now, 7, &sum);
	row->loop->figures.report_hist[40] = 99;
	row->loop->figures.report_hist[50] = 1;
	make(ITEM_LOOP, (struct scope){ .proc = PROC(7) });
	assert_int_equal(HASH_COUNT(items.table), 1);
	item = items.table;
	assert_int_equal(item->loop->figures.sum.waits, 10);
	/* Of two seconds it did not wait in 0.6. */
	assert_true(fabs(item->busy - 0.3) < 1e-9);
	assert_true(item->lag_ns == exp2((40 + HIST_BASE) / 8.0) * NS_PER_SEC);
	assert_true(item_bar(item).parts[0] == 1400 * MS);
	assert_true(item_bar(item).parts[2] == 100 * MS);
	assert_true(item_bar(item).parts[3] == 400 * MS);
	assert_true(item_bar(item).parts[4] == 100 * MS);
	/* The process is as busy as its busiest, and as late as all of them. */
	make(ITEM_PROCESS, (struct scope){ 0 });
	item = item_of(PROC(7), 0, 0);
	assert_true(fabs(item->busy - 0.3) < 1e-9);
	assert_true(item->lag_ns == exp2((40 + HIST_BASE) / 8.0) * NS_PER_SEC);
}

/* A loop that ended is none; one that is in a turn for long, or waits for long, is. */
static void ended_loop(void **state)
{
	struct loop_sum sum = { .waits = 10, .wait_ns = 1000 * MS, .wait_blocked_ns = 1000 * MS };
	struct row *row;

	(void)state;
	add_loop(&before, 7, &sum);
	row = add_loop(&now, 7, &sum);
	make(ITEM_LOOP, (struct scope){ 0 });
	assert_int_equal(HASH_COUNT(items.table), 0);
	row->loop->figures.in_tid = 7;
	make(ITEM_LOOP, (struct scope){ 0 });
	assert_int_equal(HASH_COUNT(items.table), 1);
	row->loop->figures.in_tid = 0;
	row->loop->turning = 1;
	row->loop->turning_ns = 50 * NS_PER_SEC;
	make(ITEM_LOOP, (struct scope){ 0 });
	assert_int_equal(HASH_COUNT(items.table), 1);
	assert_true(items.table->busy == 1);
}

static void descriptors(void **state)
{
	struct row *closed;

	(void)state;
	add_fd(&before, 7, 3, 10);
	add_fd(&now, 7, 3, 14);
	add_fd(&now, 7, 4, 0);
	add_fd(&now, 8, 5, 1);
	closed = add_fd(&now, 7, 6, 0);
	closed->fd->head.closed_ns = 1;
	closed = add_fd(&now, 7, 9, 2);
	closed->fd->head.closed_ns = 1;
	closed->fd->descriptor.ep = 0;
	make(ITEM_FD, (struct scope){ .proc = PROC(7) });
	/* What is closed is seen once more, if something came. */
	assert_int_equal(HASH_COUNT(items.table), 3);
	for (struct item *item = items.table; item; item = item->hh.next) {
		if (item->fd->head.fd == 3)
			assert_int_equal(item->fd->descriptor.sum.calls, 4);
	}
	make(ITEM_FD, (struct scope){ .proc = PROC(7), .ep = EP });
	assert_int_equal(HASH_COUNT(items.table), 2);
	make(ITEM_FD, (struct scope){ 0 });
	assert_int_equal(HASH_COUNT(items.table), 4);
}

/* Bars */

static void check_split(const double parts[BAR_PARTS], int width, const int expected[4])
{
	struct bar bar = { { parts[0], parts[1], parts[2], parts[3] } };
	int cells[BAR_PARTS];

	assert_true(bar_split(&bar_phases, &bar, width, cells));
	for (int i = 0; i < 4; i++)
		assert_int_equal(cells[i], expected[i]);
}

static void bars(void **state)
{
	int cells[BAR_PARTS];

	(void)state;
	assert_false(bar_split(&bar_phases, &(struct bar){ { 0 } }, 10, cells));
	check_split((double[BAR_PARTS]){ 1 }, 10, (int[]){ 10, 0, 0, 0 });
	check_split((double[BAR_PARTS]){ 1, 1, 1, 1 }, 8, (int[]){ 2, 2, 2, 2 });
	check_split((double[BAR_PARTS]){ 97, 1, 1, 1 }, 10, (int[]){ 10, 0, 0, 0 });
	check_split((double[BAR_PARTS]){ 90, 6, 4, 0 }, 10, (int[]){ 9, 1, 0, 0 });
	check_split((double[BAR_PARTS]){ 1, 1, 1 }, 10, (int[]){ 4, 3, 3, 0 });
	/* All cells are used, whatever the parts. */
	for (int i = 0; i < 1000; i++) {
		struct bar bar = { { i * 7 % 13, i * 5 % 11 + 0.1, i % 3, i * i % 17 } };
		int sum = 0, width = i % 60;

		assert_true(bar_split(&bar_phases, &bar, width, cells));
		for (u32 part = 0; part < bar_phases.count; part++)
			sum += cells[part];
		assert_int_equal(sum, width);
	}
}

/* No two parts of a bar look the same, with or without Unicode. */
static void bar_parts_differ(void **state)
{
	static const struct bar_kind *const kinds[] = { &bar_phases, &bar_turns };

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (u32 i = 0; i < kinds[k]->count; i++) {
			for (u32 j = 0; j < i; j++) {
				assert_int_not_equal(kinds[k]->parts[i].letter, kinds[k]->parts[j].letter);
				assert_int_not_equal(kinds[k]->parts[i].block, kinds[k]->parts[j].block);
			}
		}
	}
}

/* Columns */

/* Whatever the width: what is there has room, and what matters is there. */
static void fits(void **state)
{
	(void)state;
	for (int v = 0; v < NR_VIEWS; v++) {
		for (int columns = FRAME_COLUMNS; columns < 300; columns++) {
			int widths[FIELDS_MAX], sum = -1;

			view_fit(views[v], true, columns, widths);
			for (u32 i = 0; i < view_fields(views[v]); i++)
				sum += widths[i] ? widths[i] + 1 : 0;
			if (sum > columns)
				fail_msg("%s: %d of %d columns", views[v]->title, sum, columns);
		}
	}
}

/* Each view is sorted by a column that it has, at first; each column is explained. */
static void fields_sound(void **state)
{
	(void)state;
	for (int v = 0; v < NR_VIEWS; v++) {
		assert_true(views[v]->sort < view_fields(views[v]));
		for (u32 i = 0; i < view_fields(views[v]); i++) {
			const struct field *field = &views[v]->fields[i];

			assert_true(field->about && field->about[0]);
			assert_true(field->value || field->name);
			assert_true(!field_is_bar(field) || views[v]->bar);
			assert_true(!field->width || (int)strlen(field->head) <= abs(field->width));
		}
	}
}

static void three_processes(void)
{
	add_row(&now, 100, 100, CALL_read, "a", &(struct totals){ .calls = 5, .wall_ns = 30 });
	add_row(&now, 20, 20, CALL_read, "b", &(struct totals){ .calls = 7, .wall_ns = 10 });
	add_row(&now, 3, 3, CALL_poll, "c", &(struct totals){ .calls = 6, .wall_ns = 20, .ready = 1,
							      .scanned = 9 });
	make(ITEM_PROCESS, (struct scope){ 0 });
}

static void assert_order(u32 sort, bool reverse, const char *filter, const char *order)
{
	char found[64] = "";
	u32 count;
	const struct item **list = view_sorted(views[VIEW_PROCESSES], &items, sort, reverse, filter,
					       &count);

	for (u32 i = 0; i < count; i++)
		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%u", i ? " " : "",
			 proc_tgid(list[i]->key.proc));
	free(list);
	assert_string_equal(found, order);
}

static u32 column(const char *head)
{
	for (u32 i = 0; i < view_fields(views[VIEW_PROCESSES]); i++) {
		if (!strcmp(views[VIEW_PROCESSES]->fields[i].head, head))
			return i;
	}
	fail_msg("no column %s", head);
	return 0;
}

static void sorts(void **state)
{
	(void)state;
	three_processes();
	assert_order(column("CALL/S"), false, "", "20 3 100");
	assert_order(column("CALL/S"), true, "", "100 3 20");
	/* Numbers by their value, the smallest first. */
	assert_order(column("PID"), false, "", "3 20 100");
	assert_order(column("IOCPU"), false, "", "100 3 20");
	/* What is not known comes last, in an order of its own. */
	assert_order(column("SCAN"), false, "", "3 20 100");
	assert_order(column("LAG99"), false, "", "3 20 100");
}

static void filters(void **state)
{
	(void)state;
	three_processes();
	assert_order(column("PID"), false, "P", "3 20 100");
	assert_order(column("PID"), false, "p2", "20");
	assert_order(column("PID"), false, "00", "100");
	assert_order(column("PID"), false, "none", "");
}

/* Findings */

static const struct finding *find_one(struct findings *findings, u32 rule, u32 fd,
				      enum severity severity)
{
	struct finding *finding = findings_add(findings, &rules[rule]);

	finding->tgid = 7;
	finding->fd = fd;
	finding->severity = severity;
	strcpy(finding->comm, "server");
	finding_say(finding, "finding of %u", fd);
	return finding;
}

static void headlines(void **state)
{
	struct findings findings = { 0 };
	enum severity worst;

	(void)state;
	find_one(&findings, 0, 1, SEVERITY_WARNING);
	news_take(&news, &findings, 1000);
	find_one(&findings, 0, 2, SEVERITY_CRITICAL);
	news_take(&news, &findings, 2000);
	assert_int_equal(news.count, 2);
	assert_int_equal(news.list[0].finding.fd, 2);
	assert_int_equal(news.list[0].first_ns, 2000);
	assert_int_equal(news.list[1].first_ns, 1000);
	assert_int_equal(news.list[1].last_ns, 2000);
	assert_int_equal(news_count(&news, 0, -1, &worst), 2);
	assert_int_equal(worst, SEVERITY_CRITICAL);
	assert_int_equal(news_count(&news, 7, 1, &worst), 1);
	assert_int_equal(worst, SEVERITY_WARNING);
	assert_int_equal(news_count(&news, 8, -1, &worst), 0);
	/* One is not found any more: it stays, and comes after what stands. */
	findings.count = 1;
	news_take(&news, &findings, 3000);
	assert_int_equal(news.count, 2);
	assert_int_equal(news.list[0].finding.fd, 1);
	assert_false(headline_stands(&news, &news.list[1]));
	assert_int_equal(news_count(&news, 0, -1, &worst), 1);
	findings_free(&findings);
	/* They are lines as well. */
	make(ITEM_FINDING, (struct scope){ 0 });
	assert_int_equal(HASH_COUNT(items.table), 2);
	make(ITEM_FINDING, (struct scope){ .proc = PROC(8) });
	assert_int_equal(HASH_COUNT(items.table), 0);
}

/* Keys */

static struct listing listing;

static void list(void)
{
	const struct place *place = browser_place(&browser);

	free(listing.items);
	make(views[place->view]->kind, place->scope);
	listing.items = view_sorted(views[place->view], &items, browser.sort[place->view],
				    browser.reverse[place->view], browser.filter, &listing.count);
	listing.rows = 5;
}

static void press(int key)
{
	assert_int_equal(browser_key(&browser, key, &listing), WISH_NOTHING);
	list();
}

static void many_rows(u32 count)
{
	for (u32 i = 1; i <= count; i++)
		add_row(&now, i, i, CALL_read, "x", &(struct totals){ .calls = 1, .wall_ns = i });
	list();
}

static u32 chosen_tgid(void)
{
	return proc_tgid(listing.items[browser_settle(&browser, &listing)]->key.proc);
}

static void moves(void **state)
{
	(void)state;
	many_rows(20);
	assert_int_equal(chosen_tgid(), 20);
	press(KEY_UP);
	assert_int_equal(chosen_tgid(), 20);
	press(KEY_DOWN);
	press(KEY_NPAGE);
	assert_int_equal(chosen_tgid(), 14);
	/* In sight, at the end of the screen. */
	assert_int_equal(browser_place(&browser)->first, 2);
	press(KEY_END);
	assert_int_equal(chosen_tgid(), 1);
	assert_int_equal(browser_place(&browser)->first, 15);
	press(KEY_PPAGE);
	assert_int_equal(chosen_tgid(), 6);
	/* The line that was chosen stays so, wherever it comes to be. */
	add_row(&now, 6, 6, CALL_read, "x", &(struct totals){ .calls = 1, .wall_ns = 1000 });
	list();
	assert_int_equal(chosen_tgid(), 6);
	assert_int_equal(browser_place(&browser)->first, 0);
	press(KEY_HOME);
	press(KEY_DOWN);
	/* What is gone gives its place to its neighbour. */
	assert_int_equal(chosen_tgid(), 20);
	rows_drop(&now.rows, rows_find(&now.rows, (struct row_key){
		.proc = PROC(20), .tid = 20, .call = CALL_read }));
	list();
	assert_int_equal(chosen_tgid(), 19);
	free(listing.items);
	listing = (struct listing){ 0 };
}

/* Nothing to choose from: no key does any harm. */
static void empty_list(void **state)
{
	static const int keys[] = { KEY_UP, KEY_DOWN, KEY_NPAGE, KEY_PPAGE, KEY_HOME, KEY_END, '\n',
				    KEY_ESCAPE, '\t', '<', '>', 'I', 'h', 'x', 'l', 'x', ' ', 'f', KEY_BTAB,
				    KEY_MOUSE, KEY_RESIZE, 0, -5, 0x10ffff };

	(void)state;
	list();
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			press(keys[i]);
	}
	assert_int_equal(browser.depth, 0);
	free(listing.items);
	listing = (struct listing){ 0 };
}

static void goes_in(void **state)
{
	(void)state;
	add_row(&now, 7, 7, CALL_epoll_wait, "p7", &(struct totals){ .calls = 4, .wall_ns = 9 });
	add_row(&now, 9, 9, CALL_read, "p9", &(struct totals){ .calls = 4 });
	add_loop(&now, 7, &(struct loop_sum){ .waits = 10 });
	add_fd(&now, 7, 3, 10);
	list();
	press('\n');
	assert_int_equal(browser_place(&browser)->view, VIEW_LOOPS);
	assert_true(browser_place(&browser)->scope.proc == PROC(7));
	press('\n');
	assert_int_equal(browser_place(&browser)->view, VIEW_FDS);
	assert_true(browser_place(&browser)->scope.ep == EP);
	/* Nothing else is there to be seen of a loop. */
	press('\t');
	assert_int_equal(browser_place(&browser)->view, VIEW_FDS);
	press('\n');
	assert_int_equal(browser.sheet, SHEET_DETAIL);
	press(KEY_ESCAPE);
	assert_int_equal(browser.sheet, SHEET_NONE);
	press(KEY_ESCAPE);
	assert_int_equal(browser_place(&browser)->view, VIEW_LOOPS);
	press('\t');
	assert_int_equal(browser_place(&browser)->view, VIEW_THREADS);
	press('\n');
	assert_int_equal(browser_place(&browser)->view, VIEW_CALLS);
	assert_int_equal(browser_place(&browser)->scope.tid, 7);
	press(KEY_ESCAPE);
	press(KEY_ESCAPE);
	/* The other one has no loop. */
	press(KEY_DOWN);
	press('\n');
	assert_int_equal(browser_place(&browser)->view, VIEW_THREADS);
	press('\t');
	press('\t');
	press('\t');
	press('\t');
	assert_int_equal(browser_place(&browser)->view, VIEW_LOOPS);
	press(KEY_ESCAPE);
	press(KEY_ESCAPE);
	assert_int_equal(browser.depth, 0);
	free(listing.items);
	listing = (struct listing){ 0 };
}

static void types(void **state)
{
	(void)state;
	many_rows(20);
	press('\\');
	press('1');
	press('9');
	/* 'q' is a letter here. */
	press('q');
	assert_int_equal(listing.count, 0);
	press(KEY_BACKSPACE);
	assert_int_equal(listing.count, 1);
	for (int i = 0; i < 100; i++)
		press('x');
	assert_int_equal(strlen(browser.filter), FILTER_LEN - 1);
	press(KEY_ESCAPE);
	assert_int_equal(listing.count, 20);
	press('\\');
	press('2');
	press('\n');
	assert_false(browser.typing);
	assert_int_equal(listing.count, 3);
	/* First the filter goes, then the place. */
	press(KEY_ESCAPE);
	assert_int_equal(listing.count, 20);
	free(listing.items);
	listing = (struct listing){ 0 };
}

static void wishes(void **state)
{
	(void)state;
	list();
	assert_int_equal(browser_key(&browser, 'q', &listing), WISH_QUIT);
	assert_int_equal(browser_key(&browser, KEY_F(10), &listing), WISH_QUIT);
	assert_int_equal(browser_key(&browser, '+', &listing), WISH_LONGER);
	assert_int_equal(browser_key(&browser, '-', &listing), WISH_SHORTER);
	press(' ');
	assert_true(browser.paused);
	press('h');
	assert_int_equal(browser.sheet, SHEET_HELP);
	/* It closes the help, and not the program. */
	press('q');
	assert_int_equal(browser.sheet, SHEET_NONE);
	free(listing.items);
	listing = (struct listing){ 0 };
}

/* The whole of it */

static void text_of_line(int line, char *text)
{
	for (int i = 0; i < canvas.columns; i++)
		text[i] = canvas_cell(&canvas, line, i)->glyph;
	text[canvas.columns] = '\0';
}

static bool on_canvas(const char *text)
{
	char line[512];

	for (int i = 0; i < canvas.lines; i++) {
		text_of_line(i, line);
		if (strstr(line, text))
			return true;
	}
	return false;
}

static void draw(int lines, int columns, const struct status *status)
{
	static const struct sheet_text none;

	assert_int_equal(canvas_reset(&canvas, lines, columns), 0);
	list();
	listing.rows = frame_rows(lines);
	frame_draw(&canvas, &browser, &listing, &interval, status, &none);
	for (int i = 0; i < lines * columns; i++)
		assert_in_range(canvas.cells[i].glyph, ' ', '~');
}

static void frames(void **state)
{
	struct status status = { .clock = "12:00:00", .backend = "tracepoint", .watched_ns = 1,
				 .interval_ns = NS_PER_SEC, .hooks = -1, .own = -1,
				 .lost = "LOST: 12 calls not counted", .lost_kinds = 2 };
	struct findings findings = { 0 };

	(void)state;
	many_rows(50);
	add_row(&now, 99, 99, CALL_read, "x\x1b[2J\n\xff", &(struct totals){ .calls = 1,
									      .wall_ns = 999 });
	find_one(&findings, 0, 3, SEVERITY_CRITICAL);
	news_take(&news, &findings, now.now_ns);
	for (int lines = 1; lines < 70; lines++) {
		for (int columns = 1; columns < 200; columns += 3) {
			draw(lines, columns, &status);
			if (lines < FRAME_LINES || columns < FRAME_COLUMNS) {
				assert_true(columns < 20 || on_canvas("too small"));
				continue;
			}
			/* Losses and findings are in sight, whatever the size; and how to get help. */
			assert_true(on_canvas("LOST: 12"));
			assert_true(on_canvas("critical"));
			assert_true(on_canvas("hHelp"));
			assert_true(on_canvas("PID"));
			assert_true(on_canvas("p99") || browser_place(&browser)->moved);
		}
	}
	draw(24, 80, &status);
	assert_true(on_canvas("(l: 2 kinds) LOST: 12 calls not counted"));
	assert_true(on_canvas("finding of 3"));
	status.lost = NULL;
	news.count = 0;
	draw(24, 80, &status);
	assert_true(on_canvas("nothing lost"));
	assert_true(on_canvas("doctor: nothing found"));
	findings_free(&findings);
	free(listing.items);
	listing = (struct listing){ 0 };
}

/* What is cut says so; what is beyond the edge is no matter. */
static void cuts(void **state)
{
	char line[64];

	(void)state;
	assert_int_equal(canvas_reset(&canvas, 2, 10), 0);
	assert_int_equal(canvas_put(&canvas, 0, 0, 5, STYLE_PLAIN, "abcdefgh"), 5);
	canvas_field(&canvas, 0, 6, 4, STYLE_PLAIN, "12");
	text_of_line(0, line);
	assert_string_equal(line, "abcd+   12");
	canvas_put(&canvas, 1, 7, 20, STYLE_PLAIN, "wxyz");
	canvas_put(&canvas, 1, 30, 20, STYLE_PLAIN, "no");
	canvas_put(&canvas, 9, 0, 20, STYLE_PLAIN, "no");
	canvas_field(&canvas, 1, 0, -4, STYLE_PLAIN, "ab");
	text_of_line(1, line);
	assert_string_equal(line, "ab     wx+");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(differences), TEST(ended_thread), TEST(ended_process), TEST(quiet_ones), TEST(loops),
		TEST(ended_loop), TEST(descriptors), TEST(bars), TEST(bar_parts_differ), TEST(fits),
		TEST(fields_sound), TEST(sorts), TEST(filters), TEST(headlines), TEST(moves),
		TEST(empty_list), TEST(goes_in), TEST(types), TEST(wishes), TEST(frames), TEST(cuts),
	};

	return cmocka_run_group_tests_name("top", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Readings come in, keys come in; what is to be seen is made of both. */
#include "top/live.h"

#include <err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "doctor/diagnosis.h"
#include "fail.h"
#include "top/frame.h"
#include "top/screen.h"
#include "top/sheet.h"

/*
 * The doctor looks at all that there is, which may be much: once a second, but for no more than a three
 * hundredth of the time.
 */
#define JUDGE_NS	(900 * 1000000ull)
#define JUDGE_SHARE	300

/* Reading all there is may take long as well: intervals are left out rather than take more than this. */
#define READ_SHARE	100

static struct {
	bool open;
	struct report report;		/* the last; its reading and cost are these: */
	struct reading before, now;
	struct cost cost;
	struct interval interval;
	struct news news;
	u64 judge_next_ns;		/* not before */
	u64 read_next_ns;		/* the same of a reading */
	u64 read_cpu_ns;		/* cpu_ns() before the one that is under way */
	u64 read_took_ns;		/* CPU time of the last one */
	struct browser browser;
	struct items items;
	struct listing listing;
	struct canvas canvas;
	struct sheet_text sheet;
	enum sheet sheet_kind;		/* what it shows, */
	struct row_key sheet_of;	/* and of what */
	struct status status;
	char lost[128];
} top;

/* Rows of processes and their calls, as rules and tables want them, made of those of threads. */
static void rows_of_processes(struct rows *processes, const struct rows *rows)
{
	struct row *row, *next;

	rows_init(processes, BY_PROCESS | BY_CALL);
	rows_add(processes, rows);
	HASH_ITER(hh, processes->table, row, next) {
		if (row->proc_comm[0])
			memcpy(row->comm, row->proc_comm, COMM_LEN);
	}
}

static void judge(void)
{
	struct reading reading = top.now;
	struct report report = top.report;
	struct diagnosis diagnosis;
	u64 begin_ns = clock_ns(), took_ns;

	rows_of_processes(&reading.rows, &top.now.rows);
	report.reading = &reading;
	diagnosis_make(&diagnosis, &report);
	news_take(&top.news, &diagnosis.findings, reading.now_ns);
	diagnosis_free(&diagnosis);
	rows_free(&reading.rows);
	took_ns = (clock_ns() - begin_ns) * JUDGE_SHARE;
	top.judge_next_ns = begin_ns + (took_ns > JUDGE_NS ? took_ns : JUDGE_NS);
}

/* The first of the lines that say what was lost, and how many there are. */
static void note_losses(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		errx(EXIT_RUNTIME, "out of memory");
	report_losses(out, &top.report);
	fclose(out);
	top.status.lost_kinds = 0;
	for (const char *line = text; (line = strstr(line, "LOST: ")); line++)
		top.status.lost_kinds++;
	snprintf(top.lost, sizeof(top.lost), "%.*s", (int)strcspn(text, "\n"), text);
	top.status.lost = top.status.lost_kinds ? top.lost : NULL;
	free(text);
}

static void note_status(void)
{
	const struct report *report = &top.report;
	struct tm tm;

	if (localtime_r(&report->at.tv_sec, &tm))
		strftime(top.status.clock, sizeof(top.status.clock), "%H:%M:%S", &tm);
	top.status.backend = report->backend;
	top.status.took_ns = top.interval.duration_ns;
	top.status.watched_ns = report->duration_ns;
	top.status.threads = session_threads(report->session);
	top.status.hooks = cost_bpf_share(&top.cost);
	top.status.own = top.cost.watched_ns ?
		(double)(top.cost.user_ns + top.cost.system_ns) / top.cost.watched_ns : -1;
	note_losses();
}

/* The list as it is now. */
static void make_list(void)
{
	struct browser *browser = &top.browser;
	const struct place *place = browser_place(browser);
	const struct view *view = views[place->view];

	free(top.listing.items);
	items_free(&top.items);
	items_make(&top.items, &top.interval, view->kind, &place->scope);
	top.listing.items = view_sorted(view, &top.items, browser->sort[place->view],
					browser->reverse[place->view], browser->filter,
					&top.listing.count);
	top.listing.rows = frame_rows(top.canvas.lines);
}

static const struct item *chosen_item(void)
{
	const struct place *place = browser_place(&top.browser);

	for (u32 i = 0; i < top.listing.count; i++) {
		if (!memcmp(&top.listing.items[i]->key, &place->chosen, sizeof(place->chosen)))
			return top.listing.items[i];
	}
	return NULL;
}

/* Where it was is looked up for a finding once: it takes time, and does not change. */
static void make_detail(bool again)
{
	const struct item *item = chosen_item();

	if (!item || (again && item->kind == ITEM_FINDING))
		return;
	sheet_item(&top.sheet, &top.report, views[browser_place(&top.browser)->view], item,
		   top.canvas.columns);
}

static void make_sheet(void)
{
	const struct place *place = browser_place(&top.browser);
	bool again = top.sheet_kind == top.browser.sheet &&
		     !memcmp(&top.sheet_of, &place->chosen, sizeof(top.sheet_of));

	top.sheet_kind = top.browser.sheet;
	top.sheet_of = place->chosen;
	if (top.sheet_kind == SHEET_HELP)
		sheet_help(&top.sheet, views[place->view], top.canvas.columns);
	else if (top.sheet_kind == SHEET_LOST)
		sheet_lost(&top.sheet, &top.report, top.canvas.columns);
	else if (top.sheet_kind == SHEET_DETAIL)
		make_detail(again);
	top.listing.sheet_lines = top.sheet.count;
}

static void draw(void)
{
	if (screen_canvas(&top.canvas))
		errx(EXIT_RUNTIME, "out of memory");
	make_list();
	browser_settle(&top.browser, &top.listing);
	make_sheet();
	frame_draw(&top.canvas, &top.browser, &top.listing, &top.interval, &top.status, &top.sheet);
	screen_show(&top.canvas);
}

static bool color_allowed(const struct options *options)
{
	const char *none = getenv("NO_COLOR");

	return options->color == COLOR_AUTO ? !(none && *none) : options->color == COLOR_ALWAYS;
}

static int begin(const struct options *options)
{
	int err = screen_open(color_allowed(options));

	if (err)
		return err;
	top.open = true;
	browser_init(&top.browser);
	top.interval = (struct interval){
		.before = &top.before, .now = &top.now, .news = &top.news,
	};
	top.report.reading = &top.now;
	top.report.cost = &top.cost;
	top.status.interval_ns = options->interval_ns;
	top.status.backend = "";
	top.status.hooks = top.status.own = -1;
	draw();
	return 0;
}

static u64 cpu_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * NS_PER_SEC + time.tv_nsec;
}

static bool wanted(void)
{
	top.read_cpu_ns = cpu_ns();
	return !top.browser.paused && clock_ns() >= top.read_next_ns;
}

/*
 * The next interval that ends when this reading has been worth its cost, give or take half of one. One
 * that takes longer than the one before may be an exception, as the first one is.
 */
static void plan_reading(void)
{
	u64 took_ns = cpu_ns() - top.read_cpu_ns, half_ns = top.status.interval_ns / 2;
	u64 wait_ns = (took_ns < top.read_took_ns ? took_ns : top.read_took_ns) * READ_SHARE;

	top.read_took_ns = took_ns;
	top.read_next_ns = top.now.now_ns + (wait_ns > half_ns ? wait_ns - half_ns : 0);
}

static void show(const struct report *report, struct reading *reading)
{
	u64 began_ns = reading->now_ns - report->duration_ns;

	/* What is on the list points into what is freed. */
	items_free(&top.items);
	reading_free(&top.before);
	top.before = top.now;
	top.now = *reading;
	*reading = (struct reading){ 0 };
	top.cost = *report->cost;
	top.report = *report;
	top.report.reading = &top.now;
	top.report.cost = &top.cost;
	top.interval.duration_ns = top.now.now_ns - (top.before.now_ns ? : began_ns);
	if (clock_ns() >= top.judge_next_ns)
		judge();
	note_status();
	draw();
	plan_reading();
}

/* The interval that comes before, or after, this one. */
static u64 next_interval(u64 ns, int step)
{
	static const u64 tenths[] = { 1, 2, 5, 10, 20, 30, 50, 100, 300, 600 };
	u64 tenth = NS_PER_SEC / 10;

	if (step > 0) {
		for (size_t i = 0; i < ARRAY_SIZE(tenths); i++) {
			if (tenths[i] * tenth > ns)
				return tenths[i] * tenth;
		}
		return ns;
	}
	for (size_t i = ARRAY_SIZE(tenths); i-- > 0;) {
		if (tenths[i] * tenth < ns)
			return tenths[i] * tenth;
	}
	return ns;
}

/* Nobody is at the terminal any more. */
static bool hung_up(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	int there = 0;

	if (poll(&input, 1, 0) <= 0)
		return false;
	if (input.revents & (POLLHUP | POLLERR | POLLNVAL))
		return true;
	return !ioctl(STDIN_FILENO, FIONREAD, &there) && !there;
}

static enum live_wish input(struct options *options)
{
	enum live_wish wish = LIVE_GO_ON;
	bool any = false;
	int key;

	while ((key = screen_key()) >= 0) {
		enum wish what = browser_key(&top.browser, key, &top.listing);
		u64 ns = options->interval_ns;

		any = true;
		if (what == WISH_QUIT)
			return LIVE_END;
		if (what == WISH_LONGER || what == WISH_SHORTER)
			ns = next_interval(ns, what == WISH_LONGER ? 1 : -1);
		if (ns != options->interval_ns) {
			options->interval_ns = top.status.interval_ns = ns;
			wish = LIVE_INTERVAL;
		}
		draw();
	}
	return !any && hung_up() ? LIVE_END : wish;
}

static void resize(void)
{
	screen_resize();
	draw();
}

static void end(void)
{
	if (!top.open)
		return;
	top.open = false;
	screen_close();
	free(top.listing.items);
	items_free(&top.items);
	reading_free(&top.before);
	reading_free(&top.now);
	news_free(&top.news);
	sheet_free(&top.sheet);
	canvas_free(&top.canvas);
}

static const struct live live = {
	.begin = begin, .show = show, .wanted = wanted, .input = input, .resize = resize, .end = end,
};

#define FINDINGS_PRINTED 5

/* What stays when the screen is left: a summary of all of the time. */
static void print(FILE *out, const struct report *report)
{
	struct options options = *report->options;
	struct reading reading = *report->reading;
	struct report summary = *report;
	struct diagnosis diagnosis;

	options.by = BY_PROCESS | BY_CALL;
	rows_of_processes(&reading.rows, &report->reading->rows);
	summary.options = &options;
	summary.reading = &reading;
	output_table.print(out, &summary);
	diagnosis_make(&diagnosis, &summary);
	for (u32 i = 0; i < diagnosis.findings.count && i < FINDINGS_PRINTED; i++)
		finding_print(out, &summary, &diagnosis.findings.list[i], false);
	if (diagnosis.findings.count > FINDINGS_PRINTED)
		fprintf(out, "... and %u findings more (iophase doctor prints all)\n",
			diagnosis.findings.count - FINDINGS_PRINTED);
	diagnosis_free(&diagnosis);
	rows_free(&reading.rows);
}

const struct output output_top = { .live = &live, .print = print };

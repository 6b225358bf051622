// SPDX-License-Identifier: GPL-2.0-only
/*
 * From top to bottom: who measures, and what was lost; where the user is, and what the bar means; the
 * list; what the doctor says; the keys.
 */
#include "top/frame.h"

#include <stdio.h>
#include <string.h>

#include "doctor/rules.h"

#define HEAD_LINES 3		/* above the heads of the columns */
#define NEWS_LINES 2
#define NEWS_FROM 16		/* on fewer lines there is one line of news */

static int news_lines(int lines)
{
	return lines < NEWS_FROM ? 1 : NEWS_LINES;
}

u32 frame_rows(int lines)
{
	int rows = lines - HEAD_LINES - 1 - news_lines(lines) - 1;

	return rows > 0 ? rows : 0;
}

static void say(struct canvas *canvas, int line, int *column, enum style style, const char *text)
{
	*column = canvas_put(canvas, line, *column, canvas->columns, style, text);
}

static struct text share_text(double share)
{
	struct text text = { "-" };

	if (share >= 0)
		snprintf(text.buf, sizeof(text.buf), "%.1f%%", share * 100);
	return text;
}

static void draw_title(struct canvas *canvas, const struct status *status, bool paused)
{
	int column = 0;
	char line[4 * TEXT_MAX], took[64] = "";

	if (!paused && status->took_ns > status->interval_ns * 3 / 2)
		snprintf(took, sizeof(took), " (%.20s)", text_ns(status->took_ns).buf);
	say(canvas, 0, &column, STYLE_BOLD, "iophase top");
	snprintf(line, sizeof(line), " %s every %s%s, %s, %llu thread%s; hooks %s self %s",
		 status->clock, text_ns(status->interval_ns).buf, took, status->backend,
		 (unsigned long long)status->threads, status->threads == 1 ? "" : "s",
		 share_text(status->hooks).buf, share_text(status->own).buf);
	say(canvas, 0, &column, STYLE_PLAIN, line);
	if (paused)
		canvas_put(canvas, 0, canvas->columns - 8, 8, STYLE_CHOSEN, " PAUSED ");
}

static void draw_lost(struct canvas *canvas, const struct status *status)
{
	char line[256];

	if (!status->lost) {
		canvas_put(canvas, 1, 0, canvas->columns, STYLE_DIM, "nothing lost");
		return;
	}
	snprintf(line, sizeof(line), "%.200s", status->lost);
	if (status->lost_kinds > 1)
		snprintf(line, sizeof(line), "(l: %u kinds) %.200s", status->lost_kinds,
			 status->lost);
	canvas_style(canvas, 1, STYLE_LOST);
	canvas_put(canvas, 1, 0, canvas->columns, STYLE_LOST, line);
}

/* Where the user is, with the other views that Tab leads to; what the bar means is on the right. */
static void draw_where(struct canvas *canvas, struct browser *browser)
{
	const struct place *place = browser_place(browser);
	const struct bar_kind *bar = views[place->view]->bar;
	int column = 0, legend = bar ? bar_legend_width(bar) : 0;

	if (place->of[0]) {
		say(canvas, 2, &column, STYLE_BOLD, place->of);
		say(canvas, 2, &column, STYLE_PLAIN, ": ");
	}
	for (int v = 0; v < NR_VIEWS; v++) {
		bool here = v == (int)place->view;
		char title[32];

		snprintf(title, sizeof(title), here ? "[%s]" : " %s ", views[v]->title);
		if (browser_has(browser, v) &&
		    (here || column + (int)strlen(title) + legend < canvas->columns))
			say(canvas, 2, &column, here ? STYLE_BOLD : STYLE_DIM, title);
	}
	if (bar && column + legend < canvas->columns)
		bar_legend(canvas, 2, canvas->columns - legend, bar);
}

static void draw_heads(struct canvas *canvas, struct browser *browser,
		       const int widths[FIELDS_MAX])
{
	enum view_id id = browser_place(browser)->view;
	const struct view *view = views[id];
	int column = 0;

	canvas_style(canvas, HEAD_LINES, STYLE_HEAD);
	for (u32 i = 0; i < view_fields(view); i++) {
		const struct field *field = &view->fields[i];
		bool sorted = browser->sort[id] == i;

		if (!widths[i])
			continue;
		canvas_field(canvas, HEAD_LINES, column, field->width > 0 ? widths[i] : -widths[i],
			     sorted ? STYLE_SORTED : STYLE_HEAD, field->head);
		column += widths[i];
		/* Not by its colour alone. */
		if (sorted)
			canvas_put(canvas, HEAD_LINES, column, 1, STYLE_SORTED,
				   browser->reverse[id] ? "^" : "v");
		column++;
	}
}

static enum style style_of(const struct item *item, const struct field *field, bool chosen)
{
	static const enum style styles[NR_SEVERITIES] = {
		STYLE_INFO, STYLE_WARNING, STYLE_CRITICAL,
	};

	if (chosen)
		return STYLE_CHOSEN;
	if (item->kind == ITEM_FINDING && !headline_stands(item->interval->news, item->headline))
		return STYLE_DIM;
	if ((item->findings && !strcmp(field->head, "FOUND")) || 
	    (item->kind == ITEM_FINDING && !strcmp(field->head, "SEVERITY")))
		return styles[item->worst];
	return STYLE_PLAIN;
}

static void draw_bar(struct canvas *canvas, int line, int column, int width,
		     const struct view *view, const struct item *item, bool chosen)
{
	struct bar bar = item_bar(item);
	int cells[BAR_PARTS];

	if (bar_split(view->bar, &bar, width, cells))
		bar_draw(canvas, line, column, width, view->bar, &bar);
	else
		canvas_put(canvas, line, column, width, chosen ? STYLE_CHOSEN : STYLE_DIM,
			   item_inside_text(item).buf);
}

static void draw_item(struct canvas *canvas, int line, const struct view *view,
		      const int widths[FIELDS_MAX], const struct item *item, bool chosen)
{
	int column = 0;

	if (chosen)
		canvas_style(canvas, line, STYLE_CHOSEN);
	for (u32 i = 0; i < view_fields(view); i++) {
		const struct field *field = &view->fields[i];

		if (!widths[i])
			continue;
		if (field_is_bar(field))
			draw_bar(canvas, line, column, widths[i], view, item, chosen);
		else
			canvas_field(canvas, line, column, field->width > 0 ? widths[i] : -widths[i],
				     style_of(item, field, chosen),
				     (field->text ? : field->name)(item).buf);
		column += widths[i] + 1;
	}
}

static void draw_list(struct canvas *canvas, struct browser *browser,
		      const struct listing *listing, const struct status *status)
{
	const struct view *view = views[browser_place(browser)->view];
	int widths[FIELDS_MAX];
	u32 chosen = browser_settle(browser, listing), first = browser_place(browser)->first;

	view_fit(view, browser_place(browser)->scope.proc, canvas->columns, widths);
	draw_heads(canvas, browser, widths);
	for (u32 i = 0; i < listing->rows && first + i < listing->count; i++)
		draw_item(canvas, HEAD_LINES + 1 + i, view, widths, listing->items[first + i],
			  first + i == chosen);
	if (listing->count || !listing->rows)
		return;
	canvas_put(canvas, HEAD_LINES + 1, 0, canvas->columns, STYLE_DIM,
		   !status->watched_ns ? "measuring ..." :
		   browser->filter[0] ? "nothing matches the filter (Esc clears it)" :
		   browser_place(browser)->view == VIEW_FINDINGS ?
		   "the doctor has found nothing so far" :
		   "no watched call ended, or is under way, in this interval");
}

static void draw_sheet(struct canvas *canvas, struct browser *browser,
		       const struct listing *listing, const struct sheet_text *sheet)
{
	canvas_style(canvas, HEAD_LINES, STYLE_HEAD);
	canvas_put(canvas, HEAD_LINES, 0, canvas->columns, STYLE_HEAD, sheet->title);
	for (u32 i = 0; i < listing->rows && browser->sheet_first + i < sheet->count; i++)
		canvas_put(canvas, HEAD_LINES + 1 + i, 0, canvas->columns, STYLE_PLAIN,
			   sheet->lines[browser->sheet_first + i]);
}

/* A headline on @lines lines, if it needs so many. */
static void draw_headline(struct canvas *canvas, int line, int lines,
			  const struct interval *interval, const struct headline *headline)
{
	static const enum style styles[NR_SEVERITIES] = {
		STYLE_INFO, STYLE_WARNING, STYLE_CRITICAL,
	};
	const struct finding *finding = &headline->finding;
	u64 age_ns = interval->now->now_ns - headline->first_ns;
	char text[3 * TEXT_MAX], object[40] = "";
	const char *rest = text;
	int column = 0;

	say(canvas, line, &column, styles[finding->severity], severity_words[finding->severity]);
	if (finding->fd >= 0)
		snprintf(object, sizeof(object), " fd %lld", (long long)finding->fd);
	else if (finding->object.buf[0])
		snprintf(object, sizeof(object), " %.30s", finding->object.buf);
	snprintf(text, sizeof(text), " %s, %s %u%s, since %us: %s", finding->rule->id,
		 text_name(finding->comm, COMM_LEN).buf, finding->tgid, object,
		 (unsigned int)(age_ns / NS_PER_SEC), finding->verdict);
	for (; lines > 1 && column + (int)strlen(rest) > canvas->columns; lines--) {
		int room = canvas->columns - column;

		while (room > 1 && rest[room] != ' ')
			room--;
		canvas_put(canvas, line++, column, room, STYLE_PLAIN,
			   strndupa(rest, room));
		rest += room + (rest[room] == ' ');
		column = 0;
	}
	say(canvas, line, &column, STYLE_PLAIN, rest);
}

/* The worst of what stands; how many more there are. */
static void draw_news(struct canvas *canvas, const struct interval *interval,
		      const struct status *status)
{
	int lines = news_lines(canvas->lines), line = canvas->lines - 1 - lines;
	const struct news *news = interval->news;
	enum severity worst;
	u32 standing = news_count(news, 0, -1, &worst);
	char text[2 * TEXT_MAX];

	if (!news->judged_ns)
		return;
	if (!standing) {
		snprintf(text, sizeof(text), "doctor: nothing found in %s%s",
			 text_ns(status->watched_ns).buf,
			 news->count ? "; before, there was (f)" : "");
		canvas_put(canvas, line, 0, canvas->columns, STYLE_DIM, text);
		return;
	}
	for (u32 i = 0; i < news->count && (int)i < lines; i++) {
		if (headline_stands(news, &news->list[i]))
			draw_headline(canvas, line + i, standing == 1 ? lines : 1, interval,
				      &news->list[i]);
	}
}

static void draw_keys(struct canvas *canvas, const struct browser *browser)
{
	static const struct {
		const char *key, *does;
	} keys[] = {
		{ "h", "Help" }, { "q", "Quit" }, { "Enter", "Into" }, { "Esc", "Back" },
		{ "Tab", "View" }, { "f", "Findings" }, { "<>", "Sort" }, { "\\", "Filter" },
		{ "Space", "Pause" }, { "+-", "Time" },
	};
	int line = canvas->lines - 1, column = 0;

	if (browser->typing || browser->filter[0]) {
		say(canvas, line, &column, STYLE_KEY, browser->typing ? "Filter:" : "Filter (Esc clears):");
		say(canvas, line, &column, STYLE_PLAIN, " ");
		say(canvas, line, &column, STYLE_BOLD, browser->filter);
		say(canvas, line, &column, STYLE_PLAIN, browser->typing ? "_  Enter keeps it, Esc clears it" : "");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (column + (int)(strlen(keys[i].key) + strlen(keys[i].does)) > canvas->columns)
			break;
		say(canvas, line, &column, STYLE_KEY, keys[i].key);
		say(canvas, line, &column, STYLE_PLAIN, keys[i].does);
		column++;
	}
}

static void draw_too_small(struct canvas *canvas)
{
	char text[64];

	snprintf(text, sizeof(text), "%dx%d is too small", canvas->columns, canvas->lines);
	canvas_put(canvas, 0, 0, canvas->columns, STYLE_BOLD, text);
	snprintf(text, sizeof(text), "needs %dx%d; q ends", FRAME_COLUMNS, FRAME_LINES);
	canvas_put(canvas, 1, 0, canvas->columns, STYLE_PLAIN, text);
}

void frame_draw(struct canvas *canvas, struct browser *browser, const struct listing *listing,
		const struct interval *interval, const struct status *status,
		const struct sheet_text *sheet)
{
	if (canvas->lines < FRAME_LINES || canvas->columns < FRAME_COLUMNS) {
		draw_too_small(canvas);
		return;
	}
	draw_title(canvas, status, browser->paused);
	draw_lost(canvas, status);
	draw_where(canvas, browser);
	if (browser->sheet != SHEET_NONE && sheet)
		draw_sheet(canvas, browser, listing, sheet);
	else
		draw_list(canvas, browser, listing, status);
	draw_news(canvas, interval, status);
	draw_keys(canvas, browser);
}

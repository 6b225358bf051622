// SPDX-License-Identifier: GPL-2.0-only
#include "top/browser.h"

#include <ncurses.h>
#include <stdio.h>
#include <string.h>

void browser_init(struct browser *browser)
{
	*browser = (struct browser){ 0 };
	for (int v = 0; v < NR_VIEWS; v++)
		browser->sort[v] = views[v]->sort;
}

struct place *browser_place(struct browser *browser)
{
	return &browser->places[browser->depth];
}

bool browser_has(const struct browser *browser, enum view_id view)
{
	const struct scope *scope = &browser->places[browser->depth].scope;

	/* In a process there is no list of processes; in a loop there are descriptors alone, ... */
	if (scope->ep)
		return view == VIEW_FDS;
	if (scope->tid)
		return view == VIEW_CALLS;
	return view != VIEW_PROCESSES || !scope->proc;
}

static u32 chosen_line(const struct place *place, const struct listing *listing)
{
	if (!place->moved || !listing->count)
		return 0;
	for (u32 i = 0; i < listing->count; i++) {
		if (!memcmp(&listing->items[i]->key, &place->chosen, sizeof(place->chosen)))
			return i;
	}
	return place->line < listing->count ? place->line : listing->count - 1;
}

u32 browser_settle(struct browser *browser, const struct listing *listing)
{
	struct place *place = browser_place(browser);
	u32 line = chosen_line(place, listing), rows = listing->rows ? : 1;

	place->line = line;
	if (listing->count)
		place->chosen = listing->items[line]->key;
	if (line < place->first)
		place->first = line;
	if (line >= place->first + rows)
		place->first = line - rows + 1;
	/* No empty lines below while there are some above. */
	if (place->first + rows > listing->count)
		place->first = listing->count > rows ? listing->count - rows : 0;
	return line;
}

static void choose(struct browser *browser, const struct listing *listing, s64 line)
{
	struct place *place = browser_place(browser);

	if (!listing->count)
		return;
	if (line >= listing->count)
		line = listing->count - 1;
	if (line < 0)
		line = 0;
	place->moved = true;
	place->line = line;
	place->chosen = listing->items[line]->key;
}

/* Up and down, in lists and sheets; false if @key is none of these. */
static bool step_line(u32 rows, int key, s64 *line, s64 last)
{
	switch (key) {
	case KEY_UP:
	case 'k':
		*line -= 1;
		break;
	case KEY_DOWN:
	case 'j':
		*line += 1;
		break;
	case KEY_PPAGE:
		*line -= rows;
		break;
	case KEY_NPAGE:
		*line += rows;
		break;
	case KEY_HOME:
	case 'g':
		*line = 0;
		break;
	case KEY_END:
	case 'G':
		*line = last;
		break;
	default:
		return false;
	}
	if (*line > last)
		*line = last;
	if (*line < 0)
		*line = 0;
	return true;
}

static struct place *enter(struct browser *browser, enum view_id view)
{
	struct place *place = browser_place(browser), *next;

	if (browser->depth + 1 == PLACES_MAX)
		return NULL;
	next = &browser->places[++browser->depth];
	*next = (struct place){ .view = view, .scope = place->scope };
	memcpy(next->of, place->of, sizeof(next->of));
	/* It was for what is left behind. */
	browser->filter[0] = '\0';
	return next;
}

static void enter_process(struct browser *browser, const struct item *item)
{
	struct place *place = enter(browser, item->busy >= 0 ? VIEW_LOOPS : VIEW_THREADS);

	if (!place)
		return;
	place->scope.proc = item->key.proc;
	snprintf(place->of, sizeof(place->of), "%.40s %u", text_name(item->comm, COMM_LEN).buf,
		 proc_tgid(item->key.proc));
}

static void enter_loop(struct browser *browser, const struct item *item)
{
	struct place *place = enter(browser, VIEW_FDS);

	if (!place)
		return;
	place->scope.proc = item->key.proc;
	place->scope.ep = item->loop->figures.key.ep;
	snprintf(place->of, sizeof(place->of), "%.40s %u, epoll %u",
		 text_name(item->comm, COMM_LEN).buf, proc_tgid(item->key.proc),
		 item->loop->figures.epfd);
}

static void enter_thread(struct browser *browser, const struct item *item)
{
	struct place *place = enter(browser, VIEW_CALLS);

	if (!place)
		return;
	place->scope.proc = item->key.proc;
	place->scope.tid = item->key.tid;
	snprintf(place->of, sizeof(place->of), "%.40s, thread %u", text_name(item->comm, COMM_LEN).buf,
		 item->key.tid);
}

/* Enter: what the chosen line consists of, or all that is known of it. */
static void go_in(struct browser *browser, const struct listing *listing)
{
	const struct item *item;

	if (!listing->count)
		return;
	item = listing->items[browser_settle(browser, listing)];
	browser_place(browser)->moved = true;
	if (item->kind == ITEM_PROCESS && item->key.proc) {
		enter_process(browser, item);
	} else if (item->kind == ITEM_THREAD && item->key.tid) {
		enter_thread(browser, item);
	} else if (item->kind == ITEM_LOOP && item->loop->figures.key.ep) {
		enter_loop(browser, item);
	} else {
		browser->sheet = SHEET_DETAIL;
		browser->sheet_first = 0;
	}
}

static void go_back(struct browser *browser)
{
	if (browser->filter[0])
		browser->filter[0] = '\0';
	else if (browser->depth)
		browser->depth--;
}

static void show_view(struct browser *browser, enum view_id view)
{
	struct place *place = browser_place(browser);

	place->view = view;
	place->moved = false;
	place->first = 0;
}

static void next_view(struct browser *browser, int step)
{
	enum view_id view = browser_place(browser)->view;

	do
		view = (view + NR_VIEWS + step) % NR_VIEWS;
	while (!browser_has(browser, view));
	show_view(browser, view);
}

static void next_sort(struct browser *browser, int step)
{
	enum view_id view = browser_place(browser)->view;
	u32 count = view_fields(views[view]);

	browser->sort[view] = (browser->sort[view] + count + step) % count;
	browser->reverse[view] = false;
}

static void open_sheet(struct browser *browser, enum sheet sheet)
{
	browser->sheet = sheet;
	browser->sheet_first = 0;
}

/* All that is typed is the filter's. */
static void type(struct browser *browser, int key)
{
	size_t len = strlen(browser->filter);

	if (key == KEY_RETURN || key == KEY_ENTER || key == '\r') {
		browser->typing = false;
	} else if (key == KEY_ESCAPE) {
		browser->typing = false;
		browser->filter[0] = '\0';
	} else if ((key == KEY_BACKSPACE || key == 127 || key == '\b') && len) {
		browser->filter[len - 1] = '\0';
	} else if (key >= ' ' && key <= '~' && len + 1 < sizeof(browser->filter)) {
		browser->filter[len] = key;
		browser->filter[len + 1] = '\0';
	}
}

static enum wish sheet_key(struct browser *browser, int key, const struct listing *listing)
{
	s64 line = browser->sheet_first, rows = listing->rows;
	s64 last = listing->sheet_lines > rows ? listing->sheet_lines - rows : 0;

	if (step_line(rows, key, &line, last)) {
		browser->sheet_first = line;
		return WISH_NOTHING;
	}
	if (key == KEY_F(10))
		return WISH_QUIT;
	if (key == ' ')
		browser->paused = !browser->paused;
	else
		browser->sheet = SHEET_NONE;
	return WISH_NOTHING;
}

static void list_key(struct browser *browser, int key, const struct listing *listing)
{
	switch (key) {
	case KEY_RETURN:
	case KEY_ENTER:
	case '\r':
	case KEY_RIGHT:
		go_in(browser, listing);
		break;
	case KEY_ESCAPE:
	case KEY_BACKSPACE:
	case 127:
	case KEY_LEFT:
		go_back(browser);
		break;
	case KEY_TAB:
		next_view(browser, 1);
		break;
	case KEY_BTAB:
		next_view(browser, -1);
		break;
	case '<':
		next_sort(browser, -1);
		break;
	case '>':
	case KEY_F(6):
		next_sort(browser, 1);
		break;
	case 'I':
		browser->reverse[browser_place(browser)->view] ^= true;
		break;
	case '\\':
	case '/':
	case KEY_F(4):
		browser->typing = true;
		break;
	case 'f':
		if (browser_has(browser, VIEW_FINDINGS))
			show_view(browser, VIEW_FINDINGS);
		break;
	default:
		break;
	}
}

enum wish browser_key(struct browser *browser, int key, const struct listing *listing)
{
	s64 line;

	if (browser->typing) {
		type(browser, key);
		return WISH_NOTHING;
	}
	if (browser->sheet != SHEET_NONE)
		return sheet_key(browser, key, listing);
	line = browser_settle(browser, listing);
	if (step_line(listing->rows, key, &line, listing->count ? listing->count - 1 : 0)) {
		choose(browser, listing, line);
		return WISH_NOTHING;
	}
	switch (key) {
	case 'q':
	case KEY_F(10):
		return WISH_QUIT;
	case '+':
	case '=':
		return WISH_LONGER;
	case '-':
		return WISH_SHORTER;
	case ' ':
		browser->paused = !browser->paused;
		break;
	case 'h':
	case '?':
	case KEY_F(1):
		open_sheet(browser, SHEET_HELP);
		break;
	case 'l':
		open_sheet(browser, SHEET_LOST);
		break;
	default:
		list_key(browser, key, listing);
		break;
	}
	return WISH_NOTHING;
}

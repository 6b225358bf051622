/* SPDX-License-Identifier: GPL-2.0-only */
/* The views: what each shows of its items, in which columns. */
#ifndef IOPHASE_VIEW_H
#define IOPHASE_VIEW_H

#include "text.h"
#include "top/bar.h"
#include "top/item.h"

/* One column. */
struct field {
	const char *head;
	int width;		/* negative: to the left; 0: it gets what is left, and is to the left */
	u8 leaves;		/* who leaves first when there is no room: the highest; 0: never */
	const char *about;	/* for the help */
	/* What it is sorted by, the largest first; what is not known, below 0, comes last. */
	double (*value)(const struct item *item);
	/* NULL: it is sorted by @value, else by this text, the smallest first. */
	struct text (*name)(const struct item *item);
	/* The text of it; NULL: that of the name, or it is the bar. */
	struct text (*text)(const struct item *item);
};

enum view_id {
	VIEW_PROCESSES, VIEW_LOOPS, VIEW_THREADS, VIEW_CALLS, VIEW_FDS, VIEW_FINDINGS, NR_VIEWS,
};

#define FIELDS_MAX 18

struct view {
	const char *title;
	enum item_kind kind;
	const struct bar_kind *bar;	/* of its bar; NULL: it has none */
	u32 sort;			/* the column it is sorted by at first */
	struct field fields[FIELDS_MAX];	/* up to one without a head */
};

extern const struct view *const views[NR_VIEWS];

u32 view_fields(const struct view *view);

/* The bar of @item; all 0: there is none. */
struct bar item_bar(const struct item *item);

/* What is shown in place of a bar that is empty: what the item is inside of. */
struct text item_inside_text(const struct item *item);

/* Column @field is the bar of its view. */
bool field_is_bar(const struct field *field);

/*
 * The widths of the columns of @view in @columns, 0 of those that there is no room for; each is followed
 * by a blank. @one: its items are of one process, which need not be said on each line.
 */
void view_fit(const struct view *view, bool one, int columns, int widths[FIELDS_MAX]);

/* What a filter looks into: what the item is called, and its numbers. */
bool item_matches(const struct item *item, const char *word);

/* Sorted by column @sort, or the other way round; the caller frees the array of *@count. */
const struct item **view_sorted(const struct view *view, const struct items *items, u32 sort,
				bool reverse, const char *filter, u32 *count);

#endif

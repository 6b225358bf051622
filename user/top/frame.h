/* SPDX-License-Identifier: GPL-2.0-only */
/* All that is on the screen, as it is drawn on a canvas of any size. */
#ifndef IOPHASE_FRAME_H
#define IOPHASE_FRAME_H

#include "top/browser.h"
#include "top/canvas.h"

/* Smaller than this, there is no room for anything. */
#define FRAME_LINES 8
#define FRAME_COLUMNS 40

/* What is said besides the list. */
struct status {
	char clock[16];
	const char *backend;
	u64 interval_ns;	/* as asked for */
	u64 took_ns;		/* the last one: more, where reading all of it takes long */
	u64 watched_ns;		/* since the start; 0: there is no reading yet */
	double hooks, own;	/* parts of one CPU that measuring takes; -1: not known */
	u64 threads;		/* watched now */
	const char *lost;	/* the first line of what was lost; NULL: nothing was */
	u32 lost_kinds;
};

/* Lines of text over the list: owned by whoever made them. */
struct sheet_text {
	const char *title;
	char **lines;
	u32 count;
};

/* How many lines of the list, or of a sheet, there is room for in @lines. */
u32 frame_rows(int lines);

void frame_draw(struct canvas *canvas, struct browser *browser, const struct listing *listing,
		const struct interval *interval, const struct status *status,
		const struct sheet_text *sheet);

#endif

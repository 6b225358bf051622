/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shares of a time as a bar of letters, or of blocks of different density: what they mean is never
 * told by their colour alone.
 */
#ifndef IOPHASE_BAR_H
#define IOPHASE_BAR_H

#include "top/canvas.h"

#define BAR_PARTS 5

/* What the parts of a bar are; the order is that on the screen. */
struct bar_kind {
	u32 count;
	struct bar_part {
		const char *name;
		char letter;
		wchar_t block;
		enum style style;
	} parts[BAR_PARTS];
};

/* Of the time inside calls, and of that of an event loop. */
extern const struct bar_kind bar_phases, bar_turns;

/* Times, ns, in the order of the parts of the kind. */
struct bar {
	double parts[BAR_PARTS];
};

/*
 * How many of @width cells each part gets: all of them, by the method of the largest remainder, and
 * none if there is no time at all. Returns whether there is.
 */
bool bar_split(const struct bar_kind *kind, const struct bar *bar, int width,
	       int cells[BAR_PARTS]);

void bar_draw(struct canvas *canvas, int line, int column, int width, const struct bar_kind *kind,
	      const struct bar *bar);

/* "b=blocked r=runnable ...", with the letters or blocks as they look in the bar; and its width. */
void bar_legend(struct canvas *canvas, int line, int column, const struct bar_kind *kind);
int bar_legend_width(const struct bar_kind *kind);

#endif

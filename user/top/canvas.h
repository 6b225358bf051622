/* SPDX-License-Identifier: GPL-2.0-only */
/* What is to be seen, cell by cell, before it is on any terminal. */
#ifndef IOPHASE_CANVAS_H
#define IOPHASE_CANVAS_H

#include <wchar.h>

#include "types.h"

enum style {
	STYLE_PLAIN, STYLE_DIM, STYLE_BOLD, STYLE_HEAD, STYLE_SORTED, STYLE_CHOSEN, STYLE_KEY,
	STYLE_INFO, STYLE_WARNING, STYLE_CRITICAL, STYLE_LOST,
	STYLE_BLOCKED, STYLE_RUNNABLE, STYLE_KERNEL, STYLE_COPY, STYLE_WORK, STYLE_STALLED,
	NR_STYLES,
};

struct cell {
	wchar_t glyph;
	u8 style;		/* enum style */
};

struct canvas {
	int lines, columns;
	bool blocks;		/* the terminal has the block characters of Unicode */
	struct cell *cells;	/* owned */
};

/* Makes it this large, and empty; 0 or -ENOMEM. */
int canvas_reset(struct canvas *canvas, int lines, int columns);
void canvas_free(struct canvas *canvas);

struct cell *canvas_cell(struct canvas *canvas, int line, int column);

/*
 * Puts printable ASCII there, cut to @width with a "+" as its last character if it is longer. Returns
 * the column behind it. What is beyond the canvas is left out.
 */
int canvas_put(struct canvas *canvas, int line, int column, int width, enum style style,
	       const char *text);

/* The same in a field of @width, which is filled up with blanks; negative: to the left. */
int canvas_field(struct canvas *canvas, int line, int column, int width, enum style style,
		 const char *text);

/* Gives all of a line a style. */
void canvas_style(struct canvas *canvas, int line, enum style style);

#endif

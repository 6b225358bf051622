// SPDX-License-Identifier: GPL-2.0-only
#include "top/bar.h"

#include <math.h>
#include <string.h>

const struct bar_kind bar_phases = { 4, {
	{ "blocked", 'b', L'\u2591', STYLE_BLOCKED },
	{ "runnable", 'r', L'\u2592', STYLE_RUNNABLE },
	{ "kernel", 'k', L'\u2593', STYLE_KERNEL },
	{ "copy", 'c', L'\u2588', STYLE_COPY },
} };

const struct bar_kind bar_turns = { 5, {
	{ "waiting", 'b', L'\u2591', STYLE_BLOCKED },
	{ "runnable", 'r', L'\u2592', STYLE_RUNNABLE },
	{ "scanning", 'k', L'\u2593', STYLE_KERNEL },
	{ "working", 'w', L'\u2588', STYLE_WORK },
	{ "stalled", 'X', L'\u2573', STYLE_STALLED },
} };

bool bar_split(const struct bar_kind *kind, const struct bar *bar, int width,
	       int cells[BAR_PARTS])
{
	double remainders[BAR_PARTS], sum = 0;
	int left = width;

	for (u32 i = 0; i < kind->count; i++)
		sum += bar->parts[i];
	if (!(sum > 0))
		return false;
	for (u32 i = 0; i < kind->count; i++) {
		double exact = bar->parts[i] / sum * width;

		cells[i] = floor(exact);
		remainders[i] = exact - cells[i];
		left -= cells[i];
	}
	while (left-- > 0) {
		u32 most = 0;

		for (u32 i = 1; i < kind->count; i++) {
			if (remainders[i] > remainders[most])
				most = i;
		}
		cells[most]++;
		remainders[most] = -1;
	}
	return true;
}

static void draw_cell(struct canvas *canvas, int line, int column, const struct bar_part *part)
{
	*canvas_cell(canvas, line, column) = (struct cell){
		.glyph = canvas->blocks ? part->block : part->letter, .style = part->style,
	};
}

void bar_draw(struct canvas *canvas, int line, int column, int width, const struct bar_kind *kind,
	      const struct bar *bar)
{
	int cells[BAR_PARTS];

	if (!bar_split(kind, bar, width, cells))
		return;
	for (u32 i = 0; i < kind->count; i++) {
		while (cells[i]-- > 0)
			draw_cell(canvas, line, column++, &kind->parts[i]);
	}
}

int bar_legend_width(const struct bar_kind *kind)
{
	int width = -1;

	for (u32 i = 0; i < kind->count; i++)
		width += strlen(kind->parts[i].name) + 3;
	return width;
}

void bar_legend(struct canvas *canvas, int line, int column, const struct bar_kind *kind)
{
	for (u32 i = 0; i < kind->count; i++) {
		const struct bar_part *part = &kind->parts[i];

		draw_cell(canvas, line, column, part);
		column = canvas_put(canvas, line, column + 1, canvas->columns, STYLE_DIM, "=");
		column = canvas_put(canvas, line, column, canvas->columns, STYLE_PLAIN,
				    part->name) + 1;
	}
}

// SPDX-License-Identifier: GPL-2.0-only
#include "top/canvas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int canvas_reset(struct canvas *canvas, int lines, int columns)
{
	size_t count = (size_t)lines * columns;
	struct cell *cells = reallocarray(canvas->cells, count ? : 1, sizeof(*cells));

	if (!cells)
		return -ENOMEM;
	canvas->cells = cells;
	canvas->lines = lines;
	canvas->columns = columns;
	for (size_t i = 0; i < count; i++)
		cells[i] = (struct cell){ .glyph = L' ', .style = STYLE_PLAIN };
	return 0;
}

void canvas_free(struct canvas *canvas)
{
	free(canvas->cells);
	*canvas = (struct canvas){ 0 };
}

struct cell *canvas_cell(struct canvas *canvas, int line, int column)
{
	static struct cell beyond;

	if (line < 0 || line >= canvas->lines || column < 0 || column >= canvas->columns)
		return &beyond;
	return &canvas->cells[line * canvas->columns + column];
}

int canvas_put(struct canvas *canvas, int line, int column, int width, enum style style,
	       const char *text)
{
	int len = strlen(text), shown;

	if (width > canvas->columns - column)
		width = canvas->columns - column;
	if (width <= 0)
		return column;
	shown = len < width ? len : width;
	for (int i = 0; i < shown; i++)
		*canvas_cell(canvas, line, column + i) = (struct cell){
			.glyph = i + 1 == width && len > width ? L'+' : (unsigned char)text[i],
			.style = style,
		};
	return column + shown;
}

int canvas_field(struct canvas *canvas, int line, int column, int width, enum style style,
		 const char *text)
{
	int room = abs(width), len = strlen(text), at = column;

	for (int i = 0; i < room; i++)
		canvas_put(canvas, line, column + i, 1, style, " ");
	if (width > 0 && len < room)
		at += room - len;
	canvas_put(canvas, line, at, column + room - at, style, text);
	return column + room;
}

void canvas_style(struct canvas *canvas, int line, enum style style)
{
	for (int i = 0; i < canvas->columns; i++)
		canvas_cell(canvas, line, i)->style = style;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Text that is shown over the list: help, all that is known of one item, what was lost. */
#ifndef IOPHASE_SHEET_H
#define IOPHASE_SHEET_H

#include "output/output.h"
#include "top/frame.h"

/* The text of @text, with @title, in lines of at most @columns; frees what was there. */
void sheet_set(struct sheet_text *sheet, const char *title, const char *text, int columns);
void sheet_free(struct sheet_text *sheet);

/* Fill @sheet; what leads to it is in @view. */
void sheet_help(struct sheet_text *sheet, const struct view *view, int columns);
void sheet_lost(struct sheet_text *sheet, const struct report *report, int columns);
void sheet_item(struct sheet_text *sheet, const struct report *report, const struct view *view,
		const struct item *item, int columns);

#endif

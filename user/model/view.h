/* SPDX-License-Identifier: GPL-2.0-only */
/* The rows that are asked for, made of a reading that holds all that there are. */
#ifndef IOPHASE_VIEW_H
#define IOPHASE_VIEW_H

#include "options.h"
#include "model/reading.h"

/*
 * Fills @view from @all, a reading of options->everything: its rows are kept apart by options->by, and
 * are those of the selected calls. It shares what it can with @all, which is to outlive it.
 */
void view_make(struct reading *view, const struct reading *all, const struct options *options);
void view_free(struct reading *view, const struct reading *all);

#endif

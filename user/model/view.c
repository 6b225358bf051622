// SPDX-License-Identifier: GPL-2.0-only
#include "model/view.h"

#include <err.h>
#include <stdlib.h>

#include "fail.h"

static bool all_selected(const struct options *options)
{
	for (int i = 1; i < NR_CALLS; i++) {
		if (!options->selected[i])
			return false;
	}
	return true;
}

/* The rows that are kept apart as options->by says already; NULL: they are to be made. */
static const struct rows *rows_as_they_are(const struct reading *all, const struct options *options)
{
	if (options->by & BY_FD)
		return &all->fds;
	if (options->by & BY_LOOP)
		return &all->loops;
	if (!all_selected(options))
		return NULL;
	if (options->by == all->rows.by)
		return &all->rows;
	return options->by == all->by_thread.by ? &all->by_thread : NULL;
}

static void sum_rows(struct rows *rows, const struct rows *from, const struct options *options)
{
	struct row *row, *next;

	rows_init(rows, options->by);
	HASH_ITER(hh, from->table, row, next) {
		if (options->selected[row->key.call])
			rows_add_row(rows, row);
	}
}

/* Threads inside calls that are not asked for are left out, as they are while it is measured. */
static void select_in_flight(struct reading *view, const struct reading *all,
			     const struct options *options)
{
	view->in_flight = calloc(all->nr_in_flight + 1, sizeof(*view->in_flight));
	if (!view->in_flight)
		errx(EXIT_RUNTIME, "out of memory");
	view->nr_in_flight = 0;
	for (u32 i = 0; i < all->nr_in_flight; i++) {
		if (options->selected[all->in_flight[i].call])
			view->in_flight[view->nr_in_flight++] = all->in_flight[i];
	}
}

void view_make(struct reading *view, const struct reading *all, const struct options *options)
{
	const struct rows *rows = rows_as_they_are(all, options);

	*view = *all;
	if (rows)
		view->rows = *rows;
	else
		sum_rows(&view->rows, options->by & BY_THREAD ? &all->by_thread : &all->rows, options);
	select_in_flight(view, all, options);
}

void view_free(struct reading *view, const struct reading *all)
{
	struct row *made = view->rows.table;

	if (made != all->rows.table && made != all->by_thread.table && made != all->fds.table &&
	    made != all->loops.table)
		rows_free(&view->rows);
	free(view->in_flight);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Latencies over time: a histogram for each of some series, and for each of some columns of time. */
#ifndef IOPHASE_SERIES_H
#define IOPHASE_SERIES_H

#include <jansson.h>

#include "output/output.h"

struct series_set;

/* For @slices slices, of which neighbours become one column where there are many; the caller frees it. */
struct series_set *series_new(u64 slices);
void series_free(struct series_set *set);

/* Takes in the next slice: the calls of each process, and the turns and lags of each loop. */
void series_add(struct series_set *set, const struct report *report);

/*
 * {"columns": [...], "left_out": N, "more": BOOL, "series": [...]}, the largest series first; how many there
 * is no room for, and whether there were yet more. The caller owns it; to be called once, after the last slice.
 */
json_t *series_json(struct series_set *set);

#endif

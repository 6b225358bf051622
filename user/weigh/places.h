/* SPDX-License-Identifier: GPL-2.0-only */
/* Places in programs from which calls were made, and the time that they stand for. */
#ifndef IOPHASE_WEIGH_PLACES_H
#define IOPHASE_WEIGH_PLACES_H

#include "types.h"

struct places;

/* Whose call it was, the names of its callers, the outermost first, and the time of each phase. */
struct place_row {
	proc_id proc;
	u32 call;
	char comm[COMM_LEN];
	u64 samples;
	u64 weight_ns[NR_WEIGHTS];
	const char *callers;	/* separated by ';' */
};

/* NULL without memory. */
struct places *places_open(void);
void places_close(struct places *places);

/* Adds a sample. */
void places_add(struct places *places, const struct stack_sample *sample);

/*
 * Puts stacks into words while their processes are there, each of which takes a millisecond or
 * more, until about @budget_ns are over.
 */
void places_name(struct places *places, u64 budget_ns);

/*
 * Puts into words what was left, and sums what is alike: all rows, the one with most of phase
 * @by first. The caller frees the array of *@count; the texts are valid until places_close().
 */
struct place_row *places_rows(struct places *places, enum weight by, u32 *count);

#endif

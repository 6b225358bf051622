/* SPDX-License-Identifier: GPL-2.0-only */
/* iophase stat -S and -f: where in the programs the time of the calls is spent. */
#ifndef IOPHASE_WEIGH_H
#define IOPHASE_WEIGH_H

#include "options.h"
#include "output/output.h"

struct places;

struct weigh {
	bool folded;		/* for flame graphs, and nothing else */
	bool shown[NR_WEIGHTS];	/* phases that are asked for */
	struct places *places;	/* NULL: it has not begun */
};

/* Parses a list of phases, "blocked,kernel"; false if one is none. */
bool weigh_parse(struct weigh *weigh, const char *list);

/* "blocked", ... of enum weight. */
const char *weight_name(u32 weight);

extern const struct output output_weighed, output_folded;

void weigh_free(struct weigh *weigh);

#endif

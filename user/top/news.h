/* SPDX-License-Identifier: GPL-2.0-only */
/* What the doctor says while the measurement goes on: since when, and whether it still does. */
#ifndef IOPHASE_NEWS_H
#define IOPHASE_NEWS_H

#include "doctor/finding.h"

struct headline {
	u64 id;			/* no other has it */
	struct finding finding;	/* as it was last */
	u32 rank;		/* among what was found with it: the worst is 0 */
	u64 first_ns, last_ns;	/* CLOCK_MONOTONIC of the readings it was first, and last, found in */
};

struct news {
	struct headline *list;	/* owned; what stands first, the worst of it first */
	u32 count;
	u64 ids;		/* how many there were */
	u64 judged_ns;		/* the last reading that was judged; 0: none */
};

/*
 * Takes in what was found in the reading of @now_ns. What is not among it any more stays, as what
 * was found once.
 */
void news_take(struct news *news, const struct findings *findings, u64 now_ns);
void news_free(struct news *news);

/* It was found in the last reading, too. */
bool headline_stands(const struct news *news, const struct headline *headline);

/* How many stand of process @tgid (0: any), and the worst of them; @fd: of this descriptor, -1: all. */
u32 news_count(const struct news *news, u32 tgid, s64 fd, enum severity *worst);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The packets of a timeline, by the messages of perfetto.proto. */
#ifndef IOPHASE_TIMELINE_PACKET_H
#define IOPHASE_TIMELINE_PACKET_H

#include <stdio.h>

#include "types.h"

#include "perfetto.pb-c.h"

#define ANNOTATIONS_MAX 24

/* What a slice or an instant says besides its name; texts are not copied. */
struct annotations {
	Timeline__Annotation entries[ANNOTATIONS_MAX];
	Timeline__Annotation *pointers[ANNOTATIONS_MAX];
	u32 count;
};

static inline void annotations_clear(struct annotations *all)
{
	all->count = 0;
}

/* Beyond ANNOTATIONS_MAX there are none. @name and @text are to be UTF-8; @text NULL: nothing. */
void annotate_u64(struct annotations *all, const char *name, u64 value);
void annotate_s64(struct annotations *all, const char *name, s64 value);
void annotate_text(struct annotations *all, const char *name, const char *text);

/* A place in time of a track, and what comes there or ends; 0: no flow, NULL: no name, none. */
struct event {
	Timeline__Event__Type type;
	u64 track;
	u64 ns;			/* CLOCK_MONOTONIC */
	const char *name;
	u64 flow, ending_flow;
	s64 value;		/* of a counter */
	struct annotations *annotations;
};

void packet_event(FILE *out, const struct event *event);
void packet_clocks(FILE *out, u64 monotonic_ns, u64 boot_ns, u64 day_ns);
void packet_track(FILE *out, Timeline__Track *track);

#endif

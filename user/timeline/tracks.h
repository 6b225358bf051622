/* SPDX-License-Identifier: GPL-2.0-only */
/* The tracks of a timeline, each of which is described before something is on it. */
#ifndef IOPHASE_TIMELINE_TRACKS_H
#define IOPHASE_TIMELINE_TRACKS_H

#include <stdio.h>

#include "types.h"

struct tracks;

/* NULL without memory. */
struct tracks *tracks_open(FILE *out);
void tracks_close(struct tracks *tracks);

/* What of a thread is on which track. */
enum track_kind { TRACK_CALLS, TRACK_READY, TRACK_SCANNED, TRACK_REPORTED, NR_TRACK_KINDS };

/* The track of @kind of thread @tid, by its uuid; @comm: what it is called, UTF-8, now. */
u64 track_of(struct tracks *tracks, u32 tgid, u32 tid, const char *comm, enum track_kind kind);

/* The one of losses, which are nobody's. */
u64 track_lost(struct tracks *tracks);

#endif

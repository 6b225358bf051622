/* SPDX-License-Identifier: GPL-2.0-only */
/* What a saved session is told by. */
#ifndef IOPHASE_FORMAT_H
#define IOPHASE_FORMAT_H

#define SESSION_SUFFIX	".iophase"

/* Higher when files can no longer be read as those before; figures by name may come and go. */
#define SESSION_FORMAT	1

enum record_kind {
	RECORD_SLICE,		/* of some time: rows of processes, and loops, alone */
	RECORD_INTERVAL,	/* of an interval that was asked for: all there is */
	RECORD_TOTAL,		/* from the start: all there is; a later one takes its place */
	RECORD_END,		/* the last one */
	NR_RECORD_KINDS,
};

extern const char *const record_words[NR_RECORD_KINDS];

#endif

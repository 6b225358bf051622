/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The debug information of a file: in itself, in a file of its own that the process could find
 * under /usr/lib/debug, or the little of .gnu_debugdata. Only local files are looked for: what
 * asks servers (debuginfod) is in libdwfl, which is not used.
 */
#ifndef IOPHASE_DEBUGINFO_H
#define IOPHASE_DEBUGINFO_H

#include <elfutils/libdw.h>

#include "stack/module.h"
#include "stack/object.h"

struct process;

struct debuginfo {
	const struct object *object;	/* that it is of; NULL: not looked for yet */
	const struct process *process;
	struct object file;	/* the file of its own */
	struct object mini;	/* .gnu_debugdata, which has symbols only */
	struct object self;	/* the program's or library's file once more, if it is in there */
	Dwarf *dwarf;
	bool dwarf_tried;
};

void debuginfo_init(struct debuginfo *debug);

/*
 * Finds the files with that of @object, which is at @path for @process; NULL: it has no path. What
 * there is not stays closed; what is too large is not read.
 */
void debuginfo_load(struct debuginfo *debug, const struct object *object, const char *path,
		    const struct process *process);
void debuginfo_drop(struct debuginfo *debug);

/* Where in the source @address is; how many, 1 at least. */
u32 debuginfo_sources(struct debuginfo *debug, u64 address, struct source sources[SOURCES]);

/* The frames in .debug_frame; NULL: none. */
Dwarf_CFI *debuginfo_cfi(struct debuginfo *debug);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The code of a process: what is mapped where, and from which files. What frames fall into is
 * opened then, and kept; nothing is read from the process's memory, and nothing stops it. It
 * may be gone at any moment: then what is known stays, and the rest is not to be had.
 */
#ifndef IOPHASE_IMAGE_H
#define IOPHASE_IMAGE_H

#include "stack/module.h"
#include "stack/process.h"

#define IMAGE_NAME	64

struct image;

/* Where an address is. */
struct place {
	struct module *module;	/* NULL: made at run time, or its file cannot be had */
	u64 start, end;		/* of the mapping */
	u64 offset;		/* in the file, or from the start of the mapping if there is none */
	u64 address;		/* as the file has it: what addr2line(1) takes; or as offset */
	char name[IMAGE_NAME];	/* last part of the file's path, unescaped; "": there is none */
};

/* Of a process that may be gone already; NULL only without memory. To be closed. */
struct image *image_open(u32 tgid);
void image_close(struct image *image);

const struct process *image_process(const struct image *image);

/* Looks again at what is mapped, unless it was looked at just now. */
void image_refresh(struct image *image);

/* Finds @address; false: there is no code. */
bool image_find(struct image *image, u64 address, struct place *place);

/*
 * Whether a call can have returned to @address: there is code, and before it a call instruction
 * as far as that can be read. *@target, if not NULL: where the call went, 0 if that is not known.
 */
bool image_returned_to(struct image *image, u64 address, u64 *target);

/* Drops what is large and can be had again: to be called when a stack is done. */
void image_rest(struct image *image);

#endif

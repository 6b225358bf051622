/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One ELF file of x86-64. It may be hostile, and may change while it is read: it is read, not
 * mapped, so that a file that is cut short is an error and not the end of us (SIGBUS).
 */
#ifndef IOPHASE_OBJECT_H
#define IOPHASE_OBJECT_H

#include <libelf.h>

#include "types.h"

/* Longest name of a function that is read, mangled. */
#define OBJECT_NAME	4096

struct object {
	Elf *elf;		/* NULL: not open */
	int fd;			/* -1: in memory */
	const u8 *memory;	/* owned if @allocated */
	size_t size;
	bool allocated;
};

/*
 * Opens what @fd, which it takes over, leads to. @steady: nobody but root can change it, so that
 * it can be mapped. False, with all closed: it is no ELF file of x86-64.
 */
bool object_open(struct object *object, int fd, bool steady);

/* The same for a file in memory, which is freed with it if it is @allocated. */
bool object_open_memory(struct object *object, const u8 *memory, size_t size, bool allocated);
void object_close(struct object *object);

bool object_read(const struct object *object, u64 offset, void *buf, size_t size);

/* The section called @name, NULL if there is none. */
Elf_Scn *object_section(const struct object *object, const char *name);

/*
 * The function of the symbol table of @type, SHT_SYMTAB or SHT_DYNSYM, that @address is in. Of
 * its names the one that people call it by: fewest underscores in front, then global over weak.
 */
bool object_function(const struct object *object, u32 type, u64 address, u64 *start,
		     char name[OBJECT_NAME]);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A file that code of a process was mapped from: its functions, its lines, and how to unwind. */
#ifndef IOPHASE_MODULE_H
#define IOPHASE_MODULE_H

#include <elfutils/libdw.h>
#include <sys/types.h>

#include "types.h"

#define CODE_NAME	256
#define SOURCE_NAME	128
#define SOURCES	5

struct process;
struct module;

/* Which file it is: as /proc/PID/maps has it. */
struct file_id {
	dev_t dev;
	u64 ino;		/* 0: none */
};

/* A place in the source, and the inlined function that it is in. */
struct source {
	u32 line;		/* 0: not known */
	char file[SOURCE_NAME];	/* the end of its path if that is long */
	char function[SOURCE_NAME];	/* demangled; "": it is in no inlined one */
};

/* What is at an address; names as they are in the file, to be escaped. */
struct code_name {
	u64 address;
	u64 start;		/* of the function */
	char function[CODE_NAME];	/* demangled; "": not known */
	u32 nr_sources;		/* 1 at least */
	struct source sources[SOURCES];	/* the innermost first, each called by the next one */
};

/* The file of the vdso, which has none. */
#define VDSO_FILE ((struct file_id){ .ino = -1ull })

/*
 * Takes over @fd. @path: where it is for the process, which must stay as long as the module: its
 * debug file is looked for in the process's own /usr/lib/debug, and on no network. NULL: @fd is
 * no ELF file of x86-64, and is closed.
 */
struct module *module_open(int fd, const char *path, const struct file_id *file,
			   const struct process *process);

/* The kernel's own code in each process, of which ours is as good as any. */
struct module *module_open_vdso(void);
void module_close(struct module *module);

bool module_is(const struct module *module, const struct file_id *file);

/* Whether @fd is @file, by the inode: a device can have another number here than in maps. */
bool file_is(int fd, const struct file_id *file);

/* The address that what is at @offset in the file has by its headers. */
bool module_address(const struct module *module, u64 offset, u64 *address);

bool module_read(const struct module *module, u64 offset, void *buf, size_t size);

/* What is at @address; never NULL. To be read before the next call. */
const struct code_name *module_name(struct module *module, u64 address);

/* How to unwind from @address: to be freed, and used before module_rest(); NULL: not known. */
Dwarf_Frame *module_frame(struct module *module, u64 address);

/* Drops debug information, which can be large; it is read again when it is asked for. */
void module_rest(struct module *module);

#endif

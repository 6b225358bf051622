/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of code that a process made at run time, from the file it writes for perf(1):
 * /tmp/perf-PID.map, of lines "START SIZE NAME" (tools/perf/Documentation/jit-interface.txt).
 * The process writes there what it likes.
 */
#ifndef IOPHASE_PERFMAP_H
#define IOPHASE_PERFMAP_H

#include "types.h"

struct process;

struct perfmap_name {
	u64 address;		/* in: what is asked for */
	u64 start;		/* out: of the function; 0: it has no line */
	char *name;		/* out: unescaped; cut to @size */
	size_t size;
};

/* Parses a line of @length bytes without its end; false: it is bad. *@name is within it. */
bool perfmap_parse(const char *line, size_t length, u64 *start, u64 *size, const char **name,
		   size_t *name_length);

/*
 * Names in one pass, of no more than the last 32 MiB. Later lines replace earlier ones, since
 * code is thrown away and its place used again. @fd stays open.
 */
void perfmap_read(int fd, struct perfmap_name *names, u32 count);

/* The file of @process, which must be its user's or root's own; -1: none. */
int perfmap_open(const struct process *process);

#endif

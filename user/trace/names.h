/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the descriptors of a trace are called. They are known by the time of their birth and not by
 * number, so that a number that is used again is another one.
 */
#ifndef IOPHASE_TRACE_NAMES_H
#define IOPHASE_TRACE_NAMES_H

#include "text.h"
#include "types.h"

struct names;

/*
 * @escape: text_name() or text_json_name(), by which all names are made fit. NULL without
 * memory.
 */
struct names *names_open(struct text (*escape)(const char *, size_t));
void names_close(struct names *names);

/* What @name says replaces what was known. The path of an open file is looked up now. */
void names_add(struct names *names, const struct trace_name *name);

/* Valid until the next names_add(); NULL: not known. */
const char *names_find(const struct names *names, u64 object);

#endif

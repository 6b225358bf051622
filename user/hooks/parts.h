/* SPDX-License-Identifier: GPL-2.0-only */
/* What is left out of the measurement because the kernel's types lack a field: ../bpf/parts.def. */
#ifndef IOPHASE_PARTS_H
#define IOPHASE_PARTS_H

#include "types.h"

/* A field as libbpf names it, "epitem.event.events", or a type alone; longer ones are cut. */
#define FIELD_LEN 96

/* By enum part: the field that it lacks; "" where none is known to be lacking. */
struct parts {
	char lacks[NR_PARTS][FIELD_LEN];
};

/* Leaves out a part that reads @field; false if there is none, or it is left out already. */
bool parts_leave_out(struct parts *parts, const char *field);

/* The parts left out, as the hooks are told: 1 << enum part. */
u32 parts_mask(const struct parts *parts);

/* Calls @visit for each part left out: what is not known ("who woke a thread"), and why. */
void parts_each(const struct parts *parts, void (*visit)(const char *gives, const char *why));

/* The same as an array of objects, which the caller owns. */
struct json_t *parts_json(const struct parts *parts);

/* "the kernel's BTF has no field F of struct T"; from a buffer that the next call uses again. */
const char *field_text(const char *field);

#endif

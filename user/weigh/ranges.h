/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which addresses of a process can be code: what of its stack tells one way into a call from
 * another.
 */
#ifndef IOPHASE_WEIGH_RANGES_H
#define IOPHASE_WEIGH_RANGES_H

#include "types.h"

struct ranges;

/* NULL without memory. */
struct ranges *ranges_open(void);
void ranges_close(struct ranges *ranges);

/*
 * A number that is the same for stacks whose words that can be return addresses are the same, in
 * the same places, and in the same call. What a call left on the stack below is in it as well:
 * so that of two equal stacks it may make two, but never one of different ones, but for chance.
 */
u64 ranges_identity(struct ranges *ranges, const struct stack_sample *sample);

#endif

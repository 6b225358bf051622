/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The callers of a system call, from a copy of some of the user stack and the frame pointers.
 *
 * The copy is unwound with the call frame information of the files it leads through, which finds
 * the caller of the C library's wrapper; what is further out than the copy comes from the frame
 * pointers, if the program has them. Code without such information (musl, stripped Go) is left by
 * what lies on the stack and is the return address of a call.
 */
#ifndef IOPHASE_STACK_H
#define IOPHASE_STACK_H

#include "stack/image.h"

struct frame {
	u64 address;
	bool exact;		/* it was interrupted there; else it called just before */
	bool gap;		/* there may be others between this one and the one it called */
	bool guessed;		/* it was found by looking through the stack */
};

/* Fills in at most @max frames, the innermost first; how many there are, 1 at least. */
u32 stack_unwind(struct image *image, const struct user_stack *stack, struct frame *frames,
		 u32 max);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The watched system calls, from bpf/calls.def. */
#ifndef IOPHASE_CALLS_H
#define IOPHASE_CALLS_H

#include "types.h"

struct call {
	const char *name;
	u8 class;		/* enum call_class */
	u8 args;		/* enum call_args */
	u8 ret;			/* enum call_ret */
	s32 nr;			/* number in the native table */
	s32 nr_i386;		/* number in that of 32-bit programs */
};

/* Indexed by enum call_id; entry 0 is not a call. */
extern const struct call calls[NR_CALLS];

/* "wait", "input", "output" or "control". */
const char *class_name(enum call_class class);

/*
 * Sets selected[] for a comma-separated list of call names and class names; returns NULL, or
 * the first word (in @word, of @size bytes) that is neither.
 */
const char *calls_select(const char *list, bool selected[NR_CALLS], char *word, size_t size);

/*
 * Fills the table by which the hooks tell the system calls apart; @follow_sets: with those that
 * change the size of an epoll set; @descriptors: with all, selected or not, that use one.
 */
void calls_route(const bool selected[NR_CALLS], bool follow_sets, bool descriptors,
		 u32 routes[NR_SYSCALLS]);

#endif

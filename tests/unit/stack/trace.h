/* SPDX-License-Identifier: GPL-2.0-only */
/* Stacks of programs that sleep where they say, and what is to be in them. */
#ifndef IOPHASE_STACK_TRACE_H
#define IOPHASE_STACK_TRACE_H

#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../unit.h"

#include "user/stack/object.h"
#include "user/stack/traceback.h"
#include "capture.h"

#define MAX_FRAMES 64

struct trace {
	struct frame frames[MAX_FRAMES];
	struct symbol symbols[MAX_FRAMES];
	u32 count, nr_symbols;
};

/* Unwinds and names @stack; no file stays open. */
void trace_of(const struct user_stack *stack, struct trace *trace);

void print_trace(const struct trace *trace);

/* A file built for this test: they are beside it. */
const char *built(const char *name);

/* Starts @command, and captures a thread of it that sleeps in call @number. */
void capture_command(char *const *command, int number, struct user_stack *stack, u32 bytes,
		     bool walk, pid_t *pid);

/* Starts a program built for this test, which sleeps in the call @how, and traces it there. */
void trace_sleeper(const char *name, const char *how, bool thread, u32 bytes, bool walk,
		   struct trace *trace);

/* Asserts that the frames from @first on are these functions, NULL at the end. */
void assert_functions(const struct trace *trace, u32 first, const char *const *names);

bool has_function(const struct trace *trace, const char *name);

/* The C library's wrapper of the call @how, and the function of the sleeper that calls it. */
const char *wrapper_of(const char *how);
const char *caller_of(const char *how);

/* What is at @offset in a file built for this test, by its symbols. */
const char *function_at(const char *program, u64 offset);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the hooks would capture, of a sleeping child of this process: by ptrace, without root. */
#ifndef IOPHASE_CAPTURE_H
#define IOPHASE_CAPTURE_H

#include <sys/types.h>

#include "user/types.h"

/* Starts @command, silent; it dies with this process. */
pid_t child_run(char *const *command);

void child_kill(pid_t pid);

/* The last thread of @pid that sleeps in call @number, waited for; 0: none does within 10 s. */
pid_t await_sleeper(pid_t pid, int number);

/* @bytes: how much of the stack to copy. Without @walk there are no frame pointers. */
bool capture(pid_t pid, pid_t tid, struct user_stack *stack, u32 bytes, bool walk);

#endif

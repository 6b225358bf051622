/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages for the person at the terminal: all go to stderr, so that data stays alone on stdout. */
#ifndef IOPHASE_FAIL_H
#define IOPHASE_FAIL_H

#include <stdbool.h>

/* Exit codes; with `-- COMMAND` the command's own status is passed on instead of EXIT_OK. */
enum { EXIT_OK = 0, EXIT_RUNTIME = 1, EXIT_USAGE = 2, EXIT_FINDINGS = 3, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

extern bool quiet;
extern int verbose;

/* Prints "iophase: message" and returns @code, so that message and code cannot part. */
int fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints "iophase: message" unless -q was given. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints a message with -v only. */
void debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Saves a measurement while it is made: docs/sessions.md describes the file. */
#ifndef IOPHASE_RECORDER_H
#define IOPHASE_RECORDER_H

#include "output/output.h"
#include "saved/format.h"
#include "saved/stacks.h"

struct recorder;

/*
 * Begins a session in @path, or in memory if that is NULL, with what @report says of the measurement. A
 * regular file is replaced, by one that only its owner can read. NULL after a message.
 */
struct recorder *recorder_open(const char *path, const struct report *report);

/*
 * Adds a report of options->everything. The stacks of what the rules find in it, which report->stacks
 * knows, are put into words, and left in @stacks, which the caller frees; NULL: they are left out. A file
 * that cannot be written is said once, and then has what was complete before.
 */
void recorder_add(struct recorder *recorder, enum record_kind kind, const struct report *report,
		  struct kept_stacks *stacks);

/* Marks it complete; 0, or EXIT_RUNTIME if any of it could not be written. */
int recorder_end(struct recorder *recorder);

/* A descriptor to read the session by; the caller does not close it. */
int recorder_fd(const struct recorder *recorder);

/* Without recorder_end() it stays incomplete; NULL is allowed. */
void recorder_close(struct recorder *recorder);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* One self-contained HTML page of a saved session, for people. */
#ifndef IOPHASE_PAGE_H
#define IOPHASE_PAGE_H

#include "doctor.h"
#include "saved/saved.h"

/*
 * Writes the page of all of @saved, judged by @doctor, to @path, which is replaced when it is complete; what
 * was read of @saved is used up. 0, or an exit code after a message.
 */
int page_write(struct saved *saved, const struct doctor *doctor, const char *path);

/* The same for the session in the open file @fd. */
int page_write_from(int fd, const char *path);

#endif

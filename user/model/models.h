/* SPDX-License-Identifier: GPL-2.0-only */
/* Models of input: their names, and what part each has of what its process does. */
#ifndef IOPHASE_MODELS_H
#define IOPHASE_MODELS_H

#include "model/rows.h"

/* "blocking", ... of enum model_id. */
const char *model_name(u32 model);

/* It waits for a set of descriptors; with what else it is served has no such waits. */
bool model_scans(u32 model);

/* It is served by requests, and not by calls on descriptors. */
bool model_requests(u32 model);

/* All the time of a row's input calls, of what hands its requests in, and of the waits that serve it. */
u64 model_time_ns(const struct model_sum *sum);
u64 model_cpu_ns(const struct model_sum *sum);

/* What part each row has among those of the same process, thread or descriptor. */
void models_share(struct rows *rows);

/* The descriptor of a row is known, and its number. */
bool model_fd_known(const struct row *row);

/*
 * By which model a descriptor would be served now, from how it is waited for and opened; NULL: not
 * known. What it was served by is counted only where it is asked for.
 */
const char *model_of_fd(const struct row_fd *fd);

#endif

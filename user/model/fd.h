/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors in words: what they are, how they are waited for, how long they waited. */
#ifndef IOPHASE_FD_H
#define IOPHASE_FD_H

#include "model/rows.h"
#include "text.h"

/* "tcp", "pipe", ... of enum file_kind; and the unit of what can be left in one, "" for none. */
const char *kind_name(u8 kind);
const char *kind_unit(u8 kind);

/* "epoll", "poll", "select", or NULL for none; of enum watch. */
const char *watch_name(u8 watch);

/*
 * What a descriptor is called, with @escape for names from the kernel: text_name() or
 * text_json_name(). The path of an open file is looked up now, unless it was before, and is cut if it is
 * long.
 */
struct text fd_name(const struct row_fd *fd, struct text (*escape)(const char *, size_t));

/* How it is waited for: "LT", "ET", with "1" for one-shot and "X" for exclusive; "poll"; "-". */
struct text fd_watch(const struct row_fd *fd);

/* What is in it, to be read: now, or else what the last input call left; LEFT_UNKNOWN. */
u32 fd_left(const struct row_fd *fd);

/* "epoll 5", by the number of the instance; "poll 123", "select 123" of a thread. */
struct text loop_name(const struct event_loop *loop);

/*
 * Looks up the path of an open file now, for a name that is to be made when the file, or the machine, is
 * out of reach; fd->path is set.
 */
void fd_find_path(struct row_fd *fd);

/* "established", ... of a TCP socket when it was read or closed; NULL: none, or not known. */
const char *tcp_state_name(const struct row_fd *fd);

/* Upper edge, ns, of the bucket of @hist (LAG_BUCKETS) that holds quantile @q of @count; -1: none. */
double fd_lag_quantile(const u32 *hist, double q);

/* The number was closed, and not just by the end of its process. */
bool fd_closed(const struct row_fd *fd);

/* Several watched processes use, or used, the file. */
bool fd_shared(const struct row_fd *fd);

/* Whose reports they are cannot be told: another has the same data in the same epoll instance. */
bool fd_ambiguous(const struct row_fd *fd);

#endif

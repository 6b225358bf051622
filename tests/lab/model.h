/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model is a way to wait for many clients: one file each, behind this one struct. Most are loops
 * over readiness, which say how to watch a descriptor and how to wait; loop.c does the rest. Those
 * that are not have a run() of their own.
 */
#ifndef LAB_MODEL_H
#define LAB_MODEL_H

#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct model {
	const char *about;
	/* Descriptors are reported once when they become ready: to be used until EAGAIN. */
	bool edge;
	/* Clients it can have at a time, and why no more; 0: as many as there are descriptors. */
	int (*clients_max)(void);
	const char *clients_why;

	/* Before it says that it serves: gets what it waits with, or is lacking(). May be NULL. */
	void (*open)(void);
	/* A loop over readiness. Each may be NULL where there is nothing to do. */
	/* A descriptor that is to be watched for WANT_IN; false: it cannot be. */
	bool (*add)(int fd);
	/* The wants of a watched descriptor, now `wants`. */
	void (*change)(int fd, int wants);
	void (*remove)(int fd);
	/* Sleeps until something is ready, and calls loop_ready() for it. */
	void (*wait)(void);

	/* Or all of it. Does not return. */
	void (*run)(int listener);
	/* Where peers live in other processes: sends to all but `speaker`. NULL: room_send(). */
	void (*tell)(const struct peer *speaker, const char *data, size_t len);
	/* The wants of a peer on which its owner does not work have changed. Under its lock. NULL:
	 * change() is told.
	 */
	void (*changed)(struct peer *peer);
	/* It sends by itself what is put into `out`, for a system call is what it avoids. */
	bool sends;
};

#define MODEL(name, noun) extern const struct model model_##noun;
#include "models.def"
#undef MODEL

/* The one that this server runs. */
extern const struct model *model;

/* The socket of the next client, blocking if `sleep`; -1: nobody waits, at a listener that is
 * non-blocking. Those for whom no descriptor is left are refused.
 */
int listener_accept(int listener, bool sleep);

void nonblocking(int fd);

/* loop.c */
void loop_run(int listener);
/* Serves a ready descriptor: a peer, or the listener. Stale ones do no harm. */
void loop_ready(int fd, int ready);
/* One more than the highest descriptor watched. */
int loop_bound(void);
/* Exits 1, having said what failed; exits 77 when this kernel does not have what is needed. */
_Noreturn void fail(const char *what);
_Noreturn void lacking(const char *what);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What session.c and the files that read for it share; for them alone. */
#ifndef IOPHASE_SESSION_PRIVATE_H
#define IOPHASE_SESSION_PRIVATE_H

#include <bpf/libbpf.h>
#include <sched.h>

#include "hooks/hooks.h"
#include "hooks/kernel.h"
#include "options.h"
#include "session/session.h"

#include "iophase.skel.h"

struct buffer {
	char *data;
	size_t size, room;
};

struct session {
	const struct options *options;
	struct kernel kernel;
	struct hooks hooks;
	struct iophase_bpf *skel;
	int own_fds[NR_FILE_KINDS];	/* one of each kind that is known by example; -1: none */
	struct hist *hists;	/* the kernel's own, mapped; NULL until first read */
	struct reading retired;	/* rows of processes that ended, taken out of the kernel */
	u64 retired_at;		/* folds of ended threads then */
	u64 begin_ns;		/* CLOCK_MONOTONIC when the watch began */
	u64 steal_ns;		/* when the watch began */
	u64 stopped_ns;		/* CLOCK_MONOTONIC when the counting ended, 0: not yet */
	u32 readings;		/* number of the last one */
	struct buffer buffer;	/* of the last iteration */
	bool asked_bound;
	struct event_loop *loops;	/* the kernel's own, mapped; NULL until first read */
	struct ring_buffer *closed;	/* of descriptors that were closed; NULL: not read yet */
	struct taking {
		struct ring_buffer *ring;	/* NULL: not read yet */
		take_fn *take;
		void *context;
		u64 bytes;	/* read in this round */
	} tracing, sampling;
	u64 sets_next_ns;	/* not to read epoll sets again before */
	struct bpf_link **samplers;	/* one for each CPU, NULL: none */
	u32 nr_samplers;
	struct rows closed_fds;	/* of those */
	struct rows closed_models;	/* of descriptors that were closed */
	struct rows ended_loops;	/* of processes that ended */
	int policy;		/* how we were scheduled before maps_enter(), -1: as now */
	struct sched_param priority;
};

/* All that the program of @iterator writes, in @out; 0, or an exit code after a message. */
int session_iterate(struct bpf_link *iterator, struct buffer *out);

/*
 * The entries of @array, which is BPF_F_MMAPABLE, as the programs see them, until array_unmap().
 * NULL after a message that names them as @what.
 */
void *array_map(const struct bpf_map *array, const char *what);
void array_unmap(const struct bpf_map *array, void *entries);

/* Takes in what watched processes have registered with epoll; 0 or an exit code. */
int descriptors_adopt(struct session *session);

/*
 * Takes what was closed since the last time out of the kernel, before its ring is full, into
 * session->retired; 0 or an exit code.
 */
int descriptors_retire(struct session *session);

/* Adds the rows of descriptors, as of @now_ns, or of event loops, to @rows; 0 or an exit code. */
int descriptors_read(struct session *session, struct rows *rows, u64 now_ns);
int event_loops_read(struct session *session, const struct turning turning[LOOP_ROWS],
		     struct rows *rows);

/*
 * Begins to sample where turns are that take long; without it where they are is not known, which is
 * said. The links are ended by signs_close().
 */
void signs_begin(struct session *session);
void signs_close(struct session *session);

/* Reads the signs of misuse into @reading; 0 or an exit code. */
int signs_read(struct session *session, struct reading *reading);

/* And which epoll instances wait for which of the listeners in reading->fds. */
int listening_read(struct session *session, struct reading *reading);

/* Takes the rows of loops whose process has ended out of the kernel; 0 or an exit code. */
int event_loops_retire(struct session *session);

/* Adds the rows of models, with the descriptors that they are of; 0 or an exit code. */
int models_read(struct session *session, struct reading *reading);

/* Takes the rows of a descriptor that was closed out of the kernel, if they are kept apart so. */
void models_retire(struct session *session, const struct descriptor_record *record);
void models_close(struct session *session);

/* What a file "/proc/.../comm" says; @comm stays as it is if there is none. */
void comm_read(const char *path, char comm[COMM_LEN]);

/* The name of a process that may have ended; @comm stays as it is when that is not known. */
void process_comm(struct session *session, proc_id proc, char comm[COMM_LEN]);

void descriptors_close(struct session *session);
void event_loops_close(struct session *session);

/* Counts the interest lists of the epoll instances there are; 0 or an exit code. */
int epolls_count(struct session *session);

/* Counts them again and notes where following them came to another size. */
int epolls_verify(struct session *session);

/*
 * Around looking into maps. The kernel runs no program on a classic tracepoint of this CPU while
 * bpf(2) is in a map (bpf_disable_instrumentation()): where that can be pre-empted, so that others
 * run meanwhile, it is done as a thread that no other of the kind takes the CPU from.
 */
void maps_enter(struct session *session);
void maps_leave(struct session *session);

void rings_close(struct session *session);
void reader_close(struct session *session);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* All that is known at one moment: what outputs print, and rules judge. */
#ifndef IOPHASE_READING_H
#define IOPHASE_READING_H

#include "model/rows.h"
#include "types.h"

/* A thread inside a watched call at the moment of a reading. */
struct in_flight {
	proc_id proc;
	u32 tgid, tid;
	char comm[COMM_LEN];
	u32 call;
	u64 age_ns;
	bool age_bound;		/* was inside when the watch began: age_ns is a lower bound */
	u8 phase;		/* enum phase */
};

/* A watched thread at the moment of a reading. */
struct watched_thread {
	proc_id proc;
	u32 tid;
	char comm[COMM_LEN];	/* of the process */
	struct user_place place;	/* where in user space it sleeps; ip 0: it does not */
};

/* The signs of misuse of one descriptor, which rows of descriptors have as their object. */
struct sign_record {
	u64 born_ns;
	struct signs signs;
};

/* A listener that an epoll instance waits for. */
struct listening {
	u64 ep;
	u64 born_ns;
};

/* A 32-bit process, whose calls are not decoded. */
struct left_out_process {
	u32 tgid;
	struct left_out calls;
};

#define LEFT_OUT_MAX 256

/* All that was counted up to now_ns (CLOCK_MONOTONIC). */
struct reading {
	u64 now_ns;
	struct rows rows;	/* of what options->by says */
	struct rows by_thread;	/* by process, thread and call, besides; if options->everything */
	struct rows fds, loops;	/* for the doctor, besides */
	struct sign_record *signs;	/* by born_ns; owned */
	u32 nr_signs;
	struct listening *listening;	/* owned */
	u32 nr_listening;
	struct in_flight *in_flight;
	u32 nr_in_flight;
	struct watched_thread *threads;	/* for the doctor; owned */
	u32 nr_threads;
	struct left_out_process left_out[LEFT_OUT_MAX];	/* since the start of the watch */
	u32 nr_left_out;
	u64 losses[NR_LOSSES];
	struct turning {
		u32 threads;
		u64 oldest_ns;	/* how long the first of them has been in its turn, */
		u64 runnable_ns;	/* of which it waited for a CPU */
	} turning[LOOP_ROWS];	/* by row of the loops, those in a turn now */
	u64 steal_ns;		/* that a hypervisor took since the watch began, of all CPUs */
	bool asked_bound;	/* the size of an epoll set turned out not to be known exactly */
};

/* Frees all that @reading owns, and leaves it empty. */
void reading_free(struct reading *reading);

#endif

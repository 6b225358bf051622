/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the measurement itself costs. The kernel can time BPF programs, but timing them costs
 * too: so it is switched on for short samples only.
 */
#ifndef IOPHASE_COST_H
#define IOPHASE_COST_H

#include "session/session.h"
#include "types.h"

struct cost {
	u64 sampled_ns;		/* how long BPF run time was sampled; 0: not at all */
	u64 bpf_ns;		/* run time of the programs in that time */
	u64 bpf_runs;		/* and how often they ran */
	u64 recursion_misses;	/* runs the kernel dropped; since the start, in a report: in its time */
	u64 bpf_memory_bytes;	/* of the maps, without per-thread records */
	u64 setup_ns;		/* CPU time of this process until it watched: mostly verification */
	u64 user_ns, system_ns;	/* and since */
	u64 watched_ns;		/* for how long it has watched */
	u64 max_rss_bytes;
};

struct cost_sampler;

struct cost_sampler *cost_open(const struct session *session);
void cost_close(struct cost_sampler *sampler);

/* The watch has begun: what was spent until now is set-up. */
void cost_watch_begins(struct cost_sampler *sampler);

/* Switches timing on; and off again, adding what was seen since. */
void cost_sample_begin(struct cost_sampler *sampler);
void cost_sample_end(struct cost_sampler *sampler);

struct cost cost_read(const struct cost_sampler *sampler);

/* Share of one CPU the programs took while sampled, 0..; -1 if nothing was sampled. */
static inline double cost_bpf_share(const struct cost *cost)
{
	return cost->sampled_ns ? (double)cost->bpf_ns / cost->sampled_ns : -1;
}

#endif

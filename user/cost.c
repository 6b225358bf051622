// SPDX-License-Identifier: GPL-2.0-only
#include "cost.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define FDS_MAX 64

struct cost_sampler {
	const struct session *session;
	int programs[FDS_MAX], maps[FDS_MAX];
	u32 nr_programs, nr_maps;
	int stats_fd;		/* timing is on while it is open; -1: off */
	u64 watch_ns;		/* CLOCK_MONOTONIC when the watch began */
	struct rusage setup;	/* and what was spent until then */
	u64 begin_ns, begin_bpf_ns, begin_runs;
	u64 sampled_ns, bpf_ns, runs;
};

struct cost_sampler *cost_open(const struct session *session)
{
	struct cost_sampler *sampler = calloc(1, sizeof(*sampler));

	if (!sampler)
		return NULL;
	sampler->session = session;
	sampler->stats_fd = -1;
	sampler->nr_programs = session_programs(session, sampler->programs, FDS_MAX);
	sampler->nr_maps = session_maps(session, sampler->maps, FDS_MAX);
	return sampler;
}

void cost_close(struct cost_sampler *sampler)
{
	if (sampler && sampler->stats_fd >= 0)
		close(sampler->stats_fd);
	free(sampler);
}

static u64 timeval_ns(struct timeval time)
{
	return time.tv_sec * NS_PER_SEC + time.tv_usec * 1000;
}

void cost_watch_begins(struct cost_sampler *sampler)
{
	sampler->watch_ns = clock_ns();
	getrusage(RUSAGE_SELF, &sampler->setup);
}

struct program_stats {
	u64 run_ns, runs, misses;
};

static struct program_stats program_stats(const struct cost_sampler *sampler)
{
	struct program_stats sum = { 0 };

	for (u32 i = 0; i < sampler->nr_programs; i++) {
		struct bpf_prog_info info = { 0 };
		u32 size = sizeof(info);

		if (bpf_obj_get_info_by_fd(sampler->programs[i], &info, &size))
			continue;
		sum.run_ns += info.run_time_ns;
		sum.runs += info.run_cnt;
		sum.misses += info.recursion_misses;
	}
	return sum;
}

void cost_sample_begin(struct cost_sampler *sampler)
{
	struct program_stats stats;

	sampler->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (sampler->stats_fd < 0)
		return;
	stats = program_stats(sampler);
	sampler->begin_bpf_ns = stats.run_ns;
	sampler->begin_runs = stats.runs;
	sampler->begin_ns = clock_ns();
}

void cost_sample_end(struct cost_sampler *sampler)
{
	struct program_stats stats;

	if (sampler->stats_fd < 0)
		return;
	stats = program_stats(sampler);
	sampler->sampled_ns += clock_ns() - sampler->begin_ns;
	sampler->bpf_ns += stats.run_ns - sampler->begin_bpf_ns;
	sampler->runs += stats.runs - sampler->begin_runs;
	close(sampler->stats_fd);
	sampler->stats_fd = -1;
}

/* What the kernel charges for a map, from its fdinfo. */
static u64 map_bytes(int fd)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	}
	fclose(file);
	return bytes;
}

struct cost cost_read(const struct cost_sampler *sampler)
{
	struct cost cost = {
		.sampled_ns = sampler->sampled_ns,
		.bpf_ns = sampler->bpf_ns,
		.bpf_runs = sampler->runs,
		.recursion_misses = program_stats(sampler).misses,
		.bpf_memory_bytes = session_thread_bytes(sampler->session),
	};
	struct rusage usage;

	for (u32 i = 0; i < sampler->nr_maps; i++)
		cost.bpf_memory_bytes += map_bytes(sampler->maps[i]);
	getrusage(RUSAGE_SELF, &usage);
	cost.setup_ns = timeval_ns(sampler->setup.ru_utime) + timeval_ns(sampler->setup.ru_stime);
	cost.user_ns = timeval_ns(usage.ru_utime) - timeval_ns(sampler->setup.ru_utime);
	cost.system_ns = timeval_ns(usage.ru_stime) - timeval_ns(sampler->setup.ru_stime);
	cost.watched_ns = clock_ns() - sampler->watch_ns;
	cost.max_rss_bytes = usage.ru_maxrss * 1024ull;
	return cost;
}

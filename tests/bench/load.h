/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the bench loads share. A load says "ready" when it is set up, then runs once for every
 * line it reads (a number of steps) and answers with one line of JSON, until its input ends.
 * It stays alive between runs, so that every tool measures the very same process.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* The median of many short slices: a neighbour that disturbs a few of them does no harm. */
#define SLICES 21

/* Events an event loop asks for at a time: more than there are, as servers do. */
#define BATCH 64

/* Does about `steps` steps of the load; returns how many it did. */
typedef double (*run_fn)(long steps);

static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(1);
}

/* A tracer that attaches interrupts what sleeps: the call is made again. */
#define must(call) ({							\
	long result_;							\
									\
	do								\
		result_ = (call);					\
	while (result_ < 0 && errno == EINTR);				\
	if (result_ < 0)						\
		die(#call);						\
	result_;							\
})

static inline double clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static inline int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double median(double *values)
{
	qsort(values, SLICES, sizeof(*values), by_value);
	return values[SLICES / 2];
}

static inline void measure(run_fn run, long steps)
{
	double wall[SLICES], cpu[SLICES], done = 0, wall_start, cpu_start;

	for (int i = 0; i < SLICES; i++) {
		double n;

		wall_start = clock_ns(CLOCK_MONOTONIC);
		cpu_start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		n = run(steps / SLICES + 1);
		cpu[i] = (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_start) / n;
		wall[i] = (clock_ns(CLOCK_MONOTONIC) - wall_start) / n;
		done += n;
	}
	printf("{\"steps\":%.0f,\"wall_ns\":%.2f,\"cpu_ns\":%.2f}\n", done, median(wall),
	       median(cpu));
	fflush(stdout);
}

static inline int serve_runs(run_fn run)
{
	long steps;

	puts("ready");
	fflush(stdout);
	while (scanf("%ld", &steps) == 1)
		measure(run, steps);
	return 0;
}

static inline void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(sched_setaffinity(0, sizeof(set), &set));
}

static inline void raise_descriptor_limit(void)
{
	struct rlimit limit;

	must(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	must(setrlimit(RLIMIT_NOFILE, &limit));
}

static inline long number_of(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (end == text || *end || number < 0) {
		fprintf(stderr, "not a number: %s\n", text);
		exit(2);
	}
	return number;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the small programs that time single calls share: clocks, medians, descriptors. */
#ifndef LAB_MICRO_H
#define LAB_MICRO_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* The median of so many slices: a neighbour that disturbs some of them does no harm. */
#define SLICES 15

#define must(call) ({							\
	__auto_type result_ = (call);					\
									\
	if (result_ < 0) {						\
		fprintf(stderr, "%s: %s\n", #call, strerror(errno));	\
		exit(1);						\
	}								\
	result_;							\
})

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static inline int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double median_of(double *values)
{
	qsort(values, SLICES, sizeof(*values), by_value);
	return values[SLICES / 2];
}

/* As many descriptors as this process can be allowed, those in use included. */
static inline int descriptors_allowed(void)
{
	struct rlimit limit, more = { 1 << 18, 1 << 18 };

	if (!setrlimit(RLIMIT_NOFILE, &more))
		return 1 << 18;
	must(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	must(setrlimit(RLIMIT_NOFILE, &limit));
	return (int)limit.rlim_cur;
}

#endif

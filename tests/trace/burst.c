// SPDX-License-Identifier: GPL-2.0-only
/*
 * burst N THREADS: each thread writes N times to /dev/null, as fast as it can. Prints how many
 * calls that were, by what it counted itself, in how many ns, and how many ns of CPU time they
 * took.
 */
#include "../truth/truth.h"

static long count;
static int null_fd;

static void *writes(void *made)
{
	long n;

	for (n = 0; n < count; n++)
		must(write(null_fd, "", 1) == 1);
	*(long *)made = n;
	return NULL;
}

int main(int argc, char **argv)
{
	long made[64] = { 0 }, all = 0;
	pthread_t threads[64];
	uint64_t begin, cpu;
	int n;

	must(argc == 3);
	count = atol(argv[1]);
	n = atoi(argv[2]);
	must(n >= 1 && n <= 64);
	null_fd = open("/dev/null", O_WRONLY);
	must(null_fd >= 0);
	begin = now_ns();
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < n; i++)
		threads[i] = start(writes, &made[i]);
	for (int i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
		all += made[i];
	}
	printf("%ld %" PRIu64 " %" PRIu64 "\n", all, now_ns() - begin,
	       clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu);
	return 0;
}

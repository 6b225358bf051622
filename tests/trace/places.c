// SPDX-License-Identifier: GPL-2.0-only
/*
 * places SECONDS: waits in two functions, in one three times as long as in the other, and scans
 * in a third. Prints how long it was in each, by its own clock, ns:
 * {"left":N,"right":N,"scan":N}.
 */
#include "../truth/truth.h"

#include <poll.h>
#include <sys/prctl.h>

#define SCANNED 2000

static struct pollfd set[SCANNED];

static uint64_t waited(int ms)
{
	uint64_t begin = now_ns();

	must(!poll(NULL, 0, ms));
	return now_ns() - begin;
}

/* Not to be called by a jump, which would leave nothing on the stack. */
__attribute__((noinline)) static void left(uint64_t *sum)
{
	*sum += waited(6);
}

__attribute__((noinline)) static void right(uint64_t *sum)
{
	*sum += waited(2);
}

__attribute__((noinline)) static void scan(uint64_t *sum)
{
	uint64_t begin = now_ns();

	must(poll(set, SCANNED, 0) == 0);
	*sum += now_ns() - begin;
}

int main(int argc, char **argv)
{
	uint64_t sums[3] = { 0 }, end;
	int ends[2];

	must(argc == 2 && !pipe(ends));
	must(!prctl(PR_SET_NAME, "a;b c"));	/* what ends a name in a folded stack */
	for (int i = 0; i < SCANNED; i++)
		set[i] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	for (end = now_ns() + atoi(argv[1]) * 1000 * MSEC; now_ns() < end;) {
		left(&sums[0]);
		right(&sums[1]);
		for (int i = 0; i < 20; i++)
			scan(&sums[2]);
	}
	printf("{\"left\":%" PRIu64 ",\"right\":%" PRIu64 ",\"scan\":%" PRIu64 "}\n", sums[0], sums[1],
	       sums[2]);
	return 0;
}

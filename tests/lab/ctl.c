// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctl [LARGEST]: what epoll_ctl costs, by the size of the set. A line of JSON for each size, CPU
 * time in ns, medians: `add_ns` and `del_ns` of a further descriptor, `mod_ns` of one in the set,
 * picked at random. Each is an eventfd of its own.
 */
#include "micro.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#define GUESTS 256	/* added to the set and taken out of it again */

static int guests[GUESTS], ep;

static double control(int op, const int *fds, int n)
{
	struct epoll_event event = { .events = EPOLLIN };
	uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	for (int i = 0; i < n; i++)
		must(epoll_ctl(ep, op, fds[i], &event));
	return (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / n;
}

static void measure(const int *members, int n)
{
	double add[SLICES], del[SLICES], mod[SLICES];
	int picked[GUESTS];

	for (int slice = 0; slice < SLICES; slice++) {
		add[slice] = control(EPOLL_CTL_ADD, guests, GUESTS);
		del[slice] = control(EPOLL_CTL_DEL, guests, GUESTS);
		for (int i = 0; i < GUESTS; i++)
			picked[i] = members[random() % n];
		mod[slice] = control(EPOLL_CTL_MOD, picked, GUESTS);
	}
	printf("{\"descriptors\":%d,\"add_ns\":%.0f,\"mod_ns\":%.0f,\"del_ns\":%.0f}\n", n,
	       median_of(add), median_of(mod), median_of(del));
	fflush(stdout);
}

/* In no order, as the guests of a server come: their numbers are spread over those in the set. */
static void shuffle(int *fds, int n)
{
	for (int i = n - 1; i > 0; i--) {
		int other = (int)(random() % (i + 1)), fd = fds[i];

		fds[i] = fds[other];
		fds[other] = fd;
	}
}

int main(int argc, char **argv)
{
	static const int sizes[] = { 1, 10, 30, 100, 300, 1000, 3000, 10000, 18000, 30000, 100000 };
	int allowed = descriptors_allowed(), largest = argc > 1 ? atoi(argv[1]) : 10000, n = 0;
	int most = largest + GUESTS + 16 <= allowed ? largest : allowed - GUESTS - 16;
	int *all = calloc((size_t)(most + GUESTS), sizeof(*all));

	if (!all)
		return 1;
	for (int i = 0; i < most + GUESTS; i++)
		all[i] = must(eventfd(0, 0));
	shuffle(all, most + GUESTS);
	memcpy(guests, all + most, sizeof(guests));
	ep = must(epoll_create1(0));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes) && sizes[i] <= most; i++) {
		control(EPOLL_CTL_ADD, all + n, sizes[i] - n);
		n = sizes[i];
		measure(all, n);
	}
	return 0;
}

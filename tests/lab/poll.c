// SPDX-License-Identifier: GPL-2.0-only
#include "model.h"

#include <poll.h>
#include <stdlib.h>

static struct pollfd *set;
static int *place;		/* in the set, by descriptor */
static int count, size, places;

static void *grow(void *old, int n, size_t each)
{
	void *new = reallocarray(old, (size_t)n, each);

	if (!new)
		fail("memory for the set");
	return new;
}

static short events(int wants)
{
	return (wants & WANT_IN ? POLLIN : 0) | (wants & WANT_OUT ? POLLOUT : 0);
}

static bool add(int fd)
{
	if (count == size)
		set = grow(set, size = size * 2 + 16, sizeof(*set));
	if (fd >= places)
		place = grow(place, places = fd * 2, sizeof(*place));
	place[fd] = count;
	set[count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	return true;
}

static void change(int fd, int wants)
{
	set[place[fd]].events = events(wants);
}

/* The last one takes its place. */
static void forget(int fd)
{
	set[place[fd]] = set[--count];
	place[set[place[fd]].fd] = place[fd];
}

static void wait_ready(void)
{
	int ready = poll(set, (nfds_t)count, -1);

	/* From the end, for who leaves is replaced by one that was seen already. */
	for (int i = count - 1; ready > 0 && i >= 0; i--) {
		int found = set[i].revents;

		if (!found)
			continue;
		ready--;
		set[i].revents = 0;
		loop_ready(set[i].fd, (found & ~POLLOUT ? WANT_IN : 0) |
				      (found & POLLOUT ? WANT_OUT : 0));
	}
}

const struct model model_poll = {
	.about = "poll",
	.add = add,
	.change = change,
	.remove = forget,
	.wait = wait_ready,
};

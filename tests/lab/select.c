// SPDX-License-Identifier: GPL-2.0-only
#include "model.h"

#include <sys/select.h>

static fd_set want_in, want_out;

static int clients_max(void)
{
	int lowest = dup(0);

	close(lowest);
	return FD_SETSIZE - lowest;	/* the listening socket has its own already */
}

/* FD_SET() of more than it has bits for writes into the memory behind the set. */
static bool add(int fd)
{
	if (fd >= FD_SETSIZE)
		return false;
	FD_SET(fd, &want_in);
	return true;
}

static void put(fd_set *set, int fd, bool in)
{
	if (in)
		FD_SET(fd, set);
	else
		FD_CLR(fd, set);
}

static void change(int fd, int wants)
{
	put(&want_in, fd, wants & WANT_IN);
	put(&want_out, fd, wants & WANT_OUT);
}

static void forget(int fd)
{
	change(fd, 0);
}

/* The kernel overwrites the sets, and says how many are ready, not which. */
static void wait_ready(void)
{
	fd_set in = want_in, out = want_out;
	int ready = select(loop_bound(), &in, &out, NULL, NULL);

	for (int fd = 0; ready > 0; fd++) {
		bool is_in = FD_ISSET(fd, &in), is_out = FD_ISSET(fd, &out);

		ready -= is_in + is_out;
		if (is_in || is_out)
			loop_ready(fd, (is_in ? WANT_IN : 0) | (is_out ? WANT_OUT : 0));
	}
}

const struct model model_select = {
	.about = "select",
	.clients_max = clients_max,
	.clients_why = "an fd_set ends at FD_SETSIZE = 1024",
	.add = add,
	.change = change,
	.remove = forget,
	.wait = wait_ready,
};

// SPDX-License-Identifier: GPL-2.0-only
/* Non-blocking calls on each descriptor in turn, without ever sleeping. */
#include "model.h"

static int door;

static bool add(int fd)
{
	if (!door)
		door = fd;
	return true;
}

static void wait_all(void)
{
	for (int fd = door; fd < loop_bound(); fd++)
		loop_ready(fd, WANT_IN | WANT_OUT);
}

const struct model model_polling = {
	.about = "non-blocking calls on each connection in turn, never asleep",
	.add = add,
	.wait = wait_all,
};

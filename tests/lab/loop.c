// SPDX-License-Identifier: GPL-2.0-only
/* What the models that are loops over readiness have in common. */
#include "model.h"

#include <stdlib.h>

static struct peer **peers;	/* by descriptor */
static int size, bound, door;

static void enter(int fd)
{
	struct peer *peer;

	if (model->add && !model->add(fd)) {
		close(fd);
		return;
	}
	peer = peer_new(fd);
	if (fd >= size) {
		peers = reallocarray(peers, (size_t)fd * 2, sizeof(*peers));
		if (!peers)
			fail("memory for clients");
		memset(peers + size, 0, (size_t)(fd * 2 - size) * sizeof(*peers));
		size = fd * 2;
	}
	peers[fd] = peer;
	if (fd >= bound)
		bound = fd + 1;
	/* What it said before it was watched may have no edge. */
	if (model->edge)
		loop_ready(fd, WANT_IN);
}

void loop_ready(int fd, int ready)
{
	if (fd == door) {
		while ((fd = listener_accept(door, false)) >= 0)
			enter(fd);
		return;
	}
	if (fd >= size || !peers[fd] || peer_serve(peers[fd], ready, model->edge))
		return;
	if (model->remove)
		model->remove(fd);
	peer_free(peers[fd]);
	peers[fd] = NULL;
	while (bound > door + 1 && !peers[bound - 1])
		bound--;
}

int loop_bound(void)
{
	return bound;
}

void loop_run(int listener)
{
	door = listener;
	bound = size = door + 1;
	peers = calloc((size_t)size, sizeof(*peers));
	if (!peers)
		fail("memory for clients");
	nonblocking(listener);
	if (model->add && !model->add(listener))
		fail("the listening socket cannot be watched");
	/* Those who came before it was watched are no edge either. */
	if (model->edge)
		loop_ready(listener, WANT_IN);
	for (;;)
		model->wait();
}

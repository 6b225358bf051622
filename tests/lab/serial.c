// SPDX-License-Identifier: GPL-2.0-only
/* One after the other: who has come waits until the one before has gone. */
#include "model.h"

static int clients_max(void)
{
	return 1;
}

static void run(int listener)
{
	for (;;) {
		struct peer *peer = peer_new(listener_accept(listener, true));

		peer_talk(peer);
		peer_free(peer);
	}
}

const struct model model_serial = {
	.about = "blocking calls, one client after the other",
	.clients_max = clients_max,
	.clients_why = "it serves one after the other",
	.run = run,
};

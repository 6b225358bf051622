// SPDX-License-Identifier: GPL-2.0-only
/* A thread for each connection, with blocking calls. */
#include "model.h"

#define STACK_BYTES (64 << 10)

static void *serve(void *arg)
{
	peer_talk(arg);
	peer_free(arg);
	return NULL;
}

/*
 * Its socket takes no more of what others say, and its thread, asleep in recv(), cannot be told
 * to send the rest: whoever is so far behind is dropped.
 */
static void changed(struct peer *peer)
{
	peer_shut(peer);
}

static void run(int listener)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (;;) {
		struct peer *peer = peer_new(listener_accept(listener, true));

		errno = pthread_create(&thread, &attr, serve, peer);
		if (errno) {
			fprintf(stderr, "a client is refused, no thread: %m\n");
			peer_free(peer);
		}
	}
}

const struct model model_thread = {
	.about = "a thread for each connection, with blocking calls",
	.run = run,
	.changed = changed,
};

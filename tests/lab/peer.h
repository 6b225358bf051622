/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One client, and the service that is the same in every model. A message is a line:
 *
 *   E...   is sent back to the one who sent it
 *   B...   is sent to all the others
 *   Q      what was asked before is still answered, then the connection is closed
 *
 * Anything else, and a line longer than LINE_MAX_BYTES, ends the connection.
 *
 * One thread owns a peer: it alone reads, removes and frees it. Others may only give it bytes to
 * send, with peer_put(). Who wants it ended shuts its socket down, and its owner then sees the end.
 */
#ifndef LAB_PEER_H
#define LAB_PEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LINE_MAX_BYTES (64 << 10)
/* How much is read at a time. */
#define READ_BYTES (16 << 10)
/* With so much unsent, no more is read from a peer: who does not listen may not talk. */
#define OUT_PAUSE_BYTES (64 << 10)
/* With so much unsent, one who does not read what the others say is dropped. */
#define OUT_MAX_BYTES (1 << 20)

/* Bytes that were taken in and not yet used: data[from..from + len). No memory when empty. */
struct buffer {
	char *data;
	size_t from, len, size;
};

void buffer_append(struct buffer *buffer, const char *data, size_t len);
void buffer_consume(struct buffer *buffer, size_t len);
void buffer_free(struct buffer *buffer);

/* What a peer waits for. */
enum {
	WANT_IN = 1,
	WANT_OUT = 2,
};

struct model;

struct peer {
	int fd;
	uint32_t serial;	/* no two peers of a process have the same */
	bool closing;		/* its last message was heard: ends when all is sent */
	struct buffer in;	/* a message of which the end has not come */
	struct peer *next, **link; /* in the room */

	/* Under the lock, for other threads put bytes here. */
	pthread_mutex_t lock;
	struct buffer out;
	bool sending;		/* what came before `out` is on its way */
	bool busy;		/* its owner works on it, and looks at `out` before it rests */
	bool dead;		/* shut down: nothing more is sent */
	int watched;		/* the wants that the model last heard of */

	void *own;		/* the model's */
};

/* A peer for an accepted socket, in the room. Ends the process when there is no memory. */
struct peer *peer_new(int fd);

/* Takes it out of the room, closes its socket and frees it. By its owner only. */
void peer_free(struct peer *peer);

/* Acts on what was received. */
void peer_hear(struct peer *peer, const char *data, size_t len);

/* Sends, and keeps what the socket does not take. By any thread; never sleeps on the socket. */
void peer_put(struct peer *peer, const char *data, size_t len);

/* No more for this peer, nor from it. Under its lock. */
void peer_shut(struct peer *peer);

/* A set of WANT_*. Under its lock. */
int peer_wants(const struct peer *peer);

/*
 * What its owner does between two times of waiting: peer_begin(), then peer_hear() or peer_close()
 * as often as it likes, then peer_rest(), which says whether the peer goes on.
 */
void peer_begin(struct peer *peer);
bool peer_rest(struct peer *peer);
/* Nothing more will be read from it. */
void peer_close(struct peer *peer);
/* Sends what was kept as far as the socket takes it. */
void peer_flush(struct peer *peer);

/* Serves a peer of which `ready` came true, until it would block if `edge`; whether it goes on. */
bool peer_serve(struct peer *peer, int ready, bool edge);
/* Acts on what recv() gave and sends the answers, asleep if need be; whether it goes on. */
bool peer_answer(struct peer *peer, const char *data, ssize_t len);
/* Serves a peer with calls that sleep, until it ends. */
void peer_talk(struct peer *peer);

/* Sends to all but `speaker`, who may be NULL. */
void room_send(const struct peer *speaker, const char *data, size_t len);

#endif

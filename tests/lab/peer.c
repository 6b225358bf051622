// SPDX-License-Identifier: GPL-2.0-only
#include "model.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

static pthread_mutex_t room_lock = PTHREAD_MUTEX_INITIALIZER;
static struct peer *room;

void buffer_append(struct buffer *buffer, const char *data, size_t len)
{
	if (buffer->from && buffer->from + buffer->len + len > buffer->size) {
		memmove(buffer->data, buffer->data + buffer->from, buffer->len);
		buffer->from = 0;
	}
	if (buffer->len + len > buffer->size) {
		buffer->size = (buffer->len + len) * 2;
		buffer->data = realloc(buffer->data, buffer->size);
		if (!buffer->data)
			fail("memory for a message");
	}
	memcpy(buffer->data + buffer->from + buffer->len, data, len);
	buffer->len += len;
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){};
}

void buffer_consume(struct buffer *buffer, size_t len)
{
	buffer->from += len;
	buffer->len -= len;
	if (!buffer->len)
		buffer_free(buffer);
}

struct peer *peer_new(int fd)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	static uint32_t serial;
	static const int on = 1;

	if (!peer)
		fail("memory for a client");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	peer->fd = fd;
	peer->watched = WANT_IN;
	pthread_mutex_init(&peer->lock, NULL);
	pthread_mutex_lock(&room_lock);
	peer->serial = ++serial;
	peer->next = room;
	peer->link = &room;
	if (room)
		room->link = &peer->next;
	room = peer;
	pthread_mutex_unlock(&room_lock);
	return peer;
}

void peer_free(struct peer *peer)
{
	pthread_mutex_lock(&room_lock);
	*peer->link = peer->next;
	if (peer->next)
		peer->next->link = peer->link;
	pthread_mutex_unlock(&room_lock);
	close(peer->fd);
	buffer_free(&peer->in);
	buffer_free(&peer->out);
	pthread_mutex_destroy(&peer->lock);
	free(peer);
}

void room_send(const struct peer *speaker, const char *data, size_t len)
{
	pthread_mutex_lock(&room_lock);
	for (struct peer *peer = room; peer; peer = peer->next)
		if (peer != speaker)
			peer_put(peer, data, len);
	pthread_mutex_unlock(&room_lock);
}

int peer_wants(const struct peer *peer)
{
	int wants = 0;

	/* The end of one that is shut down is there to be read. */
	if (peer->dead)
		return WANT_IN;
	if (!peer->closing && peer->out.len < OUT_PAUSE_BYTES)
		wants |= WANT_IN;
	if (peer->out.len)
		wants |= WANT_OUT;
	return wants;
}

void peer_shut(struct peer *peer)
{
	if (peer->dead)
		return;
	peer->dead = true;
	buffer_free(&peer->out);
	shutdown(peer->fd, SHUT_RDWR);
}

static void peer_drop(struct peer *peer)
{
	pthread_mutex_lock(&peer->lock);
	peer_shut(peer);
	pthread_mutex_unlock(&peer->lock);
}

void peer_close(struct peer *peer)
{
	pthread_mutex_lock(&peer->lock);
	peer->closing = true;
	pthread_mutex_unlock(&peer->lock);
}

/* Bytes that the socket took; -1: it is broken. */
static ssize_t send_some(int fd, const char *data, size_t len, int flags)
{
	ssize_t sent;

	do
		sent = send(fd, data, len, MSG_NOSIGNAL | flags);
	while (sent < 0 && errno == EINTR);
	return sent < 0 && errno == EAGAIN ? 0 : sent;
}

static void changed(struct peer *peer)
{
	int wants = peer_wants(peer);

	if (peer->busy || wants == peer->watched)
		return;
	if (model->changed) {
		model->changed(peer);
		return;
	}
	peer->watched = wants;
	if (model->change)
		model->change(peer->fd, wants);
}

void peer_put(struct peer *peer, const char *data, size_t len)
{
	ssize_t sent = 0;

	pthread_mutex_lock(&peer->lock);
	if (peer->dead)
		goto out;
	if (!peer->out.len && !peer->sending && !model->sends)
		sent = send_some(peer->fd, data, len, MSG_DONTWAIT);
	if (sent < 0 || peer->out.len + len - (size_t)sent > OUT_MAX_BYTES)
		peer_shut(peer);
	else if (len > (size_t)sent)
		buffer_append(&peer->out, data + sent, len - (size_t)sent);
	changed(peer);
out:
	pthread_mutex_unlock(&peer->lock);
}

void peer_flush(struct peer *peer)
{
	pthread_mutex_lock(&peer->lock);
	while (peer->out.len) {
		ssize_t sent = send_some(peer->fd, peer->out.data + peer->out.from, peer->out.len,
					 MSG_DONTWAIT);

		if (!sent)
			break;
		if (sent < 0)
			peer_shut(peer);
		else
			buffer_consume(&peer->out, (size_t)sent);
	}
	pthread_mutex_unlock(&peer->lock);
}

/* Sends all that was kept. The lock is not held while it sleeps: others append meanwhile. */
static void flush_asleep(struct peer *peer)
{
	pthread_mutex_lock(&peer->lock);
	while (peer->out.len) {
		struct buffer out = peer->out;
		ssize_t sent = 0;

		peer->out = (struct buffer){};
		peer->sending = true;
		pthread_mutex_unlock(&peer->lock);
		while (out.len && sent >= 0) {
			sent = send_some(peer->fd, out.data + out.from, out.len, 0);
			if (sent > 0)
				buffer_consume(&out, (size_t)sent);
		}
		buffer_free(&out);
		pthread_mutex_lock(&peer->lock);
		peer->sending = false;
		if (sent < 0)
			peer_shut(peer);
	}
	pthread_mutex_unlock(&peer->lock);
}

void peer_begin(struct peer *peer)
{
	pthread_mutex_lock(&peer->lock);
	peer->busy = true;
	pthread_mutex_unlock(&peer->lock);
}

bool peer_rest(struct peer *peer)
{
	bool goes_on;

	pthread_mutex_lock(&peer->lock);
	peer->busy = false;
	goes_on = !peer->dead && (!peer->closing || peer->out.len || peer->sending);
	if (goes_on)
		changed(peer);
	pthread_mutex_unlock(&peer->lock);
	return goes_on;
}

/* Where the messages of one kind that follow each other end: they are answered at once. */
static const char *echoes_end(const char *data, const char *end)
{
	while (data < end && *data == 'E')
		data = (const char *)memchr(data, '\n', (size_t)(end - data)) + 1;
	return data;
}

/* Acts on whole lines. */
static void act(struct peer *peer, const char *data, size_t len)
{
	const char *next, *end = data + len;

	for (; data < end && !peer->closing; data = next) {
		next = echoes_end(data, end);
		if (next > data) {
			peer_put(peer, data, (size_t)(next - data));
			continue;
		}
		next = (const char *)memchr(data, '\n', (size_t)(end - data)) + 1;
		if (*data == 'B')
			(model->tell ?: room_send)(peer, data, (size_t)(next - data));
		else if (*data == 'Q')
			peer_close(peer);
		else
			peer_drop(peer);
		if (peer->dead)
			return;
	}
}

void peer_hear(struct peer *peer, const char *data, size_t len)
{
	const char *last;

	if (peer->in.len) {
		const char *end = memchr(data, '\n', len);
		size_t more = end ? (size_t)(end + 1 - data) : len;

		buffer_append(&peer->in, data, more);
		data += more;
		len -= more;
		if (peer->in.len > LINE_MAX_BYTES)
			return peer_drop(peer);
		if (!end)
			return;
		act(peer, peer->in.data + peer->in.from, peer->in.len);
		buffer_free(&peer->in);
	}
	last = memrchr(data, '\n', len);
	if (last) {
		act(peer, data, (size_t)(last + 1 - data));
		len -= (size_t)(last + 1 - data);
		data = last + 1;
	}
	if (len)
		buffer_append(&peer->in, data, len);
}

static bool may_talk(struct peer *peer)
{
	bool may;

	pthread_mutex_lock(&peer->lock);
	may = peer_wants(peer) & WANT_IN;
	pthread_mutex_unlock(&peer->lock);
	return may;
}

bool peer_serve(struct peer *peer, int ready, bool edge)
{
	char bytes[READ_BYTES];
	ssize_t got;

	peer_begin(peer);
	if (ready & WANT_OUT)
		peer_flush(peer);
	/* Where reports are edges, that of one who was not to talk has gone by: it is tried. */
	while ((edge || ready & WANT_IN) && may_talk(peer)) {
		got = recv(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			break;
		if (got > 0)
			peer_hear(peer, bytes, (size_t)got);
		else if (!got)
			peer_close(peer);
		if (got < 0 || peer->dead) {
			peer_drop(peer);
			break;
		}
		if (!edge)
			break;
	}
	return peer_rest(peer);
}

bool peer_answer(struct peer *peer, const char *data, ssize_t len)
{
	peer_begin(peer);
	if (len > 0)
		peer_hear(peer, data, (size_t)len);
	else
		peer_close(peer);
	flush_asleep(peer);
	return peer_rest(peer);
}

void peer_talk(struct peer *peer)
{
	char bytes[READ_BYTES];
	ssize_t got;

	do
		got = recv(peer->fd, bytes, sizeof(bytes), 0);
	while ((got < 0 && errno == EINTR) || peer_answer(peer, bytes, got));
}

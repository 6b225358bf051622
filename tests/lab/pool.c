// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pool of threads: one waits for all connections and hands who is ready to the next free worker,
 * which serves it once and arms it again (EPOLLONESHOT, so that no two serve the same one).
 */
#include "model.h"

#include <stdlib.h>
#include <sys/epoll.h>

#define WORKERS 4
#define BATCH 64

/* Under `lock`: who may still be served, by descriptor, and those that are ready, in a ring. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct peer **peers;
static struct job {
	struct peer *peer;
	int ready;
} *jobs;
static size_t size, first, queued;
static int ep;

static uint64_t label(const struct peer *peer)
{
	return (uint64_t)peer->serial << 32 | (uint32_t)peer->fd;
}

static void control(int op, struct peer *peer)
{
	struct epoll_event event = {
		.events = EPOLLONESHOT | (peer->watched & WANT_IN ? EPOLLIN : 0) |
			  (peer->watched & WANT_OUT ? EPOLLOUT : 0),
		.data.u64 = label(peer),
	};

	epoll_ctl(ep, op, peer->fd, &event);
}

static void changed(struct peer *peer)
{
	peer->watched = peer_wants(peer);
	control(EPOLL_CTL_MOD, peer);
}

static void grow(int fd)
{
	size_t larger = (size_t)fd * 2;

	if ((size_t)fd < size)
		return;
	/* Each descriptor has one job at most; the ring is made straight. */
	struct job *ring = calloc(larger, sizeof(*ring));

	peers = reallocarray(peers, larger, sizeof(*peers));
	if (!ring || !peers)
		fail("memory for clients");
	memset(peers + size, 0, (larger - size) * sizeof(*peers));
	for (size_t i = 0; i < queued; i++)
		ring[i] = jobs[(first + i) % size];
	free(jobs);
	jobs = ring;
	first = 0;
	size = larger;
}

static void enter(int fd)
{
	struct peer *peer = peer_new(fd);

	pthread_mutex_lock(&lock);
	grow(fd);
	peers[fd] = peer;
	pthread_mutex_unlock(&lock);
	control(EPOLL_CTL_ADD, peer);
}

/* Who was served and freed since the report, or is being served, is left alone. */
static void dispatch(const struct epoll_event *event)
{
	uint32_t fd = (uint32_t)event->data.u64, serial = event->data.u64 >> 32;
	int ready = (event->events & ~EPOLLOUT ? WANT_IN : 0) |
		    (event->events & EPOLLOUT ? WANT_OUT : 0);
	struct peer *peer;

	pthread_mutex_lock(&lock);
	peer = peers[fd];
	if (peer && peer->serial == serial) {
		pthread_mutex_lock(&peer->lock);
		if (!peer->busy) {
			peer->busy = true;
			peer->watched = 0;
			jobs[(first + queued++) % size] = (struct job){ peer, ready };
			pthread_cond_signal(&more);
		}
		pthread_mutex_unlock(&peer->lock);
	}
	pthread_mutex_unlock(&lock);
}

static void *work(void *arg)
{
	for (;;) {
		struct job job;

		pthread_mutex_lock(&lock);
		while (!queued)
			pthread_cond_wait(&more, &lock);
		job = jobs[first];
		first = (first + 1) % size;
		queued--;
		pthread_mutex_unlock(&lock);
		if (peer_serve(job.peer, job.ready, false))
			continue;
		pthread_mutex_lock(&lock);
		peers[job.peer->fd] = NULL;
		pthread_mutex_unlock(&lock);
		peer_free(job.peer);
	}
	return arg;
}

static void accept_all(int listener)
{
	int fd;

	while ((fd = listener_accept(listener, false)) >= 0)
		enter(fd);
}

static void run(int listener)
{
	struct epoll_event events[BATCH], event = { .events = EPOLLIN };
	pthread_t thread;

	ep = epoll_create1(EPOLL_CLOEXEC);
	nonblocking(listener);
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &event))
		fail("epoll");
	for (int i = 0; i < WORKERS; i++)
		if ((errno = pthread_create(&thread, NULL, work, NULL)))
			fail("a worker");
	for (;;) {
		int ready = epoll_wait(ep, events, BATCH, -1);

		for (int i = 0; i < ready; i++)
			if (events[i].data.u64)
				dispatch(&events[i]);
			else
				accept_all(listener);
	}
}

const struct model model_pool = {
	.about = "one thread waits with epoll for all, and hands to 4 workers",
	.run = run,
	.changed = changed,
};

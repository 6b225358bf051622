// SPDX-License-Identifier: GPL-2.0-only
/*
 * claims: what is said of poll and epoll, tried. One line of JSON.
 *
 * "epoll shares memory with user space": then its descriptor could be mapped, the caller's buffer
 * would not be written to by the call, and a buffer that is not there would do no harm.
 * "poll keeps a linked list of descriptors": then the set would outlive the call.
 */
#include "micro.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#define SET 64
#define READY 5
#define FILLED 0xa5

static const char *name_of(int error)
{
	return error ? strerrorname_np(error) : "";
}

static const char *map_epoll(int ep)
{
	void *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, ep, 0);

	return name_of(at == MAP_FAILED ? errno : 0);
}

/* What epoll_wait() wrote into the caller's memory, in which nothing was before. */
static int bytes_written(int ep)
{
	static unsigned char buffer[SET * sizeof(struct epoll_event)];
	int end = (int)sizeof(buffer);

	memset(buffer, FILLED, sizeof(buffer));
	must(epoll_wait(ep, (struct epoll_event *)(void *)buffer, SET, 0));
	while (end && buffer[end - 1] == FILLED)
		end--;
	return end;
}

static const char *wait_without_memory(int ep)
{
	struct epoll_event *volatile nowhere = (struct epoll_event *)8;

	return name_of(epoll_wait(ep, nowhere, SET, 0) < 0 ? errno : 0);
}

static void try_epoll(const int *fds)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 1 };
	int ep = must(epoll_create1(0));

	for (int i = 0; i < SET; i++)
		must(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &event));
	printf("\"epoll_mmap\":\"%s\"", map_epoll(ep));
	printf(",\"epoll_asked\":%d,\"epoll_ready\":%d", SET, READY);
	printf(",\"epoll_event_bytes\":%zu", sizeof(struct epoll_event));
	printf(",\"epoll_written_bytes\":%d", bytes_written(ep));
	printf(",\"epoll_bad_buffer\":\"%s\"", wait_without_memory(ep));
}

/* A call with the set, and one with an empty set: was anything kept of the first? */
static bool poll_remembers(struct pollfd *set)
{
	must(poll(set, SET, 0));
	return must(poll(set, 0, 0)) != 0;
}

static bool only_results_written(struct pollfd *set, const int *fds)
{
	must(poll(set, SET, 0));
	for (int i = 0; i < SET; i++)
		if (set[i].fd != fds[i] || set[i].events != POLLIN)
			return false;
	return true;
}

/* More entries than descriptors may be open are refused, though the memory is there. */
static const char *poll_too_many(void)
{
	struct rlimit limit;
	struct pollfd *set;

	must(getrlimit(RLIMIT_NOFILE, &limit));
	set = calloc(limit.rlim_cur + 1, sizeof(*set));
	return name_of(set && poll(set, limit.rlim_cur + 1, 0) < 0 ? errno : 0);
}

static void try_poll(const int *fds)
{
	struct pollfd set[SET];

	for (int i = 0; i < SET; i++)
		set[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	printf(",\"poll_remembers\":%s", poll_remembers(set) ? "true" : "false");
	printf(",\"poll_writes_only_results\":%s",
	       only_results_written(set, fds) ? "true" : "false");
	printf(",\"poll_more_than_limit\":\"%s\"", poll_too_many());
	printf(",\"poll_entry_bytes\":%zu", sizeof(*set));
}

int main(void)
{
	int fds[SET];

	for (int i = 0; i < SET; i++)
		fds[i] = must(eventfd(i < READY, 0));
	putchar('{');
	try_epoll(fds);
	try_poll(fds);
	puts("}");
	return 0;
}

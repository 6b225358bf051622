// SPDX-License-Identifier: GPL-2.0-only
/*
 * One call over and over: calls [-n DESCRIPTORS] [-c CPU] getppid|read|epoll|poll|select
 *
 * getppid is a call nobody watches. read finds an empty eventfd. epoll is write, epoll_wait and
 * read (3 calls a step), with one descriptor of the set ready; poll and select look at the whole
 * set, of which one is ready and stays so.
 */
#include "load.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#define BITS_A_WORD (8 * sizeof(long))

static long nr_members = 1;
static int *members;
static int epoll_set;
static struct pollfd *entries;
static unsigned long *wanted, *found;
static size_t set_bytes;
static long nfds;

static double call_getppid(long steps)
{
	for (long i = 0; i < steps; i++)
		syscall(SYS_getppid);
	return steps;
}

static double call_read(long steps)
{
	uint64_t count;

	for (long i = 0; i < steps; i++)
		if (read(members[0], &count, sizeof(count)) >= 0)
			die("read");
	return steps;
}

static double call_epoll(long steps)
{
	struct epoll_event events[BATCH];
	uint64_t one = 1;

	for (long i = 0; i < steps; i++) {
		must(write(members[0], &one, sizeof(one)));
		must(epoll_wait(epoll_set, events, BATCH, -1));
		must(read(members[0], &one, sizeof(one)));
	}
	return steps;
}

static double call_poll(long steps)
{
	for (long i = 0; i < steps; i++)
		must(poll(entries, nr_members, -1));
	return steps;
}

/* The system call itself: the library's fd_set ends at 1,024. */
static double call_select(long steps)
{
	for (long i = 0; i < steps; i++) {
		memcpy(found, wanted, set_bytes);
		must(syscall(SYS_select, nfds, found, NULL, NULL, NULL));
	}
	return steps;
}

static void make_members(void)
{
	members = calloc(nr_members, sizeof(*members));
	if (!members)
		die("calloc");
	for (long i = 0; i < nr_members; i++)
		members[i] = must(eventfd(0, EFD_NONBLOCK));
}

static void make_ready(void)
{
	uint64_t one = 1;

	must(write(members[0], &one, sizeof(one)));
}

static void prepare_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	epoll_set = must(epoll_create1(0));
	for (long i = 0; i < nr_members; i++) {
		event.data.fd = members[i];
		must(epoll_ctl(epoll_set, EPOLL_CTL_ADD, members[i], &event));
	}
}

static void prepare_poll(void)
{
	entries = calloc(nr_members, sizeof(*entries));
	if (!entries)
		die("calloc");
	for (long i = 0; i < nr_members; i++)
		entries[i] = (struct pollfd){ .fd = members[i], .events = POLLIN };
	make_ready();
}

static void prepare_select(void)
{
	nfds = members[nr_members - 1] + 1;
	set_bytes = (nfds / BITS_A_WORD + 1) * sizeof(long);
	wanted = calloc(1, set_bytes);
	found = calloc(1, set_bytes);
	if (!wanted || !found)
		die("calloc");
	for (long i = 0; i < nr_members; i++)
		wanted[members[i] / BITS_A_WORD] |= 1UL << members[i] % BITS_A_WORD;
	make_ready();
}

static void prepare_nothing(void)
{
}

static const struct kind {
	const char *name;
	void (*prepare)(void);
	run_fn run;
} kinds[] = {
	{ "getppid", prepare_nothing, call_getppid },
	{ "read", prepare_nothing, call_read },
	{ "epoll", prepare_epoll, call_epoll },
	{ "poll", prepare_poll, call_poll },
	{ "select", prepare_select, call_select },
};

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; name && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	fputs("usage: calls [-n DESCRIPTORS] [-c CPU] getppid|read|epoll|poll|select\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	const struct kind *kind;
	int option, cpu = 0;

	while ((option = getopt(argc, argv, "n:c:")) != -1) {
		if (option == 'n')
			nr_members = number_of(optarg);
		else if (option == 'c')
			cpu = number_of(optarg);
		else
			return 2;
	}
	kind = find_kind(argv[optind]);
	raise_descriptor_limit();
	make_members();
	kind->prepare();
	pin(cpu);
	return serve_runs(kind->run);
}

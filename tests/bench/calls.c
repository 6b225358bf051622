// SPDX-License-Identifier: GPL-2.0-only
/*
 * One call over and over: calls [-n DESCRIPTORS] [-c CPU] KIND
 *
 * getppid is a call nobody watches. read finds an empty eventfd, null an empty file. epoll is
 * write, epoll_wait and read (3 calls a step), with one descriptor of the set ready; wait is
 * epoll_wait alone, poll and select look at the whole set: of these one is ready and stays so.
 * ctl changes an item of an epoll set to what it is. tcp is 64 KiB sent and received (2 calls).
 * spin makes no call: a step is 2 instructions.
 */
#include "load.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define BITS_A_WORD (8 * sizeof(long))
#define STREAM_BYTES (64 << 10)

static long nr_members = 1;
static int *members;
static int epoll_set;
static struct pollfd *entries;
static unsigned long *wanted, *found;
static size_t set_bytes;
static long nfds;
static int null_file;
static int sender, receiver;

static double spin(long steps)
{
	long left = steps;

	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(left));
	return steps;
}

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

static double call_null(long steps)
{
	uint64_t count;

	for (long i = 0; i < steps; i++)
		must(read(null_file, &count, sizeof(count)));
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

static double call_wait(long steps)
{
	struct epoll_event events[BATCH];

	for (long i = 0; i < steps; i++)
		must(epoll_wait(epoll_set, events, BATCH, -1));
	return steps;
}

static double call_ctl(long steps)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = members[0] };

	for (long i = 0; i < steps; i++)
		must(epoll_ctl(epoll_set, EPOLL_CTL_MOD, members[0], &event));
	return steps;
}

static double call_tcp(long steps)
{
	static char bytes[STREAM_BYTES];

	for (long i = 0; i < steps; i++) {
		if (send(sender, bytes, sizeof(bytes), 0) != sizeof(bytes))
			die("send");
		if (recv(receiver, bytes, sizeof(bytes), MSG_WAITALL) != sizeof(bytes))
			die("recv");
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

static void prepare_wait(void)
{
	prepare_epoll();
	make_ready();
}

static void prepare_null(void)
{
	null_file = must(open("/dev/null", O_RDONLY));
}

/* Room for more than is sent at a time, so that nothing sleeps. */
static int make_socket(void)
{
	int fd = must(socket(AF_INET, SOCK_STREAM, 0)), bytes = 4 * STREAM_BYTES;

	must(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)));
	must(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)));
	return fd;
}

static void prepare_tcp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int listener = make_socket();

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(listener, (struct sockaddr *)&address, size));
	must(listen(listener, 1));
	must(getsockname(listener, (struct sockaddr *)&address, &size));
	sender = make_socket();
	must(connect(sender, (struct sockaddr *)&address, size));
	receiver = must(accept(listener, NULL, NULL));
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
	{ "spin", prepare_nothing, spin },
	{ "getppid", prepare_nothing, call_getppid },
	{ "read", prepare_nothing, call_read },
	{ "null", prepare_null, call_null },
	{ "epoll", prepare_epoll, call_epoll },
	{ "wait", prepare_wait, call_wait },
	{ "ctl", prepare_epoll, call_ctl },
	{ "poll", prepare_poll, call_poll },
	{ "select", prepare_select, call_select },
	{ "tcp", prepare_tcp, call_tcp },
};

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; name && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	fputs("usage: calls [-n DESCRIPTORS] [-c CPU] KIND\nkinds:", stderr);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		fprintf(stderr, " %s", kinds[i].name);
	fputc('\n', stderr);
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

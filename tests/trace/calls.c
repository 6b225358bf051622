// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes calls one after the other, and prints what iophase trace must say of each: in this
 * order, and nothing else. A line is a JSON object; its keys are those of a traced call, but for
 *	kind	the first word of the descriptor's name
 *	same	the call before, by its number from 0, that was on the same file
 *	other	and one that was not
 * Its own last write is the only one that it does not tell.
 */
#include "../truth/truth.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

static int told;	/* number of the next call */

/* Opens the line of a call that returned @result, or failed with errno. */
static void tell(const char *call, long result)
{
	truth_put("{\"call\":\"%s\",\"result\":%ld", call, result < 0 ? -(long)errno : result);
	told++;
}

static void with(const char *key, long value)
{
	truth_put(",\"%s\":%ld", key, value);
}

static void with_text(const char *key, const char *value)
{
	truth_put(",\"%s\":\"%s\"", key, value);
}

/* What a wait reported: numbers and names of events, in turn, ended by -1. */
static void with_events(int fd, ...)
{
	const char *between = "";
	va_list list;

	truth_put(",\"events\":[");
	va_start(list, fd);
	for (; fd >= 0; fd = va_arg(list, int), between = ",")
		truth_put("%s[%d,\"%s\"]", between, fd, va_arg(list, const char *));
	va_end(list);
	truth_put("]");
}

static void end(void)
{
	truth_put("}\n");
}

static void tell_fd(const char *call, long result, int fd, const char *kind)
{
	tell(call, result);
	with("fd", fd);
	if (kind)
		with_text("kind", kind);
}

static void put_bytes(int fd, const char *kind)
{
	tell_fd("write", write(fd, "12345678", 8), fd, kind);
	with("length", 8);
	with("bytes", 8);
	end();
}

static void take_bytes(int fd, const char *kind)
{
	char buf[100];

	tell_fd("read", read(fd, buf, sizeof(buf)), fd, kind);
	with("length", sizeof(buf));
	with("bytes", 8);
	end();
}

static void control(int ep, int op, const char *name, int fd, u_int64_t data, const char *kind)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = data };

	tell_fd("epoll_ctl", epoll_ctl(ep, op, fd, &event), fd, kind);
	with("other_fd", ep);
	with_text("op", name);
	end();
}

/*
 * A wait of @ms on @ep, of @asked descriptors, that is to report @ready and to scan so many
 * more: those that it reported last, which are not ready any more. Its line stays open.
 */
static void wait_on(int ep, int ms, long asked, long ready, long stale)
{
	struct epoll_event events[32];
	long n = epoll_wait(ep, events, ARRAY_SIZE(events), ms);

	must(n == ready);
	tell("epoll_wait", n);
	with("fd", ep);
	if (ms >= 0)
		with("timeout_ms", ms);
	with("asked", asked);
	with("scanned", ready + stale);
	with("ready", ready);
}

/* The data of what is registered is its number, a pointer, or a number with something above it. */
static void epolls(void)
{
	int ep = epoll_create1(0), ends[2], event = eventfd(0, EFD_NONBLOCK);

	must(ep >= 0 && event >= 0 && !pipe(ends));
	control(ep, EPOLL_CTL_ADD, "ADD", ends[0], (u_int64_t)(uintptr_t)&ep, "pipe");
	control(ep, EPOLL_CTL_ADD, "ADD", event, 0xdead00000000ull | (u_int32_t)event, "eventfd");
	wait_on(ep, 0, 2, 0, 0);
	with_events(-1);
	end();
	put_bytes(ends[1], "pipe");
	wait_on(ep, -1, 2, 1, 0);
	with_events(ends[0], "IN", -1);
	end();
	take_bytes(ends[0], "pipe");
	put_bytes(event, "eventfd");
	wait_on(ep, 1000, 2, 1, 1);
	with_events(event, "IN", -1);
	end();
	control(ep, EPOLL_CTL_DEL, "DEL", event, 0, "eventfd");
	close(ends[1]);
	wait_on(ep, 1000, 1, 1, 0);
	with_events(ends[0], "HUP", -1);
	end();
	close(ends[0]);
	close(event);
	close(ep);
}

#define MANY	20
#define TOLD	16	/* so many are told of one wait */

/* More than a record has room for. */
static void many(void)
{
	int ep = epoll_create1(0), fds[MANY];

	for (int i = 0; i < MANY; i++) {
		fds[i] = eventfd(1, 0);
		control(ep, EPOLL_CTL_ADD, "ADD", fds[i], fds[i], "eventfd");
	}
	wait_on(ep, 0, MANY, MANY, 0);
	with("events_cut", MANY - TOLD);
	truth_put(",\"events\":[");
	for (int i = 0; i < TOLD; i++)
		truth_put("%s[%d,\"IN\"]", i ? "," : "", fds[i]);
	truth_put("]");
	end();
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	close(ep);
}

static void polls(void)
{
	int ends[2], idle[2];
	struct pollfd set[3];
	fd_set in, out;
	int high;

	must(!pipe(ends) && !pipe(idle));
	set[0] = (struct pollfd){ .fd = idle[0], .events = POLLIN };
	set[1] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	set[2] = (struct pollfd){ .fd = -1 };
	put_bytes(ends[1], "pipe");
	close(ends[1]);
	tell("poll", poll(set, 3, 1000));
	with("timeout_ms", 1000);
	with("asked", 2);
	with("scanned", 2);
	with("passes", 1);
	with("ready", 1);
	with_events(ends[0], "IN|HUP", -1);
	end();

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(idle[0], &in);
	FD_SET(ends[0], &in);
	FD_SET(idle[1], &out);
	high = idle[1] > ends[0] ? idle[1] : ends[0];
	/* select(3) of the C library is the call pselect6. */
	tell("select", syscall(SYS_select, high + 1, &in, &out, NULL, NULL));
	with("asked", 3);
	with("scanned", 3);
	with("ready", 2);
	must(ends[0] < idle[1]);
	with_events(ends[0], "IN", idle[1], "OUT", -1);
	end();
	close(ends[0]);
	close(idle[0]);
	close(idle[1]);
}

/* One number, three files; and one file, two numbers. */
static void numbers(void)
{
	int ends[2], event, other, first, second;

	must(!pipe(ends));
	first = told;
	put_bytes(ends[1], "pipe");
	other = dup(ends[1]);
	tell_fd("write", write(other, "12345678", 8), other, "pipe");
	with("same", first);
	end();
	close(ends[1]);
	event = eventfd(0, 0);
	must(event == ends[1]);
	second = told;
	tell_fd("write", write(event, "12345678", 8), event, "eventfd");
	with("other", first);
	end();
	close(event);
	event = eventfd(0, 0);
	tell_fd("write", write(event, "12345678", 8), event, "eventfd");
	with("other", second);
	end();
	close(event);
	close(other);
	close(ends[0]);
}

static void sockets(void)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), client, server, pair[2];
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(!bind(listener, (void *)&address, size) && !listen(listener, 5));
	must(!getsockname(listener, (void *)&address, &size));
	client = socket(AF_INET, SOCK_STREAM, 0);
	tell_fd("connect", connect(client, (void *)&address, size), client, "tcp");
	truth_put(",\"port\":%u", ntohs(address.sin_port));
	end();
	server = accept4(listener, NULL, NULL, 0);
	tell_fd("accept4", server, listener, "listener");
	with_text("accepted_kind", "tcp");
	end();
	put_bytes(client, "tcp");
	take_bytes(server, "tcp");
	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	put_bytes(pair[0], "unix");
	take_bytes(pair[1], "unix");
	close(pair[0]);
	close(pair[1]);
	close(client);
	close(server);
	close(listener);
}

/* What fails is told with its errno; a number that means nothing has no name. */
static void failures(void)
{
	int ends[2], ep = epoll_create1(0);
	char byte;

	must(!pipe2(ends, O_NONBLOCK));
	tell_fd("read", read(ends[0], &byte, 1), ends[0], "pipe");
	with_text("error", "EAGAIN");
	end();
	tell_fd("read", read(900, &byte, 1), 900, NULL);
	with_text("error", "EBADF");
	truth_put(",\"name\":null");
	end();
	tell("epoll_wait", syscall(SYS_epoll_wait, ep, &byte, 0, 0));
	with_text("error", "EINVAL");
	with("scanned", 0);
	end();
	close(ends[0]);
	close(ends[1]);
	close(ep);
}

static void pairs(void)
{
	int from[2], to[2];
	int zero = open("/dev/zero", O_RDONLY);

	must(!pipe(from) && !pipe(to) && zero >= 0);
	put_bytes(from[1], "pipe");
	tell_fd("splice", splice(from[0], NULL, to[1], NULL, 8, 0), from[0], "pipe");
	with("other_fd", to[1]);
	end();
	tell_fd("read", read(zero, &(int){ 0 }, 4), zero, NULL);
	with_text("kind", ".../zero");
	end();
	close(zero);
	close(from[0]);
	close(from[1]);
	close(to[0]);
	close(to[1]);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	epolls();
	many();
	polls();
	numbers();
	sockets();
	failures();
	pairs();
	truth_write();
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
#include "model/fd.h"

#include <arpa/inet.h>
#include <err.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"

static const struct {
	const char *name, *unit;
} kinds[NR_FILE_KINDS] = {
#define KIND(name, text, left) [KIND_##name] = { text, left },
#include "bpf/kinds.def"
#undef KIND
};

const char *kind_name(u8 kind)
{
	return kind < NR_FILE_KINDS ? kinds[kind].name : "other";
}

const char *kind_unit(u8 kind)
{
	return kind < NR_FILE_KINDS ? kinds[kind].unit : "";
}

const char *watch_name(u8 watch)
{
	static const char *const names[] = {
		[WATCH_SELECT] = "select", [WATCH_POLL] = "poll", [WATCH_EPOLL] = "epoll",
	};

	return watch < ARRAY_SIZE(names) ? names[watch] : NULL;
}

#define FAMILY_INET6 10

/* "127.0.0.1:80", "[::1]:80". */
static void endpoint(char *buf, size_t size, const struct file_name *name, const u8 *address,
		     u16 port)
{
	char text[INET6_ADDRSTRLEN] = "?";
	bool six = name->family == FAMILY_INET6;

	inet_ntop(six ? AF_INET6 : AF_INET, address, text, sizeof(text));
	snprintf(buf, size, six ? "[%s]:%u" : "%s:%u", text, port);
}

static struct text inet_name(const char *kind, const struct file_name *name)
{
	char local[64], peer[64];
	struct text text;

	endpoint(local, sizeof(local), name, name->address, name->port);
	endpoint(peer, sizeof(peer), name, name->peer, name->peer_port);
	if (name->peer_port)
		snprintf(text.buf, sizeof(text.buf), "%s %s-%s", kind, local, peer);
	else
		snprintf(text.buf, sizeof(text.buf), "%s %s", kind, local);
	return text;
}

/* A name of which the hooks took no more than there is room for says so. */
static struct text cut_name(const char *name, size_t size,
			    struct text (*escape)(const char *, size_t))
{
	struct text text = escape(name, size);

	if (strnlen(name, size) >= size - 1 && strlen(text.buf) + 4 < sizeof(text.buf))
		strcat(text.buf, "...");
	return text;
}

/* An abstract name begins with a zero byte, shown as @ as other tools do. */
static struct text unix_name(const struct file_name *name,
			     struct text (*escape)(const char *, size_t))
{
	bool abstract = !name->path[0] && name->path[1];
	struct text path = cut_name(name->path + abstract, FILE_NAME_LEN - abstract, escape), text;
	char peer[24] = "";

	if (name->peer_tgid)
		snprintf(peer, sizeof(peer), " pid %u", name->peer_tgid);
	snprintf(text.buf, sizeof(text.buf), "unix%s%s%.200s%s", path.buf[0] ? " " : "",
		 abstract ? "@" : "", path.buf, peer);
	return text;
}

/* The path of an open file, if the number still means the same one. */
static bool path_of(const struct row_fd *fd, char *path, size_t size)
{
	char link[64];
	struct stat st;
	ssize_t n;

	if (fd->path) {
		snprintf(path, size, "%s", fd->path);
		return *path;
	}
	if (fd->head.closed_ns)
		return false;
	snprintf(link, sizeof(link), "/proc/%u/fd/%u", fd->head.tgid, fd->head.fd);
	if (stat(link, &st) || (u32)st.st_ino != fd->descriptor.ino)
		return false;
	n = readlink(link, path, size - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	return true;
}

static bool has_path(const struct row_fd *fd)
{
	return !fd->many && (fd->descriptor.kind >= KIND_REGULAR || fd->descriptor.kind == KIND_PIPE);
}

void fd_find_path(struct row_fd *fd)
{
	char path[256] = "";

	if (fd->path)
		return;
	if (!has_path(fd) || !path_of(fd, path, sizeof(path)))
		path[0] = '\0';
	fd->path = strdup(path);
	if (!fd->path)
		errx(EXIT_RUNTIME, "out of memory");
}

static struct text file_text(const struct row_fd *fd, struct text (*escape)(const char *, size_t))
{
	const struct descriptor *d = &fd->descriptor;
	char path[256];
	struct text text, name;

	if (path_of(fd, path, sizeof(path)))
		return escape(path, sizeof(path));
	name = cut_name(fd->head.name.path, FILE_NAME_LEN, escape);
	if (name.buf[0])
		snprintf(text.buf, sizeof(text.buf), ".../%.240s", name.buf);
	else
		snprintf(text.buf, sizeof(text.buf), "%s:[%u]", kind_name(d->kind), d->ino);
	return text;
}

struct text fd_name(const struct row_fd *fd, struct text (*escape)(const char *, size_t))
{
	const struct descriptor *d = &fd->descriptor;
	struct text text;

	if (fd->many)
		snprintf(text.buf, sizeof(text.buf), "%llu closed descriptors",
			 (unsigned long long)fd->merged);
	else if (has_path(fd))
		return file_text(fd, escape);
	else if (d->kind >= KIND_EVENTFD)
		snprintf(text.buf, sizeof(text.buf), "%s", kind_name(d->kind));
	else if (!fd->head.named || d->kind == KIND_OTHER || d->kind == KIND_SOCKET)
		snprintf(text.buf, sizeof(text.buf), "%s:[%u]", kind_name(d->kind), d->ino);
	else if (d->kind == KIND_UNIX)
		return unix_name(&fd->head.name, escape);
	else
		return inet_name(kind_name(d->kind), &fd->head.name);
	return text;
}

struct text fd_watch(const struct row_fd *fd)
{
	const struct descriptor *d = &fd->descriptor;
	struct text text;

	if (d->watch != WATCH_EPOLL)
		snprintf(text.buf, sizeof(text.buf), "%s", watch_name(d->watch) ? : "-");
	else
		snprintf(text.buf, sizeof(text.buf), "%s%s%s%s", d->mask & EPOLLET ? "ET" : "LT",
			 d->mask & EPOLLONESHOT ? "1" : "", d->mask & EPOLLEXCLUSIVE ? "X" : "",
			 fd_ambiguous(fd) ? "?" : "");
	return text;
}

u32 fd_left(const struct row_fd *fd)
{
	if (fd->many)
		return LEFT_UNKNOWN;
	return fd->head.queued == LEFT_UNKNOWN ? fd->descriptor.left : fd->head.queued;
}

struct text loop_name(const struct event_loop *loop)
{
	struct text text;

	snprintf(text.buf, sizeof(text.buf), "%s %u", watch_name(loop->key.watch) ? : "?",
		 loop->key.watch == WATCH_EPOLL ? loop->epfd : loop->key.tid);
	return text;
}

const char *tcp_state_name(const struct row_fd *fd)
{
	/* include/net/tcp_states.h */
	static const char *const names[] = {
		NULL, "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait",
		"closed", "close-wait", "last-ack", "listen", "closing", "new-syn-recv",
	};
	u8 kind = fd->descriptor.kind, state = fd->head.name.state;

	if ((kind != KIND_TCP && kind != KIND_LISTENER) || !fd->head.named || fd->many)
		return NULL;
	return state < ARRAY_SIZE(names) ? names[state] : NULL;
}

double fd_lag_quantile(const u32 *hist, double q)
{
	u64 count = 0, seen = 0, rank;

	for (int i = 0; i < LAG_BUCKETS; i++)
		count += hist[i];
	rank = ceil(q * count);
	for (int i = 0; i < LAG_BUCKETS && count; i++) {
		seen += hist[i];
		if (seen >= rank)
			return exp2(i + LAG_BASE + 1);
	}
	return -1;
}

bool fd_closed(const struct row_fd *fd)
{
	return (fd->head.closed_ns && !fd->head.ended) || fd->descriptor.flags & FD_CLOSED;
}

bool fd_shared(const struct row_fd *fd)
{
	return fd->descriptor.flags & FD_SHARED || fd->holders > 1;
}

bool fd_ambiguous(const struct row_fd *fd)
{
	return fd->descriptor.flags & FD_AMBIGUOUS;
}

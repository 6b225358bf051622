// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors and event loops in words, and their rows. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"

#include "user/model/fd.h"
#include "user/options.h"

#define INET 2
#define INET6 10

static struct row_fd named(u8 kind)
{
	return (struct row_fd){
		.head = { .fd = 7, .named = 1, .closed_ns = 1, .queued = LEFT_UNKNOWN },
		.descriptor = { .kind = kind, .ino = 4711, .left = LEFT_UNKNOWN },
	};
}

static void assert_name(const struct row_fd *fd, const char *name)
{
	assert_string_equal(fd_name(fd, text_name).buf, name);
}

static void sockets(void **state)
{
	struct row_fd fd = named(KIND_TCP);

	(void)state;
	fd.head.name = (struct file_name){ .family = INET, .port = 80, .peer_port = 41772, .state = 8 };
	inet_pton(AF_INET, "10.0.0.1", fd.head.name.address);
	inet_pton(AF_INET, "10.0.0.5", fd.head.name.peer);
	assert_name(&fd, "tcp 10.0.0.1:80-10.0.0.5:41772");
	assert_string_equal(tcp_state_name(&fd), "close-wait");
	fd.head.name.family = INET6;
	inet_pton(AF_INET6, "::1", fd.head.name.address);
	inet_pton(AF_INET6, "fe80::2", fd.head.name.peer);
	assert_name(&fd, "tcp [::1]:80-[fe80::2]:41772");
	fd.head.name.state = 200;
	assert_null(tcp_state_name(&fd));
	fd.head.name.peer_port = 0;
	fd.descriptor.kind = KIND_LISTENER;
	assert_name(&fd, "listener [::1]:80");
	fd.head.named = 0;
	assert_name(&fd, "listener:[4711]");
	assert_null(tcp_state_name(&fd));
}

static void unix_sockets(void **state)
{
	struct row_fd fd = named(KIND_UNIX);

	(void)state;
	assert_name(&fd, "unix");
	fd.head.name.peer_tgid = 12;
	assert_name(&fd, "unix pid 12");
	strcpy(fd.head.name.path, "/run/\x1b[2J");
	assert_name(&fd, "unix /run/\\x1b[2J pid 12");
	memcpy(fd.head.name.path, "\0bus", 5);
	assert_name(&fd, "unix @bus pid 12");
	/* A path that fills its place has no end of its own, and is perhaps longer. */
	memset(fd.head.name.path, 'x', FILE_NAME_LEN);
	assert_int_equal(strlen(fd_name(&fd, text_name).buf),
			 strlen("unix ... pid 12") + FILE_NAME_LEN);
}

static void files(void **state)
{
	struct row_fd fd = named(KIND_REGULAR);

	(void)state;
	assert_name(&fd, "file:[4711]");
	strcpy(fd.head.name.path, "dump.rdb");
	assert_name(&fd, ".../dump.rdb");
	fd = named(KIND_EVENTFD);
	assert_name(&fd, "eventfd");
	fd.many = true;
	fd.merged = 3;
	assert_name(&fd, "3 closed descriptors");
	/* A number that means no file of this inode now. */
	fd = named(KIND_REGULAR);
	fd.head.closed_ns = 0;
	fd.head.tgid = 1;
	assert_name(&fd, "file:[4711]");
}

static void closed(void **state)
{
	struct row_fd fd = named(KIND_PIPE);

	(void)state;
	assert_true(fd_closed(&fd));
	fd.head.ended = 1;
	assert_false(fd_closed(&fd));
	fd.head.closed_ns = 0;
	assert_false(fd_closed(&fd));
	fd.descriptor.flags = FD_CLOSED;
	assert_true(fd_closed(&fd));
}

static void quantiles(void **state)
{
	u32 hist[LAG_BUCKETS] = { 0 };

	(void)state;
	assert_true(fd_lag_quantile(hist, 0.99) < 0);
	hist[0] = 98;
	hist[3] = 1;
	hist[LAG_BUCKETS - 1] = 1;
	assert_true(fd_lag_quantile(hist, 0.5) == 2048);
	assert_true(fd_lag_quantile(hist, 0.99) == 16384);
	assert_true(fd_lag_quantile(hist, 1) == 1 << 30);
}

/* Two readings: what is between them is their difference, and what was closed before is gone. */
static void intervals(void **state)
{
	struct row_key key = { .proc = 5, .object = 100 }, other = { .proc = 5, .object = 101 };
	struct row_fd fd = named(KIND_PIPE);
	struct rows before, now;
	struct row *row;

	(void)state;
	rows_init(&before, BY_FD | BY_PROCESS);
	rows_init(&now, BY_FD | BY_PROCESS);
	fd.descriptor.sum = (struct descriptor_sum){ .calls = 2, .reported = 3, .in_bytes = 10 };
	fd.descriptor.serve_hist[4] = 3;
	row_add_fd(rows_get(&before, key), &fd);
	row_add_fd(rows_get(&before, other), &fd);
	row_add_fd(rows_get(&now, other), &fd);
	fd.descriptor.sum = (struct descriptor_sum){ .calls = 5, .reported = 4, .in_bytes = 11 };
	fd.descriptor.serve_hist[4] = 7;
	row_add_fd(rows_get(&now, key), &fd);
	rows_subtract(&now, &before);
	assert_null(rows_find(&now, other));
	row = rows_find(&now, key);
	assert_non_null(row);
	assert_int_equal(row->sum.calls, 3);
	assert_int_equal(row->fd->descriptor.sum.reported, 1);
	assert_int_equal(row->fd->descriptor.sum.in_bytes, 1);
	assert_int_equal(row->fd->descriptor.serve_hist[4], 4);
	rows_free(&before);
	rows_free(&now);
}

/* What was summed into one row meanwhile is taken off that. */
static void merged(void **state)
{
	struct row_key key = { .proc = 5, .object = 100 }, sum = { .object = OBJECT_MERGED };
	struct row_fd fd = named(KIND_PIPE);
	struct rows before, now;

	(void)state;
	rows_init(&before, BY_FD | BY_PROCESS);
	rows_init(&now, BY_FD | BY_PROCESS);
	fd.descriptor.sum.calls = 2;
	row_add_fd(rows_get(&before, key), &fd);
	fd.descriptor.sum.calls = 9;
	row_add_fd(rows_get(&now, sum), &fd);
	rows_subtract(&now, &before);
	assert_int_equal(rows_find(&now, sum)->sum.calls, 7);
	rows_free(&before);
	rows_free(&now);
}

static void loops(void **state)
{
	struct row_loop loop = { 0 };

	(void)state;
	assert_true(loop_utilisation(&loop, 100) == 0);
	loop.turning_ns = 50;
	assert_true(loop_utilisation(&loop, 100) == 0.5);
	loop.turning_ns = 500;
	assert_true(loop_utilisation(&loop, 100) == 1);
	loop.turning_ns = 0;
	loop.figures.threads = 2;
	loop.figures.sum = (struct loop_sum){
		.turn_ns = 100, .turn_blocked_ns = 20, .turn_runnable_ns = 30,
		.wait_ns = 50, .wait_blocked_ns = 50,
	};
	assert_true(loop_utilisation(&loop, 100) == 0.5);
	assert_int_equal(loop_turn_on_cpu_ns(&loop), 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets), cmocka_unit_test(unix_sockets), cmocka_unit_test(files),
		cmocka_unit_test(closed), cmocka_unit_test(quantiles), cmocka_unit_test(intervals),
		cmocka_unit_test(merged), cmocka_unit_test(loops),
	};

	return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}

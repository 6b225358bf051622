// SPDX-License-Identifier: GPL-2.0-only
#include "stack/sleeper.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* The last two words of the line, where it is in user space; "running" has none. */
static bool parse_place(char *line, u64 *sp, u64 *ip)
{
	char *last = strrchr(line, ' '), *before;

	if (!last)
		return false;
	*last = '\0';
	before = strrchr(line, ' ');
	return before && sscanf(before, " %llx", (unsigned long long *)sp) == 1 &&
	       sscanf(last + 1, "%llx", (unsigned long long *)ip) == 1;
}

/* Whether it is still where it was: then its stack is what it was, too. */
static bool sleeps_at(u32 tgid, u32 tid, const struct user_place *place)
{
	char path[64], line[256];
	ssize_t n;
	u64 sp, ip;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/syscall", tgid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n <= 0)
		return false;
	line[n] = '\0';
	return parse_place(line, &sp, &ip) && sp == place->sp && ip == place->ip;
}

bool sleeper_stack(u32 tgid, u32 tid, const struct user_place *place, struct user_stack *stack)
{
	struct iovec local = { stack->stack, sizeof(stack->stack) };
	struct iovec remote = { (void *)place->sp, sizeof(stack->stack) };
	ssize_t n;

	*stack = (struct user_stack){
		.tgid = tgid, .tid = tid, .ip = place->ip, .sp = place->sp, .bp = place->bp,
		.nr_frames = 1, .frames = { place->ip },
	};
	n = process_vm_readv(tid, &local, 1, &remote, 1, 0);
	if (n < 0)
		return false;
	stack->stack_bytes = n;
	return sleeps_at(tgid, tid, place);
}

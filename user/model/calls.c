// SPDX-License-Identifier: GPL-2.0-only
#include "model/calls.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

const struct call calls[NR_CALLS] = {
#define CALL(name, class, args, ret, i386) \
	[CALL_##name] = { #name, CLASS_##class, ARGS_##args, RET_##ret, __NR_##name, i386 },
#include "bpf/calls.def"
#undef CALL
};

/*
 * Numbers by which 32-bit programs make watched calls too: the old select, and the calls with
 * 64-bit times that came with Linux 5.1.
 */
static const s32 i386_more[] = { 82, 413, 414, 416, 417, 421, 239, 102 };

static const char *const class_names[] = {
	[CLASS_WAIT] = "wait",
	[CLASS_INPUT] = "input",
	[CLASS_OUTPUT] = "output",
	[CLASS_CONTROL] = "control",
};

const char *class_name(enum call_class class)
{
	return class_names[class];
}

static bool select_word(const char *word, bool selected[NR_CALLS])
{
	bool known = false;

	for (int i = 1; i < NR_CALLS; i++) {
		if (strcmp(word, calls[i].name) && strcmp(word, class_names[calls[i].class]))
			continue;
		selected[i] = true;
		known = true;
	}
	return known;
}

const char *calls_select(const char *list, bool selected[NR_CALLS], char *word, size_t size)
{
	while (*list) {
		size_t len = strcspn(list, ",");

		snprintf(word, size, "%.*s", (int)len, list);
		if (!select_word(word, selected))
			return word;
		list += len + (list[len] == ',');
	}
	return NULL;
}

/* System calls that have no rows, but tell how a call goes on or what becomes of a set. */
static const struct {
	s32 nr;
	u8 args;		/* enum call_args */
	bool for_epoll;		/* only to follow the sizes of epoll sets */
} helpers[] = {
	{ __NR_restart_syscall, ARGS_RESTART, false },
	{ __NR_rt_sigreturn, ARGS_SIGRETURN, false },
	{ __NR_exit, ARGS_EXIT, false },
	{ __NR_exit_group, ARGS_EXIT, false },
	{ __NR_close, ARGS_CLOSE, true },
	{ __NR_close_range, ARGS_CLOSE_RANGE, true },
	{ __NR_dup2, ARGS_DUP, true },
	{ __NR_dup3, ARGS_DUP, true },
	{ __NR_epoll_create, ARGS_CREATE, true },
	{ __NR_epoll_create1, ARGS_CREATE, true },
};

void calls_route(const bool selected[NR_CALLS], bool follow_sets, bool descriptors,
		 u32 routes[NR_SYSCALLS])
{
	bool epoll = false;

	for (int i = 1; i < NR_CALLS; i++) {
		if (!selected[i] && !descriptors)
			continue;
		routes[calls[i].nr] |= ROUTE(i, calls[i].args);
		routes[calls[i].nr_i386] |= ROUTE_COMPAT;
		epoll |= calls[i].args == ARGS_EPOLL;
	}
	epoll &= follow_sets || descriptors;
	for (size_t i = 0; i < ARRAY_SIZE(i386_more); i++)
		routes[i386_more[i]] |= ROUTE_COMPAT;
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
		if (epoll || !helpers[i].for_epoll)
			routes[helpers[i].nr] |= ROUTE(CALL_NO_ROW, helpers[i].args);
	}
	/* Changes the size of a set, selected or not; the reader leaves it out of the rows. */
	if (epoll && !selected[CALL_epoll_ctl] && !descriptors)
		routes[__NR_epoll_ctl] |= ROUTE(CALL_epoll_ctl, ARGS_CTL);
}

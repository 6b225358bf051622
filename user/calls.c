// SPDX-License-Identifier: GPL-2.0-only
#include "calls.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

const struct call calls[NR_CALLS] = {
#define CALL(name, class, args, ret, i386) \
	[CALL_##name] = { #name, CLASS_##class, ARGS_##args, RET_##ret, __NR_##name, i386 },
#include "../bpf/calls.def"
#undef CALL
};

/*
 * Numbers by which 32-bit programs make watched calls too: the old select, and the calls with
 * 64-bit times that came with Linux 5.1.
 */
static const s32 i386_more[] = { 82, 413, 414, 417, 239, 102 };

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

void calls_route(const bool selected[NR_CALLS], u32 routes[NR_SYSCALLS])
{
	bool epoll = false;

	for (int i = 1; i < NR_CALLS; i++) {
		if (!selected[i])
			continue;
		routes[calls[i].nr] |= ROUTE(i, calls[i].args);
		routes[calls[i].nr_i386] |= ROUTE_COMPAT;
		epoll |= calls[i].args == ARGS_EPOLL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(i386_more); i++)
		routes[i386_more[i]] |= ROUTE_COMPAT;
	if (selected[CALL_poll])
		routes[__NR_restart_syscall] |= ROUTE(CALL_restart_syscall, ARGS_RESTART);
	if (!epoll)
		return;
	/* The size of an interest list is followed by these, selected or not. */
	routes[__NR_close] |= ROUTE(CALL_close, ARGS_CLOSE);
	routes[__NR_epoll_create] |= ROUTE(CALL_epoll_create, ARGS_CREATE);
	routes[__NR_epoll_create1] |= ROUTE(CALL_epoll_create, ARGS_CREATE);
	routes[__NR_epoll_ctl] |= ROUTE(CALL_epoll_ctl, ARGS_CTL);
}

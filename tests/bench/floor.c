// SPDX-License-Identifier: GPL-2.0-only
/* Keeps empty programs attached until it is told to end: floor [raw_tp|tracepoint|functions] */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "floor.skel.h"

/* Which of the ways a program on system calls belongs to; NULL: to all. */
static const char *way_of(const char *section)
{
	if (strstr(section, "sched_"))
		return NULL;
	if (section[0] == 'f')
		return "functions";
	return section[0] == 't' ? "tracepoint" : "raw_tp";
}

static void choose(struct floor_bpf *skel, const char *wanted)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, skel->obj) {
		const char *way = way_of(bpf_program__section_name(program));

		bpf_program__set_autoload(program, !way || !strcmp(way, wanted));
	}
}

int main(int argc, char **argv)
{
	struct floor_bpf *skel;
	sigset_t ends;
	int status = 1, number;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);

	skel = floor_bpf__open();
	if (!skel)
		return status;
	choose(skel, argc > 1 ? argv[1] : "raw_tp");
	if (!floor_bpf__load(skel) && !floor_bpf__attach(skel)) {
		fputs("floor: watching\n", stderr);
		sigwait(&ends, &number);
		status = 0;
	}
	floor_bpf__destroy(skel);
	return status;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Keeps the empty programs attached until it is told to end. */
#include <signal.h>
#include <stdio.h>

#include "floor.skel.h"

int main(void)
{
	struct floor_bpf *skel;
	sigset_t ends;
	int status = 1, number;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);

	skel = floor_bpf__open_and_load();
	if (skel && !floor_bpf__attach(skel)) {
		fputs("floor: watching\n", stderr);
		sigwait(&ends, &number);
		status = 0;
	}
	floor_bpf__destroy(skel);
	return status;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Signs of misuse, and the stacks of who showed them. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fail.h"
#include "session/session_private.h"

#define SAMPLES_HZ 49		/* no multiple of the rhythms programs have */

static int open_clock(int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = SAMPLES_HZ,
	};

	return syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

void signs_begin(struct session *session)
{
	struct bpf_program *program = session->skel->progs.iop_sample;
	int cpus = libbpf_num_possible_cpus(), error = 0;

	session->samplers = cpus > 0 ? calloc(cpus, sizeof(*session->samplers)) : NULL;
	for (int cpu = 0; session->samplers && cpu < cpus; cpu++) {
		int fd = open_clock(cpu);
		struct bpf_link *link;

		/* A CPU that is possible need not be there. */
		if (fd < 0) {
			error = errno == ENODEV ? error : errno;
			continue;
		}
		link = bpf_program__attach_perf_event(program, fd);
		if (link) {
			session->samplers[session->nr_samplers++] = link;
		} else {
			error = errno;
			close(fd);
		}
	}
	if (!session->nr_samplers)
		note("not known: where in the program long turns are: %s", strerror(error));
}

void signs_close(struct session *session)
{
	for (u32 i = 0; i < session->nr_samplers; i++)
		bpf_link__destroy(session->samplers[i]);
	free(session->samplers);
	session->samplers = NULL;
	session->nr_samplers = 0;
}

static int by_born(const void *a, const void *b)
{
	u64 left = ((const struct sign_record *)a)->born_ns;
	u64 right = ((const struct sign_record *)b)->born_ns;

	return left < right ? -1 : left > right;
}

int signs_read(struct session *session, struct reading *reading)
{
	struct bpf_map *map = session->skel->maps.signs;
	u64 born, *last = NULL;

	reading->signs = calloc(SIGNS_MAX, sizeof(*reading->signs));
	if (!reading->signs)
		return fail(EXIT_RUNTIME, "out of memory");
	maps_enter(session);
	while (reading->nr_signs < SIGNS_MAX &&
	       !bpf_map__get_next_key(map, last, &born, sizeof(born))) {
		struct sign_record *record = &reading->signs[reading->nr_signs];

		record->born_ns = born;
		if (!bpf_map__lookup_elem(map, &born, sizeof(born), &record->signs,
					  sizeof(record->signs), 0))
			reading->nr_signs++;
		last = &born;
	}
	maps_leave(session);
	qsort(reading->signs, reading->nr_signs, sizeof(*reading->signs), by_born);
	return 0;
}

bool session_stack(struct session *session, u64 object, enum stack_kind kind,
		   struct user_stack *stack)
{
	struct stack_key key = { .object = object, .kind = kind };
	struct taken_stack taken;

	if (bpf_map__lookup_elem(session->skel->maps.stacks, &key, sizeof(key), &taken,
				 sizeof(taken), 0) || !taken.taken_ns)
		return false;
	*stack = taken.stack;
	return true;
}

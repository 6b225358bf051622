// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rings of traced calls and of stacks. Nobody is woken when something comes: they are looked into
 * by a timer.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "fail.h"
#include "session/session_private.h"

static int take_record(void *context, void *data, size_t size)
{
	struct taking *taking = context;

	/* With its header, and in units of 8 bytes. */
	taking->bytes += (size + 8 + 7) / 8 * 8;
	taking->take(taking->context, data, size);
	return 0;
}

/* Hands all that is in the ring @map by now to @take; which part of the ring that was. */
static double ring_take(struct taking *taking, const struct bpf_map *map, take_fn *take,
			void *context)
{
	if (!taking->ring)
		taking->ring = ring_buffer__new(bpf_map__fd(map), take_record, taking, NULL);
	if (!taking->ring) {
		/* Then all is lost, which is counted. */
		debug("cannot read the ring %s: %s", bpf_map__name(map), strerror(errno));
		return 0;
	}
	taking->take = take;
	taking->context = context;
	taking->bytes = 0;
	ring_buffer__consume(taking->ring);
	return (double)taking->bytes / bpf_map__max_entries(map);
}

double session_trace(struct session *session, take_fn *take, void *context)
{
	return ring_take(&session->tracing, session->skel->maps.traced, take, context);
}

u64 session_trace_lost(const struct session *session)
{
	return *(volatile u64 *)&session->skel->bss->trace_lost;
}

double session_samples(struct session *session, take_fn *take, void *context)
{
	return ring_take(&session->sampling, session->skel->maps.samples, take, context);
}

void rings_close(struct session *session)
{
	ring_buffer__free(session->tracing.ring);
	ring_buffer__free(session->sampling.ring);
}

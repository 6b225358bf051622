// SPDX-License-Identifier: GPL-2.0-only
/* The ring of traced calls. Nobody is woken when something comes: it is looked into by a timer. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "fail.h"
#include "session/session_private.h"

static int take_record(void *context, void *data, size_t size)
{
	struct tracing *tracing = context;

	/* With its header, and in units of 8 bytes. */
	tracing->bytes += (size + 8 + 7) / 8 * 8;
	tracing->take(tracing->context, data, size);
	return 0;
}

u64 session_trace(struct session *session,
		  void (*take)(void *context, const void *record, size_t size), void *context,
		  double *fill)
{
	struct tracing *tracing = &session->tracing;
	const struct bpf_map *map = session->skel->maps.traced;
	int n;

	if (!tracing->ring)
		tracing->ring = ring_buffer__new(bpf_map__fd(map), take_record, tracing, NULL);
	*fill = 0;
	if (!tracing->ring) {
		/* Then all calls are lost, which is counted. */
		debug("cannot read the ring of traced calls: %s", strerror(errno));
		return 0;
	}
	tracing->take = take;
	tracing->context = context;
	tracing->bytes = 0;
	n = ring_buffer__consume(tracing->ring);
	*fill = (double)tracing->bytes / bpf_map__max_entries(map);
	return n > 0 ? n : 0;
}

u64 session_trace_lost(const struct session *session)
{
	return *(volatile u64 *)&session->skel->bss->trace_lost;
}

void tracing_close(struct session *session)
{
	ring_buffer__free(session->tracing.ring);
}

// SPDX-License-Identifier: GPL-2.0-only
#include "trace/stream.h"

#include <stdlib.h>
#include <string.h>

#include "fail.h"

/* So many are held back at most, whatever their time. */
#define HELD_MAX 4096

struct stream {
	struct trace_view view;
	struct names *names;
	/* Held back, in the order in which they ended; a ring of HELD_MAX records. */
	struct trace_call *held;
	u32 *order;		/* places in held, the first to be shown first */
	u32 *unused;		/* places that hold nothing */
	u32 nr_held, nr_unused;
	u32 first;		/* in order[] */
	u64 calls, lost, late;
	u64 shown_ns;		/* the latest end of a call that was shown */
};

struct stream *stream_open(const struct trace_view *view, struct names *names)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->view = *view;
	stream->names = names;
	stream->held = malloc(HELD_MAX * sizeof(*stream->held));
	stream->order = malloc(2 * HELD_MAX * sizeof(*stream->order));
	stream->unused = malloc(HELD_MAX * sizeof(*stream->unused));
	if (!stream->held || !stream->order || !stream->unused) {
		stream_close(stream);
		return NULL;
	}
	for (u32 i = 0; i < HELD_MAX; i++)
		stream->unused[i] = HELD_MAX - 1 - i;
	stream->nr_unused = HELD_MAX;
	return stream;
}

void stream_close(struct stream *stream)
{
	if (!stream)
		return;
	free(stream->held);
	free(stream->order);
	free(stream->unused);
	free(stream);
}

static void show_lost(struct stream *stream, u64 lost)
{
	if (lost <= stream->lost)
		return;
	stream->view.lost(stream->view.context, lost - stream->lost);
	stream->lost = lost;
}

static void show_first(struct stream *stream)
{
	u32 place = stream->order[stream->first];
	const struct trace_call *call = &stream->held[place];

	show_lost(stream, call->lost);
	if (call->end_ns < stream->shown_ns)
		stream->late++;
	else
		stream->shown_ns = call->end_ns;
	stream->calls++;
	stream->view.call(stream->view.context, call, stream->names);
	stream->first++;
	stream->nr_held--;
	stream->unused[stream->nr_unused++] = place;
}

/* Nearly all come in order, so that the place of one is found at once, from behind. */
static void hold(struct stream *stream, const struct trace_call *call, size_t size)
{
	u32 at, place;

	if (!stream->nr_unused)
		show_first(stream);
	if (stream->first >= HELD_MAX) {
		memmove(stream->order, stream->order + stream->first,
			stream->nr_held * sizeof(*stream->order));
		stream->first = 0;
	}
	place = stream->unused[--stream->nr_unused];
	memcpy(&stream->held[place], call, size);
	for (at = stream->first + stream->nr_held;
	     at > stream->first && stream->held[stream->order[at - 1]].end_ns > call->end_ns; at--)
		stream->order[at] = stream->order[at - 1];
	stream->order[at] = place;
	stream->nr_held++;
}

/* The record is whole, and what it says is what we can know. */
static bool whole(const struct trace_call *call, size_t size)
{
	size_t events = call->events_ready < TRACE_EVENTS ? call->events_ready : TRACE_EVENTS;

	return size >= offsetof(struct trace_call, events) + events * sizeof(struct trace_event) &&
	       size <= sizeof(*call) && call->call && call->call < NR_CALLS;
}

void stream_take(struct stream *stream, const void *record, size_t size)
{
	const struct trace_call *call = record;

	if (size < sizeof(call->kind))
		return;
	if (call->kind == TRACE_NAME && size >= sizeof(struct trace_name))
		names_add(stream->names, record);
	else if (call->kind == TRACE_CALL && size >= offsetof(struct trace_call, events) &&
		 whole(call, size))
		hold(stream, call, size);
	else
		debug("a record of the trace of kind %u and %zu bytes is none", call->kind, size);
}

void stream_show(struct stream *stream, u64 until_ns)
{
	while (stream->nr_held && stream->held[stream->order[stream->first]].end_ns <= until_ns)
		show_first(stream);
}

void stream_end(struct stream *stream, u64 lost)
{
	stream_show(stream, -1ull);
	show_lost(stream, lost);
}

u64 stream_calls(const struct stream *stream)
{
	return stream->calls;
}

u64 stream_lost(const struct stream *stream)
{
	return stream->lost;
}

u64 stream_late(const struct stream *stream)
{
	return stream->late;
}

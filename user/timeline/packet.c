// SPDX-License-Identifier: GPL-2.0-only
#include "timeline/packet.h"

#include <stdlib.h>

/* CLOCK_MONOTONIC, as they number it. */
#define CLOCK_ID_MONOTONIC	3
#define CLOCK_ID_BOOTTIME	6
#define CLOCK_ID_REALTIME	1

/* All packets are of one writer. */
#define SEQUENCE_ID		1

static Timeline__Annotation *annotate(struct annotations *all, const char *name)
{
	Timeline__Annotation *entry;

	if (all->count == ANNOTATIONS_MAX)
		return NULL;
	entry = &all->entries[all->count];
	timeline__annotation__init(entry);
	entry->name = (char *)name;
	all->pointers[all->count++] = entry;
	return entry;
}

void annotate_u64(struct annotations *all, const char *name, u64 value)
{
	Timeline__Annotation *entry = annotate(all, name);

	if (!entry)
		return;
	entry->has_uint_value = 1;
	entry->uint_value = value;
}

void annotate_s64(struct annotations *all, const char *name, s64 value)
{
	Timeline__Annotation *entry = annotate(all, name);

	if (!entry)
		return;
	entry->has_int_value = 1;
	entry->int_value = value;
}

void annotate_text(struct annotations *all, const char *name, const char *text)
{
	Timeline__Annotation *entry = text ? annotate(all, name) : NULL;

	if (entry)
		entry->string_value = (char *)text;
}

/* A trace of one packet: with what is written before and behind it, it is one trace. */
static void packet_write(FILE *out, Timeline__Packet *packet)
{
	Timeline__Trace trace = TIMELINE__TRACE__INIT;
	u8 buffer[4096], *bytes = buffer;
	size_t size;

	trace.n_packet = 1;
	trace.packet = &packet;
	size = timeline__trace__get_packed_size(&trace);
	if (size > sizeof(buffer))
		bytes = malloc(size);
	if (!bytes)
		return;
	timeline__trace__pack(&trace, bytes);
	fwrite(bytes, 1, size, out);
	if (bytes != buffer)
		free(bytes);
}

void packet_event(FILE *out, const struct event *event)
{
	Timeline__Packet packet = TIMELINE__PACKET__INIT;
	Timeline__Event message = TIMELINE__EVENT__INIT;
	u64 flow = event->flow, ending_flow = event->ending_flow;

	message.has_type = 1;
	message.type = event->type;
	message.has_track_uuid = 1;
	message.track_uuid = event->track;
	message.name = (char *)event->name;
	message.n_flow_ids = !!flow;
	message.flow_ids = &flow;
	message.n_terminating_flow_ids = !!ending_flow;
	message.terminating_flow_ids = &ending_flow;
	message.has_counter_value = event->type == TIMELINE__EVENT__TYPE__COUNTER;
	message.counter_value = event->value;
	if (event->annotations) {
		message.n_annotations = event->annotations->count;
		message.annotations = event->annotations->pointers;
	}
	packet.has_timestamp = 1;
	packet.timestamp = event->ns;
	packet.has_timestamp_clock_id = 1;
	packet.timestamp_clock_id = CLOCK_ID_MONOTONIC;
	packet.has_sequence_id = 1;
	packet.sequence_id = SEQUENCE_ID;
	packet.event = &message;
	packet_write(out, &packet);
}

void packet_clocks(FILE *out, u64 monotonic_ns, u64 boot_ns, u64 day_ns)
{
	const struct {
		u32 id;
		u64 ns;
	} times[] = {
		{ CLOCK_ID_MONOTONIC, monotonic_ns }, { CLOCK_ID_BOOTTIME, boot_ns },
		{ CLOCK_ID_REALTIME, day_ns },
	};
	Timeline__ClockSnapshot snapshot = TIMELINE__CLOCK_SNAPSHOT__INIT;
	Timeline__Clock clocks[ARRAY_SIZE(times)], *pointers[ARRAY_SIZE(times)];
	Timeline__Packet packet = TIMELINE__PACKET__INIT;

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		timeline__clock__init(&clocks[i]);
		clocks[i].has_clock_id = clocks[i].has_timestamp = 1;
		clocks[i].clock_id = times[i].id;
		clocks[i].timestamp = times[i].ns;
		pointers[i] = &clocks[i];
	}
	snapshot.n_clocks = ARRAY_SIZE(times);
	snapshot.clocks = pointers;
	snapshot.has_primary_trace_clock = 1;
	snapshot.primary_trace_clock = CLOCK_ID_MONOTONIC;
	packet.has_sequence_id = 1;
	packet.sequence_id = SEQUENCE_ID;
	packet.clock_snapshot = &snapshot;
	packet_write(out, &packet);
}

void packet_track(FILE *out, Timeline__Track *track)
{
	Timeline__Packet packet = TIMELINE__PACKET__INIT;

	packet.has_sequence_id = 1;
	packet.sequence_id = SEQUENCE_ID;
	packet.track = track;
	packet_write(out, &packet);
}

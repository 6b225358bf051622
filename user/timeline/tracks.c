// SPDX-License-Identifier: GPL-2.0-only
#include "timeline/tracks.h"

#include <stdlib.h>
#include <uthash.h>

#include "timeline/packet.h"

#define LOST_UUID 1

struct track {
	u64 thread;		/* its process above the low 32 bits */
	u32 described;		/* of enum track_kind: 1 << kind */
	UT_hash_handle hh;
};

struct tracks {
	FILE *out;
	struct track *table;
	bool lost_described;
};

struct tracks *tracks_open(FILE *out)
{
	struct tracks *tracks = calloc(1, sizeof(*tracks));

	if (tracks)
		tracks->out = out;
	return tracks;
}

void tracks_close(struct tracks *tracks)
{
	struct track *track, *next;

	if (!tracks)
		return;
	HASH_ITER(hh, tracks->table, track, next) {
		HASH_DEL(tracks->table, track);
		free(track);
	}
	free(tracks);
}

/* Numbers of threads have 22 bits at most (PID_MAX_LIMIT), so that of a kind finds room above. */
static u64 uuid_of(u64 thread, enum track_kind kind)
{
	return thread | (u64)(kind + 1) << 28;
}

static void describe(struct tracks *tracks, u64 thread, const char *comm, enum track_kind kind)
{
	static const char *const names[] = {
		[TRACK_READY] = "ready", [TRACK_SCANNED] = "scanned", [TRACK_REPORTED] = "reported",
	};
	Timeline__Track message = TIMELINE__TRACK__INIT;
	Timeline__Thread of = TIMELINE__THREAD__INIT;
	Timeline__Counter counter = TIMELINE__COUNTER__INIT;

	message.has_uuid = 1;
	message.uuid = uuid_of(thread, kind);
	if (kind == TRACK_CALLS) {
		of.has_pid = of.has_tid = 1;
		of.pid = thread >> 32;
		of.tid = (u32)thread;
		of.thread_name = (char *)comm;
		message.thread = &of;
	} else {
		message.name = (char *)names[kind];
		message.has_parent_uuid = 1;
		message.parent_uuid = uuid_of(thread, TRACK_CALLS);
	}
	if (kind == TRACK_SCANNED || kind == TRACK_REPORTED) {
		counter.has_unit = 1;
		counter.unit = 2;
		message.counter = &counter;
	}
	packet_track(tracks->out, &message);
}

/* What there is no memory for is described again each time. */
u64 track_of(struct tracks *tracks, u32 tgid, u32 tid, const char *comm, enum track_kind kind)
{
	u64 thread = (u64)tgid << 32 | tid;
	struct track *track;

	HASH_FIND(hh, tracks->table, &thread, sizeof(thread), track);
	if (!track) {
		track = calloc(1, sizeof(*track));
		if (track) {
			track->thread = thread;
			HASH_ADD(hh, tracks->table, thread, sizeof(thread), track);
		}
		describe(tracks, thread, comm, TRACK_CALLS);
		if (track)
			track->described = 1 << TRACK_CALLS;
	}
	if (kind != TRACK_CALLS && !(track && track->described & 1 << kind)) {
		describe(tracks, thread, comm, kind);
		if (track)
			track->described |= 1 << kind;
	}
	return uuid_of(thread, kind);
}

u64 track_lost(struct tracks *tracks)
{
	Timeline__Track message = TIMELINE__TRACK__INIT;

	if (tracks->lost_described)
		return LOST_UUID;
	tracks->lost_described = true;
	message.has_uuid = 1;
	message.uuid = LOST_UUID;
	message.name = "lost calls";
	packet_track(tracks->out, &message);
	return LOST_UUID;
}

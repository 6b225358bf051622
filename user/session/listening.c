// SPDX-License-Identifier: GPL-2.0-only
/* Which epoll instances wait for which listeners, from what the hooks know to be registered. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>

#include "fail.h"
#include "session/session_private.h"

/* An open listener by the address of its file. */
struct listener {
	u64 file;
	u64 born_ns;
	UT_hash_handle hh;
};

static int add_listener(struct listener **table, const struct row *row)
{
	struct listener *listener = malloc(sizeof(*listener));

	if (!listener)
		return fail(EXIT_RUNTIME, "out of memory");
	listener->file = row->fd->head.file;
	listener->born_ns = row->fd->descriptor.born_ns;
	HASH_ADD(hh, *table, file, sizeof(listener->file), listener);
	return 0;
}

static int find_listeners(const struct rows *fds, struct listener **table)
{
	struct row *row, *next;
	int err = 0;

	HASH_ITER(hh, fds->table, row, next) {
		if (!err && row->fd->descriptor.kind == KIND_LISTENER && !row->fd->many &&
		    !row->fd->head.closed_ns)
			err = add_listener(table, row);
	}
	return err;
}

static int add_listening(struct reading *reading, u64 ep, u64 born_ns)
{
	struct listening *bigger = reallocarray(reading->listening, reading->nr_listening + 1,
						sizeof(*bigger));

	if (!bigger)
		return fail(EXIT_RUNTIME, "out of memory");
	reading->listening = bigger;
	bigger[reading->nr_listening++] = (struct listening){ ep, born_ns };
	return 0;
}

int listening_read(struct session *session, struct reading *reading)
{
	struct bpf_map *map = session->skel->maps.watched;
	struct listener *table = NULL, *found, *next;
	struct watched_key key, *last = NULL;
	struct watched watched;
	int err = find_listeners(&reading->fds, &table);

	maps_enter(session);
	while (!err && table && !bpf_map__get_next_key(map, last, &key, sizeof(key))) {
		last = &key;
		if (bpf_map__lookup_elem(map, &key, sizeof(key), &watched, sizeof(watched), 0))
			continue;
		HASH_FIND(hh, table, &watched.file, sizeof(watched.file), found);
		if (found)
			err = add_listening(reading, key.ep, found->born_ns);
	}
	maps_leave(session);
	HASH_ITER(hh, table, found, next) {
		HASH_DEL(table, found);
		free(found);
	}
	return err;
}

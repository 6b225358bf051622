// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes the rows of processes that have ended out of the kernel's maps, which are bounded, into
 * our own memory, so that a long watch of a machine with short-lived processes loses nothing.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "session/reader.h"

/* Rows kept apart for ended processes; the ones beyond are summed into one for each call. */
#define RETIRED_MAX 256

/* A process found ended: all its threads are gone, so nothing is added to its rows any more. */
struct ended {
	proc_id proc;
	UT_hash_handle hh;
};

static bool known_ended(struct ended *table, proc_id proc)
{
	struct ended *ended;

	HASH_FIND(hh, table, &proc, sizeof(proc), ended);
	return ended;
}

/* Asked once for each process, so that all its rows go together. */
static void check_ended(struct ended **table, proc_id proc)
{
	struct ended *ended;

	if (known_ended(*table, proc) || !kill(proc_tgid(proc), 0) || errno != ESRCH)
		return;
	ended = malloc(sizeof(*ended));
	if (!ended)
		return;		/* it stays in the kernel until there is memory */
	ended->proc = proc;
	HASH_ADD(hh, *table, proc, sizeof(proc), ended);
}

static void free_ended(struct ended *table)
{
	struct ended *ended, *next;

	HASH_ITER(hh, table, ended, next) {
		HASH_DEL(table, ended);
		free(ended);
	}
}

/* Whether the row of @key has a place of its own among the retired ones. */
static bool has_place(struct session *session, struct row_key key)
{
	struct rows *rows = &session->retired.rows;

	return HASH_COUNT(rows->table) < RETIRED_MAX || !(rows->by & BY_PROCESS) ||
	       rows_find(rows, key);
}

/* Every key begins with the process; ended ones of no place of their own go to process 0. */
static void retire_entry(struct session *session, const struct map_reader *reader, char *key,
			 bool ended)
{
	char value[MAP_VALUE_MAX], taken[MAP_KEY_MAX];
	struct bpf_map *map = reader->map(session);
	size_t key_size = bpf_map__key_size(map), value_size = bpf_map__value_size(map);
	proc_id proc;

	memcpy(taken, key, key_size);
	memcpy(&proc, key, sizeof(proc));
	if (bpf_map__lookup_elem(map, key, key_size, value, value_size, 0))
		return;
	if (ended && !has_place(session, reader->row_key(key))) {
		proc = 0;
		memcpy(taken, &proc, sizeof(proc));
	}
	reader->add(session, &session->retired, taken, value);
	if (reader->release)
		reader->release(session, value);
	bpf_map__delete_elem(map, key, key_size, 0);
}

/* Calls @visit for every key of the map, which may delete it. */
static void each_key(struct session *session, const struct map_reader *reader,
		     struct ended **table,
		     void (*visit)(struct session *session, const struct map_reader *reader,
				   struct ended **table, char *key))
{
	char keys[2][MAP_KEY_MAX];
	char *key = keys[0], *next = keys[1], *swap;
	struct bpf_map *map = reader->map(session);
	size_t size = bpf_map__key_size(map);
	bool more = !bpf_map__get_next_key(map, NULL, key, size);

	while (more) {
		more = !bpf_map__get_next_key(map, key, next, size);
		visit(session, reader, table, key);
		swap = key;
		key = next;
		next = swap;
	}
}

static void visit_check(struct session *session, const struct map_reader *reader,
			struct ended **table, char *key)
{
	proc_id proc;

	(void)session;
	(void)reader;
	memcpy(&proc, key, sizeof(proc));
	check_ended(table, proc);
}

static void visit_retire(struct session *session, const struct map_reader *reader,
			 struct ended **table, char *key)
{
	proc_id proc;

	bool ended;

	memcpy(&proc, key, sizeof(proc));
	ended = known_ended(*table, proc);
	/* What late rows there are of a process that lives would be more with each reading. */
	if (ended || reader->late(key))
		retire_entry(session, reader, key, ended);
}

int session_retire(struct session *session)
{
	u64 folds = *(volatile u64 *)&session->skel->bss->folds;
	struct ended *table = NULL;
	int err = hists_map(session);

	if (!err && session->hooks.descriptors)
		err = descriptors_retire(session);
	/* No thread has ended since the last time. */
	if (folds == session->retired_at)
		return err;
	session->retired_at = folds;
	if (err)
		return err;
	/* The first map has a row for every process that ended: it decides for all. */
	each_key(session, &map_readers[0], &table, visit_check);
	maps_enter(session);
	for (u32 i = 0; i < map_readers_used(session); i++)
		each_key(session, &map_readers[i], &table, visit_retire);
	maps_leave(session);
	free_ended(table);
	return session->hooks.descriptors ? event_loops_retire(session) : 0;
}

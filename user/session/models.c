// SPDX-License-Identifier: GPL-2.0-only
/* Rows of models of input: of processes, of threads, or of descriptors, open and closed. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "session/reader.h"

/* As many rows of closed descriptors are kept apart; of more, all that come become one a model. */
#define CLOSED_MODELS_MAX 16384

/* As it was read: what came since the last report does not tell how many are under way. */
static u64 in_flight(const struct model_sum *sum)
{
	u64 over = sum->ended + sum->unseen;

	return sum->requests > over ? sum->requests - over : 0;
}

static struct row *row_for(struct rows *rows, const struct model_key *key)
{
	return rows_get(rows, (struct row_key){
		/* What is summed over processes is so over their threads. */
		.proc = key->proc, .tid = key->proc ? key->tid : 0, .object = key->born_ns,
		.model = key->model,
	});
}

static void thread_comm(const struct model_key *key, char comm[COMM_LEN])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/task/%u/comm", proc_tgid(key->proc), key->tid);
	comm_read(path, comm);
}

void add_model(struct session *session, struct reading *reading, const void *k, const void *v)
{
	const struct model_key *key = k;
	struct model_row value = *(const struct model_row *)v;
	struct row_model model = { .sum = value.sum, .in_flight = in_flight(&value.sum) };
	struct row *row;

	if (key->model >= NR_MODELS)
		return;
	row = row_for(&reading->rows, key);
	row_add_model(row, &model);
	if (row->comm[0])
		return;
	if (!key->proc)
		snprintf(value.comm, COMM_LEN, "(ended)");
	else if (key->tid)
		thread_comm(key, value.comm);
	else
		process_comm(session, key->proc, value.comm);
	memcpy(row->comm, value.comm, COMM_LEN);
}

/* What the row of a model of a descriptor is called, and what is known of the descriptor. */
static void add_of_fd(struct rows *rows, const struct rows *fds, const struct model_key *key,
		      const struct model_row *value)
{
	const struct row *named = rows_find(fds, (struct row_key){ .proc = key->proc,
								    .object = key->born_ns });
	struct row_model model = {
		.sum = value->sum, .in_flight = in_flight(&value->sum), .fd = named ? named->fd : NULL,
	};
	struct row *row = row_for(rows, key);

	row_add_model(row, &model);
	memcpy(row->comm, named ? named->comm : value->comm, COMM_LEN);
}

static void add_closed(struct session *session, struct rows *rows, const struct rows *fds)
{
	struct row *row, *next;

	HASH_ITER(hh, session->closed_models.table, row, next) {
		struct model_key key = {
			.proc = row->key.proc, .born_ns = row->key.object, .model = row->key.model,
		};
		struct model_row value = { .sum = row->model->sum };

		memcpy(value.comm, row->comm, COMM_LEN);
		add_of_fd(rows, fds, &key, &value);
	}
}

static int read_by_fd(struct session *session, struct rows *rows, u64 now_ns)
{
	struct bpf_map *map = session->skel->maps.models;
	struct model_key key, *last = NULL;
	struct model_row value;
	struct rows fds;
	int err;

	rows_init(&fds, BY_FD);
	/* First: what is closed from now on stays in the kernel until the next reading. */
	err = descriptors_read(session, &fds, now_ns);
	maps_enter(session);
	while (!err && !bpf_map__get_next_key(map, last, &key, sizeof(key))) {
		if (key.model < NR_MODELS &&
		    !bpf_map__lookup_elem(map, &key, sizeof(key), &value, sizeof(value), 0))
			add_of_fd(rows, &fds, &key, &value);
		last = &key;
	}
	maps_leave(session);
	if (!err)
		add_closed(session, rows, &fds);
	rows_free(&fds);
	return err;
}

int models_read(struct session *session, struct reading *reading)
{
	struct bpf_map *map = session->skel->maps.models;
	struct model_key key, *last = NULL;
	struct model_row value;

	if (session->options->by & BY_FD)
		return read_by_fd(session, &reading->rows, reading->now_ns);
	maps_enter(session);
	while (!bpf_map__get_next_key(map, last, &key, sizeof(key))) {
		if (!bpf_map__lookup_elem(map, &key, sizeof(key), &value, sizeof(value), 0))
			add_model(session, reading, &key, &value);
		last = &key;
	}
	maps_leave(session);
	return 0;
}

void models_retire(struct session *session, const struct descriptor_record *record)
{
	struct bpf_map *map = session->skel->maps.models;
	struct rows *closed = &session->closed_models;
	struct model_key key = {
		.proc = record->descriptor.proc, .born_ns = record->descriptor.born_ns,
	};
	struct model_row value;

	if (!(session->options->by & BY_MODEL) || !(session->options->by & BY_FD))
		return;
	maps_enter(session);
	for (key.model = 0; key.model < NR_MODELS; key.model++) {
		struct row_model model = { 0 };
		struct model_key kept = key;
		struct row *row;

		if (bpf_map__lookup_elem(map, &key, sizeof(key), &value, sizeof(value), 0))
			continue;
		bpf_map__delete_elem(map, &key, sizeof(key), 0);
		model.sum = value.sum;
		if (HASH_COUNT(closed->table) >= CLOSED_MODELS_MAX) {
			kept.proc = 0;
			kept.born_ns = OBJECT_MERGED;
		}
		row = row_for(closed, &kept);
		row_add_model(row, &model);
		memcpy(row->comm, kept.proc ? record->head.comm : "(closed)", kept.proc ? COMM_LEN : 9);
	}
	maps_leave(session);
}

void models_close(struct session *session)
{
	rows_free(&session->closed_models);
}

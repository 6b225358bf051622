// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows of descriptors: of those that are open, from the kernel's map and the descriptor tables
 * of the watched processes; of those that were closed, from a ring, as they are.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "session/session_private.h"

/*
 * Rows of closed descriptors; when there are more the smallest half of them becomes one. A screen, which
 * goes through them each second and shows them once, has fewer.
 */
#define CLOSED_MAX 8192
#define CLOSED_MAX_LIVE 1024

/* A report younger than this may be about to be served: it is not judged. */
#define JUDGED_AFTER_NS	100000000ull

/* As the hooks do when the next report comes, or the file ends. */
static void report_judge(struct descriptor *d)
{
	if (!(d->flags & FD_REPORTED))
		return;
	if (!(d->flags & FD_SERVED))
		d->sum.unserved++;
	else if (d->flags & FD_DRAINED)
		d->sum.drained++;
	else if (d->left && d->left != LEFT_UNKNOWN)
		d->sum.undrained++;
}

/* The last report of a descriptor that is open is judged as things are at @now. */
static void judge_last(struct descriptor *d, u64 now)
{
	u64 last_ns = d->flags & FD_SERVED ? d->called_ns : d->reported_ns;

	if (last_ns + JUDGED_AFTER_NS <= now)
		report_judge(d);
}

/* Two of one birth are one file. */
static struct row_key key_of(const struct descriptor *descriptor)
{
	return (struct row_key){ .proc = descriptor->proc, .object = descriptor->born_ns };
}

void comm_read(const char *path, char comm[COMM_LEN])
{
	FILE *file = fopen(path, "re");

	if (!file)
		return;
	if (fscanf(file, "%15[^\n]", comm) != 1)
		comm[0] = '\0';
	fclose(file);
}

void process_comm(struct session *session, proc_id proc, char comm[COMM_LEN])
{
	char path[32];

	if (!bpf_map__lookup_elem(session->skel->maps.ended_comms, &proc, sizeof(proc), comm,
				  COMM_LEN, 0))
		return;
	snprintf(path, sizeof(path), "/proc/%u/comm", proc_tgid(proc));
	comm_read(path, comm);
}

static void add_record(struct rows *rows, const struct descriptor_record *record)
{
	struct row *row = rows_get(rows, key_of(&record->descriptor));
	struct row_fd fd = { .head = record->head, .descriptor = record->descriptor };

	if (!row->fd) {
		row_add_fd(row, &fd);
		memcpy(row->comm, record->head.comm, COMM_LEN);
	} else if (proc_tgid(row->key.proc) == record->head.tgid &&
		   (row->fd->head.tgid != record->head.tgid ||
		    record->head.fd == record->descriptor.fd)) {
		/* Of several numbers the one of its first process, by which it was used last. */
		row->fd->head = record->head;
		memcpy(row->comm, record->head.comm, COMM_LEN);
	}
	if (!record->head.closed_ns)
		row->fd->holders++;
}

static void add_merged(struct rows *rows, const struct descriptor *descriptor, u64 count)
{
	struct row_fd fd = { .descriptor = *descriptor, .many = true, .merged = count };
	struct row *row = rows_get(rows, (struct row_key){ .object = OBJECT_MERGED });

	fd.descriptor.watch = WATCH_NONE;
	fd.descriptor.flags = 0;
	row_add_fd(row, &fd);
	snprintf(row->comm, COMM_LEN, "(closed)");
}

/* One that is open, at @now. */
static void add_open(struct rows *rows, struct descriptor_record *record, u64 now)
{
	judge_last(&record->descriptor, now);
	add_record(rows, record);
}

static u32 closed_max(const struct session *session)
{
	return session->options->live ? CLOSED_MAX_LIVE : CLOSED_MAX;
}

/* The @left largest stay as they are. */
static void merge_smallest(struct rows *rows, u32 left)
{
	u32 count;
	struct row **sorted = rows_sorted(rows, "wall", &count);
	struct rows kept;

	rows_init(&kept, rows->by);
	for (u32 i = 0; i < count; i++) {
		struct row_fd *fd = sorted[i]->fd;

		if (sorted[i]->key.object == OBJECT_MERGED)
			add_merged(&kept, &fd->descriptor, fd->merged);
		else if (i >= left)
			add_merged(&kept, &fd->descriptor, 1);
	}
	for (u32 i = 0; i < left; i++) {
		struct row *row;

		if (sorted[i]->key.object == OBJECT_MERGED)
			continue;
		row = rows_get(&kept, sorted[i]->key);
		row_add_fd(row, sorted[i]->fd);
		memcpy(row->comm, sorted[i]->comm, COMM_LEN);
	}
	free(sorted);
	rows_free(rows);
	*rows = kept;
}

static int take_closed(void *context, void *data, size_t size)
{
	struct session *session = context;
	const struct descriptor_record *record = data;

	if (size < sizeof(*record) || !(session->closed_fds.by & BY_FD))
		return 0;
	models_retire(session, record);
	add_record(&session->closed_fds, record);
	/* Not while descriptors are read: what is a row there is not to be in a sum as well. */
	if (HASH_COUNT(session->closed_fds.table) >= closed_max(session) &&
	    !session->skel->bss->reading)
		merge_smallest(&session->closed_fds, closed_max(session) / 2);
	return 0;
}

/* Registrations that were not seen to be made; @all: also of sets that seem to be known. */
static int read_sets(struct session *session, bool all)
{
	session->skel->bss->watched_all = all || session->skel->bss->watched_unknown;
	session->skel->bss->watched_unknown = false;
	return session_iterate(session->skel->links.iop_watched, &session->buffer);
}

/*
 * Sets that hold what cannot be known, such as files of which no watched process has a descriptor
 * left, would be read for ever: they are not for more than a hundredth of the time.
 */
static int read_sets_again(struct session *session)
{
	u64 begin_ns = clock_ns();
	int err;

	if (begin_ns < session->sets_next_ns)
		return 0;
	err = read_sets(session, true);
	session->sets_next_ns = clock_ns() + 100 * (clock_ns() - begin_ns);
	return err;
}

int descriptors_retire(struct session *session)
{
	if (!session->closed)
		session->closed = ring_buffer__new(bpf_map__fd(session->skel->maps.closed),
						   take_closed, session, NULL);
	if (!session->closed)
		return fail(EXIT_RUNTIME, "cannot read closed descriptors: %s", strerror(errno));
	ring_buffer__consume(session->closed);
	return session->skel->bss->watched_unknown ? read_sets_again(session) : 0;
}

int descriptors_adopt(struct session *session)
{
	int err = read_sets(session, true);

	session->skel->bss->watched_known = true;
	return err;
}

/* Those that ended so fast that there was no room for their names. */
static void read_merged(struct session *session, struct rows *rows)
{
	struct bpf_map *map = session->skel->maps.closed_sums;
	proc_id proc, *last = NULL;
	struct descriptor sum;

	maps_enter(session);
	while (!bpf_map__get_next_key(map, last, &proc, sizeof(proc))) {
		if (!bpf_map__lookup_elem(map, &proc, sizeof(proc), &sum, sizeof(sum), 0))
			add_merged(rows, &sum, sum.fd);
		last = &proc;
	}
	maps_leave(session);
}

/* A descriptor that was closed while the open ones were read is in both. */
static void add_closed(struct session *session, struct rows *rows)
{
	struct row *row, *next, *open;

	HASH_ITER(hh, session->closed_fds.table, row, next) {
		open = row->key.object == OBJECT_MERGED ? NULL : rows_find(rows, row->key);
		if (open && open->fd)
			rows_drop(rows, open);
	}
	rows_add(rows, &session->closed_fds);
}

/* One that no watched process has open: it ended, or an epoll set or another process has it. */
static void add_unseen(struct session *session, struct rows *rows, u64 now_ns,
		       struct descriptor_record *record)
{
	struct descriptor_head *head = &record->head;

	process_comm(session, record->descriptor.proc, head->comm);
	if (!head->closed_ns) {
		add_open(rows, record, now_ns);
		return;
	}
	report_judge(&record->descriptor);
	head->ended = kill(head->tgid, 0) && errno == ESRCH;
	add_record(&session->closed_fds, record);
	maps_enter(session);
	bpf_map__delete_elem(session->skel->maps.descriptors, &head->file, sizeof(head->file), 0);
	maps_leave(session);
}

int descriptors_read(struct session *session, struct rows *rows, u64 now_ns)
{
	struct buffer *buffer = &session->buffer;
	int err = read_sets(session, false);

	/* First: what is open from now on is in none of them. */
	read_merged(session, rows);
	err = err ? : session_iterate(session->skel->links.iop_open, buffer);
	for (size_t at = 0; !err && at + sizeof(struct descriptor_record) <= buffer->size;
	     at += sizeof(struct descriptor_record))
		add_open(rows, (void *)(buffer->data + at), now_ns);
	err = err ? : session_iterate(session->skel->links.iop_unseen, buffer);
	for (size_t at = 0; !err && at + sizeof(struct descriptor_record) <= buffer->size;
	     at += sizeof(struct descriptor_record))
		add_unseen(session, rows, now_ns, (void *)(buffer->data + at));
	err = err ? : descriptors_retire(session);
	if (err)
		return err;
	add_closed(session, rows);
	if (HASH_COUNT(session->closed_fds.table) >= closed_max(session))
		merge_smallest(&session->closed_fds, closed_max(session) / 2);
	return 0;
}

void descriptors_close(struct session *session)
{
	ring_buffer__free(session->closed);
	rows_free(&session->closed_fds);
}

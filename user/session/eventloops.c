// SPDX-License-Identifier: GPL-2.0-only
/* Rows of event loops, which lie in an array that is mapped. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "fail.h"
#include "session/session_private.h"

static int map_loops(struct session *session)
{
	if (!session->loops)
		session->loops = array_map(session->skel->maps.loops, "event loops");
	return session->loops ? 0 : EXIT_RUNTIME;
}

static u32 loops_used(const struct session *session)
{
	u64 next = *(volatile u64 *)&session->skel->data->next_loop;

	return next < LOOP_ROWS ? next : LOOP_ROWS;
}

/* What is waited for now: of an epoll instance its size, followed even while nobody waits. */
static u64 descriptors_of(struct session *session, const struct event_loop *loop)
{
	struct epoll_size size;

	if (loop->key.watch != WATCH_EPOLL)
		return loop->asked;
	if (bpf_map__lookup_elem(session->skel->maps.epolls, &loop->key.ep, sizeof(loop->key.ep),
				 &size, sizeof(size), 0) || size.base < 0 || size.base + size.delta < 0)
		return ASKED_UNKNOWN;
	return size.base + size.delta;
}

/* @turning: the threads that are in its turns, NULL: it has ended. */
static void add_loop(struct session *session, struct rows *rows, u32 i,
		     const struct turning *turning)
{
	struct row_loop loop = { .figures = session->loops[i], .descriptors = ASKED_UNKNOWN };
	struct row *row;

	if (!i && !loop.figures.sum.waits)
		return;
	if (turning) {
		loop.descriptors = descriptors_of(session, &loop.figures);
		loop.turning = turning->threads;
		loop.turning_ns = turning->oldest_ns;
		loop.turning_runnable_ns = turning->runnable_ns;
	}
	/* A row is used again only when its process has ended. */
	row = rows_get(rows, (struct row_key){ .proc = loop.figures.key.proc,
					       .object = i + OBJECT_MERGED });
	row_add_loop(row, &loop);
	if (i)
		memcpy(row->comm, loop.figures.comm, COMM_LEN);
	else
		strcpy(row->comm, "(others)");
}

int event_loops_read(struct session *session, const struct turning turning[LOOP_ROWS],
		     struct rows *rows)
{
	int err = map_loops(session);

	maps_enter(session);
	for (u32 i = 0; !err && i < loops_used(session); i++) {
		if (!i || session->loops[i].key.proc)
			add_loop(session, rows, i, &turning[i]);
	}
	maps_leave(session);
	if (!err)
		rows_add(rows, &session->ended_loops);
	return err;
}

int event_loops_retire(struct session *session)
{
	struct iophase_bpf *skel = session->skel;
	int err = map_loops(session);

	for (u32 i = 1; !err && i < loops_used(session); i++) {
		struct event_loop *loop = &session->loops[i];
		u32 tgid = proc_tgid(loop->key.proc);

		if (!tgid || !kill(tgid, 0) || errno != ESRCH)
			continue;
		if (session->ended_loops.by & BY_LOOP)
			add_loop(session, &session->ended_loops, i, NULL);
		maps_enter(session);
		bpf_map__delete_elem(skel->maps.loop_rows, &loop->key, sizeof(loop->key), 0);
		memset(loop, 0, sizeof(*loop));
		bpf_map_update_elem(bpf_map__fd(skel->maps.free_loops), NULL, &i, BPF_ANY);
		maps_leave(session);
	}
	return err;
}

void event_loops_close(struct session *session)
{
	if (session->loops)
		array_unmap(session->skel->maps.loops, session->loops);
	rows_free(&session->ended_loops);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sizes of epoll interest lists. The hooks follow epoll_ctl and close; what was registered
 * before is counted here, and whether following it was complete is checked at the end.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "fail.h"
#include "session/session_private.h"

/* Calls @visit for each epoll instance of a watched process; 0 or an exit code. */
static int each_epoll(struct session *session,
		      void (*visit)(struct session *session, const struct epoll_record *record))
{
	struct buffer *buffer = &session->buffer;
	int err;

	if (!session->skel->links.iop_epolls)
		return 0;
	err = session_iterate(session->skel->links.iop_epolls, buffer);
	if (err)
		return err;
	for (size_t at = 0; at + sizeof(struct epoll_record) <= buffer->size;
	     at += sizeof(struct epoll_record))
		visit(session, (struct epoll_record *)(buffer->data + at));
	return 0;
}

static void no_visit(struct session *session, const struct epoll_record *record)
{
	(void)session;
	(void)record;
}

/* A set that changed while it was counted is forgotten, so that the next pass counts it. */
static void recount(struct session *session, const struct epoll_record *record)
{
	if (record->followed >= 0 && record->followed != record->counted)
		bpf_map__delete_elem(session->skel->maps.epolls, &record->ep, sizeof(record->ep), 0);
}

static void verify(struct session *session, const struct epoll_record *record)
{
	if (record->followed == record->counted)
		return;
	session->asked_bound = true;
	debug("epoll set of process %u, descriptor %u: followed to %lld, holds %lld",
	      record->tgid, record->fd, (long long)record->followed, (long long)record->counted);
}

int epolls_count(struct session *session)
{
	/* The first pass learns what an epoll instance is, the next ones count and confirm. */
	int err = each_epoll(session, no_visit);

	for (int i = 0; !err && i < 3; i++)
		err = each_epoll(session, recount);
	return err;
}

int epolls_verify(struct session *session)
{
	return each_epoll(session, verify);
}

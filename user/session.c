// SPDX-License-Identifier: GPL-2.0-only
#include "session.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "calls.h"
#include "fail.h"
#include "kernel.h"
#include "session_private.h"

/* libbpf's messages are for developers; what went wrong is said in our own words. */
static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (verbose < 2 && !(verbose == 1 && level == LIBBPF_WARN))
		return 0;
	return vfprintf(stderr, format, args);
}

static int add_ids(struct bpf_map *map, const struct id_list *list)
{
	u8 passes = 1;

	for (u32 i = 0; i < list->count; i++) {
		if (bpf_map__update_elem(map, &list->ids[i], sizeof(u32), &passes, 1, BPF_ANY))
			return fail(EXIT_RUNTIME, "cannot set the filter: %s", strerror(errno));
	}
	return 0;
}

static int fill_filter(struct session *session)
{
	const struct options *options = session->options;
	struct iophase_bpf *skel = session->skel;
	u8 passes = 1;
	int err;

	err = add_ids(skel->maps.filter_tgids, &options->tgids);
	err = err ? : add_ids(skel->maps.filter_tids, &options->tids);
	err = err ? : add_ids(skel->maps.filter_uids, &options->uids);
	for (u32 i = 0; !err && i < options->comm_count; i++)
		err = bpf_map__update_elem(skel->maps.filter_comms, options->comms[i], COMM_LEN,
					   &passes, 1, BPF_ANY);
	return err;
}

/* The id and depth of the cgroup at options->cgroup, which the hooks compare. */
static int set_cgroup(struct session *session)
{
	struct filter *filter = (void *)&session->skel->rodata->filter;
	const char *path = session->options->cgroup;
	u64 id;
	u32 level;
	int err;

	if (!path)
		return 0;
	err = cgroup_find(path, &id, &level);
	if (err)
		return fail(EXIT_RUNTIME, "%s: %s", path,
			    err == -EINVAL ? "not a cgroup of version 2" : strerror(-err));
	filter->by_cgroup = true;
	filter->cgroup_id = id;
	filter->cgroup_level = level;
	return 0;
}

static int set_knobs(struct session *session)
{
	const struct options *options = session->options;
	struct iophase_bpf__rodata *rodata = session->skel->rodata;

	for (int i = 1; i < NR_CALLS; i++) {
		rodata->call_kinds[i].class = calls[i].class;
		rodata->call_kinds[i].args = calls[i].args;
		rodata->call_kinds[i].ret = calls[i].ret;
	}
	calls_route(options->selected, (u32 *)rodata->routes);
	rodata->filter.own_tgid = getpid();
	rodata->filter.follow = !options->no_follow;
	rodata->filter.by_tgid = options->tgids.count || options->command;
	rodata->filter.by_tid = options->tids.count;
	rodata->filter.by_comm = options->comm_count;
	rodata->filter.by_uid = options->uids.count;
	rodata->knobs.min_ns = options->min_ns;
	rodata->knobs.failed_only = options->failed_only;
	rodata->knobs.per_thread = options->by & BY_THREAD;
	rodata->knobs.switch_has_state = session->kernel.switch_has_state;
	rodata->knobs.preempt_count_known = session->kernel.preempt_count_known;
	rodata->knobs.preempt_count_from_rq = session->kernel.preempt_count_from_rq;
	rodata->knobs.rdonly_cast = session->kernel.rdonly_cast;
	return set_cgroup(session);
}

/* Of the two ways to see system calls, the one that loses nothing on this kernel. */
static void choose_programs(struct session *session)
{
	struct iophase_bpf *skel = session->skel;
	bool classic = session->kernel.syscall_tp_preemptible;

	bpf_program__set_autoload(skel->progs.iop_enter, !classic);
	bpf_program__set_autoload(skel->progs.iop_exit, !classic);
	bpf_program__set_autoload(skel->progs.iop_enter_tp, classic);
	bpf_program__set_autoload(skel->progs.iop_exit_tp, classic);
	debug("system calls through %s", classic ? "raw_syscalls tracepoints" : "tp_btf");
}

/* How much work each program was for the verifier, which is most of the time to attach. */
static void debug_programs(struct session *session)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, session->skel->obj) {
		struct bpf_prog_info info = { 0 };
		u32 size = sizeof(info);

		if (bpf_program__fd(program) < 0 ||
		    bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			continue;
		debug("%s: %u instructions verified, %u bytes of code", bpf_program__name(program),
		      info.verified_insns, info.jited_prog_len);
	}
}

struct session *session_open(const struct options *options)
{
	struct session *session = calloc(1, sizeof(*session));
	int err;

	if (!session)
		return NULL;
	session->options = options;
	session->epoll_fd = -1;
	rows_init(&session->retired.rows, options->by);
	libbpf_set_print(print_libbpf);
	if (kernel_check(&session->kernel))
		goto fail;
	session->skel = iophase_bpf__open();
	if (!session->skel) {
		fail(EXIT_RUNTIME, "cannot open the BPF programs: %s", strerror(errno));
		goto fail;
	}
	if (set_knobs(session))
		goto fail;
	choose_programs(session);
	err = iophase_bpf__load(session->skel);
	if (err) {
		kernel_explain(-err);
		goto fail;
	}
	debug_programs(session);
	if (fill_filter(session))
		goto fail;
	return session;
fail:
	session_close(session);
	return NULL;
}

int session_iterate(struct bpf_link *iterator, struct buffer *out)
{
	int fd = bpf_iter_create(bpf_link__fd(iterator));
	ssize_t n = 0;

	out->size = 0;
	if (fd < 0)
		return fail(EXIT_RUNTIME, "cannot read from the kernel: %s", strerror(errno));
	while (true) {
		if (out->room - out->size < 65536) {
			char *bigger = realloc(out->data, out->room + 262144);

			if (!bigger) {
				close(fd);
				return fail(EXIT_RUNTIME, "out of memory");
			}
			out->data = bigger;
			out->room += 262144;
		}
		n = read(fd, out->data + out->size, out->room - out->size);
		if (n <= 0 && !(n < 0 && (errno == EINTR || errno == EAGAIN)))
			break;
		if (n > 0)
			out->size += n;
	}
	close(fd);
	return n < 0 ? fail(EXIT_RUNTIME, "cannot read from the kernel: %s", strerror(errno)) : 0;
}

#define ADOPT_TRIES 10

/*
 * Gives every thread that passes the filter its record. The kernel takes the memory from
 * small per-CPU stocks that it fills again by itself, so a refusal is worth another try.
 */
static int adopt(struct session *session)
{
	u64 *refused = &session->skel->bss->losses[LOSS_storage_refused];
	int err;

	for (int i = 0; i < ADOPT_TRIES; i++) {
		*refused = 0;
		err = session_iterate(session->skel->links.iop_adopt, &session->buffer);
		if (err || !*refused)
			return err;
		usleep(1000);
	}
	return 0;
}

int session_start(struct session *session)
{
	int err;

	/* An epoll instance of our own, from which the hooks learn what one looks like. */
	session->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	session->skel->bss->own_epoll_fd = session->epoll_fd;
	if (session->epoll_fd < 0)
		return fail(EXIT_RUNTIME, "epoll_create1: %s", strerror(errno));
	if (iophase_bpf__attach(session->skel))
		return fail(EXIT_RUNTIME, "cannot attach the BPF programs: %s", strerror(errno));
	/* Only now does anything begin to be watched: every hook is there. */
	err = adopt(session);
	return err ? : epolls_count(session);
}

int session_stop(struct session *session)
{
	session->skel->bss->stopped = true;
	/* A hook that began before takes microseconds to end. */
	usleep(2000);
	return epolls_verify(session);
}

u64 session_threads(const struct session *session)
{
	return *(volatile u64 *)&session->skel->bss->watched_threads;
}

u32 session_programs(const struct session *session, int *fds, u32 max)
{
	struct bpf_program *program;
	u32 n = 0;

	bpf_object__for_each_program(program, session->skel->obj) {
		if (n < max && bpf_program__fd(program) >= 0)
			fds[n++] = bpf_program__fd(program);
	}
	return n;
}

u32 session_maps(const struct session *session, int *fds, u32 max)
{
	struct bpf_map *map;
	u32 n = 0;

	bpf_object__for_each_map(map, session->skel->obj) {
		if (n < max && bpf_map__fd(map) >= 0)
			fds[n++] = bpf_map__fd(map);
	}
	return n;
}

const char *session_backend(const struct session *session)
{
	(void)session;
	return "tracepoint";
}

void session_close(struct session *session)
{
	if (!session)
		return;
	reader_close(session);
	iophase_bpf__destroy(session->skel);
	if (session->epoll_fd >= 0)
		close(session->epoll_fd);
	free(session->buffer.data);
	free(session);
}

// SPDX-License-Identifier: GPL-2.0-only
#include "session/session.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "model/calls.h"
#include "clock.h"
#include "doctor.h"
#include "fail.h"
#include "hooks/kernel.h"
#include "session/session_private.h"
#include "session/steal.h"
#include "trace.h"

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
	if (!err && options->trace)
		err = add_ids(skel->maps.filter_fds, &options->trace->fds);
	for (u32 i = 0; !err && i < options->comm_count; i++)
		err = bpf_map__update_elem(skel->maps.filter_comms, options->comms[i], COMM_LEN,
					   &passes, 1, BPF_ANY);
	return err;
}

/* The id of the cgroup at options->cgroup, which the hooks compare. */
static int set_cgroup(struct session *session)
{
	struct filter *filter = (void *)&session->skel->rodata->filter;
	const char *path = session->options->cgroup;
	u64 id;
	int err;

	if (!path)
		return 0;
	err = cgroup_find(path, &id);
	if (err)
		return fail(EXIT_RUNTIME, "%s: %s", path,
			    err == -EINVAL ? "not a cgroup of version 2" : strerror(-err));
	filter->by_cgroup = true;
	filter->cgroup_id = id;
	return 0;
}

static bool hooked(const struct session *session, enum need need)
{
	return session->hooks.chosen[need]->backend == BACKEND_TRAMPOLINE;
}

static int set_knobs(struct session *session)
{
	const struct options *options = session->options;
	struct iophase_bpf__rodata *rodata = session->skel->rodata;

	for (int i = 1; i < NR_CALLS; i++) {
		rodata->call_kinds[i].class = calls[i].class;
		rodata->call_kinds[i].args = calls[i].args;
		rodata->call_kinds[i].ret = calls[i].ret;
		rodata->call_kinds[i].selected = options->selected[i];
	}
	rodata->knobs.scan_hooked = hooked(session, NEED_SCAN);
	rodata->knobs.sets_hooked = hooked(session, NEED_SETS);
	rodata->knobs.ready_hooked = hooked(session, NEED_READY) ||
		(session->hooks.descriptors && hooked(session, NEED_FD_READY));
	calls_route(options->selected, !rodata->knobs.sets_hooked, session->hooks.descriptors,
		    (u32 *)rodata->routes);
	rodata->filter.own_tgid = getpid();
	rodata->filter.follow = !options->no_follow;
	rodata->filter.by_tgid = options->tgids.count || options->command;
	rodata->filter.by_tid = options->tids.count;
	rodata->filter.by_comm = options->comm_count;
	rodata->filter.by_uid = options->uids.count;
	rodata->knobs.min_ns = options->min_ns;
	rodata->knobs.failed_only = options->failed_only;
	/* On a screen, ended threads are part of their process: they may be many. */
	rodata->knobs.per_thread = (options->by & BY_THREAD && !options->live) || options->everything;
	rodata->knobs.models_by_fd = options->by & BY_FD;
	rodata->knobs.trace = options->trace;
	rodata->knobs.weigh = options->weigh;
	rodata->filter.by_fd = options->trace && options->trace->fds.count;
	if (options->doctor)
		rodata->knobs.limits = doctor_limits(options->doctor);
	hooks_set_knobs(&session->hooks, session->skel);
	return set_cgroup(session);
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

static void close_programs(struct session *session)
{
	iophase_bpf__destroy(session->skel);
	session->skel = NULL;
}

/* What is there for descriptors alone takes no memory when they are not asked for. */
static void drop_descriptor_maps(struct iophase_bpf *skel)
{
	struct bpf_map *const maps[] = {
		skel->maps.descriptors, skel->maps.watched, skel->maps.closed_sums,
		skel->maps.processes, skel->maps.ended_comms, skel->maps.loops, skel->maps.loop_rows, skel->maps.free_loops,
	};

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		bpf_map__set_max_entries(maps[i], 1);
	bpf_map__set_max_entries(skel->maps.closed, sysconf(_SC_PAGESIZE));
}

static void drop_doctor_maps(struct iophase_bpf *skel)
{
	bpf_map__set_max_entries(skel->maps.signs, 1);
	bpf_map__set_max_entries(skel->maps.stacks, 1);
}

/* There can be as many as descriptors, and a few for each. */
static void size_model_maps(struct iophase_bpf *skel, unsigned int by)
{
	bpf_map__set_max_entries(skel->maps.models, !(by & BY_MODEL) ? 1 :
				 by & BY_FD ? DESCRIPTORS_MAX : MODELS_MAX);
	if (by & BY_MODEL)
		return;
	bpf_map__set_max_entries(skel->maps.signaled, 1);
	bpf_map__set_max_entries(skel->maps.requests, 1);
	bpf_map__set_max_entries(skel->maps.shots, 1);
}

/*
 * Loads and attaches the chosen programs. 0, an exit code after a message, or -EAGAIN when one
 * was refused and another choice is to be made.
 */
static int open_programs(struct session *session)
{
	struct verdict verdict = { 0 };
	int err;

	err = hooks_choose(&session->hooks);
	if (err)
		return err;
	/* A trace can do without: it then has numbers alone. */
	if (session->options->trace && *session->hooks.parts.lacks[PART_descriptors])
		session->hooks.descriptors = false;
	if (session->hooks.descriptors && *session->hooks.parts.lacks[PART_descriptors])
		return fail(EXIT_RUNTIME, "no descriptors and event loops here: %s",
			    field_text(session->hooks.parts.lacks[PART_descriptors]));
	session->skel = iophase_bpf__open();
	if (!session->skel)
		return fail(EXIT_RUNTIME, "cannot open the BPF programs: %s", strerror(errno));
	err = set_knobs(session);
	if (err)
		return err;
	if (!session->hooks.descriptors)
		drop_descriptor_maps(session->skel);
	if (!session->options->doctor)
		drop_doctor_maps(session->skel);
	size_model_maps(session->skel, session->options->by);
	if (session->options->weigh && *session->hooks.parts.lacks[PART_stacks])
		return fail(EXIT_RUNTIME, "no stacks here: %s",
			    field_text(session->hooks.parts.lacks[PART_stacks]));
	if (session->options->weigh)
		bpf_map__set_max_entries(session->skel->maps.samples, SAMPLES_RING_SIZE);
	if (session->options->trace)
		bpf_map__set_max_entries(session->skel->maps.traced,
					 session->options->trace->buffer_bytes);
	hooks_autoload(&session->hooks, session->skel, session->options->selected);
	/* libbpf loads them once more. */
	kernel_drop_types(&session->kernel);
	if (!hooks_load(session->skel, &verdict)) {
		debug_programs(session);
		err = fill_filter(session);
		/* Nothing is watched yet, so the hooks have nothing to do. */
		if (err || !hooks_attach(session->skel, &verdict))
			return err;
	}
	debug("refused: %s", verdict_text(&verdict));
	if (hooks_refuse(&session->hooks, &verdict))
		return -EAGAIN;
	return explain_refusal(&verdict);
}

static void note_part(const char *gives, const char *why)
{
	note("not known: %s: %s", gives, why);
}

static void note_hooks(const struct hooks *hooks)
{
	for (int need = 0; need < NR_NEEDS; need++) {
		if (!hooks_need(hooks, need))
			continue;
		debug("%s: %s", need_name(need), hooks->chosen[need]->name);
		if (!hooks_see(hooks, need))
			note("not known: %s (see iophase probes)", need_name(need));
	}
	parts_each(&hooks->parts, note_part);
}

struct session *session_open(const struct options *options)
{
	struct session *session = calloc(1, sizeof(*session));
	int err;

	if (!session)
		return NULL;
	session->options = options;
	memset(session->own_fds, -1, sizeof(session->own_fds));
	rows_init(&session->retired.rows, options->by);
	if (options->everything)
		rows_init(&session->retired.by_thread, BY_PROCESS | BY_THREAD | BY_CALL);
	rows_init(&session->closed_fds, options->doctor ? BY_FD : options->by);
	rows_init(&session->closed_models, options->by);
	rows_init(&session->ended_loops, options->doctor ? BY_LOOP : options->by);
	libbpf_set_print((libbpf_print_fn_t)hooks_print_libbpf);
	session->hooks = (struct hooks){
		.kernel = &session->kernel,
		.backend = options->backend,
		.descriptors = options->doctor || options->trace || options->by & BY_OTHERS,
		.models = options->by & BY_MODEL,
		.doctor = options->doctor,
	};
	err = kernel_check(&session->kernel);
	while (!err) {
		err = open_programs(session);
		if (err != -EAGAIN)
			break;
		close_programs(session);
		err = 0;
	}
	if (!err) {
		note_hooks(&session->hooks);
		return session;
	}
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

static size_t array_bytes(const struct bpf_map *array)
{
	return (size_t)bpf_map__value_size(array) * bpf_map__max_entries(array);
}

void *array_map(const struct bpf_map *array, const char *what)
{
	void *entries = mmap(NULL, array_bytes(array), PROT_READ | PROT_WRITE, MAP_SHARED,
			     bpf_map__fd(array), 0);

	if (entries != MAP_FAILED)
		return entries;
	fail(EXIT_RUNTIME, "cannot map the %s: %s", what, strerror(errno));
	return NULL;
}

void array_unmap(const struct bpf_map *array, void *entries)
{
	munmap(entries, array_bytes(array));
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

static int open_timerfd(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC); }
static int open_eventfd(void) { return eventfd(0, EFD_CLOEXEC); }
static int open_inotify(void) { return inotify_init1(IN_CLOEXEC); }
static int open_pidfd(void) { return syscall(SYS_pidfd_open, getpid(), 0); }
static int open_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }

static int open_signalfd(void)
{
	sigset_t none;

	sigemptyset(&none);
	return signalfd(-1, &none, SFD_CLOEXEC);
}

/*
 * Files of our own, one of each kind that can be told by nothing but its operations, from which
 * the hooks learn what they look like.
 */
static int open_examples(struct session *session)
{
	static int (*const open_one[NR_FILE_KINDS])(void) = {
		[KIND_EVENTFD] = open_eventfd, [KIND_TIMERFD] = open_timerfd,
		[KIND_SIGNALFD] = open_signalfd, [KIND_INOTIFY] = open_inotify,
		[KIND_PIDFD] = open_pidfd, [KIND_EPOLL] = open_epoll,
	};

	for (int kind = 0; kind < NR_FILE_KINDS; kind++) {
		if (!open_one[kind] || (kind != KIND_EPOLL && !session->hooks.descriptors))
			continue;
		session->own_fds[kind] = open_one[kind]();
		if (session->own_fds[kind] >= 0)
			session->skel->bss->own_fds[kind] = session->own_fds[kind];
	}
	if (session->own_fds[KIND_EPOLL] < 0)
		return fail(EXIT_RUNTIME, "epoll_create1: %s", strerror(errno));
	return 0;
}

static void close_examples(struct session *session)
{
	for (int kind = 0; kind < NR_FILE_KINDS; kind++) {
		if (session->own_fds[kind] >= 0)
			close(session->own_fds[kind]);
		session->own_fds[kind] = -1;
	}
}

int session_start(struct session *session)
{
	int err;

	err = open_examples(session);
	/* What a thread waits on when it is adopted is to be known as what it is. */
	if (!err && session->hooks.descriptors)
		err = epolls_count(session);
	session->begin_ns = clock_ns();
	session->steal_ns = steal_ns();
	/* Only now does anything begin to be watched. */
	err = err ? : adopt(session);
	err = err ? : epolls_count(session);
	if (!err && session->hooks.descriptors)
		err = descriptors_adopt(session);
	if (!err && session->hooks.doctor)
		signs_begin(session);
	return err;
}

u64 session_begin_ns(const struct session *session)
{
	return session->begin_ns;
}

/* The programs that the kernel did not run because they were under way on that CPU. */
static void debug_misses(struct session *session)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, session->skel->obj) {
		struct bpf_prog_info info = { 0 };
		u32 size = sizeof(info);

		if (bpf_program__fd(program) >= 0 &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) &&
		    info.recursion_misses)
			debug("%s: dropped %llu times", bpf_program__name(program),
			      (unsigned long long)info.recursion_misses);
	}
}

int session_stop(struct session *session)
{
	session->skel->bss->stopped = true;
	session->stopped_ns = clock_ns();
	/* A hook that began before takes microseconds to end. */
	usleep(2000);
	if (verbose)
		debug_misses(session);
	return epolls_verify(session);
}

u64 session_threads(const struct session *session)
{
	return *(volatile u64 *)&session->skel->bss->watched_threads;
}

bool session_watched(const struct session *session)
{
	return session_threads(session) || *(volatile u64 *)&session->skel->bss->folds;
}

u64 session_thread_bytes(const struct session *session)
{
	return session_threads(session) * bpf_map__value_size(session->skel->maps.threads);
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
	return hooks_backend(&session->hooks);
}

const char *session_tier(const struct session *session, enum need need)
{
	return session->hooks.chosen[need]->tier;
}

bool session_sees(const struct session *session, enum need need)
{
	return hooks_see(&session->hooks, need);
}

const struct parts *session_parts(const struct session *session)
{
	return &session->hooks.parts;
}

bool session_direct(const struct session *session)
{
	return hooked(session, NEED_CALLS);
}

void session_close(struct session *session)
{
	if (!session)
		return;
	signs_close(session);
	rings_close(session);
	descriptors_close(session);
	event_loops_close(session);
	models_close(session);
	reader_close(session);
	close_programs(session);
	kernel_drop_types(&session->kernel);
	close_examples(session);
	free(session->buffer.data);
	free(session);
}

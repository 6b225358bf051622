// SPDX-License-Identifier: GPL-2.0-only
#include "hooks/hooks.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"

#include "iophase.skel.h"

/* Not in errno.h: what the kernel says to a trampoline for too many arguments. */
#define KERNEL_ENOTSUPP 524

static const char *const need_names[] = {
	[NEED_CALLS] = "calls",
	[NEED_PHASES] = "phases",
	[NEED_LIVES] = "lives",
	[NEED_SCAN] = "scan",
	[NEED_COPY] = "copy",
	[NEED_READ] = "read",
	[NEED_SETS] = "sets",
	[NEED_READY] = "ready",
	[NEED_FD_READY] = "fd_ready",
	[NEED_SIGNALS] = "signals",
	[NEED_URING] = "io_uring",
};

const char *need_name(enum need need)
{
	return need_names[need];
}

void hooks_try_function(struct hooks *hooks, const struct candidate *candidate)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY);
	struct verdict *verdict = &hooks->verdicts[candidate - candidates];
	int fd, id;

	if (!candidate->function)
		return;
	id = btf__find_by_name_kind(kernel_types(hooks->kernel), candidate->function, BTF_KIND_FUNC);
	snprintf(verdict->target, sizeof(verdict->target), "%s", candidate->function);
	if (id < 0) {
		verdict->stage = STAGE_MISSING;
		return;
	}
	opts.attach_btf_id = id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "iop_trial", "GPL", nothing,
			   ARRAY_SIZE(nothing), &opts);
	if (fd >= 0) {
		close(fd);
		return;
	}
	verdict->stage = STAGE_LOAD;
	verdict->error = errno;
}

static bool refused(const struct verdict *verdict)
{
	return verdict->stage > STAGE_USABLE;
}

/* Whether @candidate can be chosen. */
static bool eligible(struct hooks *hooks, const struct candidate *candidate)
{
	struct verdict *verdict = &hooks->verdicts[candidate - candidates];

	if (hooks->backend != BACKEND_AUTO && candidate->backend != hooks->backend)
		return false;
	/* What a backend is asked for by name it is to do, but its own of two kinds without loss. */
	if ((hooks->backend != BACKEND_TRAMPOLINE || candidate->backend != BACKEND_TRAMPOLINE) &&
	    candidate->unfit && candidate->unfit(hooks->kernel))
		return false;
	if (verdict->stage == STAGE_UNTRIED)
		hooks_try_function(hooks, candidate);
	return !refused(verdict);
}

/* Needs that only the other backend can meet are met by it. */
static bool only_one_backend(enum need need, enum backend backend)
{
	for (u32 i = 0; i < nr_candidates; i++) {
		if (candidates[i].need == need && candidates[i].backend == backend)
			return false;
	}
	return true;
}

static const struct candidate *choose(struct hooks *hooks, enum need need)
{
	enum backend asked = hooks->backend;
	const struct candidate *chosen = NULL;

	if (only_one_backend(need, asked))
		hooks->backend = BACKEND_AUTO;
	for (u32 i = 0; i < nr_candidates && !chosen; i++) {
		if (candidates[i].need == need && eligible(hooks, &candidates[i]))
			chosen = &candidates[i];
	}
	hooks->backend = asked;
	return chosen;
}

int explain_refusal(const struct verdict *verdict)
{
	if (verdict->error == ENOMEM)
		return fail(EXIT_RUNTIME, "the kernel has no memory for the BPF programs and maps");
	if (verdict->stage < STAGE_LOAD)
		return fail(EXIT_RUNTIME, "nothing can be measured: %s", verdict_text(verdict));
	return fail(EXIT_RUNTIME, "the kernel refused the BPF programs: %s; see iophase -vv",
		    verdict_text(verdict));
}

/* Nothing is left for @need: what was refused says why. */
static int explain_none(const struct hooks *hooks, enum need need)
{
	const struct verdict *why = NULL;

	/* Most to the point is a lack that is none on other kernels. */
	for (u32 i = 0; i < nr_candidates; i++) {
		const struct verdict *verdict = &hooks->verdicts[i];

		if (candidates[i].need == need && refused(verdict) &&
		    (!why || (why->stage != STAGE_LACKING && verdict->stage == STAGE_LACKING)))
			why = verdict;
	}
	if (!why)
		return fail(EXIT_RUNTIME, "nothing is left to measure %s with", need_name(need));
	if (hooks->backend != BACKEND_AUTO)
		return fail(EXIT_RUNTIME, "the %s backend cannot be had here: %s; leave out --backend "
			    "for what can", backend_words[hooks->backend], verdict_text(why));
	if (why->stage < STAGE_LOAD)
		return fail(EXIT_RUNTIME, "nothing is left to measure %s with: %s",
			    need_name(need), verdict_text(why));
	return explain_refusal(why);
}

int hooks_choose(struct hooks *hooks)
{
	for (int need = 0; need < NR_NEEDS; need++) {
		hooks->chosen[need] = choose(hooks, need);
		if (!hooks->chosen[need])
			return explain_none(hooks, need);
	}
	return 0;
}

static bool among(const char *const *names, const char *name)
{
	for (; names && *names; names++) {
		if (!strcmp(*names, name))
			return true;
	}
	return false;
}

/* Only of use where descriptors are kept apart. */
static const char *const for_descriptors[] = {
	"iop_watched", "iop_open", "iop_unseen",
	"iop_in_close", "iop_out_close", "iop_in_close_range", "iop_out_close_range",
	"iop_in_dup2", "iop_out_dup2", "iop_in_dup3", "iop_out_dup3", NULL
};

static bool belongs(const struct candidate *candidate, const char *program)
{
	return among(candidate->programs, program) || among(candidate->optional, program);
}

static const struct candidate *candidate_of(const char *program)
{
	for (u32 i = 0; i < nr_candidates; i++) {
		if (belongs(&candidates[i], program))
			return &candidates[i];
	}
	return NULL;
}

/* "fentry/sock_poll" -> "sock_poll"; NULL if @section is not one of a function. */
static const char *section_function(const char *section)
{
	const char *slash = strchr(section, '/');

	return slash && (!strncmp(section, "fentry", 6) || !strncmp(section, "fexit", 5)) ?
	       slash + 1 : NULL;
}

static bool function_exists(struct kernel *kernel, const struct bpf_program *program)
{
	const char *function = section_function(bpf_program__section_name(program));

	return !function ||
	       btf__find_by_name_kind(kernel_types(kernel), function, BTF_KIND_FUNC) > 0;
}

/* A program on one call is of use only if that call is watched. */
static bool call_selected(const char *program, const bool selected[NR_CALLS])
{
	static const char *const names[] = {
#define CALL(name, class, args, ret, i386) [CALL_##name] = #name,
#include "bpf/calls.def"
#undef CALL
	};
	const char *call = !strncmp(program, "iop_in_", 7) ? program + 7 :
			   !strncmp(program, "iop_out_", 8) ? program + 8 : NULL;

	for (int i = 1; call && i < NR_CALLS; i++) {
		if (!strcmp(names[i], call))
			return selected[i];
	}
	return true;
}

static bool descriptors_known(const struct hooks *hooks)
{
	return hooks->descriptors && !*hooks->parts.lacks[PART_descriptors];
}

/* Of no candidate: the iterators, of which one is for epoll sets alone. */
static bool always_wanted(const struct hooks *hooks, const char *name)
{
	return !candidate_of(name) && (descriptors_known(hooks) || !among(for_descriptors, name)) &&
	       (hooks->doctor || strcmp(name, "iop_sample")) &&
	       !(*hooks->parts.lacks[PART_files] && !strcmp(name, "iop_epolls"));
}

static bool wanted(const struct hooks *hooks, const struct candidate *candidate,
		   const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);

	if (!candidate)
		return always_wanted(hooks, name);
	return among(candidate->programs, name) ||
	       (among(candidate->optional, name) && function_exists(hooks->kernel, program));
}

bool hooks_need(const struct hooks *hooks, enum need need)
{
	if (need == NEED_SIGNALS || need == NEED_URING)
		return hooks->models;
	return need != NEED_FD_READY || hooks->descriptors;
}

void hooks_autoload(const struct hooks *hooks, struct iophase_bpf *skel,
		    const bool selected[NR_CALLS])
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, skel->obj) {
		const char *name = bpf_program__name(program);
		bool load = always_wanted(hooks, name);

		for (int need = 0; need < NR_NEEDS && !load; need++)
			load = hooks_need(hooks, need) && wanted(hooks, hooks->chosen[need], program);
		if (!hooks->descriptors)
			load &= call_selected(name, selected) && !among(for_descriptors, name);
		bpf_program__set_autoload(program, load);
	}
}

void hooks_autoload_only(const struct hooks *hooks, struct iophase_bpf *skel,
			 const struct candidate *candidate)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, skel->obj)
		bpf_program__set_autoload(program, wanted(hooks, candidate, program));
}

void hooks_set_knobs(const struct hooks *hooks, struct iophase_bpf *skel)
{
	const struct kernel *kernel = hooks->kernel;
	struct knobs *knobs = (void *)&skel->rodata->knobs;

	knobs->switch_has_state = kernel->switch_has_state;
	knobs->preempt_count_known = kernel->preempt_count_known && !*hooks->parts.lacks[PART_waker];
	knobs->preempt_count_from_rq = kernel->preempt_count_from_rq;
	/* By way of a struct rb_node words are read, too. */
	knobs->rdonly_cast = kernel->rdonly_cast && !*hooks->parts.lacks[PART_interest];
	knobs->descriptors = descriptors_known(hooks);
	knobs->models = knobs->descriptors && hooks->models;
	knobs->models_by_fd = knobs->models && hooks->models_by_fd;
	knobs->signals_hooked = hooks_see(hooks, NEED_SIGNALS);
	knobs->doctor = knobs->descriptors && hooks->doctor;
	knobs->lacks = parts_mask(&hooks->parts);
}

/* The program that libbpf last said something about, and the field that it was not to find. */
static char complained[32];
static char unfound[FIELD_LEN];

/*
 * What libbpf put into the verifier's log where that met an instruction whose field there is not:
 * "<byte_off> [15] struct file___ref.f_ref (0:0 @ offset 0)". What follows "___" is our own.
 */
static void note_unfound(const char *text)
{
	const char *at = strstr(text, "failed to resolve CO-RE relocation ");
	char *flavour, *end;

	if (!at || sscanf(at, "%*s %*s %*s %*s %*s %*s %*s struct %95[^ (\n]", unfound) != 1)
		return;
	flavour = strstr(unfound, "___");
	if (!flavour)
		return;
	end = flavour + strcspn(flavour, ".");
	memmove(flavour, end, strlen(end) + 1);
}

static void note_complaint(const char *text)
{
	const char *name = strstr(text, "prog '");

	if (name && !*complained)
		snprintf(complained, sizeof(complained), "%.*s", (int)strcspn(name + 6, "'"),
			 name + 6);
	note_unfound(text);
}

int hooks_print_libbpf(int level, const char *format, va_list args)
{
	char *text = NULL;
	va_list copy;

	va_copy(copy, args);
	if (level == LIBBPF_WARN && vasprintf(&text, format, copy) >= 0)
		note_complaint(text);
	va_end(copy);
	free(text);
	if (verbose < 2 && !(verbose == 1 && level == LIBBPF_WARN))
		return 0;
	return vfprintf(stderr, format, args);
}

static void verdict_fill(struct verdict *verdict, struct iophase_bpf *skel, enum stage stage,
			 int error, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(skel->obj, name);
	const char *section = program ? bpf_program__section_name(program) : "?";

	verdict->stage = error == ESRCH ? STAGE_MISSING : *unfound ? STAGE_LACKING : stage;
	verdict->error = error;
	snprintf(verdict->field, sizeof(verdict->field), "%s", unfound);
	snprintf(verdict->program, sizeof(verdict->program), "%s", name);
	snprintf(verdict->target, sizeof(verdict->target), "%s",
		 section_function(section) ? : section);
}

int hooks_load(struct iophase_bpf *skel, struct verdict *verdict)
{
	int err;

	*complained = '\0';
	*unfound = '\0';
	err = -iophase_bpf__load(skel);
	if (err)
		verdict_fill(verdict, skel, STAGE_LOAD, err, complained);
	return err;
}

static struct bpf_link *attach(struct iophase_bpf *skel, struct bpf_program *program)
{
	union bpf_iter_link_info info = { .map.map_fd = bpf_map__fd(skel->maps.descriptors) };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));

	if (program == skel->progs.iop_unseen)
		return bpf_program__attach_iter(program, &opts);
	return bpf_program__attach(program);
}

int hooks_attach(struct iophase_bpf *skel, struct verdict *verdict)
{
	for (int i = 0; i < skel->skeleton->prog_cnt; i++) {
		const struct bpf_prog_skeleton *entry = &skel->skeleton->progs[i];
		struct bpf_program *program = *entry->prog;
		const struct candidate *candidate = candidate_of(entry->name);

		/* A sampler is put on each CPU's clock: signs_begin(). */
		if (!bpf_program__autoload(program) || program == skel->progs.iop_sample)
			continue;
		*entry->link = attach(skel, program);
		if (*entry->link)
			continue;
		if (candidate && among(candidate->optional, entry->name) &&
		    !among(candidate->programs, entry->name)) {
			debug("%s: %s", bpf_program__section_name(program), strerror(errno));
			continue;
		}
		verdict_fill(verdict, skel, STAGE_ATTACH, errno, entry->name);
		return verdict->error;
	}
	return 0;
}

bool hooks_refuse(struct hooks *hooks, const struct verdict *verdict)
{
	if (parts_leave_out(&hooks->parts, verdict->field))
		return true;
	for (int need = 0; need < NR_NEEDS; need++) {
		const struct candidate *candidate = hooks->chosen[need];

		/* Others may have the same program; they are refused when their turn comes. */
		if (!hooks_need(hooks, need) || !belongs(candidate, verdict->program))
			continue;
		hooks->verdicts[candidate - candidates] = *verdict;
		return true;
	}
	return false;
}

const char *verdict_text(const struct verdict *verdict)
{
	static char text[192];
	const char *what = verdict->target, *tracepoint = strchr(what, '/');

	if (verdict->stage == STAGE_LACKING)
		return field_text(verdict->field);
	if (tracepoint && (verdict->stage == STAGE_MISSING || verdict->error == ENOENT))
		snprintf(text, sizeof(text), "no such tracepoint: %s", tracepoint + 1);
	else if (verdict->stage == STAGE_MISSING)
		snprintf(text, sizeof(text), "no such function: %s (inlined, or under another name)",
			 what);
	else if (verdict->error == EPERM)
		snprintf(text, sizeof(text), "%s: EPERM: the kernel is locked down", what);
	else if (verdict->error == ENOENT)
		snprintf(text, sizeof(text), "%s: ENOENT: only a copy of it made by the compiler is "
			 "there", what);
	else if (verdict->error == EBUSY)
		snprintf(text, sizeof(text), "%s: EBUSY: the kernel lets nothing be put on it", what);
	else if (verdict->error == KERNEL_ENOTSUPP)
		snprintf(text, sizeof(text), "%s: ENOTSUPP: it has too many arguments", what);
	else
		snprintf(text, sizeof(text), "%s: %s (%s)", what, strerrorname_np(verdict->error),
			 strerror(verdict->error));
	return text;
}

bool hooks_see(const struct hooks *hooks, enum need need)
{
	const struct candidate *chosen = hooks->chosen[need];

	return chosen && strcmp(chosen->tier, TIER_UNKNOWN);
}

const char *hooks_backend(const struct hooks *hooks)
{
	bool used[3] = { false };

	for (int need = 0; need < NR_NEEDS; need++) {
		/* The scheduler, signals and io_uring are watched the same way by both. */
		if (need != NEED_PHASES && need != NEED_LIVES && need < NEED_SIGNALS &&
		    hooks_need(hooks, need))
			used[hooks->chosen[need]->backend] = true;
	}
	if (used[BACKEND_TRAMPOLINE] && used[BACKEND_TRACEPOINT])
		return "mixed";
	return backend_words[used[BACKEND_TRAMPOLINE] ? BACKEND_TRAMPOLINE : BACKEND_TRACEPOINT];
}

// SPDX-License-Identifier: GPL-2.0-only
/* iophase probes: every hook there is, loaded and attached for a moment, and what would be used. */
#include "probes.h"

#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "hooks/backend.h"
#include "model/calls.h"
#include "fail.h"
#include "hooks/hooks.h"
#include "hooks/kernel.h"
#include "version.h"

#include "iophase.skel.h"

enum { KEY_BACKEND = 256 };

struct probes {
	enum backend backend;
	bool json;
	struct kernel kernel;
	struct hooks hooks;
};

static const struct argp_option option_table[] = {
	{ "json", 'j', 0, 0, "Print JSON", 0 },
	{ "backend", KEY_BACKEND, "WHICH", 0, "What this backend would use (default: auto)", 0 },
	{ "verbose", 'v', 0, 0, "Say more", 0 },
	{ "help", 'h', 0, 0, "Print this help", -1 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct probes *probes = state->input;

	switch (key) {
	case 'j':
		probes->json = true;
		return 0;
	case 'v':
		verbose++;
		return 0;
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK);
		exit(fflush(stdout) ? EXIT_RUNTIME : EXIT_OK);
	case KEY_BACKEND:
		for (int i = 0; backend_words[i]; i++) {
			probes->backend = i;
			if (!strcmp(backend_words[i], arg))
				return 0;
		}
		fail(EXIT_USAGE, "--backend: no such backend: '%s'", arg);
		return EINVAL;
	case ARGP_KEY_ARG:
		fail(EXIT_USAGE, "one argument too many: '%s' (see iophase probes --help)", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Loads and attaches all programs of @candidate, or of none, and takes them away again. */
static int try_programs(struct probes *probes, const struct candidate *candidate,
			struct verdict *verdict)
{
	struct iophase_bpf *skel;

	do {
		*verdict = (struct verdict){ .stage = STAGE_USABLE };
		skel = iophase_bpf__open();
		if (!skel)
			return fail(EXIT_RUNTIME, "cannot open the BPF programs: %s", strerror(errno));
		hooks_set_knobs(&probes->hooks, skel);
		hooks_autoload_only(&probes->hooks, skel, candidate);
		if (!hooks_load(skel, verdict))
			hooks_attach(skel, verdict);
		iophase_bpf__destroy(skel);
	} while (parts_leave_out(&probes->hooks.parts, verdict->field));
	return 0;
}

static int try_candidate(struct probes *probes, const struct candidate *candidate)
{
	struct verdict *verdict = &probes->hooks.verdicts[candidate - candidates];

	verdict->stage = STAGE_USABLE;
	if (!candidate->programs && !candidate->optional)
		return 0;
	hooks_try_function(&probes->hooks, candidate);
	return verdict->stage > STAGE_USABLE ? 0 : try_programs(probes, candidate, verdict);
}

/* Of a candidate: whether it is used, and if not, why not. */
struct state {
	const char *word;
	const char *why;	/* NULL: nothing to say */
};

static struct state state_of(const struct probes *probes, const struct candidate *candidate)
{
	const struct verdict *verdict = &probes->hooks.verdicts[candidate - candidates];

	if (verdict->stage > STAGE_USABLE)
		return (struct state){ "refused", verdict_text(verdict) };
	if (probes->hooks.chosen[candidate->need] == candidate)
		return (struct state){ "chosen", NULL };
	if (candidate->unfit && candidate->unfit(&probes->kernel))
		return (struct state){ "passed over", candidate->unfit(&probes->kernel) };
	return (struct state){ "usable", NULL };
}

static void print_part(const char *gives, const char *why)
{
	printf("not known: %s\n%-7s   %s\n", gives, "", why);
}

#define WHY_WIDTH 69	/* so that a line has 80 columns */

/* A reason, on as many lines as it takes. */
static void print_why(const char *why)
{
	while (*why) {
		size_t length = strlen(why), end = length;

		if (length > WHY_WIDTH) {
			end = WHY_WIDTH;
			while (end && why[end] != ' ')
				end--;
			end = end ? : WHY_WIDTH;
		}
		printf("%-8s   %.*s\n", "", (int)end, why);
		why += end + strspn(why + end, " ");
	}
}

static void print_table(const struct probes *probes)
{
	printf("%-8s %-38s %-12s %s\n", "NEED", "HOOK", "TIER", "STATE");
	for (u32 i = 0; i < nr_candidates; i++) {
		const struct candidate *candidate = &candidates[i];
		struct state state = state_of(probes, candidate);
		bool first = !i || candidates[i - 1].need != candidate->need;

		printf("%-8s %-38s %-12s %s\n", first ? need_name(candidate->need) : "",
		       candidate->name, candidate->tier, state.word);
		if (state.why)
			print_why(state.why);
	}
	parts_each(&probes->hooks.parts, print_part);
}

static json_t *candidate_json(const struct probes *probes, const struct candidate *candidate)
{
	struct state state = state_of(probes, candidate);

	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s?}", "name", candidate->name,
			 "backend", backend_words[candidate->backend], "gives", candidate->gives,
			 "tier", candidate->tier, "state", state.word, "why", state.why);
}

static int print_json(const struct probes *probes)
{
	json_t *needs = json_array(), *document;
	struct utsname name;

	for (int need = 0; need < NR_NEEDS; need++) {
		const struct candidate *chosen = probes->hooks.chosen[need];
		json_t *array = json_array();

		for (u32 i = 0; i < nr_candidates; i++) {
			if ((int)candidates[i].need == need)
				json_array_append_new(array, candidate_json(probes, &candidates[i]));
		}
		json_array_append_new(needs, json_pack("{s:s,s:s?,s:o}", "need", need_name(need),
						       "chosen", chosen ? chosen->name : NULL,
						       "candidates", array));
	}
	uname(&name);
	document = json_pack("{s:i,s:s,s:s,s:s,s:b,s:o,s:o}", "schema_version", SCHEMA_VERSION,
			     "version", IOPHASE_VERSION, "kernel", name.release,
			     "backend", backend_words[probes->backend],
			     "preemptible", probes->kernel.preemptible, "needs", needs,
			     "not_known", parts_json(&probes->hooks.parts));
	if (!document)
		return fail(EXIT_RUNTIME, "out of memory");
	json_dumpf(document, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(document);
	return 0;
}

/* Without a hook for each need there is nothing to measure with: an error, after the table. */
static int probe(struct probes *probes)
{
	struct verdict iterators;
	int err = kernel_check(&probes->kernel), none;

	for (u32 i = 0; !err && i < nr_candidates; i++)
		err = try_candidate(probes, &candidates[i]);
	err = err ? : try_programs(probes, NULL, &iterators);
	if (err)
		return err;
	none = hooks_choose(&probes->hooks);
	if (!none && iterators.stage != STAGE_USABLE)
		none = explain_refusal(&iterators);
	if (probes->json)
		err = print_json(probes);
	else
		print_table(probes);
	if (!err && (fflush(stdout) || ferror(stdout)))
		err = fail(EXIT_RUNTIME, "cannot write the output: %s", strerror(errno));
	return err ? : none;
}

const struct argp probes_argp = {
	.options = option_table,
	.parser = parse_option,
	.doc = "Tries every hook that iophase has on this kernel, and says which it uses, how "
	       "exactly they tell, and why the others are not used.",
};

int probes_main(int argc, char **argv)
{
	struct probes probes = { 0 };
	int err;

	argv[0] = "iophase";
	argp_err_exit_status = EXIT_USAGE;
	err = argp_parse(&probes_argp, argc, argv, ARGP_NO_HELP, NULL, &probes);
	if (err)
		return err == EINVAL ? EXIT_USAGE : fail(EXIT_RUNTIME, "%s", strerror(err));
	libbpf_set_print((libbpf_print_fn_t)hooks_print_libbpf);
	probes.hooks = (struct hooks){ .kernel = &probes.kernel, .backend = probes.backend,
				       .descriptors = true, .models = true,
				       .models_by_fd = true, .doctor = true };
	err = probe(&probes);
	kernel_drop_types(&probes.kernel);
	return err;
}

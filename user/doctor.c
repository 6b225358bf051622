// SPDX-License-Identifier: GPL-2.0-only
/* iophase doctor: watches for a while, asks all rules, and says what is wrong. */
#include "doctor.h"

#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/calls.h"
#include "doctor/diagnosis.h"
#include "fail.h"
#include "measurement.h"
#include "options.h"
#include "doctor/rules.h"
#include "doctor/thresholds.h"

#define DURATION_NS (10 * NS_PER_SEC)

/* The rule by whose thresholds rule @id goes, which mostly are its own. */
static const char *threshold_rule(const char *id)
{
	return !strcmp(id, "et-accept-once") ? "et-undrained" : id;
}

/* Whether threshold @name is one of @rule's. */
static bool threshold_of(const char *name, const char *rule)
{
	size_t len = strlen(rule);

	return !strncmp(name, rule, len) && name[len] == '.';
}

static void __attribute__((format(printf, 1, 2))) print_line(const char *format, ...)
{
	char line[2 * TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	text_wrap(stdout, printf("    "), 8, line);
}

static void print_thresholds(const char *id)
{
	const char *of = threshold_rule(id);
	bool any = false;

	for (int t = 0; t < NR_THRESHOLDS; t++) {
		const struct threshold_row *row = &thresholds[t];

		if (!threshold_of(row->name, of))
			continue;
		print_line("%s = %g %s%s: %s (%g or more)", row->name, row->value, row->unit,
			   of == id ? "" : ", which it shares", row->why, row->least);
		any = true;
	}
	if (!any)
		print_line("no threshold: one is enough");
}

/* --rules: the rules, from when on they speak, and what they need. */
static void print_rules(void)
{
	for (u32 i = 0; i < nr_rules; i++) {
		const struct rule *rule = &rules[i];

		printf("%s\n", rule->id);
		print_line("%s", rule->about);
		print_line("needs: %s", rule->need == RULE_NEED_CONTENTS ?
			   "calls, phases, and what is left in descriptors" : "calls and phases");
		print_thresholds(rule->id);
	}
}

static void print_rules_and_exit(void)
{
	print_rules();
	if (fflush(stdout) || ferror(stdout))
		exit(fail(EXIT_RUNTIME, "cannot write the output: %s", strerror(errno)));
	exit(EXIT_OK);
}

enum { KEY_SET = 512, KEY_FAIL_ON, KEY_RULES };

static const struct argp_option option_table[] = {
	{ "set", KEY_SET, "RULE.NAME=VALUE", 0, "From when on a rule speaks (repeatable)", 3 },
	{ "fail-on", KEY_FAIL_ON, "LEVEL", 0,
	  "Exit with 3 on a finding of this severity, or worse: info, warning, critical", 3 },
	{ "rules", KEY_RULES, 0, 0, "Print the rules, their thresholds and needs", 3 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options;
		return 0;
	case ARGP_KEY_ARG:
		return options_usage("doctor takes no arguments, but options: -d SEC, -p PID", arg);
	case KEY_SET:
		return doctor_set(options->doctor, arg);
	case KEY_FAIL_ON:
		return doctor_fail_on(options->doctor, arg);
	case KEY_RULES:
		print_rules_and_exit();
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char doc[] =
	"Watches live processes for ten seconds (-d), and says in plain words what their event loops do "
	"wrong: with the figures, where in the code, what it costs, and what would disprove it. Says "
	"nothing where nothing is wrong.\v"
	"  iophase doctor -p 1234 -d 30               one process for half a minute\n"
	"  iophase doctor -n nginx --fail-on warning  for scripts: 3 if there is a fault\n"
	"  iophase doctor --set slow-turn.ms=200      all of the machine, with patience";

static const struct argp_child children[] = { { &options_common, 0, NULL, 0 }, { 0 } };

const struct argp doctor_argp = {
	.options = option_table,
	.parser = parse_option,
	.args_doc = "[-- COMMAND [ARGS]]",
	.doc = doc,
	.children = children,
};

int doctor_main(int argc, char **argv)
{
	struct doctor doctor = doctor_default();
	struct options options = {
		.by = BY_PROCESS | BY_CALL, .sort = "wall", .doctor = &doctor,
	};
	int err;

	err = options_parse_with(&options, &doctor_argp, argc, argv);
	if (err)
		return -err - 1;
	if (!options.duration_ns && !options.command)
		options.duration_ns = DURATION_NS;
	err = measurement_run(&options, options.format == FORMAT_JSON ? &diagnosis_json :
			      &diagnosis_text);
	return err ? : doctor_verdict(&doctor);
}

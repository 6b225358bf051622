// SPDX-License-Identifier: GPL-2.0-only
/* iophase top: a live screen; where there is no terminal, tables. */
#include "top.h"

#include <argp.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "fail.h"
#include "measurement.h"
#include "options.h"
#include "top/guard.h"
#include "top/live.h"
#include "top/terminal.h"

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options;
		return 0;
	case ARGP_KEY_ARG:
		return options_interval(options, arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char doc[] =
	"A live screen of what stat and doctor measure: processes, their event loops, threads, calls and "
	"descriptors, and what is wrong with them. h shows the keys. Where standard input or output is no "
	"terminal, or with -j or -o, it prints tables as iophase INTERVAL does.\v"
	"An INTERVAL is in seconds; 1 by default.\n\n"
	"  iophase top                    the whole machine\n"
	"  iophase top -n nginx           all of nginx\n"
	"  iophase top -p 1234 5          one process, every five seconds";

/* Whether there is a person to look at it. */
static bool on_terminal(const struct options *options)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !options->output &&
	       options->format == FORMAT_TABLE;
}

static int run_tables(struct options *options)
{
	options->by = BY_PROCESS | BY_CALL;
	return measurement_run(options, options->format == FORMAT_TABLE ? &output_table :
			       &output_ndjson);
}

static int run_screen(struct options *options)
{
	struct doctor doctor = doctor_default();
	int err = terminal_check();

	if (err)
		return err;
	options->by = BY_PROCESS | BY_THREAD | BY_CALL;
	options->doctor = &doctor;
	options->live = true;
	err = guard_open();
	err = err ? : measurement_run(options, &output_top);
	guard_close();
	return err;
}

static const struct argp_child children[] = { { &options_common, 0, NULL, 0 }, { 0 } };

const struct argp top_argp = {
	.parser = parse_option,
	.args_doc = "[INTERVAL]",
	.doc = doc,
	.children = children,
};

int top_main(int argc, char **argv)
{
	struct options options = { .sort = "wall" };
	int err = options_parse_with(&options, &top_argp, argc, argv);

	if (err)
		return -err - 1;
	if (options.command)
		return fail(EXIT_USAGE, "top runs no command, for both would use the terminal; "
			    "start it elsewhere, and see iophase top -p PID");
	if (!options.interval_ns)
		options.interval_ns = NS_PER_SEC;
	return on_terminal(&options) ? run_screen(&options) : run_tables(&options);
}

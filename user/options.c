// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/calls.h"
#include "fail.h"
#include "model/rows.h"
#include "saved/format.h"
#include "text.h"
#include "stat.h"
#include "version.h"
#include "weigh.h"

enum {
	KEY_BY = 256,
	KEY_FORMAT,
	KEY_COLOR,
	KEY_NO_FOLLOW,
	KEY_BACKEND,
	KEY_USAGE,
	KEY_HTML,
};

/* Of all commands that measure; the groups are the headings of the help. */
static const struct argp_option common_table[] = {
	{ 0, 0, 0, 0, "What to watch (all must hold; without any, the whole machine):", 1 },
	{ "pid", 'p', "PID,...", 0, "Processes, with all their threads, and their children", 1 },
	{ "tid", 't', "TID,...", 0, "Threads", 1 },
	{ "comm", 'n', "NAME", 0, "Threads of this name, as in /proc/PID/comm (repeatable)", 1 },
	{ "uid", 'u', "UID,...", 0, "Threads of these users, by number", 1 },
	{ "cgroup", 'c', "PATH", 0, "Threads in this cgroup (v2) or below", 1 },
	{ "no-follow", KEY_NO_FOLLOW, 0, 0, "Leave out the children of processes", 1 },
	{ 0, 0, 0, 0, "For how long:", 2 },
	{ "duration", 'd', "SEC", 0, "End after this time", 2 },
	{ "backend", KEY_BACKEND, "WHICH", 0, "auto, trampoline or tracepoint (see iophase probes)", 4 },
	{ 0 },
};

static const struct argp_option print_table[] = {
	{ 0, 0, 0, 0, "What to print:", 3 },
	{ "json", 'j', 0, 0, "Same as --format json", 3 },
	{ "output", 'o', "FILE", 0, "Write there; a regular file is replaced when done; NAME" SESSION_SUFFIX ": save all that was "
	  "measured, for iophase report, and print as usual", 3 },
	{ "html", KEY_HTML, "FILE", 0, "Write an HTML page of all that was measured there", 3 },
	{ "color", KEY_COLOR, "WHEN", 0, "auto, always or never", 3 },
	{ "verbose", 'v', 0, 0, "Say more: latencies and results, and how it works", 4 },
	{ "quiet", 'q', 0, 0, "No notes on standard error", 4 },
	{ "version", 'V', 0, 0, "Print the version", 4 },
	{ "help", 'h', 0, 0, "Print this help", 4 },
	{ "usage", KEY_USAGE, 0, OPTION_HIDDEN, 0, 4 },
	{ 0 },
};

static const struct argp_option rows_table[] = {
	{ "calls", 'e', "LIST", 0,
	  "Calls, by name or class: wait,input,output,control (default: all)", 1 },
	{ "timestamp", 'T', 0, 0, "Print the time of day with each interval", 2 },
	{ "by", KEY_BY, "LIST", 0, "Rows: process,thread,call (default: process,call); or fd; or loop; or model, with thread or fd", 3 },
	{ "sort", 's', "KEY", 0, "Order: " SORT_KEYS " (default: wall)", 3 },
	{ "top", 'N', "COUNT", 0, "Print the first COUNT rows only", 3 },
	{ "format", KEY_FORMAT, "FORMAT", 0, "table, json, ndjson or csv", 3 },
	{ 0 },
};

static const struct argp_option stat_table[] = {
	{ "min-us", 'm', "USEC", 0, "Count only calls that took at least this long", 1 },
	{ "failed", 'x', 0, 0, "Count only calls that failed", 1 },
	{ "stacks", 'S', "PHASES", OPTION_ARG_OPTIONAL,
	  "And where in the programs the time is spent: blocked,runnable,kernel,copy (default: all)", 3 },
	{ "folded", 'f', 0, 0, "Such stacks alone, folded for flame graphs, in ns", 3 },
	{ 0 },
};

static const char doc[] =
	"Where the select, poll, epoll, read and write calls of live processes spend their time: "
	"blocked (waiting for data), runnable (waiting for a CPU), in the kernel (scanning), "
	"copying; and how many descriptors were asked for, scanned and ready."
	"\vWith an INTERVAL in seconds a report is printed each time, COUNT times; without, one "
	"at the end: on Ctrl-C, after -d, or when all targets have ended.\n\n"
	"  iophase -p 1234 -d 10          one process for ten seconds\n"
	"  iophase -n nginx 1             all of nginx, every second\n"
	"  iophase -- curl -s localhost   a command from its start to its end\n\n"
	"Other commands: iophase top, iophase trace, iophase doctor, iophase report, iophase probes.";

/* The words of an option that takes one of several, in the order of its enum. */
const char *const format_words[] = { "table", "json", "ndjson", "csv", NULL };
const char *const by_words[] = { "process", "thread", "call", "fd", "loop", "model", NULL };
const char *const color_words[] = { "auto", "always", "never", NULL };

static int word_index(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++) {
		if (!strcmp(words[i], word))
			return i;
	}
	return -1;
}

static bool parse_u64(const char *text, u64 max, u64 *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !*end && !errno && *value <= max;
}

/* Seconds with a fraction, above 0, up to a century. */
static bool parse_seconds(const char *text, u64 *ns)
{
	double seconds;

	if (!text_number(text, &seconds) || !(seconds >= 1e-3 && seconds <= 3.2e9))
		return false;
	*ns = seconds * NS_PER_SEC;
	return true;
}

bool options_ids(const char *text, u64 least, struct id_list *list)
{
	while (true) {
		char word[16];
		size_t len = strcspn(text, ",");
		u64 id;

		if (len >= sizeof(word) || list->count == FILTER_MAX)
			return false;
		memcpy(word, text, len);
		word[len] = '\0';
		if (!parse_u64(word, UINT32_MAX - 1, &id) || id < least)
			return false;
		list->ids[list->count++] = id;
		if (!text[len])
			return true;
		text += len + 1;
	}
}

static bool parse_comm(struct options *options, const char *name)
{
	if (!*name || options->comm_count == COMMS_MAX)
		return false;
	/* The kernel keeps 15 bytes of a name; so a longer one means what it was cut to. */
	strncpy(options->comms[options->comm_count++], name, COMM_LEN - 1);
	return true;
}

static bool parse_by(const char *text, unsigned int *by)
{
	*by = 0;
	while (true) {
		char word[16];
		size_t len = strcspn(text, ",");
		int i;

		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		i = word_index(by_words, word);
		if (i < 0)
			return false;
		*by |= 1u << i;
		if (!text[len])
			return true;
		text += len + 1;
	}
}

/* Prints what goes to standard output instead of a measurement, and ends the program. */
static void print_and_exit(struct argp_state *state, unsigned int help)
{
	if (help)
		argp_state_help(state, stdout, help);
	else
		printf("iophase %s\n", IOPHASE_VERSION);
	if (fflush(stdout) || ferror(stdout))
		exit(fail(EXIT_RUNTIME, "cannot write the output: %s", strerror(errno)));
	exit(EXIT_OK);
}

int options_usage(const char *what, const char *value)
{
	fail(EXIT_USAGE, "%s: '%s' (see iophase --help)", what, value);
	return EINVAL;
}

static int parse_calls(struct options *options, const char *list)
{
	char word[32];

	if (!*list || calls_select(list, options->selected, word, sizeof(word)))
		return options_usage("no such call or class", *list ? word : list);
	return 0;
}

int options_interval(struct options *options, const char *arg)
{
	if (options->interval_ns)
		return options_usage("one argument too many", arg);
	if (!parse_seconds(arg, &options->interval_ns))
		return options_usage("an interval in seconds is needed, not", arg);
	return 0;
}

static int parse_position(struct options *options, char *arg)
{
	/* argp hands over "--" and what follows through ARGP_KEY_ARGS, see below. */
	if (!options->interval_ns)
		return options_interval(options, arg);
	if (options->count)
		return options_usage("one argument too many", arg);
	if (!parse_u64(arg, UINT32_MAX, &options->count) || !options->count)
		return options_usage("a count of intervals is needed, not", arg);
	return 0;
}

static int parse_word(const char *const *words, char *arg,
		      const char *what, int *choice)
{
	*choice = word_index(words, arg);
	return *choice >= 0 ? 0 : options_usage(what, arg);
}

static int parse_filter(int key, char *arg, struct options *options)
{
	switch (key) {
	case 'p':
		return options_ids(arg, 1, &options->tgids) ? 0 : options_usage("-p: no process id", arg);
	case 't':
		return options_ids(arg, 1, &options->tids) ? 0 : options_usage("-t: no thread id", arg);
	case 'u':
		return options_ids(arg, 0, &options->uids) ? 0 : options_usage("-u: no user id", arg);
	case 'n':
		return parse_comm(options, arg) ? 0 : options_usage("-n: no name", arg);
	case 'c':
		options->cgroup = arg;
		return 0;
	case KEY_NO_FOLLOW:
		options->no_follow = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* By its name: it is no output to be read, but all that outputs are made of. */
static bool is_session(const char *path)
{
	size_t length = strlen(path), suffix = strlen(SESSION_SUFFIX);

	return length > suffix && !strcmp(path + length - suffix, SESSION_SUFFIX);
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	int choice, err;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options;
		return 0;
	case KEY_BACKEND:
		err = parse_word(backend_words, arg, "--backend: no such backend", &choice);
		options->backend = choice;
		return err;
	case 'd':
		return parse_seconds(arg, &options->duration_ns) ? 0 :
		       options_usage("-d: seconds are needed, not", arg);
	default:
		return parse_filter(key, arg, options);
	}
}

static error_t parse_print(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	int choice, err;

	switch (key) {
	case KEY_COLOR:
		err = parse_word(color_words, arg, "--color: auto, always or never, not", &choice);
		options->color = choice;
		return err;
	case 'j':
		options->format = FORMAT_JSON;
		return 0;
	case 'o':
		*(is_session(arg) ? &options->save : &options->output) = arg;
		return *arg ? 0 : options_usage("-o: no file", arg);
	case KEY_HTML:
		options->html = arg;
		return *arg ? 0 : options_usage("--html: no file", arg);
	case 'v':
		verbose++;
		return 0;
	case 'q':
		quiet = true;
		return 0;
	case 'V':
		print_and_exit(state, 0);
		return 0;
	case 'h':
		print_and_exit(state, ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK);
		return 0;
	case KEY_USAGE:
		print_and_exit(state, ARGP_HELP_USAGE);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

error_t options_filter_calls(int key, char *arg, struct options *options)
{
	u64 us;

	switch (key) {
	case 'e':
		return parse_calls(options, arg);
	case 'm':
		if (!parse_u64(arg, UINT64_MAX / 1000, &us))
			return options_usage("-m: microseconds are needed, not", arg);
		options->min_ns = us * 1000;
		return 0;
	case 'x':
		options->failed_only = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_rows(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	int choice, err;
	u64 value;

	switch (key) {
	case 'e':
		return parse_calls(options, arg);
	case 'T':
		options->timestamp = true;
		return 0;
	case 'N':
		if (!parse_u64(arg, UINT32_MAX, &value) || !value)
			return options_usage("-N: a number of rows is needed, not", arg);
		options->top = value;
		return 0;
	case KEY_BY:
		return parse_by(arg, &options->by) ? 0 : options_usage("--by: no such row", arg);
	case 's':
		options->sort = arg;
		return rows_sort_known(arg, 0) ? 0 : options_usage("--sort: no such key", arg);
	case KEY_FORMAT:
		err = parse_word(format_words, arg, "--format: no such format", &choice);
		options->format = choice;
		return err;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child common_children[] = { { &options_print, 0, NULL, 0 }, { 0 } };

const struct argp options_common = {
	.options = common_table, .parser = parse_common, .children = common_children,
};
const struct argp options_print = { .options = print_table, .parser = parse_print };
const struct argp options_rows = { .options = rows_table, .parser = parse_rows };

/* -S, of the whole of which a stack may be seen seldom, so of no interval. */
static int parse_stacks(int key, char *arg, struct options *options)
{
	static struct weigh weigh;

	options->weigh = &weigh;
	if (key == 'f')
		weigh.folded = true;
	else if (arg && !weigh_parse(&weigh, arg))
		return options_usage("-S: blocked, runnable, kernel or copy, not", arg);
	return 0;
}

static error_t parse_stat(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options;
		state->child_inputs[1] = options;
		return 0;
	case ARGP_KEY_ARG:
		return parse_position(options, arg);
	case 'S':
	case 'f':
		return parse_stacks(key, arg, options);
	default:
		return options_filter_calls(key, arg, options);
	}
}

/* Takes "-- COMMAND ARGS" off the arguments, before argp would mix them with its own. */
static int split_command(struct options *options, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--"))
			continue;
		options->command = argv + i + 1;
		return i;
	}
	return argc;
}

static int check_rows(struct options *options, bool selected)
{
	if (options->by & BY_THREAD)
		options->by |= BY_PROCESS;
	if (options->by & BY_MODEL && options->by & (BY_CALL | BY_LOOP))
		return fail(EXIT_USAGE, "--by model: it can be kept apart by process, thread or fd only");
	if (options->by & BY_FD && options->by & ~(BY_FD | BY_PROCESS | BY_MODEL))
		return fail(EXIT_USAGE, "--by fd: a descriptor's figures are not kept apart further");
	if (options->by & BY_LOOP && options->by & ~(BY_LOOP | BY_PROCESS))
		return fail(EXIT_USAGE, "--by loop: a loop's figures are not kept apart further");
	if (options->by & BY_LOOP && (selected || options->min_ns || options->failed_only))
		return fail(EXIT_USAGE,
			    "--by loop: its figures are of all calls; -e, -m and -x do not apply");
	if (options->by & BY_MODEL && (selected || options->min_ns || options->failed_only))
		return fail(EXIT_USAGE,
			    "--by model: its figures are of all calls; -e, -m and -x do not apply");
	if (!rows_sort_known(options->sort, options->by))
		return fail(EXIT_USAGE, "--sort: '%s' is not known of the rows of --by %s",
			    options->sort, options->by & BY_FD ? "fd" : "loop");
	if (options->by & BY_OTHERS)
		options->by |= BY_PROCESS;
	return 0;
}

static int check_stacks(const struct options *options)
{
	struct weigh *weigh = options->weigh;
	bool any = false;

	if (!weigh)
		return 0;
	if (options->interval_ns)
		return fail(EXIT_USAGE, "stacks are shown at the end: with -S and -f there are no intervals");
	if (options->format != FORMAT_TABLE || options->by & BY_OTHERS)
		return fail(EXIT_USAGE, "stacks are shown with the table of calls, or alone: -S and -f exclude "
			    "other formats, and --by fd, loop and model");
	for (u32 i = 0; i < NR_WEIGHTS; i++)
		any |= weigh->shown[i];
	for (u32 i = 0; !any && i < NR_WEIGHTS; i++)
		weigh->shown[i] = true;
	return 0;
}

/* What is saved is to have all calls, so that it can be asked for any of them later. */
static int check_session(const struct options *options, bool selected)
{
	if (!options->everything)
		return 0;
	if (options->trace || options->live)
		return fail(EXIT_USAGE, "what is traced, or shown on a screen, is not saved: %s",
			    options->save ? : options->html);
	if (options->min_ns || options->failed_only)
		return fail(EXIT_USAGE, "a session has all calls: -m and -x do not apply");
	if (options->by & BY_MODEL)
		return fail(EXIT_USAGE, "a session does not hold models of input: --by model");
	if (options->weigh)
		return fail(EXIT_USAGE, "a session does not hold weighted stacks: -S and -f");
	if (selected && options->by & BY_FD)
		return fail(EXIT_USAGE, "a session has descriptors with all calls: -e does not apply");
	return 0;
}

static int check(struct options *options)
{
	bool any = false;

	if (options->command && !options->command[0])
		return fail(EXIT_USAGE, "no command after '--'");
	if (options->command && (options->tgids.count || options->tids.count ||
				 options->comm_count || options->uids.count || options->cgroup))
		return fail(EXIT_USAGE, "a command to run and a filter for others exclude each other");
	for (int i = 1; i < NR_CALLS; i++)
		any |= options->selected[i];
	if (!any)
		memset(options->selected, true, sizeof(options->selected));
	options->everything |= options->save || options->html;
	return check_rows(options, any) ? : check_stacks(options) ? : check_session(options, any);
}

int options_parse_with(struct options *options, const struct argp *argp, int argc, char **argv)
{
	int err, code;

	argp_err_exit_status = EXIT_USAGE;
	options->arguments = argv;
	argc = split_command(options, argc, argv);
	/* So that messages and the help name the program, however it was called. */
	argv[0] = "iophase";
	err = argp_parse(argp, argc, argv, ARGP_NO_HELP, NULL, options);
	if (err == EINVAL)
		return -EXIT_USAGE - 1;
	if (err)
		return -fail(EXIT_RUNTIME, "%s", strerror(err)) - 1;
	code = check(options);
	return code ? -code - 1 : 0;
}

static const struct argp_child children[] = {
	{ &options_rows, 0, NULL, 0 }, { &options_common, 0, NULL, 0 }, { 0 },
};

const struct argp stat_argp = {
	.options = stat_table,
	.parser = parse_stat,
	.args_doc = "[INTERVAL [COUNT]]\n[-- COMMAND [ARGS]]",
	.doc = doc,
	.children = children,
};

int options_parse(struct options *options, int argc, char **argv)
{

	*options = (struct options){ .by = BY_PROCESS | BY_CALL, .sort = "wall" };
	return options_parse_with(options, &stat_argp, argc, argv);
}

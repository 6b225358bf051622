// SPDX-License-Identifier: GPL-2.0-only
/* iophase trace: a line for each call, taken out of the kernel by a timer that follows the load. */
#include "trace.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "measurement.h"
#include "timeline/timeline.h"
#include "output/output.h"

/*
 * The ring is looked into so seldom when nothing comes that it costs nothing, and so often under
 * load that a quarter of it is never full.
 */
#define GAP_MAX_NS	(64 * 1000000ull)
#define GAP_MIN_NS	(1 * 1000000ull)
#define FILL_HIGH	(1. / 8)
#define FILL_LOW	(1. / 64)

/* From its end to its place in the ring a call takes so long at most, but for rare ones. */
#define ON_ITS_WAY_NS	(2 * 1000000ull)

#define BUFFER_MIB	32
#define BUFFER_MIB_MAX	1024

static void show_call(void *context, const struct trace_call *call, const struct names *names)
{
	struct trace *trace = context;

	trace->format->call(trace, call);
	if (trace->timeline)
		timeline_call(trace->timeline, call, names);
}

static void show_lost(void *context, u64 calls)
{
	struct trace *trace = context;

	trace->format->lost(trace, calls);
	if (trace->timeline)
		timeline_lost(trace->timeline, calls);
}

static void take(void *context, const void *record, size_t size)
{
	struct trace *trace = context;

	stream_take(trace->stream, record, size);
}

static u64 day_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

static void begin(FILE *out, const struct options *options)
{
	struct trace *trace = options->trace;
	struct trace_view view = { .call = show_call, .lost = show_lost, .context = trace };

	trace->out = out;
	trace->options = options;
	trace->names = names_open(trace->format->escape);
	trace->stream = trace->names ? stream_open(&view, trace->names) : NULL;
	if (!trace->stream)
		exit(fail(EXIT_RUNTIME, "out of memory"));
	trace->gap_ns = GAP_MAX_NS;
}

/* Times are told from the moment on that the watch began, which is before a command does. */
static void start_clock(struct trace *trace, struct session *session)
{
	trace->begin_ns = session_begin_ns(session);
	trace->begin_day_ns = day_ns() - (clock_ns() - trace->begin_ns);
	trace->format->begin(trace);
	if (!trace->timeline_path)
		return;
	trace->timeline = timeline_open(trace->timeline_sink.stream, trace->begin_ns,
					trace->begin_day_ns);
	if (!trace->timeline)
		exit(fail(EXIT_RUNTIME, "out of memory"));
}

static u64 drain(FILE *out, const struct options *options, struct session *session, bool last)
{
	struct trace *trace = options->trace;
	u64 now = clock_ns();
	double fill;

	(void)out;
	if (!trace->begin_ns)
		start_clock(trace, session);
	fill = session_trace(session, take, trace);
	if (last)
		stream_end(trace->stream, session_trace_lost(session));
	else
		stream_show(trace->stream, now - ON_ITS_WAY_NS);
	if (fill > FILL_HIGH)
		trace->gap_ns /= 4;
	else if (fill < FILL_LOW)
		trace->gap_ns *= 2;
	if (trace->gap_ns < GAP_MIN_NS)
		trace->gap_ns = GAP_MIN_NS;
	if (trace->gap_ns > GAP_MAX_NS)
		trace->gap_ns = GAP_MAX_NS;
	return trace->gap_ns;
}

static void print(FILE *out, const struct report *report)
{
	struct trace *trace = report->options->trace;

	(void)out;
	trace->format->end(trace, report);
}

static const struct output output_trace = { .begin = begin, .drain = drain, .print = print };

enum { KEY_FD = 768, KEY_BUFFER, KEY_NO_NAMES, KEY_FORMAT, KEY_TIMELINE };

static const struct argp_option option_table[] = {
	{ "calls", 'e', "LIST", 0,
	  "Calls, by name or class: wait,input,output,control (default: all)", 1 },
	{ "min-us", 'm', "USEC", 0, "Only calls that took at least this long", 1 },
	{ "failed", 'x', 0, 0, "Only calls that failed", 1 },
	{ "fd", KEY_FD, "FD,...", 0,
	  "Only calls on these descriptors, and waits that reported them", 1 },
	{ "timestamp", 'T', 0, 0, "Print the time of day, and not since the start", 3 },
	{ "no-names", KEY_NO_NAMES, 0, 0, "Descriptors by number alone", 3 },
	{ "format", KEY_FORMAT, "FORMAT", 0, "table or ndjson: JSON lines, as by -j", 3 },
	{ "timeline", KEY_TIMELINE, "FILE", 0,
	  "Write a timeline for ui.perfetto.dev besides; -o FILE.pftrace: nothing else", 3 },
	{ "buffer", KEY_BUFFER, "MIB", 0,
	  "Memory for calls that are not written yet: a power of two (default: 32)", 4 },
	{ 0 },
};

static int set_buffer(struct trace *trace, const char *text)
{
	char *end;
	unsigned long mib = strtoul(text, &end, 10);

	if (end == text || *end || !mib || mib > BUFFER_MIB_MAX || mib & (mib - 1))
		return options_usage("--buffer: a power of two up to 1024 is needed, not", text);
	trace->buffer_bytes = (u64)mib << 20;
	return 0;
}

static int set_format(struct options *options, const char *word)
{
	if (!strcmp(word, "table"))
		options->format = FORMAT_TABLE;
	else if (!strcmp(word, "ndjson"))
		options->format = FORMAT_NDJSON;
	else
		return options_usage("--format: table or ndjson, not", word);
	return 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	struct trace *trace = options->trace;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options;
		return 0;
	case ARGP_KEY_ARG:
		return options_usage("trace takes no arguments, but options: -d SEC, -p PID", arg);
	case KEY_FD:
		return options_ids(arg, 0, &trace->fds) ? 0 : options_usage("--fd: no descriptor", arg);
	case 'T':
		options->timestamp = true;
		return 0;
	case KEY_NO_NAMES:
		trace->no_names = true;
		return 0;
	case KEY_FORMAT:
		return set_format(options, arg);
	case KEY_TIMELINE:
		trace->timeline_path = arg;
		return *arg ? 0 : options_usage("--timeline: no file", arg);
	case KEY_BUFFER:
		return set_buffer(trace, arg);
	default:
		return options_filter_calls(key, arg, options);
	}
}

static const char doc[] =
	"A line for each select, poll, epoll, read and write call of live processes, in the order "
	"in which they return: how long it took, of that blocked (waiting for data), runnable "
	"(waiting for a CPU), in the kernel (scanning) and copying; what was asked for, scanned and "
	"ready; and who woke it.\v"
	"  iophase trace -p 1234 -e wait      what its event loop waits for\n"
	"  iophase trace -p 1234 -m 10000     calls that took 10 ms or more\n"
	"  iophase trace -n nginx --fd 8 -x   what fails on descriptor 8\n"
	"  iophase trace -j -o run.ndjson -- curl -s localhost\n"
	"  iophase trace -p 1234 -d 5 -o run.pftrace   a timeline, for ui.perfetto.dev";

/* "-o FILE.pftrace" means a timeline; what is said besides goes to the standard output. */
static void choose_format(struct trace *trace, struct options *options)
{
	static const char suffix[] = ".pftrace";
	size_t length = options->output ? strlen(options->output) : 0;

	trace->format = options->format == FORMAT_TABLE ? &trace_text : &trace_ndjson;
	if (length < sizeof(suffix) || strcmp(options->output + length - strlen(suffix), suffix) ||
	    trace->timeline_path || options->format != FORMAT_TABLE)
		return;
	trace->format = &trace_silent;
	trace->timeline_path = options->output;
	options->output = NULL;
}

static int run(struct trace *trace, struct options *options)
{
	int err = 0, end;

	if (trace->timeline_path)
		err = sink_open(&trace->timeline_sink, trace->timeline_path, NULL);
	if (err)
		return err;
	err = measurement_run(options, &output_trace);
	if (!trace->timeline_path)
		return err;
	timeline_close(trace->timeline);
	/* Without a begin there was no measurement. */
	if (!trace->timeline) {
		sink_abandon(&trace->timeline_sink);
		return err;
	}
	end = sink_close(&trace->timeline_sink);
	return err ? : end;
}

static const struct argp_child children[] = { { &options_common, 0, NULL, 0 }, { 0 } };

const struct argp trace_argp = {
	.options = option_table,
	.parser = parse_option,
	.args_doc = "[-- COMMAND [ARGS]]",
	.doc = doc,
	.children = children,
};

int trace_main(int argc, char **argv)
{
	static struct trace trace = { .buffer_bytes = BUFFER_MIB << 20 };
	struct options options = {
		.by = BY_PROCESS | BY_CALL, .sort = "wall", .trace = &trace,
	};
	int err = options_parse_with(&options, &trace_argp, argc, argv);

	if (err)
		return -err - 1;
	choose_format(&trace, &options);
	err = run(&trace, &options);
	stream_close(trace.stream);
	names_close(trace.names);
	return err;
}

// SPDX-License-Identifier: GPL-2.0-only
/* iophase stat: sums over the whole measurement, or over each interval. */
#include "stat.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "cost.h"
#include "fail.h"
#include "loop.h"
#include "options.h"
#include "output.h"
#include "session.h"
#include "sink.h"

/* The cost is sampled this long, this often: timing programs costs 3 % of what they do. */
#define SAMPLE_NS	(50 * 1000000ull)
#define SAMPLE_GAP_NS	(2 * NS_PER_SEC)
/* The kernel has room for the histograms of some 250 processes to end in this time. */
#define RETIRE_NS	(100 * 1000000ull)
/* How often to look whether the last descendants of targets that ended have ended too. */
#define TARGETS_NS	(100 * 1000000ull)

struct stat {
	struct options options;
	const struct output *output;
	struct sink sink;
	struct child child;
	struct loop *loop;
	struct session *session;
	struct cost_sampler *sampler;
	struct rows before;		/* what was reported already */
	u64 losses_before[NR_LOSSES];
	u64 misses_before;
	u64 begin_ns;			/* of the interval */
	u64 reports;
	int signals, signal;		/* how many came, and the last of them */
	bool targeted;			/* there are targets, so their end is the end */
	bool sampling;
};

static const struct output *const outputs[] = {
	[FORMAT_TABLE] = &output_table,
	[FORMAT_JSON] = &output_json,
	[FORMAT_NDJSON] = &output_ndjson,
	[FORMAT_CSV] = &output_csv,
};

static int add_process(struct stat *stat, u32 tgid)
{
	int err = loop_target(stat->loop, tgid);

	/* A pidfd stands for a process: a thread that leads none is refused. */
	if ((err == -EINVAL || err == -ENOENT) && !kill(tgid, 0))
		return fail(EXIT_RUNTIME, "no such process: %u (a thread has it: -t %u)", tgid, tgid);
	if (err == -EINVAL || err == -ENOENT || err == -ESRCH)
		return fail(EXIT_RUNTIME, "no such process: %u", tgid);
	return err ? fail(EXIT_RUNTIME, "process %u: %s", tgid, strerror(-err)) : 0;
}

/* All that was asked for is there, and the end of the processes among it will be seen. */
static int find_targets(struct stat *stat)
{
	const struct id_list *tgids = &stat->options.tgids, *tids = &stat->options.tids;
	int err = 0;

	for (u32 i = 0; !err && i < tgids->count; i++)
		err = add_process(stat, tgids->ids[i]);
	for (u32 i = 0; !err && i < tids->count; i++) {
		if (kill(tids->ids[i], 0) && errno == ESRCH)
			err = fail(EXIT_RUNTIME, "no such thread: %u", tids->ids[i]);
	}
	stat->targeted = tgids->count || tids->count;
	return err;
}

/* Leaves in @now what came since the last report, and adds that to what was reported. */
static void take_interval(struct stat *stat, struct reading *now, struct cost *cost)
{
	cost->recursion_misses -= stat->misses_before;
	stat->misses_before += cost->recursion_misses;
	rows_subtract(&now->rows, &stat->before);
	rows_add(&stat->before, &now->rows);
	for (int i = 0; i < NR_LOSSES; i++) {
		now->losses[i] -= stat->losses_before[i];
		stat->losses_before[i] += now->losses[i];
	}
}

/* Prints what was counted since the last report. */
static int report(struct stat *stat, bool last)
{
	struct reading now;
	struct cost cost = cost_read(stat->sampler);
	struct report report = {
		.options = &stat->options,
		.backend = session_backend(stat->session),
		.scan_tier = session_tier(stat->session, NEED_SCAN),
		.lag_tier = session_tier(stat->session, NEED_READY),
		.fd_lag_tier = session_tier(stat->session, NEED_FD_READY),
		.parts = session_parts(stat->session),
		.direct = session_direct(stat->session),
		.reading = &now,
		.cost = &cost,
		.last = last,
	};
	int err = session_read(stat->session, &now);

	if (!err) {
		clock_gettime(CLOCK_REALTIME, &report.at);
		report.duration_ns = now.now_ns - stat->begin_ns;
		stat->begin_ns = now.now_ns;
		stat->reports++;
		take_interval(stat, &now, &cost);
		stat->output->print(stat->sink.stream, &report);
		err = sink_flush(&stat->sink);
	}
	reading_free(&now);
	return err;
}

/* The end: no more is counted, and what was is printed. */
static int finish(struct stat *stat)
{
	int err;

	if (stat->sampling)
		cost_sample_end(stat->sampler);
	err = session_stop(stat->session);
	return err ? : report(stat, true);
}

static int sample(struct stat *stat)
{
	stat->sampling = !stat->sampling;
	if (stat->sampling)
		cost_sample_begin(stat->sampler);
	else
		cost_sample_end(stat->sampler);
	return loop_timer(stat->loop, LOOP_SAMPLE, stat->sampling ? SAMPLE_NS : SAMPLE_GAP_NS, 0);
}

/* All targets are gone, and all that descended from them. */
static bool targets_gone(struct stat *stat)
{
	if (!stat->targeted || loop_targets(stat->loop))
		return false;
	if (!session_threads(stat->session))
		return true;
	loop_timer(stat->loop, LOOP_TARGET, TARGETS_NS, 0);
	return false;
}

/*
 * A signal ends the measurement. A command should end first, so that its end is seen: the
 * first signal is for it alone. It is told if it does not know yet: a key reaches it by the
 * terminal, kill(1) reaches us.
 */
static bool signal_ends(struct stat *stat, bool by_user)
{
	child_reap(&stat->child, 0);
	if (stat->signals++ || !stat->child.pid || stat->child.ended)
		return true;
	if (by_user)
		kill(stat->child.pid, stat->signal);
	return false;
}

/* Runs until one of the ends; 0, or an exit code after a message. */
static int run(struct stat *stat)
{
	int err = 0;
	bool by_user;

	while (!err && !targets_gone(stat)) {
		switch (loop_wait(stat->loop, &stat->signal, &by_user)) {
		case LOOP_SIGNAL:
			if (signal_ends(stat, by_user))
				return 0;
			break;
		case LOOP_INTERVAL:
			if (stat->options.count && stat->reports + 1 >= stat->options.count)
				return 0;
			err = report(stat, false);
			break;
		case LOOP_DURATION:
			return 0;
		case LOOP_RETIRE:
			err = session_retire(stat->session);
			break;
		case LOOP_SAMPLE:
			err = sample(stat);
			break;
		case LOOP_TARGET:
			break;
		case LOOP_ERROR:
			return fail(EXIT_RUNTIME, "epoll_wait: %s", strerror(errno));
		}
	}
	return err;
}

static int start_timers(struct stat *stat)
{
	struct options *options = &stat->options;
	int err = 0;

	/* An end that falls on that of an interval would bring an empty report after its own. */
	if (options->interval_ns && options->duration_ns % options->interval_ns == 0) {
		u64 count = options->duration_ns / options->interval_ns;

		if (count && (!options->count || count < options->count))
			options->count = count;
		options->duration_ns = 0;
	}
	if (options->interval_ns)
		err = loop_timer(stat->loop, LOOP_INTERVAL, options->interval_ns,
				 options->interval_ns);
	if (!err && options->duration_ns)
		err = loop_timer(stat->loop, LOOP_DURATION, options->duration_ns, 0);
	err = err ? : loop_timer(stat->loop, LOOP_RETIRE, RETIRE_NS, RETIRE_NS);
	return err ? : loop_timer(stat->loop, LOOP_SAMPLE, SAMPLE_NS, 0);
}

/* The command, held, is what is watched; when it is let go the watch has begun. */
static int start_child(struct stat *stat)
{
	struct options *options = &stat->options;
	int err;

	if (!options->command)
		return 0;
	err = child_start(&stat->child, options->command);
	options->tgids.ids[0] = stat->child.pid;
	options->tgids.count = 1;
	return err;
}

static int start(struct stat *stat)
{
	unsigned long long threads;
	int err;

	err = start_child(stat);
	err = err ? : find_targets(stat);
	if (err)
		return err;
	stat->session = session_open(&stat->options);
	if (!stat->session)
		return EXIT_RUNTIME;
	stat->sampler = cost_open(stat->session);
	if (!stat->sampler)
		return fail(EXIT_RUNTIME, "out of memory");
	err = session_start(stat->session);
	if (err)
		return err;
	stat->begin_ns = clock_ns();
	cost_watch_begins(stat->sampler);
	threads = session_threads(stat->session);
	note("watching %llu thread%s; Ctrl-C ends", threads, threads == 1 ? "" : "s");
	err = start_timers(stat);
	if (!err && stat->child.pid)
		err = child_release(&stat->child, stat->options.command);
	return err;
}

static int measure(struct stat *stat)
{
	int err = start(stat);

	if (err)
		return err;
	if (stat->output->begin)
		stat->output->begin(stat->sink.stream, &stat->options);
	err = run(stat);
	err = err ? : finish(stat);
	session_close(stat->session);
	stat->session = NULL;
	return err;
}

static void close_all(struct stat *stat)
{
	cost_close(stat->sampler);
	session_close(stat->session);
	rows_free(&stat->before);
	loop_close(stat->loop);
	child_abandon(&stat->child);
}

/* The command's status, once it has one; until then signals are passed on to it. */
static int command_status(struct stat *stat)
{
	bool by_user;

	while (stat->signals < 2) {
		child_reap(&stat->child, 0);
		if (stat->child.ended)
			return stat->child.status;
		switch (loop_wait(stat->loop, &stat->signal, &by_user)) {
		case LOOP_SIGNAL:
			signal_ends(stat, by_user);
			break;
		case LOOP_ERROR:
			return fail(EXIT_RUNTIME, "epoll_wait: %s", strerror(errno));
		default:
			break;
		}
	}
	return 128 + stat->signal;
}

int stat_main(int argc, char **argv)
{
	struct stat stat = { 0 };
	int err = options_parse(&stat.options, argc, argv);

	if (err)
		return -err - 1;
	signal(SIGPIPE, SIG_IGN);
	stat.output = outputs[stat.options.format];
	rows_init(&stat.before, stat.options.by);
	err = sink_open(&stat.sink, stat.options.output, stat.options.command ? stderr : stdout);
	if (err)
		return err;
	stat.loop = loop_open(stat.options.command ? 2 : 1, sink_remove);
	err = stat.loop ? measure(&stat) : EXIT_RUNTIME;
	if (err)
		sink_abandon(&stat.sink);
	else
		err = sink_close(&stat.sink);
	if (stat.child.released) {
		int status = command_status(&stat);

		err = err ? : status;
	}
	close_all(&stat);
	return err;
}

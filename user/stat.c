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
	u64 begin_ns;			/* of the interval */
	u64 reports;
	bool targeted;			/* there are targets, so their end is the end */
	bool sampling;
};

static const struct output *const outputs[] = {
	[FORMAT_TABLE] = &output_table,
	[FORMAT_JSON] = &output_json,
	[FORMAT_NDJSON] = &output_ndjson,
	[FORMAT_CSV] = &output_csv,
};

static u64 clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

/* All that must be there is there, and its end will be seen. */
static int add_targets(struct stat *stat, const struct id_list *list, const char *what)
{
	for (u32 i = 0; i < list->count; i++) {
		int err = loop_target(stat->loop, list->ids[i]);

		/* A pidfd stands for a process; a thread that leads none has none. */
		if (err == -EINVAL || err == -ENOENT) {
			if (kill(list->ids[i], 0))
				err = -ESRCH;
			else
				continue;
		}
		if (err == -ESRCH)
			return fail(EXIT_RUNTIME, "no such %s: %u", what, list->ids[i]);
		if (err)
			return fail(EXIT_RUNTIME, "%s %u: %s", what, list->ids[i], strerror(-err));
	}
	return 0;
}

static int find_targets(struct stat *stat)
{
	int err = add_targets(stat, &stat->options.tgids, "process");

	return err ? : add_targets(stat, &stat->options.tids, "thread");
}

/* Leaves in @now what came since the last report, and adds that to what was reported. */
static void take_interval(struct stat *stat, struct reading *now)
{
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
		take_interval(stat, &now);
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
 * A signal ends the measurement. The command is told too if it does not know yet: a key
 * reaches it by the terminal, kill(1) reaches us alone.
 */
static bool signal_ends(struct stat *stat, int signal, bool by_user)
{
	if (!stat->child.pid)
		return true;
	if (by_user)
		kill(stat->child.pid, signal);
	return false;
}

/* Runs until one of the ends; 0, or an exit code after a message. */
static int run(struct stat *stat)
{
	u64 signals = 0;
	int signal = 0, err = 0;
	bool by_user;

	while (!err && !targets_gone(stat)) {
		switch (loop_wait(stat->loop, &signal, &by_user)) {
		case LOOP_SIGNAL:
			if (signals++ || signal_ends(stat, signal, by_user))
				return 0;
			break;
		case LOOP_CHILD:
			child_reap(&stat->child, 0);
			break;
		case LOOP_INTERVAL:
			if (stat->options.count && stat->reports + 1 >= stat->options.count)
				return 0;
			err = report(stat, false);
			break;
		case LOOP_DURATION:
			return 0;
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
	const struct options *options = &stat->options;
	int err = 0;

	if (options->interval_ns)
		err = loop_timer(stat->loop, LOOP_INTERVAL, options->interval_ns,
				 options->interval_ns);
	if (!err && options->duration_ns)
		err = loop_timer(stat->loop, LOOP_DURATION, options->duration_ns, 0);
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
	int err;

	err = start_child(stat);
	err = err ? : find_targets(stat);
	if (err)
		return err;
	stat->targeted = loop_targets(stat->loop);
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
	note("watching %llu threads; Ctrl-C ends",
	     (unsigned long long)session_threads(stat->session));
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
	stat.loop = loop_open();
	err = stat.loop ? measure(&stat) : EXIT_RUNTIME;
	if (err)
		sink_abandon(&stat.sink);
	else
		err = sink_close(&stat.sink);
	/* The command's status is passed on, once it has one. */
	if (!err && stat.child.pid) {
		child_reap(&stat.child, 1);
		err = stat.child.status;
	}
	close_all(&stat);
	return err;
}

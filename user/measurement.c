// SPDX-License-Identifier: GPL-2.0-only
/* A measurement from its start to its last report: sums over all of it, or over each interval. */
#include "measurement.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "cost.h"
#include "fail.h"
#include "loop.h"
#include "options.h"
#include "output/output.h"
#include "report/page.h"
#include "reporter.h"
#include "saved/recorder.h"
#include "session/session.h"
#include "sink.h"

/* The cost is sampled this long, this often: timing programs costs 3 % of what they do. */
#define SAMPLE_NS	(50 * 1000000ull)
#define SAMPLE_GAP_NS	(2 * NS_PER_SEC)
/* The kernel has room for the histograms of some 250 processes to end in this time. */
#define RETIRE_NS	(100 * 1000000ull)
/* How often to look whether the last descendants of targets that ended have ended too. */
#define TARGETS_NS	(100 * 1000000ull)

struct measurement {
	struct options *options;
	struct options measured;	/* what is asked of the session: more, if it is saved */
	const struct output *output;
	struct sink sink;
	struct child child;
	struct loop *loop;
	struct session *session;
	struct cost_sampler *sampler;
	struct reporter reporter;
	int signals, signal;		/* how many came, and the last of them */
	bool quit;			/* by a key: nothing more is to be printed */
	bool targeted;			/* there are targets, so their end is the end */
	bool sampling;
};

static int add_process(struct measurement *m, u32 tgid)
{
	int err = loop_target(m->loop, tgid);

	/* A pidfd stands for a process: a thread that leads none is refused. */
	if ((err == -EINVAL || err == -ENOENT) && !kill(tgid, 0))
		return fail(EXIT_RUNTIME, "no such process: %u (a thread has it: -t %u)", tgid, tgid);
	if (err == -EINVAL || err == -ENOENT || err == -ESRCH)
		return fail(EXIT_RUNTIME, "no such process: %u", tgid);
	return err ? fail(EXIT_RUNTIME, "process %u: %s", tgid, strerror(-err)) : 0;
}

/* All that was asked for is there, and the end of the processes among it will be seen. */
static int find_targets(struct measurement *m)
{
	const struct id_list *tgids = &m->options->tgids, *tids = &m->options->tids;
	int err = 0;

	for (u32 i = 0; !err && i < tgids->count; i++)
		err = add_process(m, tgids->ids[i]);
	for (u32 i = 0; !err && i < tids->count; i++) {
		if (kill(tids->ids[i], 0) && errno == ESRCH)
			err = fail(EXIT_RUNTIME, "no such thread: %u", tids->ids[i]);
	}
	m->targeted = tgids->count || tids->count;
	return err;
}

static void end_live(struct measurement *m)
{
	if (m->output->live)
		m->output->live->end();
}

/* Takes the calls of a trace that came since the last time. */
static int drain(struct measurement *m, bool last)
{
	u64 next_ns;
	int err;

	if (!m->output->drain)
		return 0;
	next_ns = m->output->drain(m->sink.stream, m->options, m->session, last);
	err = sink_flush(&m->sink);
	return err || last ? err : loop_timer(m->loop, LOOP_TRACE, next_ns, 0);
}

/* A while of what is saved is over. */
static int save(struct measurement *m)
{
	u64 next_ns;
	int err = reporter_save(&m->reporter, &next_ns);

	return err ? : loop_timer(m->loop, LOOP_SLICE, next_ns, 0);
}

/* The end: no more is counted, and what was is printed. */
static int finish(struct measurement *m)
{
	int err;

	end_live(m);
	if (m->quit)
		return 0;
	if (m->sampling)
		cost_sample_end(m->sampler);
	err = session_stop(m->session);
	err = err ? : drain(m, true);
	return err ? : reporter_finish(&m->reporter);
}

static int sample(struct measurement *m)
{
	m->sampling = !m->sampling;
	if (m->sampling)
		cost_sample_begin(m->sampler);
	else
		cost_sample_end(m->sampler);
	return loop_timer(m->loop, LOOP_SAMPLE, m->sampling ? SAMPLE_NS : SAMPLE_GAP_NS, 0);
}

/* All targets are gone, and all that descended from them. */
static bool targets_gone(struct measurement *m)
{
	if (!m->targeted || loop_targets(m->loop))
		return false;
	if (!session_threads(m->session))
		return true;
	loop_timer(m->loop, LOOP_TARGET, TARGETS_NS, 0);
	return false;
}

/* They are gone, and were so before the hooks were there: no report, for there is nothing to say. */
static int targets_missed(const struct measurement *m)
{
	const struct options *options = m->options;
	const struct id_list *tgids = &options->tgids, *tids = &options->tids;
	bool more = tgids->count || options->comm_count || options->uids.count || options->cgroup;

	if (session_watched(m->session))
		return 0;
	if (tids->count && more && !kill(tids->ids[0], 0))
		return fail(EXIT_RUNTIME, "thread %u does not pass the other filters", tids->ids[0]);
	if (tgids->count + tids->count > 1)
		return fail(EXIT_RUNTIME, "all that was named ended before it could be watched");
	if (tids->count)
		return fail(EXIT_RUNTIME, "thread %u ended before it could be watched", tids->ids[0]);
	return fail(EXIT_RUNTIME, "process %u ended before it could be watched", tgids->ids[0]);
}

/*
 * A signal ends the measurement. A command should end first, so that its end is seen: the
 * first signal is for it alone. It is told if it does not know yet: a key reaches it by the
 * terminal, kill(1) reaches us.
 */
static bool signal_ends(struct measurement *m, bool by_user)
{
	child_reap(&m->child, 0);
	if (m->signals++ || !m->child.pid || m->child.ended)
		return true;
	if (by_user)
		kill(m->child.pid, m->signal);
	return false;
}

/* An interval is over; the last one is reported at the end. */
static int end_interval(struct measurement *m, bool *over)
{
	const struct live *live = m->output->live;

	*over = m->options->count && m->reporter.reports + 1 >= m->options->count;
	if (*over || (live && !live->wanted()))
		return 0;
	return reporter_print(&m->reporter, false);
}

/* Keys, for the screen. */
static int take_input(struct measurement *m)
{
	switch (m->output->live->input(m->options)) {
	case LIVE_GO_ON:
		return 0;
	case LIVE_INTERVAL:
		return loop_timer(m->loop, LOOP_INTERVAL, m->options->interval_ns,
				  m->options->interval_ns);
	case LIVE_END:
		m->quit = true;
		return 0;
	}
	return 0;
}

/* Runs until one of the ends; 0, or an exit code after a message. */
static int run(struct measurement *m)
{
	bool by_user, over = false;
	int err = 0;

	while (!err && !over && !m->quit && !targets_gone(m)) {
		switch (loop_wait(m->loop, &m->signal, &by_user)) {
		case LOOP_SIGNAL:
			if (signal_ends(m, by_user))
				return 0;
			break;
		case LOOP_INTERVAL:
			err = end_interval(m, &over);
			break;
		case LOOP_DURATION:
			return 0;
		case LOOP_SLICE:
			err = save(m);
			break;
		case LOOP_RETIRE:
			err = session_retire(m->session);
			break;
		case LOOP_SAMPLE:
			err = sample(m);
			break;
		case LOOP_TRACE:
			err = drain(m, false);
			break;
		case LOOP_TARGET:
			break;
		case LOOP_INPUT:
			err = take_input(m);
			break;
		case LOOP_RESIZE:
			m->output->live->resize();
			break;
		case LOOP_ERROR:
			return fail(EXIT_RUNTIME, "epoll_wait: %s", strerror(errno));
		}
	}
	return err ? : targets_missed(m);
}

static int start_timers(struct measurement *m)
{
	struct options *options = m->options;
	int err = 0;

	/* An end that falls on that of an interval would bring an empty report after its own. */
	if (options->interval_ns && !m->output->live &&
	    options->duration_ns % options->interval_ns == 0) {
		u64 count = options->duration_ns / options->interval_ns;

		if (count && (!options->count || count < options->count))
			options->count = count;
		options->duration_ns = 0;
	}
	if (options->interval_ns)
		err = loop_timer(m->loop, LOOP_INTERVAL, options->interval_ns,
				 options->interval_ns);
	if (!err && options->duration_ns)
		err = loop_timer(m->loop, LOOP_DURATION, options->duration_ns, 0);
	err = err ? : loop_timer(m->loop, LOOP_RETIRE, RETIRE_NS, RETIRE_NS);
	if (!err && m->reporter.recorder)
		err = loop_timer(m->loop, LOOP_SLICE, REPORTER_SLICE_NS, 0);
	return err ? : loop_timer(m->loop, LOOP_SAMPLE, SAMPLE_NS, 0);
}

/* The command, held, is what is watched; when it is let go the watch has begun. */
static int start_child(struct measurement *m)
{
	struct options *options = m->options;
	int err;

	if (!options->command)
		return 0;
	err = child_start(&m->child, options->command);
	options->tgids.ids[0] = m->child.pid;
	options->tgids.count = 1;
	return err;
}

/* The session is asked for more than is printed if it is to be saved. */
static void choose_measured(struct measurement *m)
{
	m->measured = *m->options;
	if (!m->options->everything)
		return;
	m->measured.by = BY_PROCESS | BY_CALL;
	memset(m->measured.selected, true, sizeof(m->measured.selected));
}

static int start(struct measurement *m)
{
	unsigned long long threads;
	int err;

	err = start_child(m);
	err = err ? : find_targets(m);
	if (err)
		return err;
	choose_measured(m);
	m->session = session_open(&m->measured);
	if (!m->session)
		return EXIT_RUNTIME;
	m->sampler = cost_open(m->session);
	if (!m->sampler)
		return fail(EXIT_RUNTIME, "out of memory");
	err = session_start(m->session);
	if (err)
		return err;
	cost_watch_begins(m->sampler);
	err = reporter_start(&m->reporter, m->session, m->sampler);
	if (err)
		return err;
	threads = session_threads(m->session);
	note("watching %llu thread%s; Ctrl-C ends", threads, threads == 1 ? "" : "s");
	err = start_timers(m);
	if (!err && m->child.pid)
		err = child_release(&m->child, m->options->command);
	return err;
}

/* The screen, and the keys and changes of size that are for it. */
static int begin_live(struct measurement *m)
{
	int err = m->output->live->begin(m->options);

	if (err)
		return err;
	loop_resize();
	err = loop_input(m->loop, STDIN_FILENO);
	return err ? fail(EXIT_RUNTIME, "cannot wait for keys: %s", strerror(-err)) : 0;
}

static int measure(struct measurement *m)
{
	int err = start(m);

	if (!err && m->output->live)
		err = begin_live(m);
	if (err)
		return err;
	if (m->output->begin)
		m->output->begin(m->sink.stream, m->options);
	err = drain(m, false);
	err = err ? : run(m);
	err = err ? : finish(m);
	session_close(m->session);
	m->session = NULL;
	return err;
}

static void close_all(struct measurement *m)
{
	cost_close(m->sampler);
	session_close(m->session);
	reporter_close(&m->reporter);
	loop_close(m->loop);
	child_abandon(&m->child);
}

/* The command's status, once it has one; until then signals are passed on to it. */
static int command_status(struct measurement *m)
{
	bool by_user;

	while (m->signals < 2) {
		child_reap(&m->child, 0);
		if (m->child.ended)
			return m->child.status;
		switch (loop_wait(m->loop, &m->signal, &by_user)) {
		case LOOP_SIGNAL:
			signal_ends(m, by_user);
			break;
		case LOOP_ERROR:
			return fail(EXIT_RUNTIME, "epoll_wait: %s", strerror(errno));
		default:
			break;
		}
	}
	return 128 + m->signal;
}

int measurement_run(struct options *options, const struct output *output)
{
	struct measurement m = { .options = options, .output = output };
	int err;

	signal(SIGPIPE, SIG_IGN);
	m.reporter = (struct reporter){ .options = options, .output = output, .sink = &m.sink };
	err = sink_open(&m.sink, options->output, options->command ? stderr : stdout);
	if (err)
		return err;
	m.loop = loop_open(options->command ? 2 : 1, sink_remove);
	err = m.loop ? measure(&m) : EXIT_RUNTIME;
	end_live(&m);
	if (err)
		sink_abandon(&m.sink);
	else
		err = sink_close(&m.sink);
	if (!err && options->html)
		err = page_write_from(recorder_fd(m.reporter.recorder), options->html);
	if (m.child.released) {
		int status = command_status(&m);

		err = err ? : status;
	}
	close_all(&m);
	return err;
}

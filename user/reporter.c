// SPDX-License-Identifier: GPL-2.0-only
/* What is printed, shown and saved of a measurement, as it goes and at its end. */
#include "reporter.h"

#include <time.h>

#include "clock.h"
#include "fail.h"
#include "model/models.h"
#include "model/view.h"
#include "saved/recorder.h"
#include "session/session.h"
#include "sink.h"
#include "stack/sleeper.h"
#include "stack/traceback.h"
#include "version.h"

/* What is saved is cut in slices of this time, and of longer ones when there are many. */
#define SLICE_NS	REPORTER_SLICE_NS
#define SLICES		256
/* After this time all of it is saved, and again when twice that is over: a crash costs the rest. */
#define TOTAL_NS	(10 * NS_PER_SEC)

static void take_rows(struct rows *now, struct rows *past)
{
	past->by = now->by;
	rows_subtract(now, past);
	rows_add(past, now);
}

/* Leaves in @now what came since the last report, and adds that to what was reported. */
static void take_interval(struct reporter *r, struct reading *now, struct cost *cost)
{
	cost->recursion_misses -= r->past.misses;
	r->past.misses += cost->recursion_misses;
	take_rows(&now->rows, &r->past.rows);
	take_rows(&now->by_thread, &r->past.threads);
	take_rows(&now->fds, &r->past.fds);
	take_rows(&now->loops, &r->past.loops);
	models_share(&now->rows);
	for (int i = 0; i < NR_LOSSES; i++) {
		now->losses[i] -= r->past.losses[i];
		r->past.losses[i] += now->losses[i];
	}
}

static u32 find_stack(const struct stack_source *source, const struct stack_key *key,
		      const struct user_place *here, struct symbol *symbols, u32 max)
{
	struct reporter *r = source->context;
	struct user_stack stack;
	bool found;

	if (key->kind == STACK_HERE)
		found = sleeper_stack(key->object >> 32, key->object, here, &stack);
	else
		found = session_stack(r->session, key->object, key->kind, &stack);
	return found ? traceback_make(&stack, symbols, max) : 0;
}

/* What all reports have in common. */
static struct report report_make(struct reporter *r)
{
	const struct options *options = r->options;

	return (struct report){
		.options = options,
		.version = IOPHASE_VERSION,
		.kernel = r->kernel.release,
		.backend = session_backend(r->session),
		.scan_tier = session_tier(r->session, NEED_SCAN),
		.lag_tier = session_tier(r->session, NEED_READY),
		.fd_lag_tier = session_tier(r->session, NEED_FD_READY),
		.signals_seen = session_sees(r->session, NEED_SIGNALS),
		.uring_seen = session_sees(r->session, NEED_URING),
		.parts = session_parts(r->session),
		.whole = !options->tids.count && !options->comm_count,
		.named = options->tgids.count || options->tids.count || options->comm_count ||
			 options->command,
		.direct = session_direct(r->session),
		.stacks = &r->stacks,
		.session = r->session,
	};
}

/* Saves @report, which has all that there is, and prints of it what was asked for. */
static void save_and_print(struct reporter *r, struct report *report)
{
	const struct reading *all = report->reading;
	struct kept_stacks stacks = { 0 };
	struct stack_source kept = stacks_source(&stacks);
	struct reading view;

	recorder_add(r->recorder, r->options->interval_ns ? RECORD_INTERVAL : RECORD_TOTAL, report,
		     &stacks);
	view_make(&view, all, r->options);
	report->reading = &view;
	report->stacks = &kept;
	r->output->print(r->sink->stream, report);
	view_free(&view, all);
	stacks_free(&stacks);
}

int reporter_print(struct reporter *r, bool last)
{
	const struct live *live = r->output->live;
	struct report report = report_make(r);
	struct cost cost = cost_read(r->sampler);
	struct reading now;
	int err = session_read(r->session, &now);

	if (!err) {
		clock_gettime(CLOCK_REALTIME, &report.at);
		report.duration_ns = now.now_ns - r->begin_ns;
		report.reading = &now;
		report.cost = &cost;
		report.last = last;
		r->reports++;
		if (!live)
			r->begin_ns = now.now_ns;
		/* Of what is saved slices were taken, and it is still all of it that is reported. */
		if (!live && (!r->recorder || r->options->interval_ns))
			take_interval(r, &now, &cost);
		if (live && !last)
			live->show(&report, &now);
		else if (r->recorder)
			save_and_print(r, &report);
		else
			r->output->print(r->sink->stream, &report);
		err = sink_flush(r->sink);
	}
	reading_free(&now);
	return err;
}

/* Saves all that there is since the start, or, as a slice, the times since the last one. */
static int save(struct reporter *r, enum record_kind kind)
{
	struct report report = report_make(r);
	struct cost cost = cost_read(r->sampler);
	struct kept_stacks stacks = { 0 };
	bool slice = kind == RECORD_SLICE;
	struct reading now;
	int err = (slice ? session_read_times : session_read)(r->session, &now);

	if (!err) {
		clock_gettime(CLOCK_REALTIME, &report.at);
		report.duration_ns = now.now_ns - (slice ? r->slice_ns : r->start_ns);
		report.reading = &now;
		report.cost = &cost;
		report.last = true;
		if (slice) {
			take_interval(r, &now, &cost);
			r->slice_ns = now.now_ns;
		}
		recorder_add(r->recorder, kind, &report, &stacks);
	}
	stacks_free(&stacks);
	reading_free(&now);
	return err;
}

int reporter_save(struct reporter *r, u64 *next_ns)
{
	u64 seen_ns = clock_ns() - r->start_ns;
	int err = r->options->interval_ns ? 0 : save(r, RECORD_SLICE);

	if (!err && seen_ns >= r->total_ns) {
		r->total_ns = 2 * seen_ns;
		err = save(r, RECORD_TOTAL);
	}
	*next_ns = seen_ns / SLICES > SLICE_NS ? seen_ns / SLICES : SLICE_NS;
	return err;
}

int reporter_finish(struct reporter *r)
{
	bool whole = !r->options->interval_ns;
	int err = 0;

	if (r->recorder && whole)
		err = save(r, RECORD_SLICE);
	err = err ? : reporter_print(r, true);
	if (err || !r->recorder)
		return err;
	err = whole ? 0 : save(r, RECORD_TOTAL);
	return err ? : recorder_end(r->recorder);
}

int reporter_start(struct reporter *r, struct session *session, struct cost_sampler *sampler)
{
	struct report report;

	r->session = session;
	r->sampler = sampler;
	uname(&r->kernel);
	r->stacks = (struct stack_source){ .find = find_stack, .context = r };
	r->start_ns = r->begin_ns = r->slice_ns = clock_ns();
	r->total_ns = TOTAL_NS;
	if (!r->options->everything)
		return 0;
	report = report_make(r);
	r->recorder = recorder_open(r->options->save, &report);
	return r->recorder ? 0 : EXIT_RUNTIME;
}

void reporter_close(struct reporter *r)
{
	recorder_close(r->recorder);
	rows_free(&r->past.rows);
	rows_free(&r->past.threads);
	rows_free(&r->past.fds);
	rows_free(&r->past.loops);
}

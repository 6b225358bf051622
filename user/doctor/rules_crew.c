// SPDX-License-Identifier: GPL-2.0-only
/* The rules about what several wait for. */
#include "model/fd.h"
#include "doctor/rules.h"

/* Who waits for a descriptor, and how often they were woken and found nothing ready at all. */
struct herd {
	u32 workers;
	u64 vain_wakes;
};

static bool of_herd(const struct chart *chart, const struct row *row, const struct row *loop)
{
	if (loop->loop->figures.key.watch == WATCH_EPOLL)
		return chart_listens(chart, loop, row->fd->descriptor.born_ns);
	/* What select and poll ask for is known by descriptor alone, and each has one loop. */
	return row->fd->descriptor.watch == loop->loop->figures.key.watch && fd_shared(row->fd);
}

static struct herd herd_of(const struct chart *chart, const struct row *row)
{
	struct row *loop, *next;
	struct herd herd = { 0 };

	HASH_ITER(hh, chart->reading->loops.table, loop, next) {
		if (!of_herd(chart, row, loop))
			continue;
		herd.workers += loop->loop->figures.threads ? : 1;
		herd.vain_wakes += loop->loop->figures.sum.vain_wakes;
	}
	if (!herd.workers)
		herd.workers = row->fd->descriptor.sets;
	return herd;
}

/* Several are told of it, and only one gets something. */
static bool told_in_vain(const struct chart *chart, const struct row *row)
{
	double vain = row->sum.eagain, took = row->sum.calls - vain;

	/* One who drains what it was told of ends with an EAGAIN, too: but was told once. */
	return chart_rate(chart, vain) >= chart_threshold(chart, THRESHOLD_herd_rate) &&
	       vain >= chart_threshold(chart, THRESHOLD_herd_share) * row->sum.calls &&
	       row->fd->descriptor.sum.reported >=
		       chart_threshold(chart, THRESHOLD_herd_wakes) * (took + 1);
}

/* The first is so fast that the others, once on a CPU, are told of nothing, and sleep again. */
static bool woken_in_vain(const struct chart *chart, double took, const struct herd *herd)
{
	return herd->workers > 1 && took && herd->vain_wakes >= took &&
	       chart_rate(chart, herd->vain_wakes) >= chart_threshold(chart, THRESHOLD_herd_rate);
}

void judge_herd(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	const struct descriptor *d = &row->fd->descriptor;
	double vain = row->sum.eagain, calls_made = row->sum.calls, took = calls_made - vain;
	struct finding *finding;
	struct herd herd;

	if (row->fd->many || fd_ambiguous(row->fd) || !chart_shared(chart, row))
		return;
	herd = herd_of(chart, row);
	if (!told_in_vain(chart, row) && !woken_in_vain(chart, took, &herd))
		return;
	finding = chart_find(chart, rule, row);
	finding_say(finding, "several wait for it: %s, and %s that took something: all are woken for what "
		    "one of them takes",
		    text_counted(d->sum.reported + herd.vain_wakes, "wake-up").buf,
		    text_counted(took, "call").buf);
	finding_note(finding, "workers", herd.workers);
	finding_note(finding, "wakeups_per_accept",
		     (d->sum.reported + herd.vain_wakes) / (took ? : 1));
	finding_note(finding, "calls", calls_made);
	finding_note(finding, "eagain", vain);
	finding_note(finding, "reported", d->sum.reported);
	finding_note(finding, "epoll_sets", d->sets);
	finding_note(finding, "processes", row->fd->holders);
	finding->cpu_ms_per_s = chart_ms_per_s(chart, row->sum.wall_ns * vain / calls_made);
	finding_weigh(finding);
}

/* Workers that wait for one listener. */
struct crew {
	u32 workers;
	double connections;	/* that they have, of all loops that wait for it */
	const struct row *most, *least;
};

/* What it waits for besides the listener. */
static double connections_of(const struct row *row)
{
	u64 descriptors = row->loop->descriptors;

	return descriptors == ASKED_UNKNOWN || !descriptors ? 0 : descriptors - 1;
}

static struct crew crew_of(const struct chart *chart, u64 listener)
{
	struct crew crew = { 0 };
	struct row *row, *next;

	HASH_ITER(hh, chart->reading->loops.table, row, next) {
		if (!chart_listens(chart, row, listener))
			continue;
		crew.workers++;
		crew.connections += connections_of(row);
		if (!crew.most || connections_of(row) > connections_of(crew.most))
			crew.most = row;
		if (!crew.least || connections_of(row) < connections_of(crew.least))
			crew.least = row;
	}
	return crew;
}

#define CONNECTIONS_FEW 8
#define LIMIT_SHARE 0.8		/* a loop at its limit */
#define IDLE_SHARE 0.5

void judge_accept_skew(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	struct crew crew = crew_of(chart, row->fd->descriptor.born_ns);
	double most, busy, idle;
	struct finding *finding;

	if (row->fd->descriptor.kind != KIND_LISTENER || crew.workers < 2)
		return;
	most = connections_of(crew.most);
	busy = loop_utilisation(crew.most->loop, chart->duration_ns);
	idle = loop_utilisation(crew.least->loop, chart->duration_ns);
	if (most < CONNECTIONS_FEW || busy < LIMIT_SHARE || idle > IDLE_SHARE ||
	    most < chart_threshold(chart, THRESHOLD_skew) * (connections_of(crew.least) + 1))
		return;
	finding = chart_find(chart, rule, row);
	finding->tgid = proc_tgid(crew.most->key.proc);
	finding_say(finding, "of the %.0f connections of %u workers that wait for it one has %.0f, and is "
		    "busy for %.0f%% of the time; another has %.0f, and is busy for %.0f%%",
		    crew.connections, crew.workers, most, busy * 100, connections_of(crew.least),
		    idle * 100);
	finding_note(finding, "workers", crew.workers);
	finding_note(finding, "largest_share", most / crew.connections);
	finding_note(finding, "connections", most);
	finding_note(finding, "least_connections", connections_of(crew.least));
	finding_note(finding, "busy_share", busy);
	finding_note(finding, "least_busy_share", idle);
	finding->confidence = CONFIDENCE_MEDIUM;
}

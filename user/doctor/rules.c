// SPDX-License-Identifier: GPL-2.0-only
#include "doctor/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/fd.h"

#define RULE(symbol, ...) \
	void judge_##symbol(const struct chart *chart, const struct rule *rule, const struct row *row);
#include "doctor/rules.def"
#undef RULE

const struct rule rules[] = {
#define RULE(symbol, id, scope, need, about, advice, disproof) \
	{ id, RULE_##scope, RULE_NEED_##need, about, advice, disproof, judge_##symbol },
#include "doctor/rules.def"
#undef RULE
};
const u32 nr_rules = ARRAY_SIZE(rules);

const char *rule_unjudged(const struct chart *chart, const struct rule *rule)
{
	if (rule->need == RULE_NEED_CONTENTS && !chart->contents)
		return "what is left in descriptors is not known on this kernel";
	return NULL;
}

static const struct rule *rule_find(const char *id)
{
	for (u32 i = 0; i < nr_rules; i++) {
		if (!strcmp(rules[i].id, id))
			return &rules[i];
	}
	return NULL;
}

static void judge_rows(const struct chart *chart, const struct rule *rule, const struct rows *rows)
{
	struct row *row, *next;

	HASH_ITER(hh, rows->table, row, next) {
		if (row->key.proc)
			rule->judge(chart, rule, row);
	}
}

static void judge_all(const struct chart *chart)
{
	struct row *row, *next;

	for (u32 i = 0; i < nr_rules; i++) {
		const struct rule *rule = &rules[i];

		if (rule_unjudged(chart, rule))
			continue;
		if (rule->scope == RULE_FD)
			judge_rows(chart, rule, &chart->reading->fds);
		else if (rule->scope == RULE_LOOP)
			judge_rows(chart, rule, &chart->reading->loops);
		else
			judge_rows(chart, rule, &chart->reading->rows);
	}
	for (u32 i = 0; i < chart->reading->nr_in_flight; i++)
		judge_stuck(chart, rule_find("blocking-in-loop"), &chart->reading->in_flight[i]);
	HASH_ITER(hh, chart->reading->fds.table, row, next)
		judge_hung(chart, rule_find("slow-turn"), row);
}

void rules_judge(const struct chart *chart)
{
	struct habit *habits = habits_learn(chart->reading);
	struct chart known = *chart;

	known.habits = habits;
	judge_all(&known);
	habits_free(habits);
	findings_sort(chart->findings);
	if (chart->crowd) {
		gather_starved(chart->findings, rule_find("cpu-starved"));
		findings_sort(chart->findings);
	}
	findings_thin(chart->findings);
}

double chart_threshold(const struct chart *chart, enum threshold threshold)
{
	return chart->doctor->thresholds[threshold];
}

static int by_born(const void *key, const void *record)
{
	u64 born = *(const u64 *)key, other = ((const struct sign_record *)record)->born_ns;

	return born < other ? -1 : born > other;
}

const struct signs *chart_signs(const struct chart *chart, const struct row *row)
{
	const struct sign_record *found = chart->reading->nr_signs ?
		bsearch(&row->fd->descriptor.born_ns, chart->reading->signs,
			chart->reading->nr_signs, sizeof(*found), by_born) : NULL;

	return found ? &found->signs : NULL;
}

const struct row *chart_loop(const struct chart *chart, proc_id proc, u32 index)
{
	struct row_key key = { .proc = proc, .object = index + OBJECT_MERGED };

	return index ? rows_find(&chart->reading->loops, key) : NULL;
}

bool chart_shared(const struct chart *chart, const struct row *row)
{
	const struct signs *signs = chart_signs(chart, row);
	const struct row *loop = signs ? chart_loop(chart, signs->proc, signs->loop) : NULL;

	return fd_shared(row->fd) || row->fd->descriptor.sets > 1 ||
	       (loop && loop->loop->figures.threads > 1);
}

/* Signals are no client's: they are sent to the process, to have it do something else. */
static bool served_by(const struct row *row, u64 ep)
{
	const struct descriptor *d = &row->fd->descriptor;

	return row->fd->many || (d->ep == ep && (d->kind == KIND_LISTENER ||
						 (d->sum.reported && d->kind != KIND_SIGNALFD)));
}

bool chart_serves_several(const struct chart *chart, const struct row *row)
{
	u64 ep = row->loop->figures.key.ep;
	struct row *fd, *next;
	u32 served = 0;

	if (!ep)
		return true;
	HASH_ITER(hh, chart->reading->fds.table, fd, next) {
		if (!served_by(fd, ep))
			continue;
		if (fd->fd->many || fd->fd->descriptor.kind == KIND_LISTENER || ++served > 1)
			return true;
	}
	return false;
}

bool chart_listens(const struct chart *chart, const struct row *row, u64 born_ns)
{
	const struct listening *all = chart->reading->listening;
	u64 ep = row->loop->figures.key.ep;

	for (u32 i = 0; ep && i < chart->reading->nr_listening; i++) {
		if (all[i].ep == ep && all[i].born_ns == born_ns)
			return true;
	}
	return false;
}

static void name_loop(struct finding *finding, const struct event_loop *loop)
{
	if (loop->key.watch == WATCH_EPOLL)
		snprintf(finding->object.buf, TEXT_MAX, "epoll %u", loop->epfd);
	else
		snprintf(finding->object.buf, TEXT_MAX, "%s of thread %u",
			 watch_name(loop->key.watch) ? : "wait", loop->key.tid);
	finding->json_object = finding->object;
}

const struct row *chart_user(const struct chart *chart, const struct row *row)
{
	const struct signs *signs = chart_signs(chart, row);
	const struct row *user = signs ? chart_loop(chart, signs->proc, signs->loop) : NULL;
	struct row *loop, *next;

	if (user)
		return user;
	HASH_ITER(hh, chart->reading->loops.table, loop, next) {
		if (row->fd->descriptor.watch == WATCH_EPOLL && loop->key.proc &&
		    loop->loop->figures.key.ep == row->fd->descriptor.ep)
			return loop;
	}
	return NULL;
}

struct finding *chart_find(const struct chart *chart, const struct rule *rule,
			   const struct row *row)
{
	struct finding *finding = findings_add(chart->findings, rule);

	finding->tgid = proc_tgid(row->key.proc);
	finding->advice = rule->advice;
	memcpy(finding->comm, row->comm, COMM_LEN);
	if (row->fd) {
		const struct signs *signs = chart_signs(chart, row);
		const struct row *user = chart_user(chart, row);

		if (user) {
			finding->tgid = proc_tgid(user->key.proc);
			memcpy(finding->comm, user->comm, COMM_LEN);
		}
		finding->fd = row->fd->head.fd;
		finding->object = fd_name(row->fd, text_name);
		finding->json_object = fd_name(row->fd, text_json_name);
		if (signs) {
			finding->tid = signs->tid;
			finding->first_ns = signs->first_ns;
		}
	} else if (row->loop) {
		name_loop(finding, &row->loop->figures);
		finding->tid = row->loop->figures.tid;
	}
	return finding;
}

double chart_ms_per_s(const struct chart *chart, double ns)
{
	return chart->duration_ns ? ns / 1e6 / (chart->duration_ns / 1e9) : 0;
}

double chart_rate(const struct chart *chart, double count)
{
	return chart->duration_ns ? count / (chart->duration_ns / 1e9) : 0;
}

bool loop_multiplexes(const struct row *row)
{
	return row->loop->figures.key.watch == WATCH_EPOLL ||
	       (row->loop->descriptors != ASKED_UNKNOWN && row->loop->descriptors > 1);
}

double loop_round_ns(const struct row *row)
{
	const struct loop_sum *sum = &row->loop->figures.sum;
	double wait_ns = sum->wait_ns - sum->wait_blocked_ns - sum->wait_runnable_ns;

	return sum->waits ? (wait_ns + loop_turn_on_cpu_ns(row->loop)) / sum->waits : 0;
}

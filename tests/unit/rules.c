// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of the doctor over models that are made up: each speaks where its evidence is, and is
 * silent just below. early-return and kernel-spin are faults of the kernel, which no program can
 * provoke: this is all the proof that there is of them. By what they are about: rules/.
 */
#include <sys/epoll.h>

#include "rules/model.h"
#include "rules/tests.h"

void empty(void **state)
{
	(void)state;
	silent();
	for (u32 i = 0; i < nr_rules; i++)
		assert_null(rule_unjudged(&chart, &rules[i]));
}

/* Descriptors, loops and calls there are, of which nothing was seen. */
void idle(void **state)
{
	(void)state;
	for (u32 kind = 0; kind < NR_FILE_KINDS; kind++) {
		struct row *row = fd_row(kind, EPOLLIN | EPOLLOUT | EPOLLET);

		row->fd->head.closed_ns = 1;
		if (kind < SIGNS)
			signs_of(row);
	}
	loop_row(1, WATCH_EPOLL);
	loop_row(2, WATCH_SELECT);
	loop_row(3, WATCH_POLL);
	for (u32 call = 1; call < NR_CALLS; call++)
		call_row(call);
	silent();
	chart.duration_ns = 0;
	silent();
	/* However impatient one is, nothing is no fault. */
	for (int t = 0; t < NR_THRESHOLDS; t++)
		set(t, leasts[t]);
	silent();
	chart.duration_ns = NS_PER_SEC;
	silent();
}

/* What each rule says of a sign that came once. */
void once(void **state)
{
	struct row *edge = fd_row(KIND_TCP, EPOLLIN | EPOLLET), *level = fd_row(KIND_TCP, EPOLLIN);
	struct signs *left = signs_of(edge), *spins = signs_of(level);
	struct row *loop = loop_row(1, WATCH_EPOLL);

	(void)state;
	for (int t = 0; t < NR_THRESHOLDS; t++)
		set(t, leasts[t]);
	left->left = 1;
	left->sum[SIGN_stalls] = left->sum[SIGN_unarmed] = left->sum[SIGN_lost_outs] = 1;
	left->sum[SIGN_stall_ns] = left->sum[SIGN_unarmed_ns] = left->sum[SIGN_lost_out_ns] = MS;
	left->sum[SIGN_starves] = left->sum[SIGN_blocks] = 1;
	left->sum[SIGN_starve_ns] = left->sum[SIGN_block_ns] = MS;
	edge->fd->head.nonblock = 0;
	edge->sum.calls = edge->fd->descriptor.masks[0] = edge->fd->descriptor.sum.reported = 1;
	spins->sum[SIGN_spins] = spins->sum[SIGN_polls] = 1;
	level->sum.calls = 1;
	*sum_of(loop) = (struct loop_sum){
		.waits = 1, .events = 1, .idle = 1, .idle_runs = 1, .empty = 1, .early = 1,
		.turns = 1, .slow_turns = 1, .slow_ns = MS, .held_up = 1, .long_waits = 1,
		.long_wait_ns = MS, .full_runs = 1, .full = 1, .ctl_calls = 1,
	};
	loop->loop->figures.room = 1;
	clients();
	speaks_too("et-undrained");
	speaks_too("oneshot-not-rearmed");
	speaks_too("lost-out-edge");
	speaks_too("et-starvation");
	speaks_too("et-blocking-fd");
	speaks_too("blocking-in-loop");
	speaks_too("lt-spin");
	speaks_too("eagain-polling");
	speaks_too("zero-timeout");
	speaks_too("early-return");
	speaks_too("slow-turn");
	speaks_too("kernel-spin");
	speaks_too("ctl-churn");
	/* One alone comes back full. */
	sum_of(loop)->empty = 0;
	speaks_too("batch-full");
	spins->sum[SIGN_stale] = 1;
	speaks_too("stale-fd");
}

/* Rows that are the sum of several say nothing of any. */
void merged(void **state)
{
	struct row *row = fd_row(KIND_TCP, EPOLLIN | EPOLLET);
	struct row_loop loop = { .descriptors = ASKED_UNKNOWN };
	struct signs *seen = signs_of(row);

	(void)state;
	row->fd->many = true;
	for (int i = 0; i < NR_SIGNS; i++)
		seen->sum[i] = 1000000;
	seen->sum[SIGN_resumes] = 0;
	row->sum.calls = row->sum.eagain = 1000000;
	silent();
	loop.figures.sum = (struct loop_sum){ .waits = 1000, .early = 1000, .slow_turns = 10 };
	row_add_loop(rows_get(&reading.loops, (struct row_key){ .object = OBJECT_MERGED }), &loop);
	silent();
}

/* What is left in descriptors is not known: who needs it says so, and is silent. */
void lacking(void **state)
{
	struct signs *seen = signs_of(fd_row(KIND_TCP, EPOLLIN | EPOLLET));
	u32 unjudged = 0;

	(void)state;
	seen->sum[SIGN_stalls] = 2;
	speaks("et-undrained");
	chart.contents = false;
	silent();
	for (u32 i = 0; i < nr_rules; i++)
		unjudged += rule_unjudged(&chart, &rules[i]) != NULL;
	assert_int_equal(unjudged, 3);
}

void order(void **state)
{
	struct row *loop = loop_row(1, WATCH_EPOLL);

	(void)state;
	*sum_of(loop) = (struct loop_sum){
		.waits = 3000, .idle = 3000, .idle_runs = 3000, .idle_run_ns = 300 * MS,
		.ctl_calls = 1000,
	};
	signs_of(fd_row(KIND_TCP, EPOLLIN))->sum[SIGN_stale] = 1;
	signs[0].signs.loop = 0;
	call_row(CALL_poll)->sum = (struct totals){
		.calls = 10, .asked = 10000, .scanned = 20000, .wall_ns = 5000 * MS,
	};
	judge();
	assert_int_equal(findings.count, 4);
	assert_string_equal(findings.list[0].rule->id, "scan-waste");
	assert_int_equal(findings.list[0].severity, SEVERITY_CRITICAL);
	assert_string_equal(findings.list[1].rule->id, "zero-timeout");
	assert_string_equal(findings.list[2].rule->id, "ctl-churn");
	assert_string_equal(findings.list[3].rule->id, "stale-fd");
}

/* Of those of one rule in one process a few stay, and the first says how many are left out. */
void alike(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++)
		fd_row(KIND_TCP, EPOLLIN | EPOLLET)->fd->head.nonblock = 0;
	for (struct row *row = reading.fds.table; row; row = row->hh.next)
		row->fd->descriptor.masks[0] = 1;
	judge();
	assert_int_equal(findings.count, 5);
	assert_int_equal(findings.list[0].similar, 3);
	for (u32 i = 0; i < findings.count; i++) {
		assert_string_equal(findings.list[i].rule->id, "et-blocking-fd");
		assert_true(!i || !findings.list[i].similar);
	}
}

/* More evidence than there is room for is left out. */
void evidence(void **state)
{
	struct finding *finding = findings_add(&findings, &rules[0]);

	(void)state;
	for (int i = 0; i < 2 * EVIDENCE_MAX; i++)
		finding_note(finding, "name", i);
	assert_int_equal(finding->nr_evidence, EVIDENCE_MAX);
	assert_true(finding->evidence[EVIDENCE_MAX - 1].value == EVIDENCE_MAX - 1);
	for (u64 i = 0; i < 2 * FINDING_STACKS; i++)
		finding_stack(finding, i, STACK_CALL);
	assert_int_equal(finding->nr_stacks, FINDING_STACKS);
}

void severities(void **state)
{
	static const struct {
		double cpu_ms_per_s, stall_ms;
		enum severity severity;
	} cases[] = {
		{ -1, -1, SEVERITY_WARNING }, { 199.9, 999, SEVERITY_WARNING },
		{ 200, -1, SEVERITY_CRITICAL }, { -1, 1000, SEVERITY_CRITICAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct finding *finding = findings_add(&findings, &rules[0]);

		finding->cpu_ms_per_s = cases[i].cpu_ms_per_s;
		finding->stall_ms = cases[i].stall_ms;
		finding_weigh(finding);
		assert_int_equal(finding->severity, cases[i].severity);
	}
}

/* A threshold is named after its rule, by which --rules finds it. */
void names(void **state)
{
	(void)state;
	for (int t = 0; t < NR_THRESHOLDS; t++) {
		size_t len = strcspn(threshold_names[t], ".");
		bool found = false;

		for (u32 i = 0; i < nr_rules; i++)
			found |= strlen(rules[i].id) == len &&
				 !strncmp(rules[i].id, threshold_names[t], len);
		if (!found || !threshold_names[t][len])
			fail_msg("%s", threshold_names[t]);
		assert_true(leasts[t] > 0 && leasts[t] <= defaults[t]);
	}
}

/* To be the last: there is no rule that has no test here. */
void all_spoke(void **state)
{
	(void)state;
	assert_true(nr_rules <= ARRAY_SIZE(spoken));
	for (u32 i = 0; i < nr_rules; i++) {
		if (!spoken[i])
			fail_msg("%s never spoke", rules[i].id);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define RULE_TEST(name) cmocka_unit_test_setup_teardown(name, model_begin, model_end),
#include "rules/tests.def"
#undef RULE_TEST
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}

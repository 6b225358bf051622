// SPDX-License-Identifier: GPL-2.0-only
#include "model.h"

#include <stdlib.h>
#include <sys/epoll.h>

const double defaults[NR_THRESHOLDS] = {
#define THRESHOLD(symbol, name, value, ...) [THRESHOLD_##symbol] = value,
#include "user/doctor/thresholds.def"
#undef THRESHOLD
};

const double leasts[NR_THRESHOLDS] = {
#define THRESHOLD(symbol, name, value, least, ...) [THRESHOLD_##symbol] = least,
#include "user/doctor/thresholds.def"
#undef THRESHOLD
};

const char *const threshold_names[NR_THRESHOLDS] = {
#define THRESHOLD(symbol, name, ...) [THRESHOLD_##symbol] = name,
#include "user/doctor/thresholds.def"
#undef THRESHOLD
};

struct doctor doctor;
struct reading reading;
struct sign_record signs[SIGNS];
struct listening listening[2];
struct chart chart;
struct findings findings;
bool spoken[64];

int model_begin(void **state)
{
	(void)state;
	memcpy(doctor.thresholds, defaults, sizeof(defaults));
	memset(signs, 0, sizeof(signs));
	memset(&reading, 0, sizeof(reading));
	reading.now_ns = NOW_NS;
	reading.signs = signs;
	reading.listening = listening;
	rows_init(&reading.rows, BY_PROCESS | BY_CALL);
	rows_init(&reading.fds, BY_FD | BY_PROCESS);
	rows_init(&reading.loops, BY_LOOP | BY_PROCESS);
	chart = (struct chart){
		.doctor = &doctor, .reading = &reading, .duration_ns = WATCHED_S * NS_PER_SEC,
		.contents = true, .findings = &findings,
	};
	return 0;
}

int model_end(void **state)
{
	(void)state;
	findings_free(&findings);
	rows_free(&reading.rows);
	rows_free(&reading.fds);
	rows_free(&reading.loops);
	return 0;
}

struct row *fd_row(u8 kind, u32 mask)
{
	u64 born_ns = 1000 + HASH_COUNT(reading.fds.table);
	struct row_fd fd = {
		.head = {
			.tgid = TGID, .fd = 7, .named = 1, .nonblock = 1, .queued = LEFT_UNKNOWN,
		},
		.descriptor = {
			.born_ns = born_ns, .proc = PROC(TGID), .fd = 7, .kind = kind, .sets = 1,
			.watch = WATCH_EPOLL, .mask = mask, .ep = EP, .left = LEFT_UNKNOWN,
		},
		.holders = 1,
	};
	struct row *row = rows_get(&reading.fds, (struct row_key){ .proc = PROC(TGID),
								   .object = born_ns });

	row_add_fd(row, &fd);
	strcpy(row->comm, "server");
	return row;
}

struct signs *signs_of(const struct row *row)
{
	struct sign_record *record = &signs[reading.nr_signs++];

	assert_true(reading.nr_signs <= SIGNS);
	*record = (struct sign_record){
		.born_ns = row->fd->descriptor.born_ns,
		.signs = { .proc = PROC(TGID), .tid = TGID, .loop = 1, .fd = 9, .left = 3 },
	};
	return &record->signs;
}

struct row *loop_row(u32 index, u8 watch)
{
	struct row_loop loop = {
		.figures = {
			.key = {
				.proc = PROC(TGID), .ep = watch == WATCH_EPOLL ? EP + index - 1 : 0,
				.tid = watch == WATCH_EPOLL ? 0 : TGID, .watch = watch,
			},
			.epfd = 4 + index, .threads = 1, .tid = TGID, .room = 64,
			.delay_ns = DELAY_UNKNOWN,
			.sum = { .wait_blocked_ns = 9000 * MS, .wait_ns = 9000 * MS },
		},
		.descriptors = 10,
	};
	struct row *row = rows_get(&reading.loops, (struct row_key){
		.proc = PROC(TGID), .object = index + OBJECT_MERGED });

	row_add_loop(row, &loop);
	strcpy(row->comm, "server");
	return row;
}

void clients(void)
{
	for (int i = 0; i < 2; i++)
		fd_row(KIND_TCP, EPOLLIN)->fd->descriptor.sum.reported = 1;
}

struct loop_sum *sum_of(struct row *row)
{
	return &row->loop->figures.sum;
}

struct row *call_row(u32 call)
{
	struct row *row = rows_get(&reading.rows, (struct row_key){ .proc = PROC(TGID), .call = call });

	strcpy(row->comm, "server");
	return row;
}

const struct rule *rule_of(const char *id)
{
	for (u32 i = 0; i < nr_rules; i++) {
		if (!strcmp(rules[i].id, id))
			return &rules[i];
	}
	fail_msg("no rule %s", id);
	return NULL;
}

void judge(void)
{
	findings_free(&findings);
	rules_judge(&chart);
}

void silent(void)
{
	judge();
	if (findings.count)
		fail_msg("%s speaks: %s", findings.list[0].rule->id, findings.list[0].verdict);
}

/* "1 turns took" is not English. */
static void assert_grammar(const char *verdict)
{
	for (const char *one = verdict; (one = strstr(one, "1 ")); one++) {
		size_t length = strcspn(one + 2, " ,;:");

		if ((one != verdict && one[-1] != ' ') || !length || one[1 + length] != 's')
			continue;
		fail_msg("'%.*s' in: %s", (int)length + 2, one, verdict);
	}
}

/* What each finding is to be: complete, its evidence all there, and each figure of it once. */
static void assert_sound(const struct finding *finding)
{
	assert_true(finding->verdict[0] && finding->advice[0] && finding->rule->disproof[0]);
	assert_grammar(finding->verdict);
	assert_true(strlen(finding->verdict) < sizeof(finding->verdict) - 1);
	assert_in_range(finding->severity, SEVERITY_INFO, SEVERITY_CRITICAL);
	assert_in_range(finding->confidence, CONFIDENCE_LOW, CONFIDENCE_HIGH);
	assert_int_equal(finding->tgid, TGID);
	assert_true(isfinite(finding->cpu_ms_per_s) && isfinite(finding->stall_ms));
	assert_true(finding->nr_stacks <= FINDING_STACKS);
	/* What is beyond is dropped without a word: so there is to be a place that is free. */
	assert_in_range(finding->nr_evidence, 1, EVIDENCE_MAX - 1);
	for (u32 i = 0; i < finding->nr_evidence; i++) {
		const struct evidence *one = &finding->evidence[i];

		if (!one->word && (!isfinite(one->value) || one->value < 0))
			fail_msg("%s: %s is %g", finding->rule->id, one->name, one->value);
		for (u32 j = 0; j < i; j++)
			assert_string_not_equal(one->name, finding->evidence[j].name);
	}
}

const struct finding *speaks_too(const char *id)
{
	judge();
	for (u32 i = 0; i < findings.count; i++) {
		const struct finding *finding = &findings.list[i];

		if (strcmp(finding->rule->id, id))
			continue;
		assert_sound(finding);
		spoken[finding->rule - rules] = true;
		return finding;
	}
	fail_msg("%s is silent", id);
	return NULL;
}

const struct finding *speaks(const char *id)
{
	const struct finding *finding = speaks_too(id);

	if (findings.count != 1)
		fail_msg("%s alone expected, %u findings: %s, ...", id, findings.count,
			 findings.list[0].rule->id);
	return finding;
}

double figure(const struct finding *finding, const char *name)
{
	for (u32 i = 0; i < finding->nr_evidence; i++) {
		if (!strcmp(finding->evidence[i].name, name))
			return finding->evidence[i].value;
	}
	fail_msg("%s: no %s", finding->rule->id, name);
	return -1;
}

void set(enum threshold threshold, double value)
{
	doctor.thresholds[threshold] = value;
}

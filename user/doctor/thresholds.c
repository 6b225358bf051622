// SPDX-License-Identifier: GPL-2.0-only
#include "doctor/thresholds.h"

#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "options.h"
#include "text.h"

#define MOST 1e9	/* as good as never */

const struct threshold_row thresholds[NR_THRESHOLDS] = {
#define THRESHOLD(symbol, name, value, least, unit, why) \
	[THRESHOLD_##symbol] = { name, value, least, unit, why },
#include "doctor/thresholds.def"
#undef THRESHOLD
};

/* Those that the hooks are to know, all in ms here and in ns there. */
static const struct {
	enum threshold threshold;
	size_t limit;		/* offset in struct limits */
} hooked[] = {
	{ THRESHOLD_stall, offsetof(struct limits, stall_ns) },
	{ THRESHOLD_lost_out, offsetof(struct limits, out_ns) },
	{ THRESHOLD_oneshot, offsetof(struct limits, oneshot_ns) },
	{ THRESHOLD_starve, offsetof(struct limits, starve_ns) },
	{ THRESHOLD_block, offsetof(struct limits, block_ns) },
	{ THRESHOLD_slow_turn, offsetof(struct limits, turn_ns) },
	{ THRESHOLD_long_wait, offsetof(struct limits, wait_cpu_ns) },
};

_Static_assert(sizeof(struct limits) == ARRAY_SIZE(hooked) * sizeof(u64), "a limit without a threshold");

struct limits doctor_limits(const struct doctor *doctor)
{
	struct limits limits = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(hooked); i++) {
		u64 *limit_ns = (void *)((char *)&limits + hooked[i].limit);

		*limit_ns = doctor->thresholds[hooked[i].threshold] * 1e6;
	}
	return limits;
}

bool threshold_hooked(enum threshold threshold)
{
	for (size_t i = 0; i < ARRAY_SIZE(hooked); i++) {
		if (hooked[i].threshold == threshold)
			return true;
	}
	return false;
}

int threshold_find(const char *name, size_t length)
{
	for (int t = 0; t < NR_THRESHOLDS; t++) {
		if (!strncmp(thresholds[t].name, name, length) && !thresholds[t].name[length])
			return t;
	}
	return -1;
}

struct doctor doctor_default(void)
{
	struct doctor doctor = { .fail_on = NR_SEVERITIES, .worst = NR_SEVERITIES };

	for (int t = 0; t < NR_THRESHOLDS; t++)
		doctor.thresholds[t] = thresholds[t].value;
	return doctor;
}

int doctor_set(struct doctor *doctor, const char *text)
{
	size_t length = strcspn(text, "=");
	int threshold = threshold_find(text, length);
	char what[TEXT_MAX];
	double value;

	if (threshold < 0)
		return options_usage("--set: no such threshold, see --rules", text);
	if (text[length] && text_number(text + length + 1, &value) &&
	    value >= thresholds[threshold].least && value <= MOST) {
		doctor->thresholds[threshold] = value;
		return 0;
	}
	snprintf(what, sizeof(what), "--set: a number from %g to %g is needed (%s)",
		 thresholds[threshold].least, MOST, thresholds[threshold].unit);
	return options_usage(what, text);
}

int doctor_fail_on(struct doctor *doctor, const char *word)
{
	for (int i = 0; severity_words[i]; i++) {
		if (!strcmp(severity_words[i], word)) {
			doctor->fail_on = i;
			return 0;
		}
	}
	return options_usage("--fail-on: info, warning or critical, not", word);
}

int doctor_verdict(const struct doctor *doctor)
{
	bool found = doctor->worst != NR_SEVERITIES && doctor->worst >= doctor->fail_on;

	return found ? EXIT_FINDINGS : EXIT_OK;
}

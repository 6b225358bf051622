// SPDX-License-Identifier: GPL-2.0-only
/*
 * What many processes suffer from where nobody was named, and all of the machine is watched: that it
 * lacks CPUs is one trouble, and whoever looks for it is helped by the worst of them, and by how many
 * there are.
 */
#include <stdio.h>

#include "doctor/rules.h"

#define NAMED_MAX 3

/* Those that suffer, the worst first. */
struct crowd {
	u32 processes, loops;
	double runnable_ms_per_s, stall_ms;	/* of all of them */
	char names[TEXT_MAX];			/* of the first ones */
	size_t used;
};

static void crowd_name(struct crowd *crowd, const struct finding *finding)
{
	size_t room = sizeof(crowd->names) - crowd->used;
	int length = snprintf(crowd->names + crowd->used, room, "%s%s (%u) for %.0f%% of the time",
			      crowd->processes ? ", " : "",
			      text_name(finding->comm, COMM_LEN).buf, finding->tgid,
			      finding_figure(finding, "runnable_ms_per_s") / 10);

	crowd->used += (size_t)length < room ? (size_t)length : room - 1;
}

/* Whether a loop of its process is among the first @count already. */
static bool counted(const struct finding *list, u32 count, const struct finding *finding)
{
	for (u32 i = 0; i < count; i++) {
		if (list[i].rule == finding->rule && list[i].tgid == finding->tgid)
			return true;
	}
	return false;
}

static void crowd_add(struct crowd *crowd, const struct finding *list, u32 i)
{
	crowd->loops++;
	crowd->runnable_ms_per_s += finding_figure(&list[i], "runnable_ms_per_s") *
				    finding_figure(&list[i], "threads");
	crowd->stall_ms += list[i].stall_ms;
	if (counted(list, i, &list[i]))
		return;
	if (crowd->processes < NAMED_MAX)
		crowd_name(crowd, &list[i]);
	crowd->processes++;
}

/* Leaves out all of @rule but the first. */
static void keep_first(struct findings *findings, const struct rule *rule)
{
	u32 kept = 0, seen = 0;

	for (u32 i = 0; i < findings->count; i++) {
		if (findings->list[i].rule != rule || !seen++)
			findings->list[kept++] = findings->list[i];
	}
	findings->count = kept;
}

void gather_starved(struct findings *findings, const struct rule *rule)
{
	struct finding *worst = NULL;
	struct crowd crowd = { 0 };
	char more[32] = "";

	for (u32 i = 0; i < findings->count; i++) {
		if (findings->list[i].rule != rule)
			continue;
		worst = worst ? : &findings->list[i];
		crowd_add(&crowd, findings->list, i);
	}
	if (crowd.processes < 2)
		return;
	if (crowd.processes > NAMED_MAX)
		snprintf(more, sizeof(more), ", and %u more", crowd.processes - NAMED_MAX);
	finding_say(worst, "%u processes were ready to run, and without a CPU: %s%s", crowd.processes,
		    crowd.names, more);
	finding_note(worst, "starved_processes", crowd.processes);
	finding_note(worst, "starved_loops", crowd.loops);
	finding_note(worst, "starved_ms_per_s", crowd.runnable_ms_per_s);
	worst->stall_ms = crowd.stall_ms;
	finding_weigh(worst);
	keep_first(findings, rule);
}

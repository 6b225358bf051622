// SPDX-License-Identifier: GPL-2.0-only
#include "commands.h"

#include "doctor.h"
#include "probes.h"
#include "report.h"
#include "stat.h"
#include "top.h"
#include "trace.h"

const struct command commands[] = {
	{ "stat", stat_main, &stat_argp },
	{ "top", top_main, &top_argp },
	{ "trace", trace_main, &trace_argp },
	{ "doctor", doctor_main, &doctor_argp },
	{ "report", report_main, &report_argp },
	{ "probes", probes_main, &probes_argp },
};
const u32 nr_commands = ARRAY_SIZE(commands);

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the columns of several views have in common. */
#ifndef IOPHASE_FIELDS_H
#define IOPHASE_FIELDS_H

#include "top/view.h"

extern const struct view view_processes, view_threads, view_calls;
extern const struct view view_loops, view_fds, view_findings;

/* Whose they are, in lists of more than one process. */
#define PROCESS_FIELDS \
	{ "PID", 7, 0, "process", NULL, name_pid, NULL }, \
	{ "PROCESS", -12, 3, "its name", NULL, name_process, NULL }

/* What is not known; a word; a number. */
struct text field_dash(void);
struct text field_word(const char *text);
struct text field_number(u64 value);

/* "0.4%", "37%": of one CPU, or of a time. */
struct text field_percent(double share);

/* With three digits. */
struct text field_ratio(double value);

/* For each second: with a fraction while there are few. */
struct text field_rate(double value);

/* All of these: what is below 0 is not known. */
struct text field_time(double ns);

struct text name_pid(const struct item *item);
struct text name_comm(const struct item *item);
struct text name_process(const struct item *item);
double value_busy(const struct item *item);
struct text text_busy(const struct item *item);
double value_lag(const struct item *item);
struct text text_lag(const struct item *item);
double value_serve(const struct item *item);
struct text text_serve(const struct item *item);
double value_findings(const struct item *item);
struct text text_findings(const struct item *item);

#endif

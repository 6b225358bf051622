/* SPDX-License-Identifier: GPL-2.0-only */
/* A model to be made up, row by row, and what the rules say of it. There is one at a time. */
#ifndef IOPHASE_MODEL_H
#define IOPHASE_MODEL_H

#include <math.h>
#include <string.h>

#include "../unit.h"

#include "user/options.h"
#include "user/doctor/rules.h"

#define MS 1000000ull
#define TGID 4711
#define PROC(tgid) ((proc_id)(tgid) << 32 | 77)
#define EP 0xe9000ull
#define NOW_NS (100 * NS_PER_SEC)
#define WATCHED_S 10
#define SIGNS 4

/* By enum threshold. */
extern const double defaults[NR_THRESHOLDS], leasts[NR_THRESHOLDS];
extern const char *const threshold_names[NR_THRESHOLDS];

extern struct doctor doctor;
extern struct reading reading;
extern struct sign_record signs[SIGNS];
extern struct listening listening[2];
extern struct chart chart;
extern struct findings findings;
extern bool spoken[64];			/* which rules have, by their place in rules[] */

/* Before and after each test. */
int model_begin(void **state);
int model_end(void **state);

/* A descriptor that epoll watches for @mask. */
struct row *fd_row(u8 kind, u32 mask);

/* The signs of @row, which is the youngest descriptor; loop 1 showed them. */
struct signs *signs_of(const struct row *row);

/* A loop that sleeps most of the time. */
struct row *loop_row(u32 index, u8 watch);
struct loop_sum *sum_of(struct row *row);

/* Two whom loop 1 serves. */
void clients(void);

struct row *call_row(u32 call);

void set(enum threshold threshold, double value);

/* The rule @id, which there is. */
const struct rule *rule_of(const char *id);

/* Asks all rules. */
void judge(void);

/* No rule speaks. */
void silent(void);

/* Rule @id speaks, whatever others do. */
const struct finding *speaks_too(const char *id);

/* Rule @id speaks, once, and no other does. */
const struct finding *speaks(const char *id);

/* A figure of the evidence, which is there. */
double figure(const struct finding *finding, const char *name);

#endif

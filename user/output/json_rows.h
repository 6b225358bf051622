/* SPDX-License-Identifier: GPL-2.0-only */
/* What a row of a descriptor, or of an event loop, has in JSON besides the figures of all rows. */
#ifndef IOPHASE_JSON_ROWS_H
#define IOPHASE_JSON_ROWS_H

#include <jansson.h>

#include "output/output.h"

/* jansson reports every error at the end, when the document is written or found missing. */
void set_u64(json_t *object, const char *key, u64 value);
void set_tier(json_t *tiers, const char *figure, const char *tier);

/* [[index, count], ...] of a histogram in which @count values were counted. */
json_t *buckets_json(const u64 *buckets, u64 count);

void set_fd(json_t *object, json_t *tiers, const struct report *report, const struct row *row);
/* The lag of the loops of each process together. */
json_t *loop_processes_json(const struct rows *rows);

void set_model(json_t *object, json_t *tiers, const struct report *report, const struct row *row);
void set_loop(json_t *object, json_t *tiers, const struct report *report, const struct row *row);

#endif

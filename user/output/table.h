/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tables of calls, descriptors and event loops have in common. */
#ifndef IOPHASE_TABLE_H
#define IOPHASE_TABLE_H

#include <stdio.h>

#include "output/output.h"
#include "text.h"

/* A column: its head, its width (negative: to the left), and its text for a row. */
struct column {
	const char *head;
	int width;
	struct text (*text)(const struct row *row);
	unsigned int by;	/* shown only if rows are kept apart by this, or NOT_BY() it; 0: always */
};

#define COLUMN_NOT	(1u << 31)
#define NOT_BY(by)	(COLUMN_NOT | (by))

/* What is not known; a number; and a text marked as a bound. */
struct text dash(void);
struct text number(u64 value);
struct text marked(char mark, struct text text);

struct text column_process(const struct row *row);
struct text column_pid(const struct row *row);
struct text column_tid(const struct row *row);

bool any_row(const struct row *row);

/* The rows that @wanted lets pass, under one head; nothing at all if there are none. */
void print_rows(FILE *out, const struct report *report, const struct column *columns, size_t count,
		bool (*wanted)(const struct row *row));

/* What is under way, what went missing, and at the end what it cost. */
void print_remarks(FILE *out, const struct report *report);

void print_descriptors(FILE *out, const struct report *report);
void print_models(FILE *out, const struct report *report);
void print_loops(FILE *out, const struct report *report);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One value of a line of a saved session: where it lies in memory, and how it is written and read. A
 * table of columns is all that is known of a kind of line, for both directions.
 */
#ifndef IOPHASE_COLUMN_H
#define IOPHASE_COLUMN_H

#include <jansson.h>
#include <stdio.h>

#include "types.h"

struct words {
	const char *const *list;
	u32 count;
};

struct column {
	const char *name;
	/* Writes @field as JSON. */
	void (*put)(FILE *out, const struct column *column, const void *field);
	/* Fills @field in; false: @value is not of its kind, or beyond its range. */
	bool (*take)(const struct column *column, void *field, const json_t *value);
	size_t offset, size;		/* of the field, in what the table is of */
	const struct words *words;	/* of an enum, by its values; of flags, by their bits */
};

/* Integers; one of 64 bits that is beyond those of JSON is written as a negative one. */
void put_number(FILE *out, const struct column *column, const void *field);
bool take_number(const struct column *column, void *field, const json_t *value);
void put_signed(FILE *out, const struct column *column, const void *field);
bool take_signed(const struct column *column, void *field, const json_t *value);
void put_boolean(FILE *out, const struct column *column, const void *field);
bool take_boolean(const struct column *column, void *field, const json_t *value);

/* An integer of which all bits set means that it is not known: null. */
void put_known(FILE *out, const struct column *column, const void *field);
bool take_known(const struct column *column, void *field, const json_t *value);

/* An address or opaque data: "0x1234". */
void put_hex(FILE *out, const struct column *column, const void *field);
bool take_hex(const struct column *column, void *field, const json_t *value);

/*
 * Bytes of any kind without the zeros at their end, as text: all but printable ASCII is \xNN, and a
 * backslash is doubled.
 */
void put_bytes(FILE *out, const struct column *column, const void *field);
bool take_bytes(const struct column *column, void *field, const json_t *value);

/*
 * The word of a value, null: it has none, and then the field is left alone; and "reported,served" of
 * several bits.
 */
void put_word(FILE *out, const struct column *column, const void *field);
bool take_word(const struct column *column, void *field, const json_t *value);
void put_flags(FILE *out, const struct column *column, const void *field);
bool take_flags(const struct column *column, void *field, const json_t *value);

/* Counts of a histogram, [bucket, count, bucket, count...]; by u64 and by u32. */
void put_hist(FILE *out, const struct column *column, const void *field);
bool take_hist(const struct column *column, void *field, const json_t *value);
void put_hist32(FILE *out, const struct column *column, const void *field);
bool take_hist32(const struct column *column, void *field, const json_t *value);

/* The same of any array by its words: {"read": 17, ...}; what is 0 is left out. */
void put_by_word(FILE *out, const struct column *column, const void *field);
bool take_by_word(const struct column *column, void *field, const json_t *value);

#define COLUMN_AS(kind, type, member, as, of_words)					\
	{ .name = as, .put = put_##kind, .take = take_##kind,				\
	  .offset = offsetof(type, member), .size = sizeof(((type *)0)->member), .words = of_words }
#define COLUMN(kind, type, member, as) COLUMN_AS(kind, type, member, as, NULL)

/* A text of the program as JSON, with its quotes. */
void put_text(FILE *out, const char *text);

#endif

// SPDX-License-Identifier: GPL-2.0-only
#include "saved/column.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static u64 load(const struct column *column, const void *field)
{
	u64 value = 0;

	/* Little-endian, as all machines this is built for. */
	memcpy(&value, field, column->size);
	return value;
}

static u64 most(const struct column *column)
{
	return column->size == sizeof(u64) ? UINT64_MAX : (1ull << (8 * column->size)) - 1;
}

static bool store(const struct column *column, void *field, u64 value)
{
	if (value > most(column))
		return false;
	memcpy(field, &value, column->size);
	return true;
}

void put_number(FILE *out, const struct column *column, const void *field)
{
	fprintf(out, "%" PRId64, (s64)load(column, field));
}

bool take_number(const struct column *column, void *field, const json_t *value)
{
	return json_is_integer(value) && store(column, field, json_integer_value(value));
}

void put_signed(FILE *out, const struct column *column, const void *field)
{
	int unused = 64 - 8 * column->size;

	fprintf(out, "%" PRId64, (s64)(load(column, field) << unused) >> unused);
}

bool take_signed(const struct column *column, void *field, const json_t *value)
{
	s64 limit = most(column) >> 1, number = json_integer_value(value);

	if (!json_is_integer(value) || number > limit || number < -limit - 1)
		return false;
	memcpy(field, &number, column->size);
	return true;
}

void put_boolean(FILE *out, const struct column *column, const void *field)
{
	fputs(load(column, field) ? "true" : "false", out);
}

bool take_boolean(const struct column *column, void *field, const json_t *value)
{
	return json_is_boolean(value) && store(column, field, json_is_true(value));
}

void put_known(FILE *out, const struct column *column, const void *field)
{
	if (load(column, field) == most(column))
		fputs("null", out);
	else
		put_number(out, column, field);
}

bool take_known(const struct column *column, void *field, const json_t *value)
{
	return json_is_null(value) ? store(column, field, most(column)) :
	       take_number(column, field, value);
}

void put_hex(FILE *out, const struct column *column, const void *field)
{
	fprintf(out, "\"0x%" PRIx64 "\"", load(column, field));
}

bool take_hex(const struct column *column, void *field, const json_t *value)
{
	const char *text = json_string_value(value);
	u64 number;
	char *end;

	if (!text || strncmp(text, "0x", 2) || !isxdigit((unsigned char)text[2]))
		return false;
	errno = 0;
	number = strtoull(text, &end, 16);
	return !*end && !errno && store(column, field, number);
}

void put_bytes(FILE *out, const struct column *column, const void *field)
{
	const unsigned char *bytes = field;
	size_t count = column->size;

	while (count && !bytes[count - 1])
		count--;
	putc('"', out);
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] == '\\')
			fputs("\\\\\\\\", out);
		else if (bytes[i] == '"')
			fputs("\\\"", out);
		else if (bytes[i] >= ' ' && bytes[i] <= '~')
			putc(bytes[i], out);
		else
			fprintf(out, "\\\\x%02x", bytes[i]);
	}
	putc('"', out);
}

/* The byte that @text begins with, and how long it is there; -1: none. */
static int unescape(const char *text, size_t *length)
{
	char digits[3] = "";

	*length = 1;
	if (*text != '\\')
		return (unsigned char)*text;
	*length = 2;
	if (text[1] == '\\')
		return '\\';
	*length = 4;
	if (text[1] != 'x' || !isxdigit((unsigned char)text[2]) || !isxdigit((unsigned char)text[3]))
		return -1;
	memcpy(digits, text + 2, 2);
	return strtol(digits, NULL, 16);
}

bool take_bytes(const struct column *column, void *field, const json_t *value)
{
	const char *text = json_string_value(value);
	unsigned char *bytes = field;
	size_t length;

	if (!text)
		return false;
	memset(bytes, 0, column->size);
	for (size_t i = 0; *text; i++, text += length) {
		int byte = unescape(text, &length);

		if (byte < 0 || i == column->size)
			return false;
		bytes[i] = byte;
	}
	return true;
}

void put_text(FILE *out, const char *text)
{
	json_t *string = json_string(text);

	json_dumpf(string, out, JSON_ENCODE_ANY);
	json_decref(string);
}

void put_word(FILE *out, const struct column *column, const void *field)
{
	u64 value = load(column, field);

	if (value < column->words->count && column->words->list[value])
		put_text(out, column->words->list[value]);
	else
		fputs("null", out);
}

/* The index of a word of @length bytes; -1: there is none. */
static s64 word_find(const struct words *words, const char *word, size_t length)
{
	for (u32 i = 0; i < words->count; i++) {
		if (words->list[i] && !strncmp(words->list[i], word, length) &&
		    !words->list[i][length])
			return i;
	}
	return -1;
}

bool take_word(const struct column *column, void *field, const json_t *value)
{
	const char *word = json_string_value(value);
	s64 found = word ? word_find(column->words, word, strlen(word)) : -1;

	return json_is_null(value) || (found >= 0 && store(column, field, found));
}

void put_flags(FILE *out, const struct column *column, const void *field)
{
	u64 value = load(column, field);
	const char *gap = "";

	putc('"', out);
	for (u32 i = 0; i < column->words->count; i++) {
		if (!(value & 1ull << i))
			continue;
		fprintf(out, "%s%s", gap, column->words->list[i]);
		gap = ",";
	}
	putc('"', out);
}

/* A flag that is not known here is of a later version, and means nothing to this one. */
bool take_flags(const struct column *column, void *field, const json_t *value)
{
	const char *text = json_string_value(value);
	u64 flags = 0;

	if (!text)
		return false;
	while (*text) {
		size_t length = strcspn(text, ",");
		s64 bit = word_find(column->words, text, length);

		if (bit >= 0)
			flags |= 1ull << bit;
		text += length + !!text[length];
	}
	return store(column, field, flags);
}

static void put_counts(FILE *out, const struct column *column, const void *field, size_t size)
{
	struct column element = { .size = size };
	const char *gap = "";

	putc('[', out);
	for (size_t i = 0; i < column->size / size; i++) {
		u64 count = load(&element, (const char *)field + i * size);

		if (!count)
			continue;
		fprintf(out, "%s%zu,%" PRId64, gap, i, (s64)count);
		gap = ",";
	}
	putc(']', out);
}

static bool take_counts(const struct column *column, void *field, const json_t *value, size_t size)
{
	struct column element = { .size = size };

	memset(field, 0, column->size);
	if (!json_is_array(value) || json_array_size(value) % 2)
		return false;
	for (size_t i = 0; i < json_array_size(value); i += 2) {
		json_t *bucket = json_array_get(value, i);
		u64 at = json_integer_value(bucket);

		if (!json_is_integer(bucket) || at >= column->size / size ||
		    !take_number(&element, (char *)field + at * size, json_array_get(value, i + 1)))
			return false;
	}
	return true;
}

void put_hist(FILE *out, const struct column *column, const void *field)
{
	put_counts(out, column, field, sizeof(u64));
}

bool take_hist(const struct column *column, void *field, const json_t *value)
{
	return take_counts(column, field, value, sizeof(u64));
}

void put_hist32(FILE *out, const struct column *column, const void *field)
{
	put_counts(out, column, field, sizeof(u32));
}

bool take_hist32(const struct column *column, void *field, const json_t *value)
{
	return take_counts(column, field, value, sizeof(u32));
}

void put_by_word(FILE *out, const struct column *column, const void *field)
{
	const u64 *counts = field;
	const char *gap = "";

	putc('{', out);
	for (u32 i = 0; i < column->words->count; i++) {
		if (!counts[i])
			continue;
		fprintf(out, "%s\"%s\":%" PRId64, gap, column->words->list[i], (s64)counts[i]);
		gap = ",";
	}
	putc('}', out);
}

/* A word that is not known here is of a later version: it is left out. */
bool take_by_word(const struct column *column, void *field, const json_t *value)
{
	u64 *counts = field;
	json_t *count;
	const char *word;

	memset(field, 0, column->size);
	if (!json_is_object(value))
		return false;
	json_object_foreach((json_t *)value, word, count) {
		s64 at = word_find(column->words, word, strlen(word));

		if (!json_is_integer(count))
			return false;
		if (at >= 0)
			counts[at] = json_integer_value(count);
	}
	return true;
}

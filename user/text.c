// SPDX-License-Identifier: GPL-2.0-only
#include "text.h"

#include <stdlib.h>
#include <string.h>

struct unit {
	double size;
	const char *name;
};

/* @value in the largest unit that leaves at least 1, with three digits. */
static struct text scaled(double value, const struct unit *units, size_t count)
{
	struct text text;
	size_t i = 0;
	double v;

	/* 999.95 would be printed as 1000 of the unit below. */
	while (i + 1 < count && value >= 0.9995 * units[i + 1].size)
		i++;
	v = value / units[i].size;
	snprintf(text.buf, sizeof(text.buf), "%.*f%s",
		 units[i].size == 1 || v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2, v, units[i].name);
	return text;
}

struct text text_ns(double ns)
{
	static const struct unit units[] = {
		{ 1, "ns" }, { 1e3, "us" }, { 1e6, "ms" }, { 1e9, "s" },
		{ 3600e9, "h" }, { 86400e9, "d" },
	};

	return scaled(ns, units, ARRAY_SIZE(units));
}

struct text text_count(double count)
{
	static const struct unit units[] = {
		{ 1, "" }, { 1e3, "k" }, { 1e6, "M" }, { 1e9, "G" }, { 1e12, "T" },
	};
	struct text text;

	if (count >= 9999.5)
		return scaled(count, units, ARRAY_SIZE(units));
	snprintf(text.buf, sizeof(text.buf), "%.0f", count);
	return text;
}

struct text text_counted(double count, const char *noun)
{
	struct text text;

	snprintf(text.buf, sizeof(text.buf), "%.16s %s%s", text_count(count).buf, noun,
		 count == 1 ? "" : "s");
	return text;
}

struct text text_bytes(double bytes)
{
	static const struct unit units[] = {
		{ 1, "B" }, { 1024, "K" }, { 1048576, "M" }, { 1073741824, "G" },
		{ 1099511627776, "T" },
	};

	return scaled(bytes, units, ARRAY_SIZE(units));
}

bool text_number(const char *text, double *value)
{
	char *end;

	/* What strtod() takes besides, it takes by a sign, a blank or a letter other than this. */
	if (text[strspn(text, "0123456789.e+-E")] || *text == '+' || *text == '-')
		return false;
	*value = strtod(text, &end);
	return end != text && !*end;
}

static void append(struct text *text, size_t *at, const char *bytes, size_t count)
{
	if (*at + count >= sizeof(text->buf))
		return;
	memcpy(text->buf + *at, bytes, count);
	*at += count;
	text->buf[*at] = '\0';
}

static void append_escaped(struct text *text, size_t *at, unsigned char byte)
{
	char escape[8];

	append(text, at, escape, snprintf(escape, sizeof(escape), "\\x%02x", byte));
}

struct text text_name(const char *name, size_t size)
{
	struct text text = { "" };
	size_t at = 0;

	for (size_t i = 0; i < size && name[i]; i++) {
		if (name[i] >= ' ' && name[i] <= '~')
			append(&text, &at, name + i, 1);
		else
			append_escaped(&text, &at, name[i]);
	}
	return text;
}

/* Bytes of the UTF-8 sequence at @s, of which @left are there; 0 if it is not valid. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	static const struct {
		unsigned char mask, lead, length;
		u32 least;
	} forms[] = { { 0x80, 0, 1, 0 }, { 0xe0, 0xc0, 2, 0x80 }, { 0xf0, 0xe0, 3, 0x800 },
		      { 0xf8, 0xf0, 4, 0x10000 } };

	for (size_t f = 0; f < ARRAY_SIZE(forms); f++) {
		u32 code;

		if ((s[0] & forms[f].mask) != forms[f].lead || forms[f].length > left)
			continue;
		code = s[0] & (unsigned char)~forms[f].mask;
		for (size_t i = 1; i < forms[f].length; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (s[i] & 0x3f);
		}
		if (code < forms[f].least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return 0;
		return forms[f].length;
	}
	return 0;
}

struct text text_json_name(const char *name, size_t size)
{
	struct text text = { "" };
	size_t at = 0, length;

	size = strnlen(name, size);
	for (size_t i = 0; i < size; i += length) {
		length = utf8_length((const unsigned char *)name + i, size - i);
		if (name[i] == '\\') {
			append(&text, &at, "\\\\", 2);
		} else if (length) {
			append(&text, &at, name + i, length);
		} else {
			append_escaped(&text, &at, name[i]);
			length = 1;
		}
	}
	return text;
}

#define COLUMNS 80

void text_wrap(FILE *out, int at, int indent, const char *text)
{
	bool first = true;

	while (*text) {
		int len = strcspn(text, " ");

		if (at > indent && at + !first + len > COLUMNS) {
			fprintf(out, "\n%*s", indent, "");
			at = indent;
			first = true;
		}
		at += fprintf(out, "%s%.*s", first ? "" : " ", len, text);
		first = false;
		text += len + !!text[len];
	}
	putc('\n', out);
}

struct text text_errno(int error)
{
	const char *name = strerrorname_np(error);
	struct text text;

	if (name)
		snprintf(text.buf, sizeof(text.buf), "%s", name);
	else
		snprintf(text.buf, sizeof(text.buf), "errno %d", error);
	return text;
}

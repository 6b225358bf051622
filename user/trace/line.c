// SPDX-License-Identifier: GPL-2.0-only
#include "trace/line.h"

#include <string.h>

#include "text.h"

void line_bytes(struct line *line, const char *bytes, size_t size)
{
	size_t room = LINE_MAX_BYTES - line->size;

	if (size > room) {
		size = room;
		line->cut = true;
	}
	memcpy(line->text + line->size, bytes, size);
	line->size += size;
}

void line_text(struct line *line, const char *text)
{
	line_bytes(line, text, strlen(text));
}

void line_char(struct line *line, char c)
{
	line_bytes(line, &c, 1);
}

/* The digits of @value, ending at @end; where they begin. */
static char *digits_before(char *end, u64 value)
{
	do {
		*--end = '0' + value % 10;
		value /= 10;
	} while (value);
	return end;
}

void line_u64(struct line *line, u64 value)
{
	char digits[20], *from = digits_before(digits + sizeof(digits), value);

	line_bytes(line, from, digits + sizeof(digits) - from);
}

void line_s64(struct line *line, s64 value)
{
	if (value < 0)
		line_char(line, '-');
	line_u64(line, value < 0 ? -(u64)value : (u64)value);
}

void line_digits(struct line *line, u64 value, int digits)
{
	char text[20];

	for (int i = digits; i-- > 0; value /= 10)
		text[i] = '0' + value % 10;
	line_bytes(line, text, digits);
}

void line_pad(struct line *line, size_t to)
{
	while (line->size < to && !line->cut)
		line_char(line, ' ');
}

void line_right(struct line *line, size_t to, const char *text)
{
	size_t length = strlen(text);

	line_pad(line, to > length ? to - length : 0);
	line_text(line, text);
}

/* How many decimals @ns has in units of @size, so that it has three digits in all. */
static int decimals(u64 ns, u64 size)
{
	if (size == 1 || ns * 100 >= 9995 * size)
		return 0;
	return ns * 1000 >= 9995 * size ? 1 : 2;
}

void ns_text(char *buf, u64 ns)
{
	static const struct {
		u64 size;
		const char *name;
	} units[] = { { 1, "ns" }, { 1000, "us" }, { 1000000, "ms" }, { NS_PER_SEC, "s" } };
	static const u64 powers[] = { 1, 10, 100 };
	char digits[20], *end = digits + sizeof(digits), *from;
	int unit = 0, places;
	u64 scaled;

	/* Hours and days are rare enough. */
	if (ns >= 1000 * NS_PER_SEC) {
		snprintf(buf, NS_TEXT_MAX, "%.20s", text_ns(ns).buf);
		return;
	}
	while (unit < 3 && ns * 10000 >= 9995 * units[unit + 1].size)
		unit++;
	places = decimals(ns, units[unit].size);
	scaled = (ns * powers[places] + units[unit].size / 2) / units[unit].size;
	from = digits_before(end, scaled / powers[places]);
	buf = mempcpy(buf, from, end - from);
	if (places) {
		*buf++ = '.';
		for (int place = places; place-- > 0;)
			*buf++ = '0' + scaled / powers[place] % 10;
	}
	strcpy(buf, units[unit].name);
}

void line_json(struct line *line, const char *text)
{
	line_char(line, '"');
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\') {
			line_char(line, '\\');
			line_char(line, c);
		} else if (c < ' ' || c == 127) {
			line_text(line, "\\u00");
			line_char(line, "0123456789abcdef"[c >> 4]);
			line_char(line, "0123456789abcdef"[c & 15]);
		} else {
			line_char(line, c);
		}
	}
	line_char(line, '"');
}

void line_write(struct line *line, FILE *out)
{
	/* There is room behind what fits. */
	if (line->cut)
		line->size = mempcpy(line->text + line->size, " ...", 4) - (void *)line->text;
	line->text[line->size++] = '\n';
	fwrite(line->text, 1, line->size, out);
}

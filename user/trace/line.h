/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A line that is being made, without printf(3): at half a million lines a second that alone would
 * take a CPU. What does not fit is cut, and the line says so.
 */
#ifndef IOPHASE_TRACE_LINE_H
#define IOPHASE_TRACE_LINE_H

#include <stdio.h>

#include "types.h"

#define LINE_MAX_BYTES 65536	/* of all of a call's descriptors, with their longest names */

struct line {
	size_t size;
	bool cut;
	char text[LINE_MAX_BYTES + 8];
};

static inline void line_clear(struct line *line)
{
	line->size = 0;
	line->cut = false;
}

void line_bytes(struct line *line, const char *bytes, size_t size);
void line_text(struct line *line, const char *text);
void line_char(struct line *line, char c);
void line_u64(struct line *line, u64 value);
void line_s64(struct line *line, s64 value);

/* @value in @digits digits, with leading zeros. */
void line_digits(struct line *line, u64 value, int digits);

/* Spaces, up to column @to, which is counted in bytes. */
void line_pad(struct line *line, size_t to);

/* @text, which ends at column @to, or later if it is long. */
void line_right(struct line *line, size_t to, const char *text);

#define NS_TEXT_MAX 24

/* As text_ns() has it, but for halves, which are rounded up; @buf has room for NS_TEXT_MAX. */
void ns_text(char *buf, u64 ns);

/* Ends the line, and writes it to @out. */
void line_write(struct line *line, FILE *out);

/* As a string of JSON, quoted; @text is UTF-8. */
void line_json(struct line *line, const char *text);

#endif

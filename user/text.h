/* SPDX-License-Identifier: GPL-2.0-only */
/* Figures and names as text, the same in all outputs. */
#ifndef IOPHASE_TEXT_H
#define IOPHASE_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include "types.h"

#define TEXT_MAX 320

struct text {
	char buf[TEXT_MAX];
};

/* A time, in at most 6 characters up to 270 years: "940ns", "1.24ms", "61.2s", "2.50h". */
struct text text_ns(double ns);

/* A count in at most 6 characters: "9999", "12.3k", "4.56M". */
struct text text_count(double count);

/* The same of things: "1 turn", "12.3k turns"; @noun is one of them, and takes an s. */
struct text text_counted(double count, const char *noun);

/* Bytes in at most 6 characters, in powers of 1024: "512B", "1.21K". */
struct text text_bytes(double bytes);

/*
 * A name from the kernel, of at most @size bytes, which can hold anything: all but printable
 * ASCII is escaped as \xNN, so that it can neither move the cursor nor break a line.
 */
struct text text_name(const char *name, size_t size);

/*
 * The same for JSON: valid UTF-8 stays; other bytes become the characters \xNN, and a
 * backslash is doubled, so that nothing is lost and every text can be told from its escape.
 */
struct text text_json_name(const char *name, size_t size);

/*
 * Prints the words of @text, and ends the line: after @at columns that are there already, in lines
 * of 80 columns of which those that follow begin at column @indent. A longer word has its own.
 */
void text_wrap(FILE *out, int at, int indent, const char *text);

/*
 * The decimal number that all of @text is: digits, with a fraction and an exponent if need be. No
 * sign, no blanks, no words, no hexadecimal digits. False: it is none.
 */
bool text_number(const char *text, double *value);

/* "EAGAIN" for 11; "errno 4711" for one that has no name. */
struct text text_errno(int error);

#endif

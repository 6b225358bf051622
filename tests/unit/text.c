// SPDX-License-Identifier: GPL-2.0-only
/* Figures and names as text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "user/text.h"

static void times(void **state)
{
	static const struct {
		double ns;
		const char *text;
	} cases[] = {
		{ 0, "0ns" }, { 1, "1ns" }, { 999, "999ns" }, { 999.6, "1.00us" },
		{ 1000, "1.00us" }, { 1240, "1.24us" }, { 9994, "9.99us" }, { 9996, "10.0us" },
		{ 99940, "99.9us" }, { 99960, "100us" }, { 999400, "999us" },
		{ 999600, "1.00ms" }, { 61.2e9, "61.2s" }, { 1e9, "1.00s" }, { 3000e9, "3000s" },
		{ 3600e9, "1.00h" }, { 9000e9, "2.50h" }, { 86400e9, "1.00d" },
		{ 1000 * 86400e9, "1000d" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(text_ns(cases[i].ns).buf, cases[i].text);
}

static void counts(void **state)
{
	(void)state;
	assert_string_equal(text_count(0).buf, "0");
	assert_string_equal(text_count(9999).buf, "9999");
	assert_string_equal(text_count(10000).buf, "10.0k");
	assert_string_equal(text_count(12345).buf, "12.3k");
	assert_string_equal(text_count(999499).buf, "999k");
	assert_string_equal(text_count(999500).buf, "1.00M");
	assert_string_equal(text_count(4.56e6).buf, "4.56M");
	assert_string_equal(text_count(18446744073709551615.0).buf, "18446744T");
	assert_string_equal(text_bytes(0).buf, "0B");
	assert_string_equal(text_bytes(512).buf, "512B");
	assert_string_equal(text_bytes(1023).buf, "1023B");
	assert_string_equal(text_bytes(1024).buf, "1.00K");
	assert_string_equal(text_bytes(1239).buf, "1.21K");
	assert_string_equal(text_bytes(1048575).buf, "1.00M");
	assert_string_equal(text_bytes(8 << 20).buf, "8.00M");
}

static void things(void **state)
{
	(void)state;
	assert_string_equal(text_counted(0, "turn").buf, "0 turns");
	assert_string_equal(text_counted(1, "turn").buf, "1 turn");
	assert_string_equal(text_counted(2, "turn").buf, "2 turns");
	assert_string_equal(text_counted(12345, "wake-up").buf, "12.3k wake-ups");
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		double value;
	} good[] = {
		{ "0", 0 }, { "7", 7 }, { "007", 7 }, { "1.5", 1.5 }, { ".5", 0.5 }, { "5.", 5 },
		{ "1e3", 1000 }, { "1E-3", 0.001 }, { "2e+2", 200 },
	};
	static const char *const bad[] = {
		"", " 1", "1 ", "+1", "-1", "0x10", "0X1p3", "1e", "e1", "1e1e1", "1.5.2", ".",
		"inf", "nan", "1,5", "1k", "--1", "1-1",
	};
	double value;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(text_number(good[i].text, &value));
		assert_true(value == good[i].value);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (text_number(bad[i], &value))
			fail_msg("'%s' is taken for %g", bad[i], value);
	}
}

/* No value that a machine can reach makes a text wider than the columns of the table. */
static void widths(void **state)
{
	double value = 0;

	(void)state;
	for (; value < 1e15; value = value * 1.0007 + 0.5) {
		assert_true(strlen(text_count(value).buf) <= 5);
		assert_true(strlen(text_bytes(value).buf) <= 5);
		assert_true(strlen(text_ns(value).buf) <= 6);
	}
	for (; value < 1.8e19; value *= 1.0007)
		assert_true(strlen(text_ns(value).buf) <= 7);
}

static void names(void **state)
{
	static const struct {
		const char *name, *text, *json;
	} cases[] = {
		{ "nginx", "nginx", "nginx" },
		{ "", "", "" },
		{ " a~", " a~", " a~" },
		{ "\x1b[31m", "\\x1b[31m", "\x1b[31m" },
		{ "a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f", "a\nb\tc\x7f" },
		{ "a\\x41", "a\\x41", "a\\\\x41" },
		{ "caf\xc3\xa9", "caf\\xc3\\xa9", "caf\xc3\xa9" },
		{ "caf\xc3", "caf\\xc3", "caf\\xc3" },
		{ "\xff\x80", "\\xff\\x80", "\\xff\\x80" },
		{ "\xe2\x82\xac", "\\xe2\\x82\\xac", "\xe2\x82\xac" },
		{ "\xe2\x82", "\\xe2\\x82", "\\xe2\\x82" },
		{ "\xf0\x9f\x98\x80", "\\xf0\\x9f\\x98\\x80", "\xf0\x9f\x98\x80" },
		/* Longer than need be, a surrogate, and beyond the last code point. */
		{ "\xc0\xaf", "\\xc0\\xaf", "\\xc0\\xaf" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\xf4\\x90\\x80\\x80" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_string_equal(text_name(cases[i].name, COMM_LEN).buf, cases[i].text);
		assert_string_equal(text_json_name(cases[i].name, COMM_LEN).buf, cases[i].json);
	}
}

/* A name that fills its field has no end mark; nothing beyond is read. */
static void full_names(void **state)
{
	char field[COMM_LEN + 8], all[COMM_LEN];

	(void)state;
	memset(field, 'x', sizeof(field));
	assert_int_equal(strlen(text_name(field, COMM_LEN).buf), COMM_LEN);
	assert_int_equal(strlen(text_json_name(field, COMM_LEN).buf), COMM_LEN);
	/* A sequence that is cut by the end of the field is not a character. */
	memcpy(field + COMM_LEN - 1, "\xc3\xa9", 2);
	assert_non_null(strstr(text_json_name(field, COMM_LEN).buf, "x\\xc3"));
	/* The longest there is fits. */
	memset(all, 0xff, sizeof(all));
	assert_int_equal(strlen(text_name(all, sizeof(all)).buf), 4 * COMM_LEN);
	assert_int_equal(strlen(text_json_name(all, sizeof(all)).buf), 4 * COMM_LEN);
}

static void errnos(void **state)
{
	(void)state;
	assert_string_equal(text_errno(11).buf, "EAGAIN");
	assert_string_equal(text_errno(4711).buf, "errno 4711");
}

static void assert_wrapped(int at, int indent, const char *text, const char *lines)
{
	char *buffer;
	size_t size;
	FILE *out = open_memstream(&buffer, &size);

	text_wrap(out, at, indent, text);
	fclose(out);
	assert_string_equal(buffer, lines);
	free(buffer);
}

static void wrapped(void **state)
{
	char word[101] = "", lines[256];

	(void)state;
	assert_wrapped(0, 4, "", "\n");
	assert_wrapped(4, 4, "two  words", "two  words\n");
	/* 80 columns are full with the last letter of this, and not a line more. */
	assert_wrapped(73, 4, "one two", "one two\n");
	assert_wrapped(74, 4, "one two", "one\n    two\n");
	assert_wrapped(78, 4, "one two", "\n    one two\n");
	/* What is too long for any line is not cut. */
	memset(word, 'x', 100);
	assert_wrapped(4, 4, word, strcat(strcpy(lines, word), "\n"));
	assert_wrapped(5, 4, word, strcat(strcat(strcpy(lines, "\n    "), word), "\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times), cmocka_unit_test(counts), cmocka_unit_test(things),
		cmocka_unit_test(numbers), cmocka_unit_test(widths),
		cmocka_unit_test(names), cmocka_unit_test(full_names), cmocka_unit_test(errnos),
		cmocka_unit_test(wrapped),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}

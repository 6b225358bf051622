// SPDX-License-Identifier: GPL-2.0-only
#include "top/fields.h"

#include <string.h>

struct text field_dash(void)
{
	return (struct text){ "-" };
}

struct text field_word(const char *text)
{
	struct text copy;

	snprintf(copy.buf, sizeof(copy.buf), "%s", text);
	return copy;
}

struct text field_number(u64 value)
{
	struct text text;

	snprintf(text.buf, sizeof(text.buf), "%llu", (unsigned long long)value);
	return text;
}

struct text field_percent(double share)
{
	struct text text;

	if (share < 0)
		return field_dash();
	snprintf(text.buf, sizeof(text.buf), "%.*f%%", share > 0 && share < 0.0995 ? 1 : 0,
		 share * 100);
	return text;
}

struct text field_ratio(double value)
{
	struct text text;

	if (value < 0)
		return field_dash();
	if (value >= 999.5)
		return text_count(value);
	snprintf(text.buf, sizeof(text.buf), "%.*f", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value);
	return text;
}

struct text field_rate(double value)
{
	return value > 0 && value < 9.95 ? field_ratio(value) : text_count(value);
}

struct text field_time(double ns)
{
	return ns < 0 ? field_dash() : text_ns(ns);
}

struct text name_pid(const struct item *item)
{
	return item->key.proc ? field_number(proc_tgid(item->key.proc)) : field_dash();
}

struct text name_comm(const struct item *item)
{
	return item->comm[0] ? text_name(item->comm, COMM_LEN) : field_dash();
}

struct text name_process(const struct item *item)
{
	return item->proc_comm[0] ? text_name(item->proc_comm, COMM_LEN) : field_dash();
}

double value_busy(const struct item *item)
{
	return item->busy;
}

struct text text_busy(const struct item *item)
{
	return field_percent(item->busy);
}

double value_lag(const struct item *item)
{
	return item->lag_ns;
}

struct text text_lag(const struct item *item)
{
	return field_time(item->lag_ns);
}

double value_serve(const struct item *item)
{
	return item->serve_ns;
}

struct text text_serve(const struct item *item)
{
	return field_time(item->serve_ns);
}

/* The worst first, then by how many there are. */
double value_findings(const struct item *item)
{
	return item->findings ? item->worst * 1e6 + item->findings : -1;
}

/* "2!!" are two, of which one is critical; "!" a warning; "i" a remark. */
struct text text_findings(const struct item *item)
{
	static const char *const marks[NR_SEVERITIES] = { "i", "!", "!!" };
	struct text text = { "" };

	if (item->findings)
		snprintf(text.buf, sizeof(text.buf), "%s%s", text_count(item->findings).buf,
			 marks[item->worst]);
	return text;
}


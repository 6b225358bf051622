// SPDX-License-Identifier: GPL-2.0-only
#include "top/view.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "model/calls.h"
#include "top/fields.h"

#define BAR_LEAST 8
#define BAR_WIDE_FROM 76
#define BAR_WIDE_LEAST 16
#define BAR_MAX 40
#define TEXT_LEAST 26

const struct view *const views[NR_VIEWS] = {
	[VIEW_PROCESSES] = &view_processes, [VIEW_LOOPS] = &view_loops,
	[VIEW_THREADS] = &view_threads, [VIEW_CALLS] = &view_calls,
	[VIEW_FDS] = &view_fds, [VIEW_FINDINGS] = &view_findings,
};

static double less(double all, double part)
{
	return all > part ? all - part : 0;
}

static struct bar loop_bar(const struct loop_sum *sum)
{
	return (struct bar){ {
		sum->wait_blocked_ns, (double)sum->wait_runnable_ns + sum->turn_runnable_ns,
		less(sum->wait_ns, (double)sum->wait_blocked_ns + sum->wait_runnable_ns),
		less(sum->turn_ns, (double)sum->turn_blocked_ns + sum->turn_runnable_ns),
		sum->turn_blocked_ns,
	} };
}

struct bar item_bar(const struct item *item)
{
	const struct totals *sum = &item->sum;

	if (item->loop)
		return loop_bar(&item->loop->figures.sum);
	return (struct bar){ { sum->blocked_ns, sum->runnable_ns,
			       less(item_on_cpu_ns(item), sum->copy_ns), sum->copy_ns } };
}

struct text item_inside_text(const struct item *item)
{
	struct text text = { "" };

	struct text age;

	if (!item->inside)
		return text;
	/* There is little room: whole seconds, if there are any. */
	age = text_ns(item->inside->age_ns);
	if (item->inside->age_ns >= NS_PER_SEC && item->inside->age_ns < 1000 * NS_PER_SEC)
		snprintf(age.buf, sizeof(age.buf), "%us",
			 (unsigned int)(item->inside->age_ns / NS_PER_SEC));
	snprintf(text.buf, sizeof(text.buf), "%s %s%.60s", calls[item->inside->call].name,
		 item->inside->age_bound ? ">" : "", age.buf);
	return text;
}

u32 view_fields(const struct view *view)
{
	u32 count = 0;

	while (count < FIELDS_MAX && view->fields[count].head)
		count++;
	return count;
}

bool field_is_bar(const struct field *field)
{
	return !field->text && !field->name;
}

/* Of a text of any length there is to be enough to tell what it is. */
static int least_width(const struct field *field, int columns)
{
	if (field->width)
		return abs(field->width);
	if (field_is_bar(field))
		return columns < BAR_WIDE_FROM ? BAR_LEAST : BAR_WIDE_LEAST;
	return columns / 3 < TEXT_LEAST ? columns / 3 : TEXT_LEAST;
}

static int width_of(const struct view *view, const int widths[FIELDS_MAX])
{
	int sum = -1;

	for (u32 i = 0; i < view_fields(view); i++)
		sum += widths[i] ? widths[i] + 1 : 0;
	return sum;
}

/* The column that leaves next; -1: none does. */
static int next_to_leave(const struct view *view, const int widths[FIELDS_MAX])
{
	int next = -1;

	for (u32 i = 0; i < view_fields(view); i++) {
		const struct field *field = &view->fields[i];

		if (widths[i] && field->leaves &&
		    (next < 0 || field->leaves > view->fields[next].leaves))
			next = i;
	}
	return next;
}

static bool field_of_process(const struct field *field)
{
	return field->name == name_pid || field->name == name_process;
}

void view_fit(const struct view *view, bool one, int columns, int widths[FIELDS_MAX])
{
	int left, leaving;

	memset(widths, 0, FIELDS_MAX * sizeof(*widths));
	for (u32 i = 0; i < view_fields(view); i++) {
		if (!one || !field_of_process(&view->fields[i]))
			widths[i] = least_width(&view->fields[i], columns);
	}
	while (width_of(view, widths) > columns && (leaving = next_to_leave(view, widths)) >= 0)
		widths[leaving] = 0;
	left = columns - width_of(view, widths);
	/* The last of those that take what is left gets all of it; a bar is not to be endless. */
	for (u32 i = 0; i < view_fields(view) && left > 0; i++) {
		if (view->fields[i].width || !widths[i])
			continue;
		if (field_is_bar(&view->fields[i])) {
			int more = left < BAR_MAX - widths[i] ? left : BAR_MAX - widths[i];

			widths[i] += more;
			left -= more;
		} else {
			widths[i] += left;
			left = 0;
		}
	}
}

bool item_matches(const struct item *item, const char *word)
{
	const struct view *view = NULL;

	for (int v = 0; v < NR_VIEWS; v++) {
		if (views[v]->kind == item->kind)
			view = views[v];
	}
	for (u32 i = 0; view && i < view_fields(view); i++) {
		if (view->fields[i].name && strcasestr(view->fields[i].name(item).buf, word))
			return true;
	}
	return false;
}

/* What is sorted, with what it is sorted by: made once for each item. */
struct sorted {
	const struct item *item;
	double value;
	char name[64];
};

static int by_key(const struct item *left, const struct item *right)
{
	return memcmp(&left->key, &right->key, sizeof(left->key));
}

static int by_value(const void *a, const void *b)
{
	const struct sorted *left = a, *right = b;

	if (left->value != right->value)
		return left->value > right->value ? -1 : 1;
	return by_key(left->item, right->item);
}

static int by_name(const void *a, const void *b)
{
	const struct sorted *left = a, *right = b;
	int order = strverscmp(left->name, right->name);

	return order ? : by_key(left->item, right->item);
}

const struct item **view_sorted(const struct view *view, const struct items *items, u32 sort,
				bool reverse, const char *filter, u32 *count)
{
	u32 all = HASH_COUNT(items->table);
	const struct item **list = calloc(all + 1, sizeof(*list));
	struct sorted *sorted = calloc(all + 1, sizeof(*sorted));
	const struct field *field = &view->fields[sort];
	struct item *item, *next;

	if (!list || !sorted)
		errx(EXIT_RUNTIME, "out of memory");
	*count = 0;
	HASH_ITER(hh, items->table, item, next) {
		struct sorted *one = &sorted[*count];

		if (*filter && !item_matches(item, filter))
			continue;
		one->item = item;
		if (field->name)
			snprintf(one->name, sizeof(one->name), "%.63s", field->name(item).buf);
		else
			one->value = field->value(item);
		(*count)++;
	}
	qsort(sorted, *count, sizeof(*sorted), field->name ? by_name : by_value);
	for (u32 i = 0; i < *count; i++)
		list[i] = sorted[reverse ? *count - 1 - i : i].item;
	free(sorted);
	return list;
}

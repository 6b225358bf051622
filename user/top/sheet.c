// SPDX-License-Identifier: GPL-2.0-only
#include "top/sheet.h"

#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/diagnosis.h"
#include "fail.h"
#include "model/fd.h"

void sheet_free(struct sheet_text *sheet)
{
	for (u32 i = 0; i < sheet->count; i++)
		free(sheet->lines[i]);
	free(sheet->lines);
	*sheet = (struct sheet_text){ 0 };
}

static void add_line(struct sheet_text *sheet, const char *text, int len)
{
	sheet->lines = reallocarray(sheet->lines, sheet->count + 1, sizeof(*sheet->lines));
	if (!sheet->lines || asprintf(&sheet->lines[sheet->count], "%.*s", len, text) < 0)
		errx(EXIT_RUNTIME, "out of memory");
	sheet->count++;
}

/* Where a line of @len is broken to fit: at a blank, if there is one in its second half. */
static int break_at(const char *text, int len, int columns)
{
	if (len <= columns)
		return len;
	for (int at = columns; at > columns / 2; at--) {
		if (text[at] == ' ')
			return at;
	}
	return columns;
}

void sheet_set(struct sheet_text *sheet, const char *title, const char *text, int columns)
{
	sheet_free(sheet);
	sheet->title = title;
	while (*text) {
		int len = strcspn(text, "\n"), at = 0;

		do {
			int shown = break_at(text + at, len - at, columns);

			add_line(sheet, text + at, shown);
			at += shown;
			if (at < len && text[at] == ' ')
				at++;
		} while (at < len);
		text += len + !!text[len];
	}
}

/* A text in the making. */
struct draft {
	char *text;
	size_t size;
	FILE *out;
};

static FILE *draft_open(struct draft *draft)
{
	draft->out = open_memstream(&draft->text, &draft->size);
	if (!draft->out)
		errx(EXIT_RUNTIME, "out of memory");
	return draft->out;
}

static void draft_show(struct draft *draft, struct sheet_text *sheet, const char *title, int columns)
{
	fclose(draft->out);
	sheet_set(sheet, title, draft->text, columns);
	free(draft->text);
}

static const char keys[] =
	"up, down, PgUp, PgDn, Home, End   choose a line; Home: the first, whichever it is\n"
	"Enter   into a process, its loops and threads, their descriptors and calls;\n"
	"        all that is known of what has no parts\n"
	"Esc     back\n"
	"Tab     the next view of the same: loops, threads, calls, descriptors, findings\n"
	"f       findings of the doctor      l       what was lost\n"
	"< >     sort by another column (F6 as >); I the other way round\n"
	"\\ F4 /  show only lines in which this is found; Esc clears it\n"
	"Space   pause: the screen stands, the watch goes on\n"
	"+ -     longer and shorter intervals\n"
	"q F10   quit\n";

void sheet_help(struct sheet_text *sheet, const struct view *view, int columns)
{
	struct draft draft;
	FILE *out = draft_open(&draft);

	fprintf(out, "%s\nThe view of %s has, where there is room for them:\n", keys, view->title);
	for (u32 i = 0; i < view_fields(view); i++)
		fprintf(out, "%-9s %s\n", view->fields[i].head, view->fields[i].about);
	if (view->bar == &bar_phases)
		fputs("\nBlocked: it waits for data. Runnable: it waits for a CPU. Kernel: on the CPU; in a "
		      "wait call this is the scan. Copy: it moves bytes; where that cannot be told from "
		      "the rest, it is part of kernel. A call counts when it ends: of one that does not, "
		      "it is said for how long.\n", out);
	if (view->bar == &bar_turns)
		fputs("\nWaiting: blocked in the wait call. Runnable: no CPU, in waits and in turns. "
		      "Scanning: on the CPU within the wait. Working: on the CPU in turns. Stalled: "
		      "blocked in a turn, while all that the loop serves waits.\n", out);
	fputs("\n\"-\" is not known; \"<\" at most, \">\" at least.\n", out);
	draft_show(&draft, sheet, "Help: Esc goes back", columns);
}

void sheet_lost(struct sheet_text *sheet, const struct report *report, int columns)
{
	struct draft draft;
	FILE *out = draft_open(&draft);

	report_losses(out, report);
	if (!ftell(out))
		fputs("Nothing was lost since the start.\n", out);
	draft_show(&draft, sheet, "Lost since the start: Esc goes back", columns);
}

static void write_fields(FILE *out, const struct view *view, const struct item *item)
{
	for (u32 i = 0; i < view_fields(view); i++) {
		const struct field *field = &view->fields[i];

		if (!field_is_bar(field))
			fprintf(out, "%-9s %-12s  %s\n", field->head,
				(field->text ? : field->name)(item).buf, field->about);
	}
}

/* Parts of the time, in figures. */
static void write_bar(FILE *out, const struct view *view, const struct item *item)
{
	struct bar bar = item_bar(item);
	double sum = 0;

	for (u32 i = 0; i < view->bar->count; i++)
		sum += bar.parts[i];
	for (u32 i = 0; i < view->bar->count && sum > 0; i++)
		fprintf(out, "%-9s %-7s %3.0f%%\n", view->bar->parts[i].name,
			text_ns(bar.parts[i]).buf, bar.parts[i] / sum * 100);
}

static void write_fd(FILE *out, const struct row_fd *fd)
{
	const struct descriptor_sum *sum = &fd->descriptor.sum;
	const char *state = tcp_state_name(fd);

	fprintf(out, "%s\n", fd_name(fd, text_name).buf);
	if (state)
		fprintf(out, "state     %s\n", state);
	fprintf(out, "flags     %s%s%s%s%s\n", fd->head.nonblock ? "non-blocking" : "blocking",
		fd_closed(fd) ? ", closed" : "", fd_shared(fd) ? ", shared" : "",
		fd->head.disarmed ? ", one-shot and not armed" : "",
		fd_ambiguous(fd) ? ", ambiguous: another has the same epoll data" : "");
	fprintf(out, "blocked   %s in calls on it, in this interval\n",
		text_ns(sum->blocked_ns).buf);
	if (!fd_ambiguous(fd))
		fprintf(out, "reports   %" PRIu64 ", of which %" PRIu64 " unserved, %" PRIu64
			" undrained\n", sum->reported, sum->unserved, sum->undrained);
	fprintf(out, "results   %" PRIu64 " EAGAIN, %" PRIu64 " of nothing, %" PRIu64 " errors\n\n",
		sum->eagain, sum->zero, sum->errors);
}

static void write_counts(FILE *out, const struct item *item)
{
	static const char *const names[] = {
#define FIGURE(name) #name,
#include "bpf/figures.def"
#undef FIGURE
	};
	const u64 *figures = (const u64 *)&item->sum;

	fputs("\nIn this interval:\n", out);
	for (size_t i = 0; i < NR_FIGURES; i++) {
		if (figures[i])
			fprintf(out, "%-15s %" PRIu64 "\n", names[i], figures[i]);
	}
}

void sheet_item(struct sheet_text *sheet, const struct report *report, const struct view *view,
		const struct item *item, int columns)
{
	struct draft draft;
	FILE *out = draft_open(&draft);

	if (item->kind == ITEM_FINDING) {
		finding_print(out, report, &item->headline->finding, false);
	} else {
		if (item->fd)
			write_fd(out, item->fd);
		write_fields(out, view, item);
		if (view->bar)
			write_bar(out, view, item);
		if (item->sum.calls)
			write_counts(out, item);
	}
	draft_show(&draft, sheet, item->kind == ITEM_FINDING ? "Finding: Esc goes back" :
		   "In detail: Esc goes back", columns);
}

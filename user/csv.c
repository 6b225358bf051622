// SPDX-License-Identifier: GPL-2.0-only
/* CSV (RFC 4180): a line for each row, the figures in the order of figures.def. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "output.h"
#include "text.h"

static void begin(FILE *out, const struct options *options)
{
	(void)options;
	fputs("time,duration_ns,tgid,tid,comm,call,class,kernel_ns", out);
#define FIGURE(name) fputs("," #name, out);
#include "../bpf/figures.def"
#undef FIGURE
	fputs("\r\n", out);
}

static void print_name(FILE *out, const char *name)
{
	struct text text = text_json_name(name, COMM_LEN);

	putc('"', out);
	for (const char *c = text.buf; *c; c++) {
		if (*c == '"')
			putc('"', out);
		/* Controls are valid UTF-8, but no part of a line. */
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			fprintf(out, "\\x%02x", *c);
		else
			putc(*c, out);
	}
	putc('"', out);
}

/* An unknown figure is an empty field, never 0. */
static void print_figure(FILE *out, const struct row *row, size_t offset, u64 value)
{
	bool unknown = false;

	if (offset == offsetof(struct totals, copy_ns))
		unknown = calls[row->key.call].class == CLASS_OUTPUT;
	if (offset == offsetof(struct totals, asked))
		unknown = row->sum.asked_unknown && !value;
	if (unknown)
		putc(',', out);
	else
		fprintf(out, ",%llu", (unsigned long long)value);
}

static void print_row(FILE *out, const struct report *report, const struct row *row)
{
	const struct call *call = &calls[row->key.call];

	fprintf(out, "%lld.%03ld,%llu,", (long long)report->at.tv_sec,
		report->at.tv_nsec / 1000000, (unsigned long long)report->duration_ns);
	if (row->key.proc)
		fprintf(out, "%u", proc_tgid(row->key.proc));
	putc(',', out);
	if (row->key.tid)
		fprintf(out, "%u", row->key.tid);
	putc(',', out);
	if (report->options->by & BY_PROCESS)
		print_name(out, row->comm);
	fprintf(out, ",%s,%s,%llu", row->key.call ? call->name : "",
		row->key.call ? class_name(call->class) : "",
		(unsigned long long)row_kernel_ns(row));
#define FIGURE(name) print_figure(out, row, offsetof(struct totals, name), row->sum.name);
#include "../bpf/figures.def"
#undef FIGURE
	fputs("\r\n", out);
}

static void print(FILE *out, const struct report *report)
{
	u32 count;
	struct row **rows = report_rows(report, &count);

	for (u32 i = 0; i < count; i++)
		print_row(out, report, rows[i]);
	free(rows);
	/* Lines of figures have no place for them, and they are never to go unseen. */
	report_losses(stderr, report);
}

const struct output output_csv = { .begin = begin, .print = print };

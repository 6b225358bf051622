// SPDX-License-Identifier: GPL-2.0-only
/* CSV (RFC 4180): a line for each row, the figures in the order of the table they come from. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "model/calls.h"
#include "model/fd.h"
#include "model/models.h"
#include "output/output.h"
#include "text.h"

#define FIGURE(name) "," #name
static const char call_heads[] = "tid,comm,call,class,kernel_ns"
#include "bpf/figures.def"
	;
static const char fd_heads[] = "comm,fd,kind,name,state,watch,mask,data,ambiguous,sets,nonblock,shared,closed,left,queued"
#include "bpf/descriptor.def"
	;
static const char loop_heads[] = "comm,watch,epfd,tid,threads,descriptors"
#include "bpf/loop.def"
	;
static const char model_heads[] = "tid,comm,fd,name,model"
#include "bpf/model.def"
	;
#undef FIGURE

static void begin(FILE *out, const struct options *options)
{
	fprintf(out, "time,duration_ns,tgid,%s\r\n", options->by & BY_MODEL ? model_heads :
		options->by & BY_FD ? fd_heads :
		options->by & BY_LOOP ? loop_heads : call_heads);
}

/* @text has no bytes that are not UTF-8. */
static void print_text(FILE *out, struct text text)
{
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

static void print_name(FILE *out, const char *name)
{
	print_text(out, text_json_name(name, COMM_LEN));
}

static void print_call(FILE *out, const struct report *report, const struct row *row)
{
	const struct call *call = &calls[row->key.call];

	if (row->key.tid)
		fprintf(out, "%u", row->key.tid);
	putc(',', out);
	if (report->options->by & BY_PROCESS)
		print_name(out, row->comm);
	fprintf(out, ",%s,%s,%llu", row->key.call ? call->name : "",
		row->key.call ? class_name(call->class) : "",
		(unsigned long long)row_kernel_ns(row));
#define FIGURE(name) print_figure(out, row, offsetof(struct totals, name), row->sum.name);
#include "bpf/figures.def"
#undef FIGURE
}

static void print_u64s(FILE *out, const u64 *figures, size_t count, bool known)
{
	for (size_t i = 0; i < count; i++) {
		if (known)
			fprintf(out, ",%llu", (unsigned long long)figures[i]);
		else
			putc(',', out);
	}
}

/* From here on they are about reports, which are not known of a descriptor that is ambiguous. */
#define REPORT_FIGURES (offsetof(struct descriptor_sum, reported) / sizeof(u64))

static void print_left(FILE *out, u32 left)
{
	if (left != LEFT_UNKNOWN)
		fprintf(out, "%u", left);
}

static void print_fd(FILE *out, const struct report *report, const struct row *row)
{
	const struct row_fd *fd = row->fd;
	const struct descriptor *d = &fd->descriptor;
	const u64 *figures = (const u64 *)&d->sum;

	(void)report;
	print_name(out, row->comm);
	putc(',', out);
	if (!fd->many && row->key.proc)
		fprintf(out, "%u", fd->head.fd);
	fprintf(out, ",%s,", fd->many ? "merged" : kind_name(d->kind));
	print_text(out, fd_name(fd, text_json_name));
	fprintf(out, ",%s,%s,", tcp_state_name(fd) ? : "", watch_name(d->watch) ? : "");
	if (d->watch == WATCH_EPOLL)
		fprintf(out, "0x%x,0x%llx,%d,%u,", d->mask, (unsigned long long)d->data,
			fd_ambiguous(fd), d->sets);
	else
		fputs(",,,,", out);
	if (fd->head.named)
		fprintf(out, "%d", fd->head.nonblock);
	fprintf(out, ",%d,%d,", fd_shared(fd), fd_closed(fd));
	print_left(out, d->left);
	putc(',', out);
	print_left(out, fd->head.queued);
	print_u64s(out, figures, REPORT_FIGURES, true);
	print_u64s(out, figures + REPORT_FIGURES, NR_DESCRIPTOR_FIGURES - REPORT_FIGURES,
		   !fd_ambiguous(fd));
}

static void print_loop(FILE *out, const struct report *report, const struct row *row)
{
	const struct event_loop *loop = &row->loop->figures;
	bool epoll = loop->key.watch == WATCH_EPOLL;

	(void)report;
	print_name(out, row->comm);
	fprintf(out, ",%s,", watch_name(loop->key.watch) ? : "");
	if (epoll)
		fprintf(out, "%u,", loop->epfd);
	else
		fprintf(out, ",%u", loop->key.tid);
	fprintf(out, ",%u,", loop->threads);
	if (row->loop->descriptors != ASKED_UNKNOWN)
		fprintf(out, "%llu", (unsigned long long)row->loop->descriptors);
	print_u64s(out, (const u64 *)&loop->sum, NR_LOOP_FIGURES, true);
}

/* From here on they are of many descriptors: where these are kept apart, of none. */
#define MODEL_WAITS (offsetof(struct model_sum, waits) / sizeof(u64))

static void print_model(FILE *out, const struct report *report, const struct row *row)
{
	const u64 *figures = (const u64 *)&row->model->sum;
	const struct row_fd *fd = row->model->fd;

	if (row->key.tid)
		fprintf(out, "%u", row->key.tid);
	putc(',', out);
	print_name(out, row->comm);
	putc(',', out);
	if (model_fd_known(row))
		fprintf(out, "%u", fd->head.fd);
	putc(',', out);
	if (fd)
		print_text(out, fd_name(fd, text_json_name));
	fprintf(out, ",%s", model_name(row->key.model));
	print_u64s(out, figures, MODEL_WAITS, true);
	print_u64s(out, figures + MODEL_WAITS, NR_MODEL_FIGURES - MODEL_WAITS,
		   !(report->options->by & BY_FD));
}

static void print_row(FILE *out, const struct report *report, const struct row *row)
{
	fprintf(out, "%lld.%03ld,%llu,", (long long)report->at.tv_sec,
		report->at.tv_nsec / 1000000, (unsigned long long)report->duration_ns);
	if (row->key.proc)
		fprintf(out, "%u", proc_tgid(row->key.proc));
	putc(',', out);
	if (row->model)
		print_model(out, report, row);
	else if (row->fd)
		print_fd(out, report, row);
	else if (row->loop)
		print_loop(out, report, row);
	else
		print_call(out, report, row);
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

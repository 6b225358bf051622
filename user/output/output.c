// SPDX-License-Identifier: GPL-2.0-only
#include "output/output.h"

#include <inttypes.h>

#include "model/calls.h"
#include "text.h"

struct row **report_rows(const struct report *report, u32 *count)
{
	struct row **rows = rows_sorted(&report->reading->rows, report->options->sort, count);

	if (report->options->top && *count > report->options->top)
		*count = report->options->top;
	return rows;
}

bool call_copies(u32 call)
{
	return calls[call].class == CLASS_INPUT && calls[call].ret != RET_OK;
}

static const char *const loss_texts[NR_LOSSES] = {
#define LOSS(name, text) [LOSS_##name] = text,
#include "bpf/losses.def"
#undef LOSS
};

/* 32-bit programs by name, on the line of their loss. */
static void print_left_out(FILE *out, const struct reading *reading)
{
	for (u32 i = 0; i < reading->nr_left_out; i++)
		fprintf(out, "      %s, pid %u: %" PRIu64 " calls\n",
			text_name(reading->left_out[i].calls.comm, COMM_LEN).buf,
			reading->left_out[i].tgid, reading->left_out[i].calls.calls);
}

void report_losses(FILE *out, const struct report *report)
{
	const u64 *losses = report->reading->losses;

	for (int i = 0; i < NR_LOSSES; i++) {
		if (losses[i])
			fprintf(out, "LOST: %" PRIu64 " %s\n", losses[i], loss_texts[i]);
		if (losses[i] && i == LOSS_compat_calls)
			print_left_out(out, report->reading);
	}
	if (report->direct && report->last)
		fputs("calls of 32-bit programs, and those that seccomp refuses, are not seen by this "
		      "backend\n", out);
	if (report->incomplete)
		fprintf(out, "INCOMPLETE: %s\n", report->incomplete);
	if (report->cost->recursion_misses)
		fprintf(out, "LOST: %" PRIu64 " events dropped by the kernel (recursion)\n",
			report->cost->recursion_misses);
}

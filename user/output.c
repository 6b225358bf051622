// SPDX-License-Identifier: GPL-2.0-only
#include "output.h"

#include "calls.h"

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

// SPDX-License-Identifier: GPL-2.0-only
/* The rules about what a process spends on one kind of call. */
#include "model/calls.h"
#include "doctor/rules.h"

void judge_scan_waste(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	const struct totals *sum = &row->sum;
	const struct call *call = &calls[row->key.call];
	double kernel_ns = row_kernel_ns(row), each_ns, ready = sum->ready;
	struct finding *finding;

	if (call->class != CLASS_WAIT || call->args == ARGS_EPOLL || !sum->scanned ||
	    sum->asked_unknown)
		return;
	each_ns = kernel_ns / sum->scanned;
	if (chart_ms_per_s(chart, kernel_ns) < chart_threshold(chart, THRESHOLD_scan_cpu) ||
	    sum->asked < chart_threshold(chart, THRESHOLD_scan_asked) * sum->calls ||
	    sum->scanned < chart_threshold(chart, THRESHOLD_scan_ratio) * (ready + 1))
		return;
	finding = chart_find(chart, rule, row);
	finding_say(finding, "%s spends %.3g ms of each second on the CPU, scanning %s for each that is "
		    "ready, %.0f ns each; to look at those alone, as epoll does, takes %.3g ms",
		    call->name, chart_ms_per_s(chart, kernel_ns),
		    text_counted(sum->scanned / (ready ? : 1), "descriptor").buf, each_ns,
		    chart_ms_per_s(chart, ready * each_ns));
	finding_note_word(finding, "call", call->name);
	finding_note(finding, "calls", sum->calls);
	finding_note(finding, "asked", (double)sum->asked / sum->calls);
	finding_note(finding, "scanned", sum->scanned);
	finding_note(finding, "scanned_per_ready", sum->scanned / (ready ? : 1));
	finding_note(finding, "ready", ready);
	finding_note(finding, "scan_ns", kernel_ns);
	finding_note(finding, "ns_per_descriptor", each_ns);
	finding_note(finding, "epoll_model_ns", ready * each_ns);
	finding->cpu_ms_per_s = chart_ms_per_s(chart, kernel_ns);
	finding_weigh(finding);
}

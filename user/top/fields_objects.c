// SPDX-License-Identifier: GPL-2.0-only
/* The views of event loops, descriptors and findings. */
#include <math.h>

#include "doctor/rules.h"
#include "model/fd.h"
#include "top/fields.h"

/* Loops */

static struct text name_loop(const struct item *item)
{
	return item->key.object == OBJECT_MERGED ? field_word("others") :
	       loop_name(&item->loop->figures);
}

static double value_waits(const struct item *item)
{
	return item->loop->figures.sum.wait_ns + item->loop->figures.sum.turn_ns;
}

static double value_turns(const struct item *item)
{
	return item_rate(item, item->loop->figures.sum.turns);
}

static struct text text_turns(const struct item *item)
{
	return field_rate(value_turns(item));
}

static double value_turn(const struct item *item)
{
	return hist_quantile(item->loop->figures.turn_hist, item->loop->figures.sum.turns, 0.99);
}

static struct text text_turn(const struct item *item)
{
	return field_time(value_turn(item));
}

static double value_events(const struct item *item)
{
	const struct loop_sum *sum = &item->loop->figures.sum;
	u64 waits = sum->waits - sum->empty - sum->failed;

	return waits ? (double)sum->events / waits : -1;
}

static struct text text_events(const struct item *item)
{
	return field_ratio(value_events(item));
}

static double value_fds(const struct item *item)
{
	return item->loop->descriptors == ASKED_UNKNOWN ? -1 : (double)item->loop->descriptors;
}

static struct text text_fds(const struct item *item)
{
	return value_fds(item) < 0 ? field_dash() : text_count(value_fds(item));
}

static double value_turning(const struct item *item)
{
	return item->loop->turning ? (double)item->loop->turning_ns : -1;
}

static struct text text_turning(const struct item *item)
{
	return field_time(value_turning(item));
}

/* Descriptors */

static struct text name_fd(const struct item *item)
{
	struct text text;

	if (item->fd->many || !item->key.proc)
		return field_dash();
	snprintf(text.buf, sizeof(text.buf), "%u%s", item->fd->head.fd,
		 fd_closed(item->fd) ? "x" : "");
	return text;
}

static struct text name_watch(const struct item *item)
{
	return fd_watch(item->fd);
}

static double value_fd_calls(const struct item *item)
{
	return item_rate(item, item->fd->descriptor.sum.calls);
}

static struct text text_fd_calls(const struct item *item)
{
	return field_rate(value_fd_calls(item));
}

static double value_in(const struct item *item)
{
	return item_rate(item, item->fd->descriptor.sum.in_bytes);
}

static struct text text_in(const struct item *item)
{
	return text_bytes(value_in(item));
}

static double value_out(const struct item *item)
{
	return item_rate(item, item->fd->descriptor.sum.out_bytes);
}

static struct text text_out(const struct item *item)
{
	return text_bytes(value_out(item));
}

static double value_reported(const struct item *item)
{
	return fd_ambiguous(item->fd) ? -1 : item_rate(item, item->fd->descriptor.sum.reported);
}

static struct text text_reported(const struct item *item)
{
	return value_reported(item) < 0 ? field_dash() : field_rate(value_reported(item));
}

static double value_left(const struct item *item)
{
	u32 left = fd_left(item->fd);

	return left == LEFT_UNKNOWN ? -1 : (double)left;
}

static struct text text_left(const struct item *item)
{
	return value_left(item) < 0 ? field_dash() : text_count(value_left(item));
}

static struct text name_of_fd(const struct item *item)
{
	return fd_name(item->fd, text_name);
}

/* Findings */

static double value_severity(const struct item *item)
{
	return 2 * item->headline->finding.severity +
	       headline_stands(item->interval->news, item->headline) * 8;
}

/* What is not found any more was. */
static struct text text_severity(const struct item *item)
{
	if (!headline_stands(item->interval->news, item->headline))
		return field_word("(was)");
	return field_word(severity_words[item->headline->finding.severity]);
}

static struct text name_rule(const struct item *item)
{
	return field_word(item->headline->finding.rule->id);
}

static struct text name_finding_pid(const struct item *item)
{
	return field_number(item->headline->finding.tgid);
}

static struct text name_finding_fd(const struct item *item)
{
	return item->headline->finding.fd < 0 ? field_dash() : field_number(item->headline->finding.fd);
}

static double value_since(const struct item *item)
{
	return item->interval->now->now_ns - item->headline->first_ns;
}

static struct text text_since(const struct item *item)
{
	return text_ns(round(value_since(item) / NS_PER_SEC) * NS_PER_SEC);
}

static struct text name_verdict(const struct item *item)
{
	return field_word(item->headline->finding.verdict);
}

const struct view view_loops = {
	"loops", ITEM_LOOP, &bar_turns, 4, {
	PROCESS_FIELDS,
	{ "LOOP", -12, 0, "epoll instance by its number; select or poll by its thread", NULL, name_loop,
	  NULL },
	{ "TURNS", 5, 5, "for each second: from a wait to the next", value_turns, NULL, text_turns },
	{ "BUSY", 4, 0, "how much of the time it does not wait", value_busy, NULL, text_busy },
	{ "TIME", 0, 0, "of the loop: what it was spent on", value_waits, NULL, NULL },
	{ "TURN99", 6, 1, "p99 of the time of a turn", value_turn, NULL, text_turn },
	{ "EVENTS", 6, 7, "reported by a wait that reported any", value_events, NULL, text_events },
	{ "FDS", 5, 6, "descriptors it waits for", value_fds, NULL, text_fds },
	{ "LAG99", 6, 3, "p99 from ready to reported", value_lag, NULL, text_lag },
	{ "SERV99", 6, 4, "p99 from reported to the first call on it", value_serve, NULL, text_serve },
	{ "NOW", 6, 8, "the turn that is under way: since when", value_turning, NULL, text_turning },
} };

const struct view view_fds = {
	"descriptors", ITEM_FD, NULL, 4, {
	PROCESS_FIELDS,
	{ "FD", 6, 0, "its number; x: closed", NULL, name_fd, NULL },
	{ "WATCH", -6, 6, "LT, ET: level-, edge-triggered; 1 one-shot, X exclusive, ? ambiguous", NULL,
	  name_watch, NULL },
	{ "CALL/S", 6, 0, "calls on it, for each second", value_fd_calls, NULL, text_fd_calls },
	{ "IN/S", 5, 4, "bytes read", value_in, NULL, text_in },
	{ "OUT/S", 5, 5, "bytes written", value_out, NULL, text_out },
	{ "REP/S", 5, 7, "reports by wait calls", value_reported, NULL, text_reported },
	{ "LEFT", 5, 3, "what is in it now, to be read", value_left, NULL, text_left },
	{ "SERV99", 6, 1, "p99 from reported to the first call on it, up to a power of two",
	  value_serve, NULL, text_serve },
	{ "FOUND", 5, 8, "findings of the doctor", value_findings, NULL, text_findings },
	{ "NAME", 0, 0, "what it is", NULL, name_of_fd, NULL },
} };

const struct view view_findings = {
	"findings", ITEM_FINDING, NULL, 0, {
	{ "SEVERITY", -8, 0, "(was): found before, and not any more", value_severity, NULL,
	  text_severity },
	{ "RULE", -18, 2, "see iophase doctor --rules", NULL, name_rule, NULL },
	{ "PID", 7, 0, "process", NULL, name_finding_pid, NULL },
	{ "PROCESS", -12, 4, "its name", NULL, name_comm, NULL },
	{ "FD", 5, 3, "descriptor", NULL, name_finding_fd, NULL },
	{ "SINCE", 6, 1, "when it was found first", value_since, NULL, text_since },
	{ "VERDICT", 0, 0, "what is wrong", NULL, name_verdict, NULL },
} };

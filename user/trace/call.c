// SPDX-License-Identifier: GPL-2.0-only
#include "trace/call.h"

#include <stdio.h>

#include "model/calls.h"

static const struct call *kind_of(const struct trace_call *call)
{
	return &calls[call->call];
}

bool call_waits_on_set(const struct trace_call *call)
{
	u8 args = kind_of(call)->args;

	return args == ARGS_SELECT || args == ARGS_POLL || args == ARGS_EPOLL;
}

/* What it was called with is known: it was seen to begin. */
static bool args_known(const struct trace_call *call)
{
	return !(call->flags & TRACE_BEFORE);
}

s64 call_fd(const struct trace_call *call)
{
	if (!args_known(call))
		return -1;
	switch (kind_of(call)->args) {
	case ARGS_SELECT:
	case ARGS_POLL:
	case ARGS_SIGWAIT:
	case ARGS_GETEVENTS:
	case ARGS_SUBMIT:
		return -1;
	case ARGS_CTL:
		return (s32)call->args[2];
	default:
		return (s32)call->args[0];
	}
}

s64 call_other_fd(const struct trace_call *call)
{
	if (!args_known(call))
		return -1;
	switch (kind_of(call)->args) {
	case ARGS_CTL:
		return (s32)call->args[0];
	case ARGS_SPLICE:
		return (s32)call->args[2];
	case ARGS_SENDFILE:
		return (s32)call->args[1];
	default:
		return -1;
	}
}

s64 call_length(const struct trace_call *call)
{
	if (!args_known(call))
		return -1;
	switch (call->call) {
	case CALL_read:
	case CALL_pread64:
	case CALL_recvfrom:
	case CALL_write:
	case CALL_pwrite64:
	case CALL_sendto:
		return call->args[2] <= INT64_MAX ? (s64)call->args[2] : -1;
	default:
		return -1;
	}
}

bool call_timeout(const struct trace_call *call, s64 *timeout_ms)
{
	if (!args_known(call))
		return false;
	switch (call->call) {
	case CALL_poll:
		*timeout_ms = (s32)call->args[2];
		break;
	case CALL_epoll_wait:
	case CALL_epoll_pwait:
		*timeout_ms = (s32)call->args[3];
		break;
	default:
		return false;	/* others have it in memory */
	}
	if (*timeout_ms < 0)
		*timeout_ms = -1;
	return true;
}

const char *call_ctl_op(const struct trace_call *call)
{
	static const char *const ops[] = { NULL, "ADD", "DEL", "MOD" };

	return call->args[1] < ARRAY_SIZE(ops) ? ops[call->args[1]] : NULL;
}

bool call_scanned(const struct trace_call *call)
{
	return call_waits_on_set(call) && !(call->flags & (TRACE_BEFORE | TRACE_UNFINISHED));
}

bool call_open_ended(const struct trace_call *call)
{
	/* ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK: no program sees them. */
	return call->flags & TRACE_UNFINISHED || (call->ret <= -512 && call->ret >= -516);
}

u64 call_wall_ns(const struct trace_call *call)
{
	return call->end_ns - call->enter_ns;
}

u64 call_kernel_ns(const struct trace_call *call)
{
	return call_wall_ns(call) - call->blocked_ns - call->runnable_ns - call->copy_ns;
}

bool call_copy_known(const struct trace_call *call)
{
	return kind_of(call)->class == CLASS_INPUT && kind_of(call)->ret != RET_OK &&
	       !(call->flags & (TRACE_BEFORE | TRACE_UNFINISHED));
}

u32 call_events(const struct trace_call *call)
{
	return call->events_ready < TRACE_EVENTS ? call->events_ready : TRACE_EVENTS;
}

u64 call_events_cut(const struct trace_call *call)
{
	bool bits = kind_of(call)->args == ARGS_SELECT;
	u64 told = 0;

	if (!call_waits_on_set(call) || call->ret <= 0)
		return 0;
	/* Select returns how many bits are set, in three sets. */
	for (u32 i = 0; i < call_events(call); i++)
		told += bits ? __builtin_popcount(call->events[i].events) : 1;
	return (u64)call->ret > told ? call->ret - told : 0;
}

void line_events(struct line *line, u32 events, bool json)
{
	static const struct {
		u32 bit;
		const char *name;
	} names[] = {
		/* include/uapi/linux/eventpoll.h */
		{ 0x1, "IN" }, { 0x2, "PRI" }, { 0x4, "OUT" }, { 0x8, "ERR" }, { 0x10, "HUP" },
		{ 0x20, "NVAL" }, { 0x40, "RDNORM" }, { 0x80, "RDBAND" }, { 0x100, "WRNORM" },
		{ 0x200, "WRBAND" }, { 0x400, "MSG" }, { 0x2000, "RDHUP" },
	};
	const char *between = "";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(events & names[i].bit))
			continue;
		line_text(line, between);
		if (json)
			line_char(line, '"');
		line_text(line, names[i].name);
		if (json)
			line_char(line, '"');
		between = json ? "," : "|";
	}
	if (!*between && !json)
		line_char(line, '0');
}

const char *waker_word(u32 kind)
{
	static const char *const words[] = {
		[WAKER_TASK] = "task", [WAKER_SOFTIRQ] = "softirq", [WAKER_HARDIRQ] = "hardirq",
		[WAKER_UNKNOWN] = "unknown",
	};

	return kind < ARRAY_SIZE(words) ? words[kind] : NULL;
}

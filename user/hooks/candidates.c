// SPDX-License-Identifier: GPL-2.0-only
/* The probe table: what can meet each need, and why it may not be what is wanted. */
#include "hooks/hooks.h"

typedef const char *const program_list[];

static program_list calls_btf = { "iop_enter", "iop_exit", NULL };
static program_list calls_classic = { "iop_enter_tp", "iop_exit_tp", NULL };
static program_list calls_direct = {
#define CALL(name, class, args, ret, i386) "iop_in_" #name, "iop_out_" #name,
#include "bpf/calls.def"
#undef CALL
	"iop_in_restart_syscall", "iop_out_restart_syscall",
	"iop_in_rt_sigreturn", "iop_out_rt_sigreturn",
	"iop_in_close", "iop_out_close", "iop_in_close_range", "iop_out_close_range",
	"iop_in_dup2", "iop_out_dup2", "iop_in_dup3", "iop_out_dup3", NULL
};
static program_list phases = { "iop_switch", "iop_waking", NULL };
static program_list lives_btf = { "iop_fork", "iop_exec", "iop_rename", "iop_end", NULL };
static program_list lives_classic = {
	"iop_born", "iop_exec_tp", "iop_rename_tp", "iop_end_tp", NULL
};
static program_list scan_ends = { "iop_sock_poll", "iop_scan_done", NULL };
static program_list scan_polled = {
#define POLLED(function) "iop_" #function,
#include "bpf/polled.def"
#undef POLLED
	NULL
};
static program_list copy_function = { "iop_copy_in", "iop_copy_out", NULL };
static program_list copy_btf = { "iop_skb_copy", "iop_tcp_copied", "iop_skb_free", NULL };
static program_list copy_classic = { "iop_skb_copy_tp", "iop_tcp_copied_tp", "iop_skb_free_tp", NULL };
static program_list read_functions = {
#define READ_FUNCTION(function) "iop_rin_" #function, "iop_rout_" #function,
#include "bpf/reads.def"
#undef READ_FUNCTION
	NULL
};
static program_list ready_callback = { "iop_ep_ready", NULL };
static program_list ready_btf = { "iop_data_ready", NULL };
static program_list ready_classic = { "iop_data_ready_tp", NULL };
static program_list sets_by_file = {
	"iop_ep_create", "iop_ep_ctl_file", "iop_ep_item_end", "iop_ep_end", NULL
};
static program_list sets_by_number = {
	"iop_ep_create", "iop_ep_ctl", "iop_ep_item_end", "iop_ep_end", NULL
};

static program_list signals = { "iop_sig_made", "iop_sig_handled", NULL };
static program_list uring_req = { "iop_req_made", "iop_req_done", "iop_req_queued", NULL };
static program_list uring_sqe = { "iop_sqe_made", "iop_req_done", "iop_req_queued", NULL };

/*
 * A program that is interrupted by itself is dropped. From 7.0 on those on the raw system call
 * tracepoints, and on others that are hit in process context, run with preemption enabled.
 */
static const char *unfit_btf(const struct kernel *kernel)
{
	return kernel->preemptible && kernel->tracepoints_preemptible ?
	       "this kernel can pre-empt it, and then drops events" : NULL;
}

static const char *unfit_function(const struct kernel *kernel)
{
	return kernel->preemptible ? "this kernel can pre-empt it, and then drops events" : NULL;
}

static const char *unfit_dear_calls(const struct kernel *kernel)
{
	(void)kernel;
	return "takes seconds to attach, and more to detach";
}

static const char *unfit_dear_scan(const struct kernel *kernel)
{
	(void)kernel;
	return "whoever polls a descriptor would take more than twice as long for it";
}

static const char *unfit_dear_read(const struct kernel *kernel)
{
	(void)kernel;
	return "a bound not much closer, for two more hooks in each read";
}

static const char *unfit_dear_sets(const struct kernel *kernel)
{
	(void)kernel;
	return "four more functions to attach, for what io_uring alone does unseen";
}

static const char *unfit_dear_ready(const struct kernel *kernel)
{
	(void)kernel;
	return "each event on any epoll set of the machine would pay for it";
}

/* In order of preference within a need. */
const struct candidate candidates[] = {
	{
		.need = NEED_CALLS, .backend = BACKEND_TRACEPOINT,
		.name = "tp_btf sys_enter, sys_exit",
		.gives = "begin, end and result", .tier = "exact",
		.programs = calls_btf, .unfit = unfit_btf,
	}, {
		.need = NEED_CALLS, .backend = BACKEND_TRACEPOINT,
		.name = "tracepoints raw_syscalls",
		.gives = "begin, end and result", .tier = "exact",
		.programs = calls_classic,
	}, {
		.need = NEED_CALLS, .backend = BACKEND_TRAMPOLINE,
		.name = "fentry, fexit of each call",
		.gives = "begin, end and result", .tier = "exact",
		.programs = calls_direct, .function = "__x64_sys_read", .unfit = unfit_dear_calls,
	}, {
		.need = NEED_PHASES, .backend = BACKEND_TRACEPOINT,
		.name = "tp_btf sched_switch, sched_waking",
		.gives = "blocked, runnable, waker", .tier = "exact",
		.programs = phases,
	}, {
		.need = NEED_LIVES, .backend = BACKEND_TRACEPOINT,
		.name = "tp_btf sched_process_fork, _exit, ...",
		.gives = "births and ends of threads", .tier = "exact",
		.programs = lives_btf, .unfit = unfit_btf,
	}, {
		.need = NEED_LIVES, .backend = BACKEND_TRACEPOINT,
		.name = "tracepoint sched_process_exit, ...",
		.gives = "births and ends of threads", .tier = "exact",
		.programs = lives_classic,
	}, {
		.need = NEED_SCAN, .backend = BACKEND_TRACEPOINT,
		.name = "sleeps and ready lists",
		.gives = "scanned, passes", .tier = "lower_bound",
	}, {
		.need = NEED_SCAN, .backend = BACKEND_TRAMPOLINE,
		.name = "fentry of the poll functions",
		.gives = "scanned, passes", .tier = "exact",
		.programs = scan_ends, .optional = scan_polled, .function = "sock_poll",
		.unfit = unfit_dear_scan,
	}, {
		.need = NEED_COPY, .backend = BACKEND_TRAMPOLINE,
		.name = "fentry, fexit skb_copy_datagram_iter",
		.gives = "copy time of sockets", .tier = "exact",
		.programs = copy_function, .function = "skb_copy_datagram_iter",
		.unfit = unfit_function,
	}, {
		.need = NEED_COPY, .backend = BACKEND_TRACEPOINT,
		.name = "tp_btf skb_copy_datagram_iovec",
		.gives = "copy time of TCP and unix sockets", .tier = "exact",
		.programs = copy_btf, .unfit = unfit_btf,
	}, {
		.need = NEED_COPY, .backend = BACKEND_TRACEPOINT,
		.name = "tracepoint skb_copy_datagram_iovec",
		.gives = "copy time of TCP and unix sockets", .tier = "exact",
		.programs = copy_classic,
	}, {
		.need = NEED_READ, .backend = BACKEND_TRACEPOINT,
		.name = "CPU time since it waited for data",
		.gives = "copy time of other files", .tier = "upper_bound",
	}, {
		.need = NEED_READ, .backend = BACKEND_TRAMPOLINE,
		.name = "fentry, fexit of the read functions",
		.gives = "copy time of other files", .tier = "upper_bound",
		.optional = read_functions, .function = "eventfd_read", .unfit = unfit_dear_read,
	}, {
		.need = NEED_SETS, .backend = BACKEND_TRACEPOINT,
		.name = "epoll_ctl, close among the calls",
		.gives = "sizes of epoll sets", .tier = "bound",
	}, {
		.need = NEED_SETS, .backend = BACKEND_TRAMPOLINE,
		.name = "fexit do_epoll_ctl_file",
		.gives = "sizes of epoll sets", .tier = "exact",
		.programs = sets_by_file, .function = "do_epoll_ctl_file",
		.unfit = unfit_dear_sets,
	}, {
		.need = NEED_SETS, .backend = BACKEND_TRAMPOLINE,
		.name = "fexit do_epoll_ctl",
		.gives = "sizes of epoll sets", .tier = "exact",
		.programs = sets_by_number, .function = "do_epoll_ctl", .unfit = unfit_dear_sets,
	}, {
		.need = NEED_READY, .backend = BACKEND_TRACEPOINT,
		.name = "sched_waking",
		.gives = "lag from the wake-up", .tier = "lower_bound",
	}, {
		.need = NEED_READY, .backend = BACKEND_TRAMPOLINE,
		.name = "fentry ep_poll_callback",
		.gives = "lag of epoll from the event", .tier = "exact",
		.programs = ready_callback, .function = "ep_poll_callback",
		.unfit = unfit_dear_ready,
	}, {
		/* With interrupts off, so that nothing pre-empts it. */
		.need = NEED_FD_READY, .backend = BACKEND_TRAMPOLINE,
		.name = "fentry ep_poll_callback",
		.gives = "lag of what epoll reports", .tier = "exact",
		.programs = ready_callback, .function = "ep_poll_callback",
	}, {
		.need = NEED_FD_READY, .backend = BACKEND_TRACEPOINT,
		.name = "tp_btf sk_data_ready",
		.gives = "lag of sockets; of others, from the wake-up", .tier = "bound",
		.programs = ready_btf, .unfit = unfit_btf,
	}, {
		.need = NEED_FD_READY, .backend = BACKEND_TRACEPOINT,
		.name = "tracepoint sk_data_ready",
		.gives = "lag of sockets; of others, from the wake-up", .tier = "bound",
		.programs = ready_classic,
	}, {
		.need = NEED_FD_READY, .backend = BACKEND_TRACEPOINT,
		.name = "sched_waking",
		.gives = "lag from the wake-up", .tier = "bound",
	}, {
		.need = NEED_SIGNALS, .backend = BACKEND_TRACEPOINT,
		.name = "tp_btf signal_generate, signal_deliver",
		.gives = "signals that tell of descriptors", .tier = "exact",
		.programs = signals,
	}, {
		.need = NEED_SIGNALS, .backend = BACKEND_TRACEPOINT,
		.name = "none",
		.gives = "nothing", .tier = TIER_UNKNOWN,
	}, {
		.need = NEED_URING, .backend = BACKEND_TRACEPOINT,
		.name = "tracepoint io_uring_submit_req, ...",
		.gives = "requests of io_uring", .tier = "exact",
		.programs = uring_req,
	}, {
		.need = NEED_URING, .backend = BACKEND_TRACEPOINT,
		.name = "tracepoint io_uring_submit_sqe, ...",
		.gives = "requests of io_uring", .tier = "exact",
		.programs = uring_sqe,
	}, {
		.need = NEED_URING, .backend = BACKEND_TRACEPOINT,
		.name = "none",
		.gives = "nothing", .tier = TIER_UNKNOWN,
	},
};

const u32 nr_candidates = ARRAY_SIZE(candidates);
_Static_assert(ARRAY_SIZE(candidates) <= CANDIDATES_MAX, "one more candidate than verdicts");

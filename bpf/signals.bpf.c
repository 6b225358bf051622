// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals that tell of descriptors, where they are made and where a handler is about to run. Both
 * run under the lock of the signals, with interrupts off.
 */
#include "served.bpf.h"

SEC("tp_btf/signal_generate")
int BPF_PROG(iop_sig_made, int sig, struct kernel_siginfo *info, struct task_struct *task, int group,
	     int result)
{
	s32 fd = signal_fd(sig, (u64)info);
	struct thread *th;

	if (fd == FD_NO_SIGNAL || stopped)
		return 0;
	th = thread_of(task);
	if (th)
		signal_made(th->proc, task->pid, fd == FD_NONE ? 0 : (u64)file_of(task, fd), fd,
			    MADE(sig, result));
	return 0;
}

SEC("tp_btf/signal_deliver")
int BPF_PROG(iop_sig_handled, int sig, struct kernel_siginfo *info)
{
	s32 fd = signal_fd(sig, (u64)info);
	struct thread *th;

	if (fd == FD_NO_SIGNAL || stopped)
		return 0;
	th = thread_of(bpf_get_current_task_btf());
	if (th)
		signal_told(th->proc, fd, TOLD_HANDLER, bpf_ktime_get_ns());
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * How epoll sets grow and shrink, by whatever road: epoll_ctl(2), io_uring, the last reference
 * to a file, the end of an instance.
 */
#include "sets.bpf.h"

SEC("fexit/do_epoll_create")
int BPF_PROG(iop_ep_create, int flags, int fd)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (fd >= 0 && thread_of(task))
		epoll_follow(epoll_of(task, fd), 0);
	return 0;
}

static __always_inline void ctl_done(u64 ep, int op, int ret)
{
	if (!ret && (op == EPOLL_CTL_ADD || op == EPOLL_CTL_DEL))
		epoll_resized(ep, op == EPOLL_CTL_ADD ? 1 : -1);
}

SEC("fexit/do_epoll_ctl")
int BPF_PROG(iop_ep_ctl, int epfd, int op, int fd, void *event, bool nonblock, int ret)
{
	ctl_done(epoll_of(bpf_get_current_task_btf(), epfd), op, ret);
	return 0;
}

/* Where it exists (seen in 7.2) io_uring calls nothing else, and do_epoll_ctl() calls it too. */
SEC("fexit/do_epoll_ctl_file")
int BPF_PROG(iop_ep_ctl_file, struct file *file, int op, void *target, void *event, bool nonblock,
	     int ret)
{
	ctl_done(file_private(file), op, ret);
	return 0;
}

/* The last reference to @file is gone, and with it its items on all interest lists. */
SEC("fentry/eventpoll_release_file")
int BPF_PROG(iop_ep_item_end, struct file *file)
{
	file_items_end(file);
	return 0;
}

SEC("fentry/ep_eventpoll_release")
int BPF_PROG(iop_ep_end, struct inode *inode, struct file *file)
{
	epoll_check(file_private(file));
	epoll_forget(file_private(file));
	return 0;
}

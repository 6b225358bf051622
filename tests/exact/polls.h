/* SPDX-License-Identifier: GPL-2.0-only */
/* What the counter's two sides share. */
#ifndef POLLS_H
#define POLLS_H

/* Kinds of files, by the poll function that is called. */
enum kind { KIND_SOCK, KIND_PIPE, KIND_EVENTFD, KIND_TIMERFD, KIND_EPOLL, NR_KINDS };

struct counted {
	__u32 tgid;
	__u32 nr;		/* the system call that the thread was inside */
	__u32 kind;
};

struct copied {
	__u64 calls;
	__u64 ns;
};

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's types, with only the fields that are read; CO-RE finds where they are. Renames
 * between kernels are hidden behind the accessors at the end.
 */
#ifndef IOPHASE_KERN_H
#define IOPHASE_KERN_H

#include <stdbool.h>
#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __s16 s16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

struct rb_node {
	unsigned long __rb_parent_color;
	struct rb_node *rb_right, *rb_left;
};

struct rb_root_cached {
	struct rb_node *rb_leftmost;
};

struct mutex {
	struct {
		s64 counter;
	} owner;
};

/* Of the eventpoll's own structures: fs/eventpoll.c. */
struct eventpoll {
	struct mutex mtx;
	struct list_head rdllist;
	struct file *file;
	struct rb_root_cached rbr;
};

struct epitem {
	struct rb_node rbn;
	struct list_head rdllink;
	struct eventpoll *ep;
	struct hlist_node fllink;
	struct {
		struct file *file;
		int fd;
	} ffd;
	struct {
		u32 events;
		u64 data;
	} __attribute__((packed)) event;
};

struct wait_queue_entry {};

/* By which an item of an epoll set hangs on the wait queue of its file. */
struct eppoll_entry {
	struct epitem *base;
	struct wait_queue_entry wait;
};

/* What a poll function is handed: fs/select.c has one a call, fs/eventpoll.c one a scan. */
struct poll_table_struct {
	void *_qproc;
};

struct file_operations {};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
};

struct file {
	const struct file_operations *f_op;
	void *private_data;
	struct hlist_head *f_ep;
	unsigned int f_flags;
	struct inode *f_inode;
	struct path f_path;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct thread_info {
	u32 status;
};

typedef struct {
	u32 val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct kernfs_node {
	u64 id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[];
};

struct rlimit {
	unsigned long rlim_cur;
};

struct signal_struct {
	struct {
		int counter;
	} live;
	unsigned int flags;
	struct rlimit rlim[16];
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct bpf_local_storage;

struct rq {
	u64 clock;
};

struct sched_info {
	unsigned long long run_delay;
	u64 last_queued;
};

struct cfs_rq {
	struct rq *rq;
};

struct sched_entity {
	struct cfs_rq *cfs_rq;
};

struct seccomp {
	int mode;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	int on_cpu;
	unsigned int flags;
	int pid;
	int tgid;
	u64 start_time;
	char comm[16];
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct files_struct *files;
	const struct cred *cred;
	struct css_set *cgroups;
	struct sched_entity se;
	struct sched_info sched_info;
	struct signal_struct *signal;
	struct bpf_local_storage *bpf_storage;
	struct seccomp seccomp;
};

struct pt_regs {
	unsigned long bp, r10, r8, dx, si, di, orig_ax, ip, sp;
};

struct sk_buff {
	unsigned int len;
};

/* Sockets: what they are, who is at the other end, and what waits in them to be read. */
struct in6_addr {
	u8 bytes[16];
};

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
	u16 skc_dport;
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sk_buff_head {
	u32 qlen;
};

struct upid {
	int nr;
};

struct pid {
	struct upid numbers[1];
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	u16 sk_type;
	u16 sk_protocol;
	u8 sk_shutdown;
	u32 sk_ack_backlog;
	struct sk_buff_head sk_receive_queue;
	struct pid *sk_peer_pid;
};

struct inet_sock {
	u16 inet_sport;
};

struct tcp_sock {
	u32 rcv_nxt;
	u32 copied_seq;
};

struct udp_sock {
	struct sk_buff_head reader_queue;
};

struct unix_address {
	struct {
		char sun_path[1];
	} name[1];
};

struct unix_sock {
	struct unix_address *addr;
};

struct pipe_inode_info {
	unsigned int head, tail;
};

struct eventfd_ctx {
	u64 count;
};

struct timerfd_ctx {
	u64 ticks;
};

struct io_kiocb {
	struct file *file;
	struct {
		int fd;
	} cqe;
	u64 flags;		/* of 32 bits until 6.9 */
};

/* Of a signal: include/linux/signal_types.h. */
struct kernel_siginfo {
	int si_code;
	union {
		struct {
			int _fd;
		} _sigpoll;
	} _sifields;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

struct bpf_map;

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

/* The classic tracepoints. */
struct trace_event_raw_sys_enter {
	long id;
	unsigned long args[6];
};

struct trace_event_raw_sys_exit {
	long id;
	long ret;
};

struct trace_event_raw_skb_copy_datagram_iovec {
	const void *skbaddr;
};

struct trace_event_raw_consume_skb {
	const void *skbaddr;
};

struct trace_event_raw_sk_data_ready {
	const void *skaddr;
};

struct trace_event_raw_io_uring_submit_req {
	const void *ctx, *req;
	unsigned long long user_data;
	u8 opcode;
};

struct trace_event_raw_io_uring_submit_sqe {
	const void *ctx, *req;
	unsigned long long user_data;
	u8 opcode;
};

struct trace_event_raw_io_uring_queue_async_work {
	const void *req;
};

struct trace_event_raw_io_uring_complete {
	const void *ctx, *req;
	u64 user_data;
	int res;
	unsigned int cflags;
};

struct trace_event_raw_task_rename {
	int pid;
	char newcomm[16];
};

/* Before 6.0 (commit 7f203bc89eb6) a cgroup held the ids of its ancestors, not pointers. */
struct cgroup___ids {
	int level;
	u64 ancestor_ids[];
};

/* The count of a file's references: f_count until 6.13, f_ref since (commit 90ee6ed776c0). */
struct file___count {
	struct {
		s64 counter;
	} f_count;
};

struct file___ref {
	struct {
		struct {
			s64 counter;
		} refcnt;
	} f_ref;
};

#pragma clang attribute pop

#define PF_KTHREAD		0x00200000
#define PF_EXITING		0x00000004
#define SIGNAL_GROUP_EXIT	0x00000004	/* signal_struct.flags */
#define RLIMIT_NOFILE		7
#define TS_COMPAT		0x0002
#define TASK_INTERRUPTIBLE	0x0001
#define TASK_UNINTERRUPTIBLE	0x0002

/* include/linux/preempt.h: bits 8-15 softirq, of which bit 8 alone means serving one. */
#define SOFTIRQ_SERVING		0x00000100
#define HARDIRQ_NMI_MASK	0x00ff0000

#define EPOLL_CTL_ADD		1
#define EPOLL_CTL_DEL		2
#define EPOLLET			(1u << 31)
#define EPOLLONESHOT		(1u << 30)
#define EPOLL_CTL_MOD		3
#define CLOSE_RANGE_CLOEXEC	4
#define MSG_PEEK		0x02
#define MSG_TRUNC		0x20
#define MSG_DONTWAIT		0x40
#define MSG_ERRQUEUE		0x2000

/* Results the kernel never shows to user space (include/linux/errno.h). */
#define ERESTARTSYS		512
#define ERESTARTNOINTR		513
#define ERESTARTNOHAND		514
#define ERESTART_RESTARTBLOCK	516

#define EINTR			4
#define EBADF			9
#define EAGAIN			11
#define EFAULT			14

#define S_IFMT			0170000
#define S_IFSOCK		0140000
#define S_IFREG			0100000
#define S_IFBLK			0060000
#define S_IFDIR			0040000
#define S_IFCHR			0020000
#define S_IFIFO			0010000
#define O_NONBLOCK		04000
#define FASYNC			020000
#define SI_KERNEL		0x80
#define AF_UNIX			1
#define AF_INET			2
#define AF_INET6		10
#define IPPROTO_TCP		6
#define IPPROTO_UDP		17
#define TCP_LISTEN		10
#define RCV_SHUTDOWN		1

/* Where user space ends on x86-64: what lies above is refused before it is looked at. */
#define USER_END		0x7ffffffff000ull

/* References to @file beyond the one of the table it is in: 0 = closing it ends it. */
static __always_inline s64 file_other_refs(struct file *file)
{
	/* A file_ref_t holds its count less one (include/linux/file_ref.h). */
	if (bpf_core_field_exists(struct file___ref, f_ref))
		return BPF_CORE_READ((struct file___ref *)file, f_ref.refcnt.counter);
	return BPF_CORE_READ((struct file___count *)file, f_count.counter) - 1;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is behind a descriptor: its kind, its name, and what is left in it to be read. All of it
 * is read without a lock, so that it can be a moment old.
 */
#ifndef IOPHASE_FILES_BPF_H
#define IOPHASE_FILES_BPF_H

#include "sets.bpf.h"

/* Field @f of the struct @type at @addr, as a number; of 32 bits, FIELD32. */
#define FIELD(addr, type, f)	read_word((u64)(addr) + bpf_core_field_offset(struct type, f))
#define FIELD32(addr, type, f)	((u32)FIELD(addr, type, f))
#define FIELD16(addr, type, f)	((u16)FIELD(addr, type, f))
#define FIELD8(addr, type, f)	((u8)FIELD(addr, type, f))

static __always_inline u64 file_sock(u64 private_data)
{
	return FIELD(private_data, socket, sk);
}

static __always_inline u32 sock_family(u64 sk)
{
	return FIELD16(sk, sock, __sk_common.skc_family);
}

static __always_inline u32 sock_state(u64 sk)
{
	return FIELD8(sk, sock, __sk_common.skc_state);
}

static __always_inline u32 sock_kind(u64 sk)
{
	u32 family = sock_family(sk), protocol;

	if (family == AF_UNIX)
		return KIND_UNIX;
	if (family != AF_INET && family != AF_INET6)
		return KIND_SOCKET;
	protocol = FIELD16(sk, sock, sk_protocol);
	if (protocol == IPPROTO_TCP)
		return sock_state(sk) == TCP_LISTEN ? KIND_LISTENER : KIND_TCP;
	return protocol == IPPROTO_UDP ? KIND_UDP : KIND_SOCKET;
}

static __always_inline u32 mode_kind(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFIFO:
		return KIND_PIPE;
	case S_IFREG:
		return KIND_REGULAR;
	case S_IFDIR:
		return KIND_DIRECTORY;
	case S_IFCHR:
	case S_IFBLK:
		return KIND_DEVICE;
	default:
		return KIND_OTHER;
	}
}

/* enum file_kind of @file; those without a mode of their own are known by their operations. */
__noinline u32 file_kind(u64 file)
{
	u64 fops = FIELD(file, file, f_op);
	u32 mode;

	for (u32 kind = KIND_EVENTFD; kind <= KIND_EPOLL; kind++) {
		if (kind_fops[kind] == fops)
			return kind;
	}
	mode = FIELD16(FIELD(file, file, f_inode), inode, i_mode);
	if ((mode & S_IFMT) == S_IFSOCK)
		return LACKS(sockets) ? KIND_SOCKET :
		       sock_kind(file_sock(FIELD(file, file, private_data)));
	return mode_kind(mode);
}

/* What has arrived less what was read; the FIN of the other side takes a place there, too. */
static __always_inline u32 tcp_left(u64 sk)
{
	u32 left = FIELD32(sk, tcp_sock, rcv_nxt) - FIELD32(sk, tcp_sock, copied_seq);

	if (left && FIELD8(sk, sock, sk_shutdown) & RCV_SHUTDOWN)
		left--;
	return left < 1u << 31 ? left : 0;
}

static __always_inline u32 queue_left(u64 sk)
{
	return FIELD32(sk, sock, sk_receive_queue.qlen);
}

static __always_inline u32 udp_left(u64 sk)
{
	return queue_left(sk) + FIELD32(sk, udp_sock, reader_queue.qlen);
}

static __always_inline u32 sock_left(u32 kind, u64 sk)
{
	switch (kind) {
	case KIND_TCP:
		return tcp_left(sk);
	case KIND_LISTENER:
		return FIELD32(sk, sock, sk_ack_backlog);
	case KIND_UDP:
		return udp_left(sk);
	default:
		return queue_left(sk);
	}
}

static __always_inline u32 capped(u64 count)
{
	return count < LEFT_UNKNOWN ? count : LEFT_UNKNOWN - 1;
}

static __always_inline bool kind_is_sock(u32 kind)
{
	return kind >= KIND_TCP && kind <= KIND_SOCKET;
}

/*
 * What is left to be read in a file of @kind, in the unit of kinds.def; LEFT_UNKNOWN. A global
 * function, which the verifier looks at once.
 */
__noinline u32 file_left(u32 kind, u64 private_data)
{
	if (kind_is_sock(kind) && kind != KIND_SOCKET)
		return LACKS(sockets) ? LEFT_UNKNOWN : sock_left(kind, file_sock(private_data));
	if (LACKS(contents))
		return LEFT_UNKNOWN;
	switch (kind) {
	case KIND_PIPE:
		return FIELD32(private_data, pipe_inode_info, head) -
		       FIELD32(private_data, pipe_inode_info, tail);
	case KIND_EVENTFD:
		return capped(FIELD(private_data, eventfd_ctx, count));
	case KIND_TIMERFD:
		return capped(FIELD(private_data, timerfd_ctx, ticks));
	default:
		return LEFT_UNKNOWN;
	}
}

static __always_inline void inet_name(u64 sk, struct file_name *name)
{
	u64 common = sk + bpf_core_field_offset(struct sock, __sk_common);

	/* Not skc_num: a TCP socket that is over has given it back (inet_put_port()). */
	name->port = __builtin_bswap16(FIELD16(sk, inet_sock, inet_sport));
	name->peer_port = __builtin_bswap16(FIELD16(common, sock_common, skc_dport));
	if (name->family == AF_INET) {
		*(u32 *)name->address = FIELD32(common, sock_common, skc_rcv_saddr);
		*(u32 *)name->peer = FIELD32(common, sock_common, skc_daddr);
		return;
	}
	bpf_probe_read_kernel(name->address, 16, (void *)common +
			      bpf_core_field_offset(struct sock_common, skc_v6_rcv_saddr));
	bpf_probe_read_kernel(name->peer, 16, (void *)common +
			      bpf_core_field_offset(struct sock_common, skc_v6_daddr));
}

/* The path is that of the one that was bound: of the listener, for who was accepted by it. */
static __always_inline void unix_name(u64 sk, struct file_name *name)
{
	u64 address = FIELD(sk, unix_sock, addr), peer = FIELD(sk, sock, sk_peer_pid);

	if (peer)
		name->peer_tgid = FIELD32(peer, pid, numbers[0].nr);
	if (address)
		bpf_probe_read_kernel(name->path, sizeof(name->path) - 1, (void *)address + 2 +
				      bpf_core_field_offset(struct unix_address, name));
}

/* What the file at @file, of @kind, is called. */
__noinline int file_describe(u64 file, u32 kind, struct file_name *name)
{
	u64 sk;

	ONLY_WITH(descriptors);
	if (!name)
		return 0;
	if (kind_is_sock(kind)) {
		if (LACKS(sockets))
			return 0;
		sk = file_sock(FIELD(file, file, private_data));
		name->family = sock_family(sk);
		name->state = sock_state(sk);
		name->type = FIELD16(sk, sock, sk_type);
		if (kind == KIND_UNIX)
			unix_name(sk, name);
		else if (kind != KIND_SOCKET)
			inet_name(sk, name);
	} else if (kind == KIND_REGULAR || kind == KIND_DIRECTORY || kind == KIND_DEVICE) {
		bpf_probe_read_kernel_str(name->path, sizeof(name->path),
			(void *)FIELD(FIELD(file, file, f_path.dentry), dentry, d_name.name));
	}
	return 0;
}

#endif

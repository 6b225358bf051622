// SPDX-License-Identifier: GPL-2.0-only
/*
 * denied: calls that seccomp answers in the kernel's stead. Their entry is never traced, only
 * their return; so they are no calls, and counted as what they are.
 */
#include "truth.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static void deny(unsigned int nr)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		skip("this kernel has no seccomp filters");
}

int main(void)
{
	deny(SYS_connect);
	for (int i = 0; i < 30; i++) {
		must_fail(connect(-1, NULL, 0), EACCES);
		must(poll(NULL, 0, 0) == 0);
	}
	truth_row("poll");
	truth_num("calls", 30);
	truth_results("zero", 30, NULL);
	truth_end();
	truth_row("connect");
	truth_num("calls", 0);
	truth_end();
	truth_put("{\"lost\":{\"denied_calls\":30}}\n");
	truth_write();
	return 0;
}

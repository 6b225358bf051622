// SPDX-License-Identifier: GPL-2.0-only
/*
 * compat: 32-bit calls, by way of int 0x80, whose numbers mean other calls in the 64-bit table.
 * Those that iophase would watch are counted as left out, and none is taken for its namesake.
 */
#include "truth.h"

#include <poll.h>
#include <sys/mman.h>

/* The i386 table; in brackets, what the number means in the native one. */
enum { I386_READ = 3 /* close */, I386_WAITPID = 7 /* poll */, I386_GETPID = 20 /* writev */,
       I386_POLL = 168 /* swapoff */ };

static long call32(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

static void no_compat(int sig)
{
	(void)sig;
	skip("this kernel runs no 32-bit calls");
}

int main(void)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct pollfd *p = (struct pollfd *)(low + 64);
	int i, fd[2];

	signal(SIGSEGV, no_compat);
	must(low != MAP_FAILED && !pipe(fd));
	p->fd = fd[0];
	p->events = POLLIN;
	for (i = 0; i < 50; i++)
		must(call32(I386_GETPID, -1, 0, 0) == getpid());
	for (i = 0; i < 30; i++)
		must(call32(I386_WAITPID, -1, 0, 0) == -ECHILD);
	for (i = 0; i < 20; i++) {
		must(write(fd[1], "x", 1) == 1);
		must(call32(I386_POLL, (long)p, 1, -1) == 1);
		must(call32(I386_READ, fd[0], (long)low, 8) == 1);
	}
	for (i = 0; i < 5; i++)
		must(syscall(SYS_poll, p, 1, 0) == 0);
	truth_row("poll");
	truth_num("calls", 5);
	truth_num("asked", 5);
	truth_num("ready", 0);
	truth_results("zero", 5, NULL);
	truth_end();
	truth_row("read");
	truth_num("calls", 0);
	truth_end();
	truth_row("writev");
	truth_num("calls", 0);
	truth_end();
	truth_put("{\"lost\":{\"compat_calls\":40}}\n");
	truth_write();
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
#include "capture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t child_run(char *const *command)
{
	pid_t parent = getpid(), pid = fork();
	int null;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	null = open("/dev/null", O_RDWR);
	if (getppid() != parent || null < 0)
		_exit(126);
	dup2(null, 1);
	dup2(null, 2);
	execvp(command[0], command);
	_exit(127);
}

void child_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The number of the system call that a thread is asleep in; -1: it is not. */
static int sleeping_in(pid_t pid, pid_t tid)
{
	char path[64], text[256] = "";
	int number = -1, fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 && sscanf(text, "%d 0x", &number) == 1 ? number : -1;
}

/* Some libraries make all of their waits by epoll_pwait. */
static bool sleeps_in(int number, int wanted)
{
	return number == wanted || (number == SYS_epoll_pwait && wanted == SYS_epoll_wait);
}

/* The last thread of @pid that sleeps in call @number; 0: none. */
static pid_t find_sleeper(pid_t pid, int number)
{
	char path[64];
	struct dirent *entry;
	pid_t found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (tid && sleeps_in(sleeping_in(pid, tid), number) && tid > found)
			found = tid;
	}
	if (dir)
		closedir(dir);
	return found;
}

pid_t await_sleeper(pid_t pid, int number)
{
	for (int i = 0; i < 1000; i++) {
		pid_t tid = find_sleeper(pid, number);

		if (tid) {
			usleep(20000);
			if (find_sleeper(pid, number) == tid)
				return tid;
		}
		if (kill(pid, 0))
			return 0;
		usleep(10000);
	}
	return 0;
}

static size_t read_memory(pid_t pid, u64 address, void *buf, size_t size)
{
	struct iovec local = { buf, size }, remote = { (void *)address, size };
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	return n > 0 ? n : 0;
}

/* As perf_callchain_user() of arch/x86/events/core.c walks it. */
static void walk_frame_pointers(struct user_stack *stack)
{
	u64 pair[2], bp = stack->bp;

	while (stack->nr_frames < STACK_FRAMES &&
	       read_memory(stack->tgid, bp, pair, sizeof(pair)) == sizeof(pair)) {
		stack->frames[stack->nr_frames++] = pair[1];
		bp = pair[0];
	}
}

bool capture(pid_t pid, pid_t tid, struct user_stack *stack, u32 bytes, bool walk)
{
	struct user_regs_struct regs;
	bool good = false;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0))
		return false;
	if (!ptrace(PTRACE_INTERRUPT, tid, 0, 0) && waitpid(tid, NULL, __WALL) == tid &&
	    !ptrace(PTRACE_GETREGS, tid, 0, &regs)) {
		*stack = (struct user_stack){
			.tgid = pid, .tid = tid, .ip = regs.rip, .sp = regs.rsp, .bp = regs.rbp,
			.nr_frames = 1, .frames = { regs.rip },
		};
		stack->stack_bytes = read_memory(pid, stack->sp, stack->stack, bytes);
		if (walk)
			walk_frame_pointers(stack);
		good = true;
	}
	ptrace(PTRACE_DETACH, tid, 0, 0);
	return good;
}

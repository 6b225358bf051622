// SPDX-License-Identifier: GPL-2.0-only
/*
 * family fork: children and grandchildren make calls.
 * family exec: a thread execs while others are blocked in calls, which therefore never finish.
 * family exit: the program exits while threads are blocked in calls.
 * family stop: a child is stopped and continued inside poll: the kernel goes on with
 *	restart_syscall, and it is still one call.
 * family comm: the process has a name that needs escaping.
 */
#include "truth.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define CHILDREN 5

static int quiet[2];

/* n reads of two bytes each. */
static void read_some(int n)
{
	char buf[8];
	int p[2];

	must(!pipe(p));
	while (n--) {
		must(write(p[1], buf, 2) == 2);
		must(syscall(SYS_read, p[0], buf, sizeof(buf)) == 2);
	}
	close(p[0]);
	close(p[1]);
}

static void say_reads(pid_t tgid, int n)
{
	truth_row("read");
	truth_num("tgid", (uint64_t)tgid);
	truth_num("calls", (uint64_t)n);
	truth_num("bytes", 2 * (uint64_t)n);
	truth_results("ok", n, NULL);
	truth_end();
}

static void wait_for(pid_t pid)
{
	int status;

	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status));
}

static void forks(void)
{
	pid_t child, pid, *grand = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int i;

	for (i = 1; i <= CHILDREN; i++) {
		child = fork();
		must(child >= 0);
		if (!child) {
			pid = fork();
			read_some(pid ? 10 * i : i);
			if (pid) {
				grand[i] = pid;
				wait_for(pid);
			}
			_exit(0);
		}
		wait_for(child);
		say_reads(child, 10 * i);
		say_reads(grand[i], i);
	}
	read_some(100);
	say_reads(getpid(), 100);
}

static void *block(void *tid)
{
	char c;

	*(volatile int *)tid = self_tid();
	if (*(int *)tid)
		must(syscall(SYS_readv, quiet[0], &(struct iovec){ &c, 1 }, 1) == 1);
	return NULL;
}

static void block_threads(int n)
{
	static volatile int tid[8];
	int i;

	must(!pipe(quiet));
	for (i = 0; i < n; i++) {
		start(block, (void *)&tid[i]);
		while (!tid[i])
			sleep_ms(1);
		wait_asleep(tid[i]);
	}
}

/* Nothing of readv: those three calls had a begin and no end. */
static void say_unfinished(void)
{
	truth_row("readv");
	truth_num("calls", 0);
	truth_end();
}

static void *exec_again(void *arg)
{
	read_some(7);
	execl("/proc/self/exe", "family", "after-exec", NULL);
	die("exec %p", arg);
	return NULL;
}

static void execs(void)
{
	read_some(3);
	block_threads(3);
	start(exec_again, NULL);
	sleep_ms(10000);
	die("no exec");
}

static void after_exec(void)
{
	read_some(20);
	say_reads(getpid(), 3 + 7 + 20);
	say_unfinished();
}

static void exits(void)
{
	read_some(3);
	say_reads(getpid(), 3);
	block_threads(3);
	say_unfinished();
}

/* Four walks: before and after the sleep that the signal ended, and the same once more. */
static void stops(void)
{
	pid_t child;

	must(!pipe(quiet));
	child = fork();
	if (!child) {
		struct pollfd p = { .fd = quiet[0], .events = POLLIN };

		must(syscall(SYS_poll, &p, 1, 60000) == 1);
		_exit(0);
	}
	wait_asleep(child);
	must(!kill(child, SIGSTOP));
	must(waitpid(child, NULL, WUNTRACED) == child);
	sleep_ms(5);
	must(!kill(child, SIGCONT));
	sleep_ms(5);
	wait_asleep(child);
	must(write(quiet[1], "x", 1) == 1);
	wait_for(child);
	truth_row("poll");
	truth_num("tgid", (uint64_t)child);
	truth_num("calls", 1);
	truth_num("asked", 1);
	truth_num("scanned", 4);
	truth_num("ready", 1);
	truth_num("passes", 4);
	truth_num("set_copy_bytes", 20);
	truth_results("ok", 1, NULL);
	truth_end();
}

static void named(void)
{
	must(!prctl(PR_SET_NAME, "a\"\\\x1b[31m\n\xff\xc3\x28\t</"));
	read_some(5);
	say_reads(getpid(), 5);
}

static const struct {
	const char *name;
	void (*play)(void);
} scenes[] = {
	{ "fork", forks }, { "exec", execs }, { "after-exec", after_exec }, { "exit", exits },
	{ "stop", stops }, { "comm", named },
};

int main(int argc, char **argv)
{
	size_t i;

	must(argc == 2);
	for (i = 0; i < ARRAY_SIZE(scenes); i++)
		if (!strcmp(scenes[i].name, argv[1]))
			break;
	must(i < ARRAY_SIZE(scenes));
	scenes[i].play();
	truth_write();
	return 0;
}

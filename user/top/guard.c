// SPDX-License-Identifier: GPL-2.0-only
#include "top/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "fail.h"

#define RESTORE_MAX 512

/* What both processes see. */
struct post {
	volatile sig_atomic_t armed;
	struct termios before, shown;
	char restore[RESTORE_MAX];
	size_t size;
};

static struct post *post;
static pid_t guard;
static int kept = -1;		/* a file with the messages; -1: none are kept */
static int errors = -1;		/* standard error, meanwhile */

/* Signals that the keyboard sends to us both; and that of a process that is not on the screen. */
static const int ignored[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGTTOU, SIGPIPE };

static const struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

/* Prints what was kept; @to is standard error. */
static void print_kept(int to)
{
	char text[4096];
	ssize_t n;

	for (off_t at = 0; (n = pread(kept, text, sizeof(text), at)) > 0; at += n) {
		if (write(to, text, n) != n)
			return;
	}
}

static bool same_settings(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_lflag == b->c_lflag;
}

static void restore(void)
{
	struct termios now;

	/* The shell may have been faster: then they are its own. */
	if (!tcgetattr(STDIN_FILENO, &now) && same_settings(&now, &post->shown))
		tcsetattr(STDIN_FILENO, TCSADRAIN, &post->before);
	if (write(STDOUT_FILENO, post->restore, post->size) == (ssize_t)post->size && kept >= 0)
		print_kept(STDERR_FILENO);
}

/*
 * Sleeps until the parent's lock is gone, in a call that is not among those that are watched. Locks
 * end when a process closes its files, before anybody is told that it ended; and what is to be done
 * then is done before others of this CPU: so the terminal is given back before the shell writes to it.
 */
static void watch(int lock)
{
	const struct sched_param first = { .sched_priority = 1 };

	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "iophase-guard");
	/* Not allowed to: then it is as fast as it can be. */
	sched_setscheduler(0, SCHED_FIFO, &first);
	while (fcntl(lock, F_SETLKW, &whole_file) && errno == EINTR)
		;
	if (post->armed)
		restore();
	_exit(0);
}

int guard_open(void)
{
	int lock = memfd_create("iophase-guard", MFD_CLOEXEC);

	if (lock < 0 || fcntl(lock, F_SETLK, &whole_file))
		return fail(EXIT_RUNTIME, "cannot guard the terminal: %s", strerror(errno));
	post = mmap(NULL, sizeof(*post), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (post == MAP_FAILED) {
		post = NULL;
		return fail(EXIT_RUNTIME, "out of memory");
	}
	tcgetattr(STDIN_FILENO, &post->before);
	if (isatty(STDERR_FILENO))
		kept = memfd_create("iophase-messages", MFD_CLOEXEC);
	guard = fork();
	if (guard < 0) {
		guard = 0;
		return fail(EXIT_RUNTIME, "cannot start a process: %s", strerror(errno));
	}
	if (!guard)
		watch(lock);
	/* It stays open: to close it would be to give up the lock. */
	return 0;
}

void guard_arm(const char *text, size_t size)
{
	tcgetattr(STDIN_FILENO, &post->shown);
	post->size = size < RESTORE_MAX ? size : RESTORE_MAX;
	memcpy(post->restore, text, post->size);
	post->armed = true;
	if (kept < 0)
		return;
	fflush(stderr);
	errors = dup(STDERR_FILENO);
	if (errors >= 0)
		dup2(kept, STDERR_FILENO);
}

void guard_disarm(void)
{
	if (!post || !post->armed)
		return;
	post->armed = false;
	if (errors < 0)
		return;
	fflush(stderr);
	dup2(errors, STDERR_FILENO);
	close(errors);
	errors = -1;
	print_kept(STDERR_FILENO);
}

void guard_close(void)
{
	guard_disarm();
	if (!guard)
		return;
	kill(guard, SIGKILL);
	waitpid(guard, NULL, 0);
	guard = 0;
}

// SPDX-License-Identifier: GPL-2.0-only
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"

/*
 * The word to go is a signal, waited for by sigsuspend(2): that is no call that is watched, as a read
 * or sigwait(3) would be.
 */
#define SIGNAL_GO SIGUSR1

static volatile sig_atomic_t told_to_go;

static void hear(int signal)
{
	(void)signal;
	told_to_go = 1;
}

/* Waits for it, which was held back until now, with the signal mask @mask otherwise. */
static void await_go(const sigset_t *mask)
{
	struct sigaction action = { .sa_handler = hear }, before;
	sigset_t waiting = *mask;

	sigemptyset(&action.sa_mask);
	sigaction(SIGNAL_GO, &action, &before);
	sigdelset(&waiting, SIGNAL_GO);
	while (!told_to_go)
		sigsuspend(&waiting);
	/* What is ignored stays so in the command. */
	sigaction(SIGNAL_GO, &before, NULL);
}

#define FDS_FEW 256	/* more are not open yet */

/*
 * What is ours ends with the exec; until then it would be taken for the command's. What was handed
 * to us for the command has no such mark.
 */
static void close_own(int error_fd)
{
	for (int fd = 3; fd < FDS_FEW; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (fd != error_fd && flags >= 0 && flags & FD_CLOEXEC)
			close(fd);
	}
}

/*
 * Runs in the child, the word to go held back: waits for it, or dies with @parent, and becomes
 * the command, with the signal mask @old.
 */
static void run(pid_t parent, const sigset_t *old, int error_fd, char **command)
{
	int error;

	close_own(error_fd);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_RUNTIME);
	await_go(old);
	prctl(PR_SET_PDEATHSIG, 0);
	sigprocmask(SIG_SETMASK, old, NULL);
	execvp(command[0], command);
	error = errno;
	if (write(error_fd, &error, sizeof(error)) < 0)
		_exit(EXIT_NOT_FOUND);
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/*
 * Forks with signals held back, so that none meets our handlers in the child, where the word to
 * go stays so. @old: the mask before.
 */
static pid_t fork_unhandled(sigset_t *old)
{
	static const int handled[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action;
	sigset_t all;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, old);
	pid = fork();
	for (size_t i = 0; !pid && i < sizeof(handled) / sizeof(*handled); i++) {
		/* What is ignored, as under nohup(1), stays so. */
		sigaction(handled[i], NULL, &action);
		if (action.sa_handler != SIG_IGN)
			signal(handled[i], SIG_DFL);
	}
	all = *old;
	if (!pid) {
		signal(SIGPIPE, SIG_DFL);
		sigaddset(&all, SIGNAL_GO);
	}
	sigprocmask(SIG_SETMASK, &all, NULL);
	return pid;
}

int child_start(struct child *child, char **command)
{
	pid_t self = getpid();
	sigset_t mask;
	int error[2];

	if (pipe2(error, O_CLOEXEC))
		return fail(EXIT_RUNTIME, "pipe: %s", strerror(errno));
	child->pid = fork_unhandled(&mask);
	if (child->pid < 0) {
		child->pid = 0;
		return fail(EXIT_RUNTIME, "fork: %s", strerror(errno));
	}
	if (!child->pid) {
		close(error[0]);
		run(self, &mask, error[1], command);
	}
	close(error[1]);
	child->error_fd = error[0];
	return 0;
}

int child_release(struct child *child, char **command)
{
	int error = 0;
	ssize_t n = -1;

	if (!kill(child->pid, SIGNAL_GO))
		n = read(child->error_fd, &error, sizeof(error));
	close(child->error_fd);
	child->released = 1;
	/* Without an error it runs, or was ended by a signal before it could: a status, too. */
	if (n != sizeof(error))
		return 0;
	child_reap(child, 1);
	return fail(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE, "%s: %s", command[0],
		    strerror(error));
}

void child_reap(struct child *child, int wait)
{
	int status;

	if (!child->pid || child->ended)
		return;
	while (waitpid(child->pid, &status, wait ? 0 : WNOHANG) != child->pid) {
		if (!wait || errno != EINTR)
			return;
	}
	child->ended = 1;
	child->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void child_abandon(struct child *child)
{
	if (!child->pid || child->released)
		return;
	kill(child->pid, SIGKILL);
	close(child->error_fd);
	child_reap(child, 1);
}

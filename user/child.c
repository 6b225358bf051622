// SPDX-License-Identifier: GPL-2.0-only
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"

/* Runs in the child: waits for the word to go, then becomes the command. */
static void run(int go_fd, int error_fd, char **command)
{
	char go;
	int error;

	if (read(go_fd, &go, 1) != 1)
		_exit(EXIT_RUNTIME);
	execvp(command[0], command);
	error = errno;
	if (write(error_fd, &error, sizeof(error)) < 0)
		_exit(EXIT_NOT_FOUND);
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/* Forks with signals held back, so that none meets our handlers in the child. */
static pid_t fork_unhandled(void)
{
	static const int handled[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action;
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	for (size_t i = 0; !pid && i < sizeof(handled) / sizeof(*handled); i++) {
		/* What is ignored, as under nohup(1), stays so. */
		sigaction(handled[i], NULL, &action);
		if (action.sa_handler != SIG_IGN)
			signal(handled[i], SIG_DFL);
	}
	if (!pid)
		signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

int child_start(struct child *child, char **command)
{
	int go[2], error[2];

	if (pipe2(go, O_CLOEXEC) || pipe2(error, O_CLOEXEC))
		return fail(EXIT_RUNTIME, "pipe: %s", strerror(errno));
	child->pid = fork_unhandled();
	if (child->pid < 0) {
		child->pid = 0;
		return fail(EXIT_RUNTIME, "fork: %s", strerror(errno));
	}
	if (!child->pid) {
		close(go[1]);
		close(error[0]);
		run(go[0], error[1], command);
	}
	close(go[0]);
	close(error[1]);
	child->go_fd = go[1];
	child->error_fd = error[0];
	return 0;
}

int child_release(struct child *child, char **command)
{
	int error = 0;
	ssize_t n = write(child->go_fd, "", 1);

	close(child->go_fd);
	if (n == 1)
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
	close(child->go_fd);
	close(child->error_fd);
	child_reap(child, 1);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * talk BYTES PAUSE_MS PATIENCE_MS COMMAND ...: the client of a program in another language. The
 * command gets one more argument, a port of the loopback; it connects there, once or more, prints its
 * truth, and is asked over each as the subjects of the other scenes are, until any ends.
 */
#include "scene.h"

static void child_is_gone(int signal)
{
	int status = 0;

	(void)signal;
	wait(&status);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static void start_command(char **argv, int n, uint16_t port)
{
	char *with_port[n + 2], text[8];

	snprintf(text, sizeof(text), "%d", port);
	memcpy(with_port, argv, (size_t)n * sizeof(*argv));
	with_port[n] = text;
	with_port[n + 1] = NULL;
	if (fork_bounded())
		return;
	signal(SIGPIPE, SIG_DFL);
	execvp(with_port[0], with_port);
	die("%s", with_port[0]);
}

/* When one of its connections ends, so does the program that is asked. */
static void *talk_and_leave(void *arg)
{
	talk_on(arg);
	exit(0);
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr;
	struct talk talk = { 0 };
	int fd, answers;

	if (argc < 5)
		die("usage: %s BYTES PAUSE_MS PATIENCE_MS COMMAND ...", argv[0]);
	talk.bytes = (size_t)atoi(argv[1]);
	talk.pause_ms = (unsigned int)atoi(argv[2]);
	talk.patience_ms = atoi(argv[3]);
	live_bounded();
	signal(SIGCHLD, child_is_gone);
	fd = listener(&addr);
	start_command(argv + 4, argc - 4, ntohs(addr.sin_port));
	for (;;) {
		struct talk *one = malloc(sizeof(*one));

		answers = accept(fd, NULL, NULL);
		must(one && answers >= 0);
		*one = talk;
		one->line = (struct line){ .far_in = answers, .far_out = answers };
		start(talk_and_leave, one);
	}
}

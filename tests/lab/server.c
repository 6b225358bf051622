// SPDX-License-Identifier: GPL-2.0-only
/*
 * server MODEL [PORT]: the echo and chat service of peer.h on 127.0.0.1, in one of the models of
 * models.def; -l lists them. When it is ready it says where and what on one line of JSON. Exit
 * status: 1 for a failure, 2 for a mistake on the command line, 77 when the kernel does not have
 * the model.
 */
#include "model.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>

#define EXIT_LACKING 77

static const struct {
	const char *name;
	const struct model *model;
} models[] = {
#define MODEL(name, noun) { name, &model_##noun },
#include "models.def"
#undef MODEL
};

#define MODELS (sizeof(models) / sizeof(*models))

const struct model *model;
static int spare = -1;

_Noreturn void fail(const char *what)
{
	fprintf(stderr, "%s: %m\n", what);
	_exit(EXIT_FAILURE);
}

_Noreturn void lacking(const char *what)
{
	fprintf(stderr, "this kernel has no %s: %m\n", what);
	_exit(EXIT_LACKING);
}

void nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/*
 * One who comes when no descriptor is left is let in by the spare one, and out again: else he would
 * be reported for ever. accept4() fails so even when nobody waits.
 */
static int accept_in_need(int listener, int flags)
{
	int fd;

	close(spare);
	fd = accept4(listener, NULL, NULL, flags);
	spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || spare >= 0)
		return fd;	/* others have left meanwhile */
	fprintf(stderr, "a client is refused: %m\n");
	close(fd);
	spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	errno = ECONNABORTED;
	return -1;
}

int listener_accept(int listener, bool sleep)
{
	int fd, flags = SOCK_CLOEXEC | (sleep ? 0 : SOCK_NONBLOCK);

	for (;;) {
		fd = accept4(listener, NULL, NULL, flags);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE))
			fd = accept_in_need(listener, flags);
		if (fd >= 0)
			return fd;
		if (errno == EAGAIN)
			return -1;
		if (errno != EINTR && errno != ECONNABORTED)
			fail("accept");
	}
}

static int listener_open(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static const int on = 1;
	char what[32];

	snprintf(what, sizeof(what), "port %d", port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, SOMAXCONN))
		fail(what);
	return fd;
}

static void announce(const char *name, int listener)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	getsockname(listener, (struct sockaddr *)&at, &len);
	printf("{\"model\":\"%s\",\"port\":%d,\"about\":\"%s\"", name, ntohs(at.sin_port),
	       model->about);
	if (model->clients_max)
		printf(",\"clients_max\":%d,\"clients_why\":\"%s\"", model->clients_max(),
		       model->clients_why);
	puts("}");
	fflush(stdout);
}

static void raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: server MODEL [PORT], or server -l for a list of models\n");
	exit(2);
}

static void list(void)
{
	for (size_t i = 0; i < MODELS; i++)
		printf("%s\t%s\n", models[i].name, models[i].model->about);
}

int main(int argc, char **argv)
{
	char *end = "";
	unsigned long port = argc > 2 ? strtoul(argv[2], &end, 10) : 0;
	int listener;

	if (argc == 2 && !strcmp(argv[1], "-l")) {
		list();
		return 0;
	}
	for (size_t i = 0; argc > 1 && i < MODELS; i++)
		if (!strcmp(argv[1], models[i].name))
			model = models[i].model;
	if (argc > 3 || !model || *end || port > UINT16_MAX)
		usage();
	raise_limit();
	spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	listener = listener_open((uint16_t)port);
	if (model->open)
		model->open();
	announce(argv[1], listener);
	(model->run ?: loop_run)(listener);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The commands; without one, the first of them. */
#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "fail.h"

/* A first word that is neither an option nor an interval is meant as a command. */
static bool names_command(const char *word)
{
	return isalpha((unsigned char)*word);
}

/*
 * A standard stream that is closed would be the next file opened, and get what is printed. In
 * its place comes one that cannot be used, so that printing fails as it should.
 */
static void occupy_streams(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd ? O_RDONLY : O_WRONLY);
	}
}

int main(int argc, char **argv)
{
	occupy_streams();
	if (argc < 2 || !names_command(argv[1]))
		return commands[0].main(argc, argv);
	for (u32 i = 0; i < nr_commands; i++) {
		if (!strcmp(commands[i].name, argv[1]))
			return commands[i].main(argc - 1, argv + 1);
	}
	return fail(EXIT_USAGE, "no such command: '%s' (see iophase --help)", argv[1]);
}

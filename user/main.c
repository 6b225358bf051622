// SPDX-License-Identifier: GPL-2.0-only
/* The commands; without one, the first of them. */
#include <ctype.h>
#include <string.h>

#include "fail.h"
#include "stat.h"
#include "types.h"

static const struct command {
	const char *name;
	int (*main)(int argc, char **argv);
} commands[] = {
	{ "stat", stat_main },
};

/* A first word that is neither an option nor an interval is meant as a command. */
static bool names_command(const char *word)
{
	return isalpha((unsigned char)*word);
}

int main(int argc, char **argv)
{
	if (argc < 2 || !names_command(argv[1]))
		return commands[0].main(argc, argv);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(commands[i].name, argv[1]))
			return commands[i].main(argc - 1, argv + 1);
	}
	return fail(EXIT_USAGE, "no such command: '%s' (see iophase --help)", argv[1]);
}

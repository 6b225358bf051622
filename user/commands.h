/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands, with what each understands: the help, the manual and completions are made of this. */
#ifndef IOPHASE_COMMANDS_H
#define IOPHASE_COMMANDS_H

#include <argp.h>

#include "types.h"

struct command {
	const char *name;
	int (*main)(int argc, char **argv);	/* returns the exit code */
	const struct argp *argp;
};

/* The first is meant where none is named. */
extern const struct command commands[];
extern const u32 nr_commands;

#endif

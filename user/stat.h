/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOPHASE_STAT_H
#define IOPHASE_STAT_H

#include <argp.h>

/* What it understands. */
extern const struct argp stat_argp;

/* `iophase stat`: measures and prints; returns the exit code. */
int stat_main(int argc, char **argv);

#endif

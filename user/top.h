/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOPHASE_TOP_H
#define IOPHASE_TOP_H

#include <argp.h>

/* What it understands. */
extern const struct argp top_argp;

/* `iophase top`: shows what is measured, live; returns the exit code. */
int top_main(int argc, char **argv);

#endif

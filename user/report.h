/* SPDX-License-Identifier: GPL-2.0-only */
/* iophase report: what a saved session says, in all the ways in which a live one can be printed. */
#ifndef IOPHASE_REPORT_H
#define IOPHASE_REPORT_H

#include <argp.h>

/* What it understands. */
extern const struct argp report_argp;

/* The command; returns the exit code. */
int report_main(int argc, char **argv);

#endif

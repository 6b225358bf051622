/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOPHASE_PROBES_H
#define IOPHASE_PROBES_H

#include <argp.h>

/* What it understands. */
extern const struct argp probes_argp;

/* `iophase probes`: tries every hook of the probe table and prints what can be had; an exit code. */
int probes_main(int argc, char **argv);

#endif

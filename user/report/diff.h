/* SPDX-License-Identifier: GPL-2.0-only */
/* Two sessions beside each other, as before and after a change: by the names of processes, for ids differ. */
#ifndef IOPHASE_DIFF_H
#define IOPHASE_DIFF_H

#include <stdio.h>

#include "output/output.h"

/* Reports of options->everything, whose options->doctor judges. Prints for people, or docs/diff.schema.json. */
void diff_print(FILE *out, const struct report *before, const struct report *after, bool json);

#endif

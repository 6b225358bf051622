/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOPHASE_MEASUREMENT_H
#define IOPHASE_MEASUREMENT_H

#include "options.h"
#include "output/output.h"

/*
 * Watches what @options say, for as long as they say, and has @output print each report; @options
 * are filled in with what is found out meanwhile. Returns the exit code.
 */
int measurement_run(struct options *options, const struct output *output);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The live screen, as an output of a measurement. */
#ifndef IOPHASE_LIVE_H
#define IOPHASE_LIVE_H

#include "output/output.h"

/* Its options have a doctor, and rows of threads and calls. There is one of it. */
extern const struct output output_top;

#endif

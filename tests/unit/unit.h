/* SPDX-License-Identifier: GPL-2.0-only */
/* What cmocka.h needs before it. */
#ifndef IOPHASE_UNIT_H
#define IOPHASE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif

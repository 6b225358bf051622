/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOPHASE_STACK_TESTS_H
#define IOPHASE_STACK_TESTS_H

#define STACK_TEST(name) void name(void **state);
#include "tests.def"
#undef STACK_TEST

#endif

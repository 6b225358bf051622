/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOPHASE_RULES_TESTS_H
#define IOPHASE_RULES_TESTS_H

#define RULE_TEST(name) void name(void **state);
#include "tests.def"
#undef RULE_TEST

#endif

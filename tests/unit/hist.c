// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bucket of a time, as the hooks compute it in integers, against its definition: bucket i
 * covers (2^((i-1)/8), 2^(i/8)] seconds.
 */
#include <math.h>

#include "unit.h"

#include "user/types.h"

#define __noinline
#undef __always_inline
#define __always_inline inline
#include "bpf/hist.h"

#define LAST (HIST_BASE + HIST_BUCKETS - 1)

/* The index without the ends of our array, from the formula with nothing left out. */
static int reference(u64 ns)
{
	static const u64 edges[] = {
		9367390095664785123ull, 10215211334214395865ull, 11139766950770582417ull,
		12148001999904198769ull, 13247490117328543392ull, 14446490411353358019ull,
		15754009503455335899ull, 17179869184000000000ull,
	};
	int e = 63 - __builtin_clzll(ns), below = 0;
	u64 n = ns << (63 - e);

	for (size_t k = 0; k < ARRAY_SIZE(edges); k++)
		below += edges[k] < n;
	return 8 * e + below - 239;
}

static int clamped(int index)
{
	if (index < HIST_BASE)
		return 0;
	return index > LAST ? HIST_BUCKETS - 1 : index - HIST_BASE;
}

/*
 * The last ns of every bucket and the first of the next. Up to 2^43 ns a long double is 2^-21
 * ns fine, and no edge but the whole ones lies that near to a whole number.
 */
static void edges(void **state)
{
	(void)state;
	for (int i = HIST_BASE; i <= LAST; i++) {
		long double edge = 1e9L * exp2l(i / 8.0L);
		u64 last = floorl(edge);

		if (i % 8)
			assert_true(fabsl(edge - roundl(edge)) > 1e-5L);
		assert_int_equal(hist_bucket(last), clamped(i));
		assert_int_equal(hist_bucket(last + 1), clamped(i + 1));
	}
}

static void formula(void **state)
{
	u64 random = 88172645463325252ull;

	(void)state;
	for (int i = 0; i < 2000000; i++) {
		u64 ns;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		ns = random >> (i & 63);
		if (ns)
			assert_int_equal(hist_bucket(ns), clamped(reference(ns)));
	}
	for (u64 ns = 1; ns < 100000; ns++)
		assert_int_equal(hist_bucket(ns), clamped(reference(ns)));
}

static void ends(void **state)
{
	(void)state;
	assert_int_equal(hist_bucket(0), 0);
	assert_int_equal(hist_bucket(1), 0);
	assert_int_equal(hist_bucket(64), 0);
	assert_int_equal(hist_bucket(~0ull), HIST_BUCKETS - 1);
	/* A second is the upper edge of bucket 0 of the scheme. */
	assert_int_equal(hist_bucket(NS_PER_SEC) + HIST_BASE, 0);
	assert_int_equal(hist_bucket(NS_PER_SEC + 1) + HIST_BASE, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges), cmocka_unit_test(formula), cmocka_unit_test(ends),
	};

	return cmocka_run_group_tests_name("hist", tests, NULL, NULL);
}

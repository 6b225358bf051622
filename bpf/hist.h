/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bucket of a time. Needs nothing but wire.h, so that a test in user space can hold it
 * against its definition; the includer has defined __always_inline and __noinline.
 */
#ifndef IOPHASE_HIST_H
#define IOPHASE_HIST_H

static __always_inline u32 log2_floor(u64 v)
{
	/* clang 14 crashes on __builtin_clzll for BPF. */
	u32 r = 0;

	if (v >> 32) {
		v >>= 32;
		r = 32;
	}
	if (v >> 16) {
		v >>= 16;
		r += 16;
	}
	if (v >> 8) {
		v >>= 8;
		r += 8;
	}
	if (v >> 4) {
		v >>= 4;
		r += 4;
	}
	if (v >> 2) {
		v >>= 2;
		r += 2;
	}
	return r + (v >> 1);
}

/*
 * Bucket of @ns in struct hist. The edges within an octave are T[k] = 10^9 * 2^(k/8), scaled
 * to the octave's top, so that they fall on powers of 2^(1/8) of a second. A global function,
 * so that the verifier does not follow each of its results into the caller.
 */
__noinline u32 hist_bucket(u64 ns)
{
	static const u64 edge[8] = {
		 9367390095664785123ull, 10215211334214395865ull, 11139766950770582417ull,
		12148001999904198769ull, 13247490117328543392ull, 14446490411353358019ull,
		15754009503455335899ull, 17179869184000000000ull,
	};
	u32 e = log2_floor(ns | 1);
	u64 n = ns << (63 - e);
	u32 k = 0;
	s32 idx;

	if (n > edge[3])
		k = 4;
	k += n > edge[k + 1] ? 2 : 0;
	k += n > edge[k] ? 1 : 0;
	k += k == 7 && n > edge[7];
	idx = (s32)(8 * e + k) - 239 - HIST_BASE;
	if (idx < 0)
		return 0;
	return idx < HIST_BUCKETS ? idx : HIST_BUCKETS - 1;
}

#endif

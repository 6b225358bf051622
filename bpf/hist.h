/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bucket of a time. Needs nothing but wire.h, so that a test in user space can hold it
 * against its definition; the includer has defined __always_inline and __noinline.
 */
#ifndef IOPHASE_HIST_H
#define IOPHASE_HIST_H

/*
 * The highest bit of @v, which is not 0. By a de Bruijn sequence, without a branch: each would
 * double what the verifier has to follow. (clang 14 crashes on __builtin_clzll for BPF.)
 */
static __always_inline u32 log2_floor(u64 v)
{
	static const u8 place[64] = {
		 0, 47,  1, 56, 48, 27,  2, 60, 57, 49, 41, 37, 28, 16,  3, 61,
		54, 58, 35, 52, 50, 42, 21, 44, 38, 32, 29, 23, 17, 11,  4, 62,
		46, 55, 26, 59, 40, 36, 15, 53, 34, 51, 20, 43, 31, 22, 10, 45,
		25, 39, 14, 33, 19, 30,  9, 24, 13, 18,  8, 12,  7,  6,  5, 63,
	};

	v |= v >> 1;
	v |= v >> 2;
	v |= v >> 4;
	v |= v >> 8;
	v |= v >> 16;
	v |= v >> 32;
	return place[v * 0x03f79d71b4cb0a89ull >> 58];
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

/* SPDX-License-Identifier: GPL-2.0-only */
/* The fixed-width types the shared header is written in, and that header. */
#ifndef IOPHASE_TYPES_H
#define IOPHASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef int16_t s16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#include "bpf/wire.h"

#define NS_PER_SEC 1000000000ull
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* One step out of a function by its call frame information, on a copy of the stack. */
#ifndef IOPHASE_CFI_H
#define IOPHASE_CFI_H

#include <elfutils/libdw.h>

#include "types.h"

/* By their DWARF numbers: System V ABI, AMD64 supplement, figure 3.36. */
enum { REG_BP = 6, REG_SP = 7, REG_IP = 16, NR_REGS };

struct registers {
	u64 value[NR_REGS];
	u32 known;		/* 1 << number */
};

static inline bool register_known(const struct registers *regs, int number)
{
	return regs->known >> number & 1;
}

static inline void register_set(struct registers *regs, int number, u64 value)
{
	regs->value[number] = value;
	regs->known |= 1u << number;
}

/* Reads a word of the copied stack; false: it is not in it. */
bool stack_word(const struct user_stack *stack, u64 address, u64 *word);

enum cfi_result {
	CFI_STEPPED,
	CFI_OUTERMOST,		/* nobody called this function */
	CFI_BEYOND,		/* the return address is not in the copied stack, but at *@slot */
	CFI_UNKNOWN,		/* what it takes is not known */
};

/*
 * Replaces @regs of a function with those of its caller. *@exact: that was interrupted, by a
 * signal, and not called.
 */
enum cfi_result cfi_step(Dwarf_Frame *frame, const struct user_stack *stack,
			 struct registers *regs, bool *exact, u64 *slot);

#endif

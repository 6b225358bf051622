// SPDX-License-Identifier: GPL-2.0-only
#include "stack/cfi.h"

#include <dwarf.h>
#include <string.h>

bool stack_word(const struct user_stack *stack, u64 address, u64 *word)
{
	u64 at = address - stack->sp;

	if (stack->stack_bytes > STACK_BYTES || stack->stack_bytes < sizeof(*word) ||
	    at > stack->stack_bytes - sizeof(*word))
		return false;
	memcpy(word, stack->stack + at, sizeof(*word));
	return true;
}

/* What an expression is evaluated with, and the words it is at. */
struct machine {
	const struct user_stack *stack;
	const struct registers *regs;
	u64 cfa;
	u64 words[16];
	u32 depth;
	bool is_value;		/* the result is the value itself, not where it is */
	u64 missing;		/* the word of the stack that it failed for want of; 0: none */
};

static bool push(struct machine *m, u64 word)
{
	if (m->depth == ARRAY_SIZE(m->words))
		return false;
	m->words[m->depth++] = word;
	return true;
}

static bool push_register(struct machine *m, u64 number, u64 offset)
{
	return number < NR_REGS && register_known(m->regs, number) &&
	       push(m, m->regs->value[number] + offset);
}

static bool dereference(struct machine *m)
{
	u64 *top;

	if (!m->depth)
		return false;
	top = &m->words[m->depth - 1];
	if (stack_word(m->stack, *top, top))
		return true;
	m->missing = *top;
	return false;
}

static bool binary(struct machine *m, u8 operation)
{
	u64 a, b;

	if (m->depth < 2)
		return false;
	b = m->words[--m->depth];
	a = m->words[--m->depth];
	switch (operation) {
	case DW_OP_plus:	return push(m, a + b);
	case DW_OP_minus:	return push(m, a - b);
	case DW_OP_mul:		return push(m, a * b);
	case DW_OP_and:		return push(m, a & b);
	case DW_OP_or:		return push(m, a | b);
	case DW_OP_xor:		return push(m, a ^ b);
	case DW_OP_shl:		return push(m, b < 64 ? a << b : 0);
	case DW_OP_shr:		return push(m, b < 64 ? a >> b : 0);
	case DW_OP_eq:		return push(m, a == b);
	case DW_OP_ne:		return push(m, a != b);
	case DW_OP_lt:		return push(m, (s64)a < (s64)b);
	case DW_OP_le:		return push(m, (s64)a <= (s64)b);
	case DW_OP_gt:		return push(m, (s64)a > (s64)b);
	case DW_OP_ge:		return push(m, (s64)a >= (s64)b);
	}
	return false;
}

/* Jumps are left out, so that it ends; compilers write none in call frame information. */
static bool operate(struct machine *m, const Dwarf_Op *op)
{
	if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31)
		return push(m, op->atom - DW_OP_lit0);
	if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31)
		return push_register(m, op->atom - DW_OP_breg0, op->number);
	if (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31) {
		m->is_value = true;
		return push_register(m, op->atom - DW_OP_reg0, 0);
	}
	switch (op->atom) {
	case DW_OP_call_frame_cfa:
		return push(m, m->cfa);
	case DW_OP_bregx:
		return push_register(m, op->number, op->number2);
	case DW_OP_regx:
		m->is_value = true;
		return push_register(m, op->number, 0);
	case DW_OP_plus_uconst:
		return m->depth && (m->words[m->depth - 1] += op->number, true);
	case DW_OP_const1u: case DW_OP_const1s: case DW_OP_const2u: case DW_OP_const2s:
	case DW_OP_const4u: case DW_OP_const4s: case DW_OP_const8u: case DW_OP_const8s:
	case DW_OP_constu: case DW_OP_consts:
		return push(m, op->number);
	case DW_OP_dup:
		return m->depth && push(m, m->words[m->depth - 1]);
	case DW_OP_drop:
		return m->depth && m->depth--;
	case DW_OP_deref:
		return dereference(m);
	case DW_OP_stack_value:
		m->is_value = true;
		return true;
	case DW_OP_nop:
		return true;
	}
	return binary(m, op->atom);
}

static bool evaluate(struct machine *m, const Dwarf_Op *ops, size_t count, u64 *result)
{
	m->depth = 0;
	m->is_value = false;
	m->missing = 0;
	for (size_t i = 0; i < count; i++) {
		if (!operate(m, &ops[i]))
			return false;
	}
	if (!m->depth)
		return false;
	*result = m->words[m->depth - 1];
	return true;
}

/* The caller's register @number into @caller, if it can be known; false: it has none. */
static bool restore(struct machine *m, Dwarf_Frame *frame, int number, struct registers *caller)
{
	Dwarf_Op memory[3], *ops;
	size_t count;
	u64 value;

	m->missing = 0;
	if (dwarf_frame_register(frame, number, memory, &ops, &count))
		return true;
	if (!count && ops == memory)
		return false;
	if (!count) {
		if (register_known(m->regs, number))
			register_set(caller, number, m->regs->value[number]);
		return true;
	}
	if (!evaluate(m, ops, count, &value))
		return true;
	if (m->is_value || stack_word(m->stack, value, &value))
		register_set(caller, number, value);
	else
		m->missing = value;
	return true;
}

enum cfi_result cfi_step(Dwarf_Frame *frame, const struct user_stack *stack,
			 struct registers *regs, bool *exact, u64 *slot)
{
	struct machine m = { .stack = stack, .regs = regs };
	struct registers caller = { 0 };
	Dwarf_Op *ops;
	size_t count;
	int ip = dwarf_frame_info(frame, NULL, NULL, exact);

	if (ip != REG_IP || dwarf_frame_cfa(frame, &ops, &count) || !count ||
	    !evaluate(&m, ops, count, &m.cfa))
		return CFI_UNKNOWN;
	for (int i = 0; i < REG_IP; i++)
		restore(&m, frame, i, &caller);
	/* Where the stack was before the call, unless it says otherwise. */
	if (!register_known(&caller, REG_SP))
		register_set(&caller, REG_SP, m.cfa);
	if (!restore(&m, frame, REG_IP, &caller))
		return CFI_OUTERMOST;
	*slot = m.missing;
	if (!register_known(&caller, REG_IP))
		return m.missing ? CFI_BEYOND : CFI_UNKNOWN;
	if (!caller.value[REG_IP])
		return CFI_OUTERMOST;
	*regs = caller;
	return CFI_STEPPED;
}

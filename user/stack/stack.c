// SPDX-License-Identifier: GPL-2.0-only
#include "stack/stack.h"

#include <stdlib.h>

#include "stack/cfi.h"

/* How far from the start of a function without a symbol its code may be. */
#define FUNCTION_BYTES	16384

struct walk {
	struct image *image;
	const struct user_stack *stack;
	struct registers regs;
	struct frame *frames;
	u32 count, max;
};

/* The address by which the code that @frame is in is looked up: the call, not what follows it. */
static u64 code_address(const struct frame *frame)
{
	return frame->address - !frame->exact;
}

static const struct frame *innermost(const struct walk *walk)
{
	return &walk->frames[walk->count - 1];
}

static bool add(struct walk *walk, struct frame frame)
{
	if (walk->count == walk->max)
		return false;
	walk->frames[walk->count++] = frame;
	return true;
}

static bool find_code(const struct walk *walk, struct place *place)
{
	return image_find(walk->image, code_address(innermost(walk)), place);
}

/* Steps out as long as call frame information says how; *@slot is that of CFI_BEYOND. */
static enum cfi_result step_by_cfi(struct walk *walk, const struct place *place, u64 *slot)
{
	u64 sp = walk->regs.value[REG_SP];
	Dwarf_Frame *frame = NULL;
	struct frame caller = { 0 };
	enum cfi_result result;

	if (place->module)
		frame = module_frame(place->module, place->address);
	if (!frame)
		return CFI_UNKNOWN;
	result = cfi_step(frame, walk->stack, &walk->regs, &caller.exact, slot);
	free(frame);
	/* A handler returns to the start of this code, which the kernel put there: no call. */
	walk->frames[walk->count - 1].exact |= caller.exact;
	if (result != CFI_STEPPED)
		return result;
	/* A handler may have run on another stack; else each caller's is further out. */
	if (walk->regs.value[REG_SP] <= sp && !caller.exact)
		return CFI_OUTERMOST;
	caller.address = walk->regs.value[REG_IP];
	return add(walk, caller) ? CFI_STEPPED : CFI_OUTERMOST;
}

/* The frame pointer, if there can be a frame where it points. */
static bool frame_pointer(const struct walk *walk, u64 *bp)
{
	*bp = walk->regs.value[REG_BP];
	return register_known(&walk->regs, REG_BP) && *bp >= walk->regs.value[REG_SP] && !(*bp & 7);
}

/* How well a word of the stack fits as a return address from the function that @place is in. */
enum fit { FIT_NONE, FIT_SOME_CALL, FIT_THIS_CALL };

static enum fit fit_of(const struct walk *walk, const struct place *place, u64 word)
{
	const struct code_name *name;
	struct place caller;
	u64 target, start;

	if (!image_find(walk->image, word - 1, &caller) || !caller.module ||
	    !image_returned_to(walk->image, word, &target))
		return FIT_NONE;
	/* By a procedure linkage table or a pointer: where that led to is not known. */
	if (caller.module != place->module)
		return FIT_THIS_CALL;
	if (!target)
		return FIT_SOME_CALL;
	name = module_name(place->module, place->address);
	start = code_address(innermost(walk)) - (place->address - name->start);
	if (name->function[0])
		return target == start ? FIT_THIS_CALL : FIT_SOME_CALL;
	start = code_address(innermost(walk)) - FUNCTION_BYTES;
	return target - start <= FUNCTION_BYTES ? FIT_THIS_CALL : FIT_SOME_CALL;
}

/* The first word in [@from, @to) that fits at least so well. */
static bool scan(const struct walk *walk, const struct place *place, u64 to, enum fit least,
		 u64 *slot, u64 *word)
{
	for (*slot = walk->regs.value[REG_SP]; *slot < to; *slot += sizeof(*word)) {
		if (!stack_word(walk->stack, *slot, word))
			return false;
		if (fit_of(walk, place, *word) >= least)
			return true;
	}
	return false;
}

/* Steps out to the return address @word at @slot of a function that may have left bp alone. */
static bool step_to(struct walk *walk, u64 slot, u64 word)
{
	register_set(&walk->regs, REG_SP, slot + sizeof(word));
	register_set(&walk->regs, REG_IP, word);
	return add(walk, (struct frame){ .address = word, .guessed = true });
}

static bool step_by_frame_pointer(struct walk *walk, u64 bp)
{
	u64 next, word;

	if (!stack_word(walk->stack, bp, &next) || !stack_word(walk->stack, bp + 8, &word) ||
	    !image_returned_to(walk->image, word, NULL))
		return false;
	register_set(&walk->regs, REG_BP, next);
	register_set(&walk->regs, REG_SP, bp + 16);
	register_set(&walk->regs, REG_IP, word);
	return add(walk, (struct frame){ .address = word });
}

/*
 * Steps out of code of which nothing is known. The innermost function may have made no frame, as
 * wrappers of system calls do: then its caller is before the frame that bp points to. Others are
 * taken to have frames where bp points to one, and code that is made at run time has them in all
 * that is known (V8; the JVM's with its option for it).
 */
static enum cfi_result step_without(struct walk *walk, const struct place *place)
{
	bool innermost = walk->count == 1, done;
	u64 bp, slot, word;
	bool framed = frame_pointer(walk, &bp);

	if (!innermost && register_known(&walk->regs, REG_BP) && !bp)
		return CFI_OUTERMOST;
	if (place->module && (innermost || !framed) &&
	    scan(walk, place, framed ? bp : -1ull, FIT_THIS_CALL, &slot, &word))
		done = step_to(walk, slot, word);
	else if (framed)
		done = step_by_frame_pointer(walk, bp);
	else
		done = place->module && scan(walk, place, -1ull, FIT_SOME_CALL, &slot, &word) &&
		       step_to(walk, slot, word);
	return done ? CFI_STEPPED : CFI_UNKNOWN;
}

/*
 * Appends those of the kernel's frames by frame pointers that are at @slot or further out. Where
 * a frame is follows from the one before it, as far as that is in the copy; what follows the
 * last of these is further out than the copy, which is where @slot is.
 */
static void join(struct walk *walk, u64 slot, bool gap)
{
	const struct user_stack *stack = walk->stack;
	u32 count = stack->nr_frames < STACK_FRAMES ? stack->nr_frames : STACK_FRAMES;
	u64 bp = stack->bp;
	bool known = bp >= stack->sp;

	if (!known)
		return;
	for (u32 i = 1; i < count; i++) {
		u64 at = bp + 8;

		if (!known || at >= slot) {
			if (!image_returned_to(walk->image, stack->frames[i], NULL))
				return;
			if (!add(walk, (struct frame){
				.address = stack->frames[i], .gap = gap && !(known && at == slot),
			}))
				return;
			gap = false;
		}
		known = known && stack_word(stack, bp, &bp);
	}
}

u32 stack_unwind(struct image *image, const struct user_stack *stack, struct frame *frames,
		 u32 max)
{
	struct walk walk = { .image = image, .stack = stack, .frames = frames, .max = max };
	enum cfi_result result = CFI_STEPPED;
	struct place place = { 0 };
	bool found = true;
	u64 slot = 0;

	image_refresh(image);
	register_set(&walk.regs, REG_IP, stack->ip);
	register_set(&walk.regs, REG_SP, stack->sp);
	register_set(&walk.regs, REG_BP, stack->bp);
	add(&walk, (struct frame){ .address = stack->ip });
	while (result == CFI_STEPPED && (found = find_code(&walk, &place))) {
		result = step_by_cfi(&walk, &place, &slot);
		if (result == CFI_UNKNOWN)
			result = step_without(&walk, &place);
	}
	if (result == CFI_BEYOND)
		join(&walk, slot, true);
	else if (result != CFI_OUTERMOST)
		join(&walk, walk.regs.value[REG_SP], !found || place.module);
	image_rest(image);
	return walk.count;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Stacks that are out of the ordinary, and processes that go. */
#include <sys/stat.h>

#include "user/stack/sleeper.h"
#include "trace.h"
#include "tests.h"

/* A handler was called by nobody: what it interrupted is known by the kernel's frame. */
void signals(void **state)
{
	struct trace trace;

	(void)state;
	trace_sleeper("sleeper-O0", "signal", false, STACK_BYTES, false, &trace);
	assert_string_equal(trace.symbols[1].function, "wait_by_read");
	assert_string_equal(trace.symbols[2].function, "handler");
	/* The state that a signal saves takes about 3000 bytes, more than is copied. */
	trace_sleeper("sleeper-fp", "signal", false, STACK_BYTES, true, &trace);
	assert_string_equal(trace.symbols[2].function, "handler");
}

/* What is further out than the copy comes from frame pointers. */
void joined(void **state)
{
	static const char *const names[] = {
		"poll", "wait_by_poll", "wait_from_afar", "serve", "main", NULL,
	};
	static const char *const first[] = { "poll", "wait_by_poll", "wait_from_afar", NULL };
	struct trace trace;

	(void)state;
	trace_sleeper("sleeper-fp", "big", false, STACK_BYTES, true, &trace);
	assert_functions(&trace, 0, names);
	for (u32 i = 0; i < 5; i++)
		assert_false(trace.frames[i].gap);
	/* Without them it ends there; and what they are taken for is not believed. */
	trace_sleeper("sleeper-O2", "big", false, STACK_BYTES, true, &trace);
	assert_functions(&trace, 0, first);
	assert_true(trace.count == 3 || trace.frames[3].gap);
	/* No copy at all: the caller of the wrapper may be missing, and it is said so. */
	trace_sleeper("sleeper-fp", "poll", false, 0, true, &trace);
	assert_true(trace.frames[1].gap);
	assert_true(has_function(&trace, "serve"));
}

/* The file that runs is not the one that is there now. */
void replaced(void **state)
{
	char path[PATH_MAX], text[PATH_MAX * 2 + 32];
	char *command[] = { path, "poll", NULL };
	struct user_stack stack;
	struct trace trace;
	pid_t pid;

	(void)state;
	snprintf(path, sizeof(path), "%s", built("sleeper-moved"));
	snprintf(text, sizeof(text), "cp %.*s-g0 %s", (int)(strrchr(path, '-') - path), path, path);
	assert_int_equal(system(text), 0);
	capture_command(command, SYS_poll, &stack, STACK_BYTES, false, &pid);
	unlink(path);
	trace_of(&stack, &trace);
	/* Without the right to the mapped file itself, there is still which one it was. */
	if (trace.symbols[1].function[0])
		assert_string_equal(trace.symbols[1].function, "wait_by_poll");
	assert_string_equal(trace.symbols[1].module, "sleeper-moved");
	child_kill(pid);
}

/* A thread that nobody stops, by where it sleeps: that, or nothing. */
void asleep(void **state)
{
	char path[PATH_MAX];
	char *command[] = { path, "poll", NULL };
	struct user_stack stack, again;
	struct user_place place;
	struct trace trace;
	pid_t pid;

	(void)state;
	snprintf(path, sizeof(path), "%s", built("sleeper-O0"));
	capture_command(command, SYS_poll, &stack, STACK_BYTES, false, &pid);
	assert_int_equal(await_sleeper(pid, SYS_restart_syscall), pid);
	place = (struct user_place){ stack.ip, stack.sp, stack.bp };
	assert_true(sleeper_stack(pid, pid, &place, &again));
	assert_int_equal(again.stack_bytes, STACK_BYTES);
	trace_of(&again, &trace);
	assert_string_equal(trace.symbols[1].function, "wait_by_poll");
	place.sp += 8;
	assert_false(sleeper_stack(pid, pid, &place, &again));
	place = (struct user_place){ stack.ip + 1, stack.sp, stack.bp };
	assert_false(sleeper_stack(pid, pid, &place, &again));
	place.ip--;
	child_kill(pid);
	assert_false(sleeper_stack(pid, pid, &place, &again));
}

/* A process that is gone leaves addresses, and one that goes leaves what was known. */
void gone(void **state)
{
	char path[PATH_MAX];
	char *command[] = { path, "poll", NULL };
	struct frame frames[MAX_FRAMES];
	struct symbol symbols[MAX_FRAMES];
	struct user_stack stack;
	struct image *image;
	struct trace trace;
	pid_t pid;
	u32 count;

	(void)state;
	snprintf(path, sizeof(path), "%s", built("sleeper-O0"));
	capture_command(command, SYS_poll, &stack, STACK_BYTES, false, &pid);
	image = image_open(pid);
	child_kill(pid);
	count = stack_unwind(image, &stack, frames, MAX_FRAMES);
	assert_true(symbols_name(image, frames, count, symbols, MAX_FRAMES) >= count);
	image_close(image);
	assert_true(count > 2);
	assert_string_equal(symbols[1].function, "wait_by_poll");
	trace_of(&stack, &trace);
	assert_int_equal(trace.count, 1);
	assert_string_equal(trace.symbols[0].function, "");
}

/* Whatever a stack holds, it ends, within the room there is. */
void nonsense(void **state)
{
	char path[PATH_MAX];
	char *command[] = { path, "poll", NULL };
	struct frame frames[MAX_FRAMES];
	struct user_stack stack, other;
	struct image *image;
	pid_t pid;

	(void)state;
	snprintf(path, sizeof(path), "%s", built("sleeper-O0"));
	capture_command(command, SYS_poll, &stack, STACK_BYTES, true, &pid);
	image = image_open(pid);
	srandom(1);
	for (int i = 0; i < 300; i++) {
		other = stack;
		for (int j = 0; j < 200; j++)
			((u8 *)&other)[offsetof(struct user_stack, ip) +
				       random() % (sizeof(other) - 8)] = random();
		assert_in_range(stack_unwind(image, &other, frames, 1 + i % 16), 1, 1 + i % 16);
	}
	image_close(image);
	child_kill(pid);
}

/* Made in a child, it is the same. */
void confined(void **state)
{
	static const char *const programs[] = {
		"sleeper-O2", "sleeper-split", "sleeper-musl", "sleeper-go",
	};
	struct symbol symbols[TRACEBACK_MAX];
	struct user_stack stack;
	struct trace trace;
	char path[PATH_MAX];
	char *command[] = { path, "read", NULL };
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		snprintf(path, sizeof(path), "%s", built(programs[i]));
		if (access(path, X_OK))
			continue;
		capture_command(command, SYS_read, &stack, STACK_BYTES, true, &pid);
		trace_of(&stack, &trace);
		assert_int_equal(traceback_make(&stack, symbols, TRACEBACK_MAX), trace.nr_symbols);
		child_kill(pid);
		assert_memory_equal(symbols, trace.symbols, trace.nr_symbols * sizeof(*symbols));
	}
}

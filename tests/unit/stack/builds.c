// SPDX-License-Identifier: GPL-2.0-only
/* One program in each way in which programs are built. */
#include "trace.h"
#include "tests.h"

/* The line of a source file that says it is that of @what. */
static u32 line_of(const char *file, const char *what)
{
	char path[PATH_MAX], line[256], mark[64];
	FILE *source;
	u32 number = 0;
	bool found = false;

	snprintf(path, sizeof(path), "%s/stack/%s", UNIT_SOURCES, file);
	snprintf(mark, sizeof(mark), "line of %s", what);
	source = fopen(path, "r");
	assert_non_null(source);
	while (!found && fgets(line, sizeof(line), source)) {
		number++;
		found = strstr(line, mark);
	}
	fclose(source);
	assert_true(found);
	return number;
}

static const char *const hows[] = { "epoll", "poll", "read" };

/* Each way of sleeping, by the first thread and by another one, with no frame pointers to help. */
static void each_caller(const char *program, bool lines)
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(hows); i++) {
		const char *how = hows[i / 2];
		const char *names[] = { wrapper_of(how), caller_of(how), "serve", NULL };
		bool thread = i % 2;
		struct trace trace;

		trace_sleeper(program, how, thread, STACK_BYTES, false, &trace);
		assert_functions(&trace, 0, names);
		assert_true(has_function(&trace, thread ? "run" : "main"));
		assert_false(trace.frames[1].gap || trace.frames[1].guessed);
		if (lines)
			assert_int_equal(trace.symbols[1].line, line_of("sleeper.c", how));
		else
			assert_int_equal(trace.symbols[1].line, 0);
	}
}

/* Without symbols there is an address, which is that of the function in the file with symbols. */
static void assert_stripped(const char *program, const char *full)
{
	struct symbol *symbol;
	struct trace trace;
	char text[64];

	trace_sleeper(program, "poll", false, STACK_BYTES, false, &trace);
	assert_true(trace.count > 1);
	symbol = &trace.symbols[1];
	assert_string_equal(symbol->function, "");
	assert_string_equal(symbol->module, program);
	snprintf(text, sizeof(text), "[%s+0x%llx]", program, (unsigned long long)symbol->offset);
	assert_string_equal(symbol_text(symbol, text_name).buf, text);
	assert_string_equal(function_at(full, symbol->offset - 1), "wait_by_poll");
}

void unoptimised(void **state)
{
	(void)state;
	each_caller("sleeper-O0", true);
}

void optimised(void **state)
{
	(void)state;
	each_caller("sleeper-O2", true);
	each_caller("sleeper-clang", true);
}

void frame_pointers(void **state)
{
	(void)state;
	each_caller("sleeper-fp", true);
}

void at_fixed_addresses(void **state)
{
	(void)state;
	each_caller("sleeper-nopie", true);
}

void static_program(void **state)
{
	(void)state;
	each_caller("sleeper-static", true);
}

void without_lines(void **state)
{
	(void)state;
	each_caller("sleeper-g0", false);
}

/* The functions it exports are left. */
void exported(void **state)
{
	(void)state;
	each_caller("sleeper-exported", false);
}

void debug_file(void **state)
{
	(void)state;
	each_caller("sleeper-split", true);
}

/* The debug information is packed. */
void packed(void **state)
{
	(void)state;
	each_caller("sleeper-packed", true);
}

/* Symbols as Fedora leaves them: packed, and only those that are in no other table. */
void mini(void **state)
{
	(void)state;
	each_caller("sleeper-mini", false);
}

void stripped(void **state)
{
	(void)state;
	assert_stripped("sleeper-stripped", "sleeper-g0");
	assert_stripped("sleeper-static-stripped", "sleeper-static-g0");
}

/* A C library without call frame information. */
void musl(void **state)
{
	static const char *const programs[] = { "sleeper-musl", "sleeper-musl-static" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		if (access(built(programs[i]), X_OK))
			skip();
		for (size_t j = 0; j < 2 * ARRAY_SIZE(hows); j++) {
			struct trace trace;

			trace_sleeper(programs[i], hows[j / 2], j % 2, STACK_BYTES, false, &trace);
			assert_true(has_function(&trace, caller_of(hows[j / 2])));
			assert_true(has_function(&trace, "serve"));
		}
	}
}

void mangled(void **state)
{
	static const char *const names[] = { "poll", "net::Loop<int>::wait", "main", NULL };
	struct trace trace;

	(void)state;
	trace_sleeper("sleeper-cc", "poll", false, STACK_BYTES, false, &trace);
	assert_functions(&trace, 0, names);
	assert_int_equal(trace.symbols[1].line, line_of("sleeper.cc", "poll"));
}

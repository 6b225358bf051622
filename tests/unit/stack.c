// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stacks of programs that sleep where they say: sleeper.c and others in stack/. With arguments it
 * is no test: it runs these as a command and prints the stacks of its threads after two seconds.
 */
#include <linux/limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "unit.h"

#include "user/clock.h"
#include "user/stack/object.h"
#include "user/stack/sleeper.h"
#include "user/stack/traceback.h"
#include "stack/capture.h"

#define MAX_FRAMES 64

struct trace {
	struct frame frames[MAX_FRAMES];
	struct symbol symbols[MAX_FRAMES];
	u32 count, nr_symbols;
};

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void trace_of(const struct user_stack *stack, struct trace *trace)
{
	int files = open_files();
	struct image *image = image_open(stack->tgid);

	assert_non_null(image);
	trace->count = stack_unwind(image, stack, trace->frames, MAX_FRAMES);
	trace->nr_symbols = symbols_name(image, trace->frames, trace->count, trace->symbols,
					 MAX_FRAMES);
	image_close(image);
	assert_int_equal(open_files(), files);
}

static void print_trace(const struct trace *trace)
{
	for (u32 i = 0; i < trace->nr_symbols; i++) {
		const struct symbol *symbol = &trace->symbols[i];

		print_message("# %2u%s%s %s\n", i, symbol->frame.gap ? " gap" : "",
			      symbol->frame.guessed ? " guessed" : "",
			      symbol_text(symbol, text_name).buf);
	}
}

/* A file built for this test: they are beside it. */
static const char *built(const char *name)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	assert_true(n > 0);
	path[n] = '\0';
	slash = strrchr(path, '/');
	snprintf(slash, sizeof(path) - (slash - path), "/stack/%s", name);
	return path;
}

static int number_of(const char *how)
{
	return !strcmp(how, "epoll") ? SYS_epoll_wait : !strcmp(how, "poll") ? SYS_poll :
	       !strcmp(how, "big") ? SYS_poll : SYS_read;
}

/* Starts @command, and captures a thread of it that sleeps in call @number. */
static void capture_command(char *const *command, int number, struct user_stack *stack, u32 bytes,
			    bool walk, pid_t *pid)
{
	pid_t tid;

	*pid = child_run(command);
	tid = await_sleeper(*pid, number);
	if (!tid || !capture(*pid, tid, stack, bytes, walk)) {
		child_kill(*pid);
		fail_msg("%s does not sleep in call %d", command[0], number);
	}
}

static void trace_sleeper(const char *name, const char *how, bool thread, u32 bytes, bool walk,
			  struct trace *trace)
{
	char path[PATH_MAX];
	char *command[] = { path, (char *)how, thread ? "thread" : NULL, NULL };
	struct user_stack stack;
	pid_t pid;

	snprintf(path, sizeof(path), "%s", built(name));
	capture_command(command, number_of(how), &stack, bytes, walk, &pid);
	trace_of(&stack, trace);
	child_kill(pid);
}

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

/* Asserts that the frames from @first on are these functions, NULL at the end. */
static void assert_functions(const struct trace *trace, u32 first, const char *const *names)
{
	for (u32 i = 0; names[i]; i++) {
		if (first + i < trace->nr_symbols &&
		    !strcmp(trace->symbols[first + i].function, names[i]))
			continue;
		print_trace(trace);
		fail_msg("frame %u is not %s", first + i, names[i]);
	}
}

static bool has_function(const struct trace *trace, const char *name)
{
	for (u32 i = 0; i < trace->nr_symbols; i++) {
		if (!strcmp(trace->symbols[i].function, name))
			return true;
	}
	print_trace(trace);
	return false;
}

static const char *wrapper_of(const char *how)
{
	return !strcmp(how, "epoll") ? "epoll_wait" : how;
}

static const char *caller_of(const char *how)
{
	static char name[32];

	snprintf(name, sizeof(name), "wait_by_%s", how);
	return name;
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

static void unoptimised(void **state)
{
	(void)state;
	each_caller("sleeper-O0", true);
}

static void optimised(void **state)
{
	(void)state;
	each_caller("sleeper-O2", true);
	each_caller("sleeper-clang", true);
}

static void frame_pointers(void **state)
{
	(void)state;
	each_caller("sleeper-fp", true);
}

static void at_fixed_addresses(void **state)
{
	(void)state;
	each_caller("sleeper-nopie", true);
}

static void static_program(void **state)
{
	(void)state;
	each_caller("sleeper-static", true);
}

static void without_lines(void **state)
{
	(void)state;
	each_caller("sleeper-g0", false);
}

/* The functions it exports are left. */
static void exported(void **state)
{
	(void)state;
	each_caller("sleeper-exported", false);
}

static void debug_file(void **state)
{
	(void)state;
	each_caller("sleeper-split", true);
}

/* The debug information is packed. */
static void packed(void **state)
{
	(void)state;
	each_caller("sleeper-packed", true);
}

/* Symbols as Fedora leaves them: packed, and only those that are in no other table. */
static void mini(void **state)
{
	(void)state;
	each_caller("sleeper-mini", false);
}

/* What is at @offset in a file built for this test, by its symbols. */
static const char *function_at(const char *program, u64 offset)
{
	static char name[OBJECT_NAME];
	struct object object;
	u64 start;

	assert_true(object_open(&object, open(built(program), O_RDONLY | O_CLOEXEC), false));
	if (!object_function(&object, SHT_SYMTAB, offset, &start, name))
		name[0] = '\0';
	object_close(&object);
	return name;
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

static void stripped(void **state)
{
	(void)state;
	assert_stripped("sleeper-stripped", "sleeper-g0");
	assert_stripped("sleeper-static-stripped", "sleeper-static-g0");
}

/* A C library without call frame information. */
static void musl(void **state)
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

static void mangled(void **state)
{
	static const char *const names[] = { "poll", "net::Loop<int>::wait", "main", NULL };
	struct trace trace;

	(void)state;
	trace_sleeper("sleeper-cc", "poll", false, STACK_BYTES, false, &trace);
	assert_functions(&trace, 0, names);
	assert_int_equal(trace.symbols[1].line, line_of("sleeper.cc", "poll"));
}

/* A handler was called by nobody: what it interrupted is known by the kernel's frame. */
static void signals(void **state)
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
static void joined(void **state)
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

static void go_program(void **state)
{
	/* Behind the path of the package, which changes. */
	static const char *const names[] = {
		"syscall.Syscall6", "syscall.RawSyscall6", "syscall.Syscall",
		"syscall.read", "main.waitByRead", "main.main", "runtime.main",
	};
	const char *name, *slash;
	struct trace trace;

	(void)state;
	if (access(built("sleeper-go"), X_OK))
		skip();
	trace_sleeper("sleeper-go", "read", false, STACK_BYTES, true, &trace);
	assert_true(has_function(&trace, "main.waitByRead"));
	assert_true(has_function(&trace, "main.main"));
	trace_sleeper("sleeper-go-stripped", "read", false, STACK_BYTES, true, &trace);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_string_equal(trace.symbols[i].module, "sleeper-go-stripped");
		name = function_at("sleeper-go", trace.symbols[i].offset - 1);
		slash = strrchr(name, '/');
		assert_string_equal(slash ? slash + 1 : name, names[i]);
	}
}

/* The file that runs is not the one that is there now. */
static void replaced(void **state)
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
static void asleep(void **state)
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
static void gone(void **state)
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
static void nonsense(void **state)
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
static void confined(void **state)
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

static void python(void **state)
{
	char *command[] = { "/usr/bin/python3", "-c", "import select; select.epoll().poll()",
			    NULL };
	struct user_stack stack;
	struct trace trace;
	pid_t pid;

	(void)state;
	if (access(command[0], X_OK))
		skip();
	capture_command(command, SYS_epoll_wait, &stack, STACK_BYTES, true, &pid);
	trace_of(&stack, &trace);
	child_kill(pid);
	assert_string_equal(trace.symbols[0].function, "epoll_wait");
	assert_non_null(strstr(trace.symbols[1].module, "python3"));
	assert_true(trace.count > 2);
}

static void redis(void **state)
{
	char socket[PATH_MAX];
	char *command[] = { "/usr/bin/redis-server", "--port", "0", "--save", "", "--unixsocket",
			    socket, NULL };
	struct user_stack stack;
	struct trace trace;
	pid_t pid;

	(void)state;
	if (access(command[0], X_OK))
		skip();
	snprintf(socket, sizeof(socket), "%s", built("redis.sock"));
	capture_command(command, SYS_epoll_wait, &stack, STACK_BYTES, true, &pid);
	trace_of(&stack, &trace);
	child_kill(pid);
	unlink(socket);
	assert_string_equal(trace.symbols[0].function, "epoll_wait");
	assert_non_null(strstr(trace.symbols[1].module, "redis"));
	assert_true(has_function(&trace, "aeMain"));
	assert_true(has_function(&trace, "main"));
}

/*
 * What is made at run time has its names in a file, and frame pointers. What is only interpreted
 * would be the interpreter, without the option that gives each function an entry of its own.
 */
static void node(void **state)
{
	char fifo[PATH_MAX], script[PATH_MAX + 256], map[64];
	char *command[] = { "/usr/bin/node", "--perf-basic-prof", "--no-logfile-per-isolate",
			    "--logfile=/dev/null", "--interpreted-frames-native-stack", "-e",
			    script, NULL };
	struct user_stack stack;
	struct trace trace;
	pid_t pid;

	(void)state;
	if (access(command[0], X_OK))
		skip();
	snprintf(fifo, sizeof(fifo), "%s", built("fifo"));
	mkfifo(fifo, 0600);
	snprintf(script, sizeof(script), "const fs = require('fs'); function waitHere() {"
		 " return fs.readSync(fs.openSync('%s', 'r+'), Buffer.alloc(1)) } waitHere()",
		 fifo);
	capture_command(command, SYS_read, &stack, STACK_BYTES, true, &pid);
	trace_of(&stack, &trace);
	child_kill(pid);
	unlink(fifo);
	snprintf(map, sizeof(map), "/tmp/perf-%d.map", pid);
	unlink(map);
	assert_string_equal(trace.symbols[0].function, "read");
	assert_string_equal(trace.symbols[1].module, "node");
	for (u32 i = 0; i < trace.nr_symbols; i++) {
		if (strstr(trace.symbols[i].function, "waitHere"))
			return;
	}
	print_trace(&trace);
	fail_msg("no waitHere");
}

static int print_stacks(char **command)
{
	pid_t pid = child_run(command), tid;
	struct user_stack stack;
	static struct trace trace;
	struct dirent *entry;
	struct rusage usage;
	char path[64];
	u64 begin;
	DIR *dir;

	sleep(2);
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		tid = atoi(entry->d_name);
		if (!tid || !capture(pid, tid, &stack, STACK_BYTES, true))
			continue;
		begin = clock_ns();
		trace_of(&stack, &trace);
		getrusage(RUSAGE_SELF, &usage);
		print_message("# thread %d, %s, %ld KiB at most\n", tid,
			      text_ns(clock_ns() - begin).buf, usage.ru_maxrss);
		print_trace(&trace);
	}
	if (dir)
		closedir(dir);
	child_kill(pid);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unoptimised), cmocka_unit_test(optimised),
		cmocka_unit_test(frame_pointers), cmocka_unit_test(at_fixed_addresses),
		cmocka_unit_test(static_program), cmocka_unit_test(without_lines),
		cmocka_unit_test(exported), cmocka_unit_test(debug_file), cmocka_unit_test(packed),
		cmocka_unit_test(mini), cmocka_unit_test(stripped), cmocka_unit_test(musl),
		cmocka_unit_test(mangled), cmocka_unit_test(signals), cmocka_unit_test(joined),
		cmocka_unit_test(go_program), cmocka_unit_test(replaced), cmocka_unit_test(asleep), cmocka_unit_test(gone),
		cmocka_unit_test(nonsense), cmocka_unit_test(confined), cmocka_unit_test(python),
		cmocka_unit_test(redis), cmocka_unit_test(node),
	};

	if (argc > 1)
		return print_stacks(argv + 1);
	return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}

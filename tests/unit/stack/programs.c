// SPDX-License-Identifier: GPL-2.0-only
/* Programs of others, where they are installed. */
#include <sys/stat.h>

#include "trace.h"
#include "tests.h"

void go_program(void **state)
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

void python(void **state)
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

void redis(void **state)
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
void node(void **state)
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

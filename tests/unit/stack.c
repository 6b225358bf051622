// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stacks of programs that sleep where they say: sleeper.c and others in stack/. With arguments it
 * is no test: it runs these as a command and prints the stacks of its threads after two seconds.
 */
#include <dirent.h>
#include <sys/resource.h>

#include "user/clock.h"
#include "stack/trace.h"
#include "stack/tests.h"

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
	static const struct CMUnitTest tests[] = {
#define STACK_TEST(name) cmocka_unit_test(name),
#include "stack/tests.def"
#undef STACK_TEST
	};

	if (argc > 1)
		return print_stacks(argv + 1);
	return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}

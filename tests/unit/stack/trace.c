// SPDX-License-Identifier: GPL-2.0-only
#include "trace.h"

#include <dirent.h>
#include <fcntl.h>

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

void trace_of(const struct user_stack *stack, struct trace *trace)
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

void print_trace(const struct trace *trace)
{
	for (u32 i = 0; i < trace->nr_symbols; i++) {
		const struct symbol *symbol = &trace->symbols[i];

		print_message("# %2u%s%s %s\n", i, symbol->frame.gap ? " gap" : "",
			      symbol->frame.guessed ? " guessed" : "",
			      symbol_text(symbol, text_name).buf);
	}
}

const char *built(const char *name)
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

void capture_command(char *const *command, int number, struct user_stack *stack, u32 bytes,
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

void trace_sleeper(const char *name, const char *how, bool thread, u32 bytes, bool walk,
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

void assert_functions(const struct trace *trace, u32 first, const char *const *names)
{
	for (u32 i = 0; names[i]; i++) {
		if (first + i < trace->nr_symbols &&
		    !strcmp(trace->symbols[first + i].function, names[i]))
			continue;
		print_trace(trace);
		fail_msg("frame %u is not %s", first + i, names[i]);
	}
}

bool has_function(const struct trace *trace, const char *name)
{
	for (u32 i = 0; i < trace->nr_symbols; i++) {
		if (!strcmp(trace->symbols[i].function, name))
			return true;
	}
	print_trace(trace);
	return false;
}

const char *wrapper_of(const char *how)
{
	return !strcmp(how, "epoll") ? "epoll_wait" : how;
}

const char *caller_of(const char *how)
{
	static char name[32];

	snprintf(name, sizeof(name), "wait_by_%s", how);
	return name;
}

const char *function_at(const char *program, u64 offset)
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

// SPDX-License-Identifier: GPL-2.0-only
/* What a child that reads a stack can do, and what is left when it does not end well. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unit.h"

#include "user/clock.h"
#include "user/stack/traceback.h"

static enum { GOOD, CRASH_FIRST, CRASH_LAST, SPIN, HOG, ESCAPE } behaviour;

/* In place of those that read files. */
struct image *image_open(u32 tgid)
{
	(void)tgid;
	return (struct image *)&behaviour;
}

static uid_t geteuid_before;

static int open_at_will(const char *path, int flags)
{
	struct open_how how = { .flags = flags };

	return syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

/* Tries what must not be possible; bits of what was. */
static u64 escape(void)
{
	u64 done = 0;

	done |= open("/dev/null", O_WRONLY) >= 0;
	done |= (open("/tmp", O_TMPFILE | O_RDWR, 0600) >= 0) << 1;
	done |= (socket(AF_INET, SOCK_DGRAM, 0) >= 0) << 2;
	done |= (write(1, "", 0) >= 0) << 3;
	done |= (!kill(getppid(), 0)) << 4;
	done |= (!unlink("/nonexistent") || errno != EPERM) << 5;
	done |= (execl("/bin/true", "true", NULL) != -1 || errno != EPERM) << 6;
	done |= (fork() >= 0) << 7;
	/* But files can be read. */
	done |= (mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) << 9;
	done |= (open_at_will("/etc/passwd", O_WRONLY) >= 0) << 10;
	done |= (open_at_will("/etc/shadow", O_RDONLY) < 0 && geteuid_before == 0) << 11;
	done |= (open("/proc/self/status", O_RDONLY | O_CLOEXEC) < 0) << 8;
	return done;
}

u32 stack_unwind(struct image *image, const struct user_stack *stack, struct frame *frames, u32 max)
{
	volatile bool forever = behaviour == SPIN;

	(void)image;
	(void)max;
	if (behaviour == CRASH_FIRST)
		abort();
	while (forever)
		;
	frames[0] = (struct frame){ .address = stack->ip };
	frames[1] = (struct frame){ .address = behaviour == ESCAPE ? escape() : 0x2000 };
	return 2;
}

u32 symbols_name(struct image *image, const struct frame *frames, u32 count,
		 struct symbol *symbols, u32 max)
{
	void *volatile memory;

	(void)image;
	(void)max;
	if (behaviour == CRASH_LAST)
		raise(SIGSEGV), abort();
	for (u32 i = 0; i < count; i++) {
		symbols[i] = (struct symbol){ .frame = frames[i] };
		memset(symbols[i].function, 'x', sizeof(symbols[i].function));
	}
	if (behaviour == HOG) {
		while ((memory = malloc(256 << 20)))
			;
		strcpy(symbols[0].function, "full");
	}
	return count;
}

static const struct user_stack stack = {
	.ip = 0x1000, .nr_frames = 3, .frames = { 0x1000, 0x3000, 0x4000 },
};

static void good(void **state)
{
	struct symbol symbols[TRACEBACK_MAX];

	(void)state;
	behaviour = GOOD;
	assert_int_equal(traceback_make(&stack, symbols, TRACEBACK_MAX), 2);
	assert_int_equal(symbols[1].frame.address, 0x2000);
	assert_int_equal(strlen(symbols[1].function), CODE_NAME - 1);
	assert_int_equal(traceback_make(&stack, symbols, 1), 1);
}

/* As far as it came. */
static void crashes(void **state)
{
	struct symbol symbols[TRACEBACK_MAX];

	(void)state;
	behaviour = CRASH_LAST;
	assert_int_equal(traceback_make(&stack, symbols, TRACEBACK_MAX), 2);
	assert_int_equal(symbols[1].frame.address, 0x2000);
	assert_string_equal(symbols[1].function, "");
	behaviour = CRASH_FIRST;
	assert_int_equal(traceback_make(&stack, symbols, TRACEBACK_MAX), 3);
	assert_int_equal(symbols[0].frame.address, 0x1000);
	assert_int_equal(symbols[1].frame.address, 0x3000);
	assert_true(symbols[1].frame.gap);
	assert_false(symbols[2].frame.gap);
}

static void takes_too_much(void **state)
{
	struct symbol symbols[TRACEBACK_MAX];
	u64 begin = clock_ns();

	(void)state;
	behaviour = SPIN;
	assert_int_equal(traceback_make(&stack, symbols, TRACEBACK_MAX), 3);
	assert_true(clock_ns() - begin < 20 * NS_PER_SEC);
	behaviour = HOG;
	assert_int_equal(traceback_make(&stack, symbols, TRACEBACK_MAX), 2);
	assert_string_equal(symbols[0].function, "full");
}

static void confined(void **state)
{
	struct symbol symbols[TRACEBACK_MAX];

	(void)state;
	behaviour = ESCAPE;
	geteuid_before = geteuid();
	assert_int_equal(traceback_make(&stack, symbols, TRACEBACK_MAX), 2);
	assert_int_equal(symbols[1].frame.address, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good), cmocka_unit_test(crashes),
		cmocka_unit_test(takes_too_much), cmocka_unit_test(confined),
	};

	return cmocka_run_group_tests_name("traceback", tests, NULL, NULL);
}

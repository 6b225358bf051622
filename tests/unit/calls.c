// SPDX-License-Identifier: GPL-2.0-only
/* The table of watched calls, choosing from it, and routing system call numbers. */
#include <string.h>
#include <sys/syscall.h>

#include "unit.h"

#include "user/model/calls.h"

static char word[32];

static const char *select_calls(const char *list, bool selected[NR_CALLS])
{
	memset(selected, 0, NR_CALLS);
	return calls_select(list, selected, word, sizeof(word));
}

static int chosen(const bool selected[NR_CALLS])
{
	int count = 0;

	for (int i = 0; i < NR_CALLS; i++)
		count += selected[i];
	return count;
}

static void table(void **state)
{
	(void)state;
	assert_null(calls[CALL_NONE].name);
	for (int i = 1; i < NR_CALLS; i++) {
		assert_non_null(calls[i].name);
		assert_in_range(calls[i].class, CLASS_WAIT, CLASS_CONTROL);
		assert_in_range(calls[i].nr, 0, NR_SYSCALLS - 1);
		assert_in_range(calls[i].nr_i386, 1, NR_SYSCALLS - 1);
		for (int j = 1; j < i; j++) {
			assert_string_not_equal(calls[i].name, calls[j].name);
			assert_int_not_equal(calls[i].nr, calls[j].nr);
		}
	}
	assert_string_equal(class_name(CLASS_WAIT), "wait");
	assert_string_equal(class_name(CLASS_CONTROL), "control");
}

static void by_name(void **state)
{
	bool selected[NR_CALLS];

	(void)state;
	assert_null(select_calls("read", selected));
	assert_true(selected[CALL_read]);
	assert_int_equal(chosen(selected), 1);
	assert_null(select_calls("read,epoll_wait,read", selected));
	assert_true(selected[CALL_epoll_wait]);
	assert_int_equal(chosen(selected), 2);
}

static void by_class(void **state)
{
	bool selected[NR_CALLS];

	(void)state;
	assert_null(select_calls("wait", selected));
	for (int i = 1; i < NR_CALLS; i++)
		assert_int_equal(selected[i], calls[i].class == CLASS_WAIT);
	assert_null(select_calls("wait,input,output,control", selected));
	assert_int_equal(chosen(selected), NR_CALLS - 1);
	assert_false(selected[CALL_NONE]);
	assert_null(select_calls("control,read", selected));
	for (int i = 1; i < NR_CALLS; i++)
		assert_int_equal(selected[i], calls[i].class == CLASS_CONTROL || i == CALL_read);
}

static void unknown(void **state)
{
	bool selected[NR_CALLS];

	(void)state;
	assert_string_equal(select_calls("nonsense", selected), "nonsense");
	assert_string_equal(select_calls("read,reed,write", selected), "reed");
	assert_string_equal(select_calls("rea", selected), "rea");
	assert_string_equal(select_calls("readx", selected), "readx");
	assert_string_equal(select_calls("Read", selected), "Read");
	assert_string_equal(select_calls("read,,write", selected), "");
	assert_string_equal(select_calls(",read", selected), "");
	/* A word longer than the room for it is cut, and still unknown. */
	assert_int_equal(strlen(select_calls("a-word-much-longer-than-any-name-of-a-call",
					     selected)), sizeof(word) - 1);
}

static void routes(void **state)
{
	bool selected[NR_CALLS];
	u32 route[NR_SYSCALLS] = { 0 };

	(void)state;
	select_calls("read", selected);
	calls_route(selected, true, false, route);
	assert_int_equal(ROUTE_CALL(route[__NR_read]), CALL_read);
	assert_int_equal(ROUTE_ARGS(route[__NR_read]), ARGS_BUF);
	assert_true(route[calls[CALL_read].nr_i386] & ROUTE_COMPAT);
	assert_int_equal(ROUTE_CALL(route[__NR_write]), 0);
	/* Nothing follows epoll sets unless an epoll call is watched. */
	assert_int_equal(route[__NR_epoll_ctl] & 0xffff, 0);
	assert_int_equal(route[__NR_dup2] & 0xffff, 0);
	assert_int_equal(ROUTE_ARGS(route[__NR_restart_syscall]), ARGS_RESTART);

	memset(route, 0, sizeof(route));
	select_calls("epoll_wait", selected);
	calls_route(selected, true, false, route);
	assert_int_equal(ROUTE_CALL(route[__NR_epoll_ctl]), CALL_epoll_ctl);
	assert_int_equal(ROUTE_ARGS(route[__NR_close]), ARGS_CLOSE);
	assert_int_equal(ROUTE_CALL(route[__NR_close]), CALL_NO_ROW);
}

/* A route holds every call and every way to read arguments, and is never mistaken for none. */
static void packing(void **state)
{
	(void)state;
	for (u32 call = 1; call <= CALL_NO_ROW; call++) {
		for (u32 args = 0; args <= ARGS_CREATE; args++) {
			u32 route = ROUTE(call, args) | ROUTE_COMPAT;

			assert_int_equal(ROUTE_CALL(route), call);
			assert_int_equal(ROUTE_ARGS(route), args);
		}
	}
	assert_true(NR_CALLS <= NR_CALL_KINDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table), cmocka_unit_test(by_name), cmocka_unit_test(by_class),
		cmocka_unit_test(unknown), cmocka_unit_test(routes), cmocka_unit_test(packing),
	};

	return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The lines of a trace, and the order in which its records are shown. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#include "user/output/json_report.h"
#include "user/output/table.h"
#include "user/trace.h"
#include "user/trace/call.h"

/* What follows the lines is not tested here. */
json_t *report_json_begin(const struct report *report, int schema_version)
{
	(void)report;
	(void)schema_version;
	return json_object();
}

void report_json_end(json_t *document, const struct report *report)
{
	(void)document;
	(void)report;
}

void print_remarks(FILE *out, const struct report *report)
{
	(void)out;
	(void)report;
}

/* The same three digits as in the tables; only halves may be rounded the other way. */
static void times(void **state)
{
	char text[NS_TEXT_MAX];

	(void)state;
	for (double v = 0; v < 1e15; v = v * 1.003 + 1) {
		u64 ns = v;

		ns_text(text, ns);
		if (strcmp(text, text_ns(ns).buf)) {
			ns_text(text, ns - 1);
			assert_string_equal(text, text_ns(ns - 1).buf);
		}
	}
	ns_text(text, 999);
	assert_string_equal(text, "999ns");
	ns_text(text, 9995000);
	assert_string_equal(text, "10.0ms");
	ns_text(text, 999500000);
	assert_string_equal(text, "1.00s");
	ns_text(text, -1ull);
	assert_true(strlen(text) < NS_TEXT_MAX);
}

static void strings(void **state)
{
	struct line *line = malloc(sizeof(*line));

	(void)state;
	line_clear(line);
	line_json(line, "a\"b\\c\n\x7f\xc3\xa9");
	line_char(line, ' ');
	line_s64(line, INT64_MIN);
	line_char(line, ' ');
	line_u64(line, UINT64_MAX);
	line_char(line, '\0');
	assert_string_equal(line->text, "\"a\\\"b\\\\c\\u000a\\u007f\xc3\xa9\" "
			    "-9223372036854775808 18446744073709551615");
	free(line);
}

/* What does not fit in a line is cut, and said to be. */
static void too_long(void **state)
{
	struct line *line = malloc(sizeof(*line));
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	line_clear(line);
	for (int i = 0; i < 2 * LINE_MAX_BYTES / 10; i++)
		line_text(line, "0123456789");
	line_write(line, out);
	fclose(out);
	assert_int_equal(size, LINE_MAX_BYTES + 5);
	assert_string_equal(text + size - 8, "345 ...\n");
	free(text);
	free(line);
}

struct fixture {
	struct trace trace;
	struct options options;
	char *text;
	size_t size;
};

static void fixture_begin(struct fixture *f, const struct trace_format *format)
{
	*f = (struct fixture){ 0 };
	f->options.trace = &f->trace;
	f->options.tgids.count = 1;
	f->trace.options = &f->options;
	f->trace.format = format;
	f->trace.names = names_open(format->escape);
	f->trace.begin_ns = NS_PER_SEC;
	f->trace.out = open_memstream(&f->text, &f->size);
}

static void fixture_end(struct fixture *f)
{
	fclose(f->trace.out);
	names_close(f->trace.names);
	free(f->text);
}

/* The text of @call alone. */
static const char *text_of(struct fixture *f, const struct trace_call *call)
{
	fclose(f->trace.out);
	free(f->text);
	f->trace.out = open_memstream(&f->text, &f->size);
	f->trace.format->call(&f->trace, call);
	fflush(f->trace.out);
	return f->text;
}

static struct trace_call read_call(void)
{
	return (struct trace_call){
		.kind = TRACE_CALL, .call = CALL_read, .tgid = 812, .tid = 813, .entries = 1,
		.enter_ns = 3 * NS_PER_SEC, .end_ns = 3 * NS_PER_SEC + 1500000,
		.blocked_ns = 1200000, .runnable_ns = 100000, .copy_ns = 50000,
		.ret = 30, .moved = 30, .args = { 8, 0, 16384 }, .object = 7, .comm = "worker",
		.waker = { .kind = WAKER_TASK, .tgid = 900, .comm = "client" }, .waker_tid = 901,
	};
}

static void name_pipe(struct fixture *f, u64 object, u32 ino)
{
	struct trace_name name = {
		.kind = TRACE_NAME, .file_kind = KIND_PIPE, .object = object, .ino = ino,
	};

	names_add(f->trace.names, &name);
}

static void lines(void **state)
{
	struct trace_call call = read_call();
	struct fixture f;

	(void)state;
	fixture_begin(&f, &trace_text);
	assert_string_equal(text_of(&f, &call),
		"   2.001500     813 1.50ms  1.20ms    100us   150us  50.0us  read(8, 16384) = 30 "
		"by client/901\n");
	name_pipe(&f, 7, 4711);
	/* A copy that may be all of the rest, and a name that means to move the cursor. */
	call.copy_ns = 200000;
	call.copy_bound_ns = 200000;
	call.waker.comm[0] = '\x1b';
	assert_string_equal(text_of(&f, &call),
		"   2.001500     813 1.50ms  1.20ms    100us       -  <200us  read(8<pipe:[4711]>, "
		"16384) = 30 by \\x1blient/901\n");
	call.waker.kind = WAKER_SOFTIRQ;
	call.copy_ns = call.copy_bound_ns = 0;
	call.ret = -EAGAIN;
	assert_non_null(strstr(text_of(&f, &call), " 0  read(8<pipe:[4711]>, 16384) = -1 EAGAIN by "
			       "softirq\n"));
	call.flags = TRACE_BEFORE;
	assert_non_null(strstr(text_of(&f, &call), ">1.50ms       -        -       -       -  "
			       "read(...) = -1 EAGAIN"));
	call.flags = TRACE_UNFINISHED;
	assert_non_null(strstr(text_of(&f, &call), "= ? (the thread ended inside)"));
	call.flags = 0;
	call.ret = -512;
	assert_non_null(strstr(text_of(&f, &call), "= ? (interrupted, to be restarted)"));
	fixture_end(&f);
}

static void waits(void **state)
{
	struct trace_call call = read_call();
	struct fixture f;

	(void)state;
	call.call = CALL_epoll_wait;
	call.args[0] = 5;
	call.args[2] = 128;
	call.args[3] = -1;
	call.asked = 12;
	call.scanned = 4;
	call.passes = 2;
	call.ret = 40;
	call.copy_ns = 0;
	call.events_ready = 40;
	for (int i = 0; i < TRACE_EVENTS; i++)
		call.events[i] = (struct trace_event){ .fd = 10 + i, .events = 0x2011 };
	fixture_begin(&f, &trace_text);
	assert_non_null(strstr(text_of(&f, &call),
		"epoll_wait(5, 128, -1) = 40 asked 12 scanned 4 passes 2 by client/901: 10 IN|HUP|RDHUP, "
		"11 IN|HUP|RDHUP"));
	assert_non_null(strstr(f.text, "25 IN|HUP|RDHUP, 24 more\n"));
	call.flags = TRACE_ASKED_UNKNOWN;
	assert_non_null(strstr(text_of(&f, &call), " asked - scanned 4 "));
	/* It was refused: nothing was looked at. */
	call = (struct trace_call){ .call = CALL_poll, .ret = -EINVAL, .args = { 0, 3, -1 } };
	assert_non_null(strstr(text_of(&f, &call), "poll(3, -1) = -1 EINVAL\n"));
	fixture_end(&f);
}

static void objects(void **state)
{
	struct trace_call call = read_call();
	struct fixture f;

	(void)state;
	memcpy(call.comm, "a\"b\\c\n", 7);
	fixture_begin(&f, &trace_ndjson);
	name_pipe(&f, 7, 4711);
	text_of(&f, &call);
	assert_non_null(strstr(f.text, "\"comm\":\"a\\\"b\\\\\\\\c\\u000a\","));
	assert_non_null(strstr(f.text, "\"kernel_ns\":150000,\"copy_ns\":50000,"));
	assert_non_null(strstr(f.text, "\"fd\":8,\"name\":\"pipe:[4711]\",\"born_ns\":7,"));
	assert_non_null(strstr(f.text, "\"result\":30,\"error\":null,"));
	assert_int_equal(f.text[f.size - 1], '\n');
	fixture_end(&f);
}

/* A later name of a socket replaces what was known; others stay what they are. */
static void names(void **state)
{
	struct names *table = names_open(text_name);
	struct trace_name name = { .file_kind = KIND_TCP, .object = 1, .ino = 1 };
	char first[TEXT_MAX];

	(void)state;
	assert_null(names_find(table, 0));
	assert_null(names_find(table, 1));
	name.name.family = AF_INET;
	names_add(table, &name);
	snprintf(first, sizeof(first), "%s", names_find(table, 1));
	name.name.peer_port = 1;
	names_add(table, &name);
	assert_string_not_equal(names_find(table, 1), first);
	/* There is an end to how many are kept: those that are used stay. */
	for (u64 i = 2; i < DESCRIPTORS_MAX + 1000; i++) {
		name.object = i;
		names_add(table, &name);
		if (i % 100 == 0)
			assert_non_null(names_find(table, 1));
	}
	assert_non_null(names_find(table, 1));
	assert_null(names_find(table, 2));
	assert_non_null(names_find(table, DESCRIPTORS_MAX + 999));
	names_close(table);
}

/* Of a file that is told of twice, the second time when its process is gone, the folder stays known. */
static void names_of_files(void **state)
{
	struct names *table = names_open(text_name);
	int fd = open("/dev/null", O_RDONLY);
	struct trace_name name = { .file_kind = KIND_DEVICE, .object = 1, .tgid = getpid(), .fd = fd,
				   .name.path = "null" };
	struct stat st;

	(void)state;
	assert_int_equal(fstat(fd, &st), 0);
	name.ino = st.st_ino;
	names_add(table, &name);
	assert_string_equal(names_find(table, 1), "/dev/null");
	close(fd);
	names_add(table, &name);
	assert_string_equal(names_find(table, 1), "/dev/null");
	name.object = 2;
	names_add(table, &name);
	assert_string_equal(names_find(table, 2), ".../null");
	names_close(table);
}

/* What a stream showed: the ends of calls, and losses as negative numbers. */
struct shown {
	s64 what[20000];
	u32 count;
};

static void show_call(void *context, const struct trace_call *call, const struct names *table)
{
	struct shown *shown = context;

	(void)table;
	shown->what[shown->count++] = call->end_ns;
}

static void show_lost(void *context, u64 calls)
{
	struct shown *shown = context;

	shown->what[shown->count++] = -(s64)calls;
}

static void take(struct stream *stream, u64 end_ns, u64 lost)
{
	struct trace_call call = { .kind = TRACE_CALL, .call = 1, .end_ns = end_ns, .lost = lost };

	stream_take(stream, &call, offsetof(struct trace_call, events));
}

static void order(void **state)
{
	static struct shown shown;
	struct trace_view view = { show_call, show_lost, &shown };
	struct names *table = names_open(text_name);
	struct stream *stream = stream_open(&view, table);
	static const s64 expected[] = { 10, 20, 30, -5, 40, 50, -2, 60, 45, -3 };

	(void)state;
	take(stream, 20, 0);
	take(stream, 10, 0);
	take(stream, 30, 0);
	take(stream, 50, 5);
	take(stream, 40, 5);
	stream_show(stream, 50);
	assert_int_equal(shown.count, 6);
	take(stream, 60, 7);
	stream_show(stream, 60);
	take(stream, 45, 7);		/* too late for its place */
	stream_end(stream, 10);
	assert_int_equal(shown.count, ARRAY_SIZE(expected));
	assert_memory_equal(shown.what, expected, sizeof(expected));
	assert_int_equal(stream_calls(stream), 7);
	assert_int_equal(stream_lost(stream), 10);
	assert_int_equal(stream_late(stream), 1);
	stream_close(stream);
	names_close(table);
}

/* More than are held back are shown, the first first, whatever their time. */
static void many(void **state)
{
	static struct shown shown;
	struct trace_view view = { show_call, show_lost, &shown };
	struct names *table = names_open(text_name);
	struct stream *stream = stream_open(&view, table);
	u32 n = ARRAY_SIZE(shown.what);

	(void)state;
	shown.count = 0;
	for (u32 i = 0; i < n; i++) {
		take(stream, 1000 + (i ^ 1), 0);
		if (i % 700 == 699)
			stream_show(stream, 1000 + i - 100);
	}
	stream_end(stream, 0);
	assert_int_equal(shown.count, n);
	for (u32 i = 0; i < n; i++)
		assert_int_equal(shown.what[i], 1000 + i);
	assert_int_equal(stream_late(stream), 0);
	stream_close(stream);
	names_close(table);
}

/* What is no record, or less than one, is passed by. */
static void damaged(void **state)
{
	static struct shown shown;
	struct trace_view view = { show_call, show_lost, &shown };
	struct names *table = names_open(text_name);
	struct stream *stream = stream_open(&view, table);
	struct trace_call call = { .kind = TRACE_CALL, .call = 1, .events_ready = 3 };

	(void)state;
	shown.count = 0;
	stream_take(stream, &call, offsetof(struct trace_call, events) + 2 * sizeof(*call.events));
	call.events_ready = 0;
	call.call = NR_CALLS;
	stream_take(stream, &call, sizeof(call));
	call.call = 0;
	stream_take(stream, &call, sizeof(call));
	call.kind = 77;
	stream_take(stream, &call, sizeof(call));
	call.kind = TRACE_NAME;
	stream_take(stream, &call, 16);
	stream_take(stream, &call, 1);
	stream_end(stream, 0);
	assert_int_equal(shown.count, 0);
	stream_close(stream);
	names_close(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times), cmocka_unit_test(strings), cmocka_unit_test(too_long),
		cmocka_unit_test(lines), cmocka_unit_test(waits), cmocka_unit_test(objects),
		cmocka_unit_test(names), cmocka_unit_test(names_of_files), cmocka_unit_test(order),
		cmocka_unit_test(many),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}

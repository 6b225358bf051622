// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saved sessions without a kernel: a model that is made up is printed in all ways, saved, read back, and
 * printed again; then the same file is read in thousands of damaged forms. Built with sanitizers, which end
 * the program at the first byte that is read or written out of place.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

/* Before cmocka.h, which has a macro of the same name. */
#include "user/fail.h"

#include "rules/model.h"

#include "user/doctor/diagnosis.h"
#include "user/model/view.h"
#include "user/report/diff.h"
#include "user/report/series.h"
#include "user/saved/recorder.h"
#include "user/saved/saved.h"

#define ALL_RECORDS ((1u << NR_RECORD_KINDS) - 1)

static struct options options;
static struct parts parts;
static struct cost cost = {
	.sampled_ns = 1000, .bpf_ns = 10, .recursion_misses = 3, .setup_ns = 77, .watched_ns = 5000,
};

/* The stacks of all there is. */
static u32 find_stack(const struct stack_source *source, const struct stack_key *key,
		      const struct user_place *here, struct symbol *symbols, u32 max)
{
	(void)source;
	(void)here;
	assert_true(max >= 2);
	symbols[0] = (struct symbol){
		.frame = { .address = 0x7fffffffffff0000 + key->kind, .exact = true }, .offset = 17,
		.function = "read\\\"\x1b[2J\xff", .module = "libc.so.6",
	};
	symbols[1] = (struct symbol){
		.frame = { .address = key->object }, .inlined = true, .function = "main",
		.file = "a b.c", .line = 4711,
	};
	return 2;
}

static const struct stack_source stacks = { .find = find_stack };

static struct report report_now(void)
{
	return (struct report){
		.options = &options, .version = "0.1.0", .kernel = "6.1 \"x\"", .backend = "mixed",
		.scan_tier = "exact", .lag_tier = "lower_bound", .fd_lag_tier = "bound",
		.parts = &parts, .duration_ns = WATCHED_S * NS_PER_SEC, .at = { 1795636614, 999999999 },
		.reading = &reading, .cost = &cost, .last = true, .stacks = &stacks,
	};
}

/* All that reading @to has that is a number, in one way or the other. */
static void fill(u64 *figures, size_t count, u64 first)
{
	for (size_t i = 0; i < count; i++)
		figures[i] = first + 1000 * i;
}

static void add_calls(struct rows *rows, u32 tid)
{
	static const struct waker wakers[] = {
		{ .kind = WAKER_SOFTIRQ }, { .kind = WAKER_TASK, .tgid = 12, .comm = "w\\\"\n" },
	};

	for (u32 call = 1; call < NR_CALLS; call += 10) {
		struct totals sum;
		struct row *row = rows_get(rows, (struct row_key){
			.proc = PROC(TGID), .tid = tid, .call = call });

		fill((u64 *)&sum, NR_FIGURES, call);
		row_add_call(row, call, &sum);
		memcpy(row->comm, "\x1b[1m</script>\xff\xfe", COMM_LEN);
		row_add_errno(row, 9, 4);
		row_add_errno(row, 4711, 1);
		row_add_waker(row, &wakers[0], 7);
		row_add_waker(row, &wakers[1], 1ull << 40);
	}
}

static void add_hists(void)
{
	static struct hist hist;
	struct row *row, *next;

	fill(hist.wall + 40, 20, 1);
	hist.direct[HIST_BUCKETS - 1] = 3;
	hist.blocked[0] = 1;
	HASH_ITER(hh, reading.rows.table, row, next)
		row_add_hist(row, &hist);
}

static void add_descriptors(void)
{
	for (u8 kind = 0; kind < NR_FILE_KINDS; kind++) {
		struct row *row = fd_row(kind, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE);
		struct row_fd fd = *row->fd;
		struct descriptor *d = &fd.descriptor;

		fill((u64 *)&d->sum, NR_DESCRIPTOR_FIGURES, kind);
		d->flags = 1u << kind % 13;
		d->data = UINT64_MAX - kind;
		d->result = -11;
		d->report_hist[LAG_BUCKETS - 1] = d->serve_hist[0] = 5;
		fd.head.name = (struct file_name){
			.family = kind % 2 ? 10 : 2, .state = kind, .port = 80, .peer_port = 65535,
			.address = { 127, 0, 0, 1 }, .peer = { [15] = 1 }, .path = { 0, 'a', '\n', 'b' },
		};
		fd.path = "/tmp/\xc3\xa9/x";
		free(row->fd);
		row->fd = NULL;
		row_add_fd(row, &fd);
	}
	fd_row(KIND_TCP, EPOLLIN)->fd->many = true;
}

/* A bit of everything, with what rules speak of. */
static void make_up(void)
{
	static struct in_flight in_flight[] = {
		{ .tgid = TGID, .tid = 4712, .comm = "x", .call = CALL_read, .age_ns = 7, .phase = PHASE_BLOCKED },
		{ .tgid = TGID, .tid = 4713, .comm = "y", .call = CALL_poll, .age_bound = true },
	};
	static struct watched_thread threads[] = {
		{ .proc = PROC(TGID), .tid = 4712, .comm = "x", .place = { 1, 2, UINT64_MAX } },
	};
	struct signs *seen;

	add_calls(&reading.by_thread, 4712);
	add_calls(&reading.by_thread, 4713);
	rows_add(&reading.rows, &reading.by_thread);
	add_hists();
	add_descriptors();
	seen = signs_of(fd_row(KIND_TCP, EPOLLIN | EPOLLET));
	seen->sum[SIGN_stalls] = 20;
	seen->sum[SIGN_stall_ns] = 800 * MS;
	seen->called = CALL_read;
	seen->result = -104;
	loop_row(1, WATCH_EPOLL)->loop->figures.blocked_ns[CALL_read] = 3;
	loop_row(2, WATCH_SELECT)->loop->descriptors = ASKED_UNKNOWN;
	sum_of(loop_row(3, WATCH_POLL))->full = 17;
	reading.in_flight = in_flight;
	reading.nr_in_flight = ARRAY_SIZE(in_flight);
	reading.threads = threads;
	reading.nr_threads = ARRAY_SIZE(threads);
	reading.nr_listening = 2;
	reading.listening[1] = (struct listening){ EP, 1001 };
	reading.left_out[reading.nr_left_out++] = (struct left_out_process){ 9, { 4, "32bit" } };
	reading.losses[LOSS_signs_full] = 1;
	strcpy(parts.lacks[PART_waker], "cfs_rq");
}

static int begin_session(void **state)
{
	quiet = true;
	options = (struct options){
		.by = BY_PROCESS | BY_CALL, .sort = "wall", .doctor = &doctor, .everything = true,
	};
	memset(options.selected, true, sizeof(options.selected));
	model_begin(state);
	rows_init(&reading.by_thread, BY_PROCESS | BY_THREAD | BY_CALL);
	make_up();
	return 0;
}

static int end_session(void **state)
{
	rows_free(&reading.by_thread);
	return model_end(state);
}

static const struct output *const outputs[] = {
	&output_table, &output_json, &output_ndjson, &output_csv, &diagnosis_text, &diagnosis_json,
};

/* What all outputs print of @report; the caller frees it. */
static char *print_all(const struct report *from)
{
	static const unsigned int bys[] = {
		BY_PROCESS | BY_CALL, BY_PROCESS, BY_CALL, BY_PROCESS | BY_THREAD,
		BY_PROCESS | BY_THREAD | BY_CALL, BY_FD | BY_PROCESS, BY_LOOP | BY_PROCESS,
	};
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < ARRAY_SIZE(outputs) * ARRAY_SIZE(bys); i++) {
		const struct output *output = outputs[i / ARRAY_SIZE(bys)];
		struct report report = *from;
		struct reading view;

		options.by = bys[i % ARRAY_SIZE(bys)];
		report.options = &options;
		view_make(&view, from->reading, &options);
		report.reading = &view;
		if (output->begin)
			output->begin(out, &options);
		output->print(out, &report);
		view_free(&view, from->reading);
	}
	fclose(out);
	return text;
}

/* The session of the model, in memory; @kept: what its stacks were said to be. */
static int save(struct kept_stacks *kept, bool closed)
{
	struct report report = report_now();
	struct recorder *recorder = recorder_open(NULL, &report);
	struct kept_stacks none = { 0 };
	int fd;

	assert_non_null(recorder);
	recorder_add(recorder, RECORD_SLICE, &report, &none);
	recorder_add(recorder, RECORD_TOTAL, &report, kept);
	if (closed)
		assert_int_equal(recorder_end(recorder), 0);
	fd = dup(recorder_fd(recorder));
	recorder_close(recorder);
	return fd;
}

static void equal(void **state)
{
	struct kept_stacks kept = { 0 };
	int fd = save(&kept, true);
	struct stack_source source = stacks_source(&kept);
	struct report report = report_now();
	struct saved_record record;
	struct saved saved;
	char *live, *later;

	(void)state;
	assert_true(kept.count > 0);
	report.stacks = &source;
	live = print_all(&report);
	assert_int_equal(saved_open(&saved, NULL, fd), 0);
	assert_string_equal(saved.incomplete, "");
	assert_int_equal(saved.counts[RECORD_SLICE], 1);
	assert_memory_equal(saved.thresholds, doctor.thresholds, sizeof(saved.thresholds));
	assert_true(saved_next(&saved, 1u << RECORD_TOTAL, &record));
	later = print_all(&record.report);
	assert_string_equal(live, later);
	assert_int_equal(saved.unread, 0);
	record_free(&record);
	assert_false(saved_next(&saved, ALL_RECORDS, &record));
	saved_close(&saved);
	stacks_free(&kept);
	free(live);
	free(later);
	close(fd);
}

/* A slice has rows and loops, and nothing else. */
static void slice(void **state)
{
	struct kept_stacks kept = { 0 };
	int fd = save(&kept, false);
	struct saved_record record;
	struct saved saved;

	(void)state;
	assert_int_equal(saved_open(&saved, NULL, fd), 0);
	assert_non_null(strstr(saved.incomplete, "was not closed"));
	assert_true(saved_next(&saved, 1u << RECORD_SLICE, &record));
	assert_int_equal(HASH_COUNT(record.reading.rows.table), HASH_COUNT(reading.rows.table));
	assert_int_equal(HASH_COUNT(record.reading.loops.table), 3);
	assert_null(record.reading.fds.table);
	assert_null(record.reading.by_thread.table);
	assert_ptr_equal(record.report.incomplete, saved.incomplete);
	record_free(&record);
	saved_close(&saved);
	stacks_free(&kept);
	close(fd);
}

static u32 dice(void)
{
	static u64 seed = 0x9e3779b97f4a7c15;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed >> 16;
}

/* What the page and --diff make of @from. */
static void draw(const struct report *from)
{
	struct series_set *series = series_new(1);
	struct report report = *from;
	FILE *null = fopen("/dev/null", "w");

	report.options = &options;
	series_add(series, &report);
	json_decref(series_json(series));
	series_free(series);
	diff_print(null, &report, &report, true);
	diff_print(null, &report, &report, false);
	fclose(null);
}

/* Reads all that is in @data, and judges and prints it, whatever it is; whether it opened. */
static bool read_all(const void *data, size_t size, bool print)
{
	int fd = memfd_create("damaged", MFD_CLOEXEC);
	struct saved_record record;
	struct saved saved;
	bool opened;

	assert_true(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	opened = !saved_open(&saved, "damaged", fd);
	while (opened && saved_next(&saved, ALL_RECORDS, &record)) {
		if (print) {
			free(print_all(&record.report));
			draw(&record.report);
		}
		record_free(&record);
	}
	saved_close(&saved);
	close(fd);
	return opened;
}

/* Standard error is not for the thousands of messages that are expected here. */
static int hush(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), kept = dup(2);

	dup2(null, 2);
	close(null);
	return kept;
}

static void unhush(int kept)
{
	dup2(kept, 2);
	close(kept);
}

/* As a disk or a line would: some bytes are others, or missing. */
static void damaged_file(void **state)
{
	struct kept_stacks kept = { 0 };
	int fd = save(&kept, true), errors = hush();
	size_t size = lseek(fd, 0, SEEK_END);
	unsigned char *good = malloc(size), *bad = malloc(size);
	u32 opened = 0;

	(void)state;
	assert_int_equal(pread(fd, good, size, 0), size);
	for (int i = 0; i < 2000; i++) {
		size_t cut = i % 3 ? size : dice() % size;

		memcpy(bad, good, size);
		for (u32 flips = i % 3 ? 1 + dice() % 3 : 0; flips; flips--)
			bad[dice() % size] ^= 1u << dice() % 8;
		opened += read_all(bad, cut, i % 64 == 0);
	}
	unhush(errors);
	/* Most of it is behind the header. */
	assert_true(opened > 300);
	free(good);
	free(bad);
	stacks_free(&kept);
	close(fd);
}

/* The text of the session, of which the records begin with a brace; the caller frees it. */
static char *text_of(int fd, size_t *size)
{
	gzFile file = gzdopen(dup(fd), "r");
	char *text = calloc(1, 4 << 20);
	int n;

	lseek(fd, 0, SEEK_SET);
	n = gzread(file, text, 4 << 20);
	assert_in_range(n, 1000, (4 << 20) - 1);
	gzclose(file);
	*size = n;
	return text;
}

/* Makes a session of @text again, with checksums that are right. */
static void put_text_as_session(FILE *out, const char *text, size_t size)
{
	struct member_writer writer = { .fd = memfd_create("made", MFD_CLOEXEC) };
	const char *end = text + size, *next;
	char buffer[65536];
	ssize_t n;

	for (; text < end; text = next) {
		FILE *member = member_begin(&writer);

		next = memmem(text + 1, end - text - 1, "\n{", 2);
		next = next ? next + 1 : end;
		fwrite(text, 1, next - text, member);
		assert_int_equal(member_end(&writer, member), 0);
	}
	lseek(writer.fd, 0, SEEK_SET);
	while ((n = read(writer.fd, buffer, sizeof(buffer))) > 0)
		fwrite(buffer, 1, n, out);
	close(writer.fd);
}

/* Values at which sums and sizes break, and words that stand elsewhere. */
static const char *const pieces[] = {
	"0", "-1", "9223372036854775807", "-9223372036854775808", "4294967295", "65536", "null", "true",
	"\"\"", "[]", "{}", "[295,1]", "[296,1]", "[-1,1]", "[0]", "\"read\"", "\"epoll\"", "1e300",
	"\"0xffffffffffffffff\"", "\"0x\"", "\"\\\\x0\"", "\"\\\\xff\"", "\"reported,nonsense\"",
	"{\"read\":1,\"x\":2}", "99999999999999999999",
};

/* Puts one of the pieces in the place of some value of a line. */
static size_t change_value(char *text, size_t size)
{
	size_t at = dice() % size, from, to;
	const char *piece = pieces[dice() % ARRAY_SIZE(pieces)];
	size_t length = strlen(piece);

	while (at < size && text[at] != ',')
		at++;
	from = at + 1;
	to = from;
	while (to < size && !strchr(",]}\n", text[to]))
		to++;
	if (to >= size)
		return size;
	memmove(text + from + length, text + to, size - to);
	memcpy(text + from, piece, length);
	return size - (to - from) + length;
}

/* As somebody would who wants to do harm: the checksums are right, and what they are of is not. */
static void made_up(void **state)
{
	struct kept_stacks kept = { 0 };
	int fd = save(&kept, true), errors = hush();
	size_t size;
	char *good = text_of(fd, &size), *bad = malloc(size + 4096);
	u32 opened = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		size_t bad_size = size, made_size;
		char *made;
		FILE *out = open_memstream(&made, &made_size);

		memcpy(bad, good, size);
		for (u32 changes = 1 + dice() % 8; changes; changes--) {
			if (dice() % 8)
				bad_size = change_value(bad, bad_size);
			else
				bad[dice() % bad_size] ^= 1u << dice() % 7;
		}
		put_text_as_session(out, bad, bad_size);
		fclose(out);
		opened += read_all(made, made_size, i % 32 == 0);
		free(made);
	}
	unhush(errors);
	assert_true(opened > 300);
	free(good);
	free(bad);
	stacks_free(&kept);
	close(fd);
}

#define SESSION_TEST(test) cmocka_unit_test_setup_teardown(test, begin_session, end_session)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		SESSION_TEST(equal),
		SESSION_TEST(slice),
		SESSION_TEST(damaged_file),
		SESSION_TEST(made_up),
	};

	return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}

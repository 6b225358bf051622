// SPDX-License-Identifier: GPL-2.0-only
/* Names of code: the files of just-in-time compilers, mangled names, and frames as text. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#include "user/stack/demangle.h"
#include "user/stack/perfmap.h"
#include "user/stack/process.h"
#include "user/stack/symbols.h"

static void perfmap_lines(void **state)
{
	static const struct {
		const char *line;
		u64 start, size;	/* 0: bad */
		const char *name;
	} cases[] = {
		{ "7f00 20 LazyCompile:~f /x.js:1:2", 0x7f00, 0x20, "LazyCompile:~f /x.js:1:2" },
		{ "0x7F00 0xaB x", 0x7f00, 0xab, "x" },
		{ "ffffffffffffff00 ff x", 0xffffffffffffff00, 0xff, "x" },
		{ "7f00 20  \x1b[2J", 0x7f00, 0x20, " \x1b[2J" },
		{ "7f00 20 ", 0, 0, "" }, { "7f00 20", 0, 0, "" }, { "7f00", 0, 0, "" },
		{ "", 0, 0, "" }, { " ", 0, 0, "" }, { "7f00  20 x", 0, 0, "" },
		{ "7f00 0 x", 0, 0, "" }, { "0 20 x", 0, 0, "" }, { "zz 20 x", 0, 0, "" },
		{ "-1 20 x", 0, 0, "" }, { "7f00\t20\tx", 0, 0, "" }, { "0x 20 x", 0, 0, "" },
		{ "10000000000000000 20 x", 0, 0, "" }, { "7f00 10000000000000000 x", 0, 0, "" },
		{ "ffffffffffffff00 100 x", 0, 0, "" }, { "7f00 ffffffffffffffff x", 0, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 start, size;
		const char *name;
		size_t length;
		/* Without an end mark, so that what is read beyond is noticed. */
		size_t bytes = strlen(cases[i].line);
		char *line = malloc(bytes + !bytes);

		memcpy(line, cases[i].line, bytes);
		assert_int_equal(perfmap_parse(line, bytes, &start, &size, &name, &length),
				 !!cases[i].size);
		if (cases[i].size) {
			assert_true(start == cases[i].start && size == cases[i].size);
			assert_int_equal(length, strlen(cases[i].name));
			assert_memory_equal(name, cases[i].name, length);
		}
		free(line);
	}
}

static int file_of(const void *bytes, size_t size)
{
	int fd = memfd_create("perfmap", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	return fd;
}

static void assert_perfmap(int fd, u64 address, u64 start, const char *text)
{
	char name[32] = "";
	struct perfmap_name wanted = { .address = address, .name = name, .size = sizeof(name) };

	perfmap_read(fd, &wanted, 1);
	assert_true(wanted.start == start);
	assert_string_equal(name, text);
}

static void perfmap_files(void **state)
{
	static const char text[] = "1000 10 old\nbad\n\n1010 10 next\n1000 8 new\n"
				   "2000 10 last, cut";
	int fd = file_of(text, strlen(text));

	(void)state;
	assert_perfmap(fd, 0x1000, 0x1000, "new");
	assert_perfmap(fd, 0x1008, 0x1000, "old");
	assert_perfmap(fd, 0x101f, 0x1010, "next");
	assert_perfmap(fd, 0x1020, 0, "");
	assert_perfmap(fd, 0xfff, 0, "");
	/* A line that is still being written. */
	assert_perfmap(fd, 0x2000, 0, "");
	close(fd);
}

/* Lines that are too long, zero bytes, and no end at all. */
static void perfmap_nonsense(void **state)
{
	size_t size = 1 << 20;
	char *bytes = malloc(size);
	int fd;

	(void)state;
	memset(bytes, 'a', size);
	fd = file_of(bytes, size);
	assert_perfmap(fd, 0xaaaa, 0, "");
	assert_int_equal(lseek(fd, 0, SEEK_END), size);
	assert_true(write(fd, "\n1000 10 after\n", 15) == 15);
	assert_perfmap(fd, 0x1000, 0x1000, "after");
	close(fd);
	memset(bytes, 0, size);
	memcpy(bytes, "1000 10 a\0b\n", 12);
	memcpy(bytes + size - 13, "\n2000 10 end\n", 13);
	fd = file_of(bytes, size);
	assert_perfmap(fd, 0x1000, 0x1000, "a");
	assert_perfmap(fd, 0x2000, 0x2000, "end");
	close(fd);
	/* A name that is longer than its place is cut. */
	strcpy(bytes, "1000 10 0123456789012345678901234567890123456789\n");
	fd = file_of(bytes, strlen(bytes));
	assert_perfmap(fd, 0x1000, 0x1000, "0123456789012345678901234567890");
	close(fd);
	free(bytes);
}

/* Of a file that is too large the end counts, where the newest code is. */
static void perfmap_large(void **state)
{
	static const char begin[] = "1000 10 begin\n1010 10 begin\n", end[] = "\n1010 10 end\n";
	int fd = file_of(begin, strlen(begin));

	(void)state;
	assert_int_equal(pwrite(fd, end, strlen(end), 200 << 20), strlen(end));
	assert_perfmap(fd, 0x1010, 0x1010, "end");
	assert_perfmap(fd, 0x1000, 0, "");
	close(fd);
}

static char *map_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	return path;
}

/* Only a regular file of the process's own user is opened, and nothing blocks. */
static void perfmap_opening(void **state)
{
	struct process process;
	char *path = map_path(), other[80];
	int fd;

	(void)state;
	process_open(&process, getpid());
	assert_int_equal(process.inner_tgid, getpid());
	assert_int_equal(process.uid, geteuid());
	unlink(path);
	assert_int_equal(perfmap_open(&process), -1);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(perfmap_open(&process), -1);
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(perfmap_open(&process), -1);
	unlink(path);
	snprintf(other, sizeof(other), "%s.other", path);
	fd = open(other, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(perfmap_open(&process), -1);
	unlink(path);
	assert_int_equal(rename(other, path), 0);
	fd = perfmap_open(&process);
	assert_true(fd >= 0);
	close(fd);
	if (!geteuid()) {
		assert_int_equal(chown(path, 12345, -1), 0);
		assert_int_equal(perfmap_open(&process), -1);
		process.uid = 12345;
		fd = perfmap_open(&process);
		assert_true(fd >= 0);
		close(fd);
	}
	unlink(path);
	process_close(&process);
}

static void demangling(void **state)
{
	static const struct {
		const char *name, *text;
	} cases[] = {
		{ "handle_client", "handle_client" },
		{ "main.(*Server).serve", "main.(*Server).serve" },
		{ "_ZN3net4LoopIiE4waitEPKc", "net::Loop<int>::wait" },
		{ "_ZNSt6vectorIiSaIiEE9push_backEOi",
		  "std::vector<int, std::allocator<int> >::push_back" },
		{ "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
		  "core::fmt::Write::write_fmt" },
		{ "_RNvCs1234_7mycrate3foo", "mycrate::foo" },
		{ "handle.isra.0", "handle" }, { "handle.constprop.0.isra.1", "handle" },
		{ "handle.cold", "handle" }, { "handle.part.3.cold", "handle" },
		{ "handle.llvm.123456", "handle" }, { "main.colder", "main.colder" },
		{ "_ZN3net4LoopIiE4waitEPKc.isra.0", "net::Loop<int>::wait" },
		{ "pthread_cond_wait@@GLIBC_2.3.2", "pthread_cond_wait" },
		{ "_Z", "_Z" }, { "_ZN", "_ZN" }, { "_R", "_R" }, { "", "" }, { ".cold", ".cold" },
		{ "_Z\xff\xff", "_Z\xff\xff" },
	};
	char text[CODE_NAME];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		demangle(cases[i].name, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

/* A type of two of the type before it, and so on, forty times: what that stands for has no end. */
static void demangling_bomb(void **state)
{
	static const char bomb[] =
		"_Z1fI1pIS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_"
		"IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_IS0_I2t0S1_"
		"ES2_ES3_ES4_ES5_ES6_ES7_ES8_ES9_ESA_ESB_ESC_ESD_ESE_ESF_ESG_ESH_ESI_ESJ_ESK_ESL_ESM_"
		"ESN_ESO_ESP_ESQ_ESR_ESS_EST_ESU_ESV_ESW_ESX_ESY_ESZ_ES10_ES11_ES12_ES13_EEvv";
	char name[4096], text[CODE_NAME];

	(void)state;
	demangle(bomb, text, sizeof(text));
	assert_int_equal(strlen(text), sizeof(text) - 1);
	assert_int_equal(strncmp(text, "f<p<p<p<", 8), 0);
	/* One that is too deep. */
	memset(name, 'P', sizeof(name));
	memcpy(name, "_Z", 2);
	name[sizeof(name) - 1] = '\0';
	demangle(name, text, sizeof(text));
	assert_int_equal(strncmp(text, "_ZPPPP", 6), 0);
}

static void assert_text(const struct symbol *symbol, const char *text)
{
	assert_string_equal(symbol_text(symbol, text_name).buf, text);
}

static void texts(void **state)
{
	struct symbol symbol = { .frame = { .address = 0x7f52e8c01234 } };

	(void)state;
	assert_text(&symbol, "0x7f52e8c01234");
	symbol.offset = 0x2ab1;
	strcpy(symbol.module, "libuv.so.1");
	assert_text(&symbol, "[libuv.so.1+0x2ab1]");
	strcpy(symbol.function, "uv_run");
	symbol.offset = 0x42;
	assert_text(&symbol, "uv_run+0x42 [libuv.so.1]");
	strcpy(symbol.file, "/build/src/server.c");
	symbol.line = 118;
	assert_text(&symbol, "uv_run+0x42 (server.c:118)");
	symbol.inlined = true;
	assert_text(&symbol, "uv_run, inlined (server.c:118)");
	symbol.inlined = false;
	symbol.function[0] = '\0';
	assert_text(&symbol, "[libuv.so.1+0x42] (server.c:118)");
	symbol.module[0] = symbol.line = 0;
	strcpy(symbol.function, "LazyCompile:~f /x.js:1:2");
	assert_text(&symbol, "LazyCompile:~f /x.js:1:2+0x42");
}

/* No name can move the cursor, break a line, or be longer than its place. */
static void hostile_texts(void **state)
{
	struct symbol symbol = { .line = 1, .offset = -1ull };
	const char *text;

	(void)state;
	memset(symbol.function, '\x1b', sizeof(symbol.function));
	memset(symbol.module, '\n', sizeof(symbol.module));
	memset(symbol.file, '\xff', sizeof(symbol.file));
	for (int inlined = 0; inlined < 2; inlined++) {
		struct text printed;

		symbol.inlined = inlined;
		printed = symbol_text(&symbol, text_name);
		text = printed.buf;
		assert_true(strlen(text) < TEXT_MAX - 1);
		for (; *text; text++)
			assert_in_range(*text, ' ', '~');
	}
	strcpy(symbol.function, "a\x1b[2Jb");
	strcpy(symbol.file, "/x/\xff.c");
	symbol.offset = 1;
	symbol.inlined = false;
	assert_text(&symbol, "a\\x1b[2Jb+0x1 (\\xff.c:1)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(perfmap_lines), cmocka_unit_test(perfmap_files),
		cmocka_unit_test(perfmap_nonsense), cmocka_unit_test(perfmap_large),
		cmocka_unit_test(perfmap_opening), cmocka_unit_test(demangling),
		cmocka_unit_test(demangling_bomb), cmocka_unit_test(texts),
		cmocka_unit_test(hostile_texts),
	};

	return cmocka_run_group_tests_name("symbols", tests, NULL, NULL);
}

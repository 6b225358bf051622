// SPDX-License-Identifier: GPL-2.0-only
/* The command line, as far as it can be judged without starting anything. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Before cmocka.h, which has a macro of the name of our fail(). */
#include "user/fail.h"
#include "user/options.h"

#include "unit.h"

#define WORDS_MAX 16

static struct options options;
static char copy[8192], *argv[WORDS_MAX + 2];

/* Parses words separated by blanks; "''" is an empty one. Messages are not shown. */
static int parse(const char *line)
{
	int argc = 1, saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY), err;

	memset(argv, 0, sizeof(argv));
	argv[0] = "iophase";
	strncpy(copy, line, sizeof(copy) - 1);
	for (char *word = strtok(copy, " "); word && argc <= WORDS_MAX; word = strtok(NULL, " "))
		argv[argc++] = strcmp(word, "''") ? word : word + 2;
	quiet = false;
	verbose = 0;
	dup2(null, STDERR_FILENO);
	err = options_parse(&options, argc, argv);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(null);
	return err;
}

static void accepted(const char *line)
{
	if (parse(line))
		fail_msg("refused: %s", line);
}

static void refused(const char *line)
{
	if (parse(line) != -EXIT_USAGE - 1)
		fail_msg("not refused as a usage error: %s", line);
}

static void defaults(void **state)
{
	(void)state;
	accepted("");
	assert_int_equal(options.by, BY_PROCESS | BY_CALL);
	assert_int_equal(options.format, FORMAT_TABLE);
	assert_int_equal(options.color, COLOR_AUTO);
	assert_string_equal(options.sort, "wall");
	assert_null(options.output);
	assert_null(options.command);
	assert_int_equal(options.interval_ns + options.count + options.duration_ns, 0);
	for (int i = 1; i < NR_CALLS; i++)
		assert_true(options.selected[i]);
}

/* Models are of processes, threads or descriptors, and of all calls. */
static void models(void **state)
{
	(void)state;
	accepted("--by model");
	assert_int_equal(options.by, BY_PROCESS | BY_MODEL);
	accepted("--by thread,model");
	assert_int_equal(options.by, BY_PROCESS | BY_THREAD | BY_MODEL);
	accepted("--by fd,model");
	assert_int_equal(options.by, BY_PROCESS | BY_FD | BY_MODEL);
	refused("--by call,model");
	refused("--by loop,model");
	refused("--by fd,thread,model");
	refused("--by model -e read");
	refused("--by model -m 5");
	refused("--by model -x");
}

static void times(void **state)
{
	(void)state;
	accepted("2 5");
	assert_int_equal(options.interval_ns, 2 * NS_PER_SEC);
	assert_int_equal(options.count, 5);
	accepted("-d 1.5 .25");
	assert_int_equal(options.duration_ns, 1500000000);
	assert_int_equal(options.interval_ns, 250000000);
	/* Options and positions mix. */
	accepted("1 -p 7 3 -d 9");
	assert_int_equal(options.interval_ns, NS_PER_SEC);
	assert_int_equal(options.count, 3);
	assert_int_equal(options.duration_ns, 9 * NS_PER_SEC);
	refused("0");
	refused("0.0001");
	refused("1s");
	refused("abc");
	refused("inf");
	refused("nan");
	refused("1e12");
	refused("''");
	refused("1 0");
	refused("1 1.5");
	refused("1 x");
	refused("1 99999999999");
	refused("1 2 3");
	refused("-d 0");
	refused("-d -1");
	refused("-d +1");
	refused("-d soon");
	refused("-d ''");
}

static void ids(void **state)
{
	(void)state;
	accepted("-p 1,22 -p 333 -t 4 -u 0,5");
	assert_int_equal(options.tgids.count, 3);
	assert_int_equal(options.tgids.ids[1], 22);
	assert_int_equal(options.tgids.ids[2], 333);
	assert_int_equal(options.tids.count, 1);
	assert_int_equal(options.uids.count, 2);
	assert_int_equal(options.uids.ids[0], 0);
	accepted("-u 4294967294");
	refused("-u 4294967295");	/* (uid_t)-1 is nobody */
	refused("-p 0");
	refused("-t 0");
	refused("-p x");
	refused("-p 1x");
	refused("-p -1");
	refused("-p 1,,2");
	refused("-p 1,");
	refused("-p ,1");
	refused("-p ''");
	refused("-p 0x10");
	refused("-p 99999999999999999999999");
}

static void too_many_ids(void **state)
{
	char line[4 + 2 * (FILTER_MAX + 1) + 1] = "-p 1";
	size_t at = strlen(line);

	(void)state;
	for (int i = 1; i < FILTER_MAX; i++, at += 2)
		memcpy(line + at, ",1", 3);
	accepted(line);
	assert_int_equal(options.tgids.count, FILTER_MAX);
	memcpy(line + at, ",1", 3);
	refused(line);
}

static void names(void **state)
{
	(void)state;
	accepted("-n nginx --comm a-name-longer-than-15");
	assert_int_equal(options.comm_count, 2);
	assert_string_equal(options.comms[0], "nginx");
	assert_string_equal(options.comms[1], "a-name-longer-t");
	refused("-n ''");
}

static void choices(void **state)
{
	(void)state;
	accepted("-j");
	assert_int_equal(options.format, FORMAT_JSON);
	accepted("--format ndjson");
	assert_int_equal(options.format, FORMAT_NDJSON);
	accepted("--format=csv --color=always -N 7 -s bytes -o file -T -x --no-follow -m 5 -vv -q");
	assert_int_equal(options.format, FORMAT_CSV);
	assert_int_equal(options.color, COLOR_ALWAYS);
	assert_int_equal(options.top, 7);
	assert_string_equal(options.sort, "bytes");
	assert_string_equal(options.output, "file");
	assert_true(options.timestamp && options.failed_only && options.no_follow && quiet);
	assert_int_equal(options.min_ns, 5000);
	assert_int_equal(verbose, 2);
	refused("--format xml");
	refused("--format ''");
	refused("--color pink");
	refused("--sort nonsense");
	refused("-N 0");
	refused("-N x");
	refused("-m -1");
	refused("-m 1.5");
	refused("-m 18446744073709551615");
	refused("-o ''");
}

static void by(void **state)
{
	(void)state;
	accepted("--by call");
	assert_int_equal(options.by, BY_CALL);
	accepted("--by process");
	assert_int_equal(options.by, BY_PROCESS);
	/* A thread belongs to a process. */
	accepted("--by thread");
	assert_int_equal(options.by, BY_PROCESS | BY_THREAD);
	accepted("--by call,thread,process");
	assert_int_equal(options.by, BY_PROCESS | BY_THREAD | BY_CALL);
	refused("--by nonsense");
	refused("--by ''");
	refused("--by process,");
	refused("--by processes");
	refused("--by process-and-a-word-that-is-cut");
}

static void selection(void **state)
{
	(void)state;
	accepted("-e wait -e read");
	assert_true(options.selected[CALL_poll] && options.selected[CALL_read]);
	assert_false(options.selected[CALL_write]);
	refused("-e nonsense");
	refused("-e read,nonsense");
	refused("-e ''");
}

static void command(void **state)
{
	(void)state;
	accepted("-d 1 -- sh -c -x --help");
	assert_string_equal(options.command[0], "sh");
	assert_string_equal(options.command[1], "-c");
	assert_string_equal(options.command[3], "--help");
	assert_null(options.command[4]);
	assert_int_equal(options.duration_ns, NS_PER_SEC);
	assert_false(options.failed_only);
	accepted("1 2 -- true");
	assert_int_equal(options.count, 2);
	accepted("-- true -- false");
	assert_string_equal(options.command[1], "--");
	refused("--");
	refused("-d 1 --");
	refused("-p 1 -- true");
	refused("-t 1 -- true");
	refused("-n x -- true");
	refused("-u 0 -- true");
	refused("-c /sys/fs/cgroup -- true");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults), cmocka_unit_test(models), cmocka_unit_test(times), cmocka_unit_test(ids),
		cmocka_unit_test(too_many_ids), cmocka_unit_test(names),
		cmocka_unit_test(choices), cmocka_unit_test(by), cmocka_unit_test(selection),
		cmocka_unit_test(command),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}

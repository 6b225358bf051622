// SPDX-License-Identifier: GPL-2.0-only
/*
 * disk DIR: reads of a file that is not in the page cache. The thread sleeps in them, but not for
 * data that someone has yet to send: uninterruptibly.
 */
#include "truth.h"

#include <sys/mman.h>
#include <sys/uio.h>

#define BLOCK (256 << 10)
#define BLOCKS 16

static char block[BLOCK];

static int write_file(const char *dir)
{
	char path[256];
	int i, fd;

	snprintf(path, sizeof(path), "%s/truth.XXXXXX", dir);
	fd = mkstemp(path);
	must(fd >= 0 && !unlink(path));
	for (i = 0; i < BLOCKS; i++) {
		memset(block, i + 1, BLOCK);
		must(write(fd, block, BLOCK) == BLOCK);
	}
	must(!fsync(fd) && !lseek(fd, 0, SEEK_SET));
	must(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	must(!posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM));
	return fd;
}

static bool is_cached(int fd)
{
	unsigned char page[BLOCK * BLOCKS / 4096];
	void *map = mmap(NULL, BLOCK * BLOCKS, PROT_READ, MAP_SHARED, fd, 0);
	bool cached = false;
	size_t i;

	must(map != MAP_FAILED && !mincore(map, BLOCK * BLOCKS, page));
	for (i = 0; i < sizeof(page); i++)
		cached |= page[i] & 1;
	munmap(map, BLOCK * BLOCKS);
	return cached;
}

struct sum {
	uint64_t asleep_ns, wall_ns;
	long slept;
};

static void read_block(int fd, int i, struct sum *sum)
{
	struct rusage before, after;
	struct span span;

	getrusage(RUSAGE_THREAD, &before);
	span_begin(&span);
	must(syscall(SYS_read, fd, block, BLOCK) == BLOCK);
	span_end(&span);
	getrusage(RUSAGE_THREAD, &after);
	must(block[0] == i + 1);
	sum->slept += after.ru_nvcsw - before.ru_nvcsw;
	sum->wall_ns += span.end_ns - span.begin_ns;
	sum->asleep_ns += less_ns(span.end_ns - span.begin_ns, span.runnable_ns);
}

static char whole[BLOCK * BLOCKS];

/* The least time in which all of the file is read when it is in memory: copied, that is. */
static uint64_t cached_ns(int fd)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 10; i++) {
		uint64_t begin = now_ns();

		must(pread(fd, whole, sizeof(whole), 0) == sizeof(whole));
		least = min_ns(least, now_ns() - begin);
	}
	return least;
}

/*
 * All but the last page is copied before the thread sleeps, and one after: so what it did since
 * it last woke is no bound of the copying. Half of it is left for the noise.
 */
static void read_all_but_cached(int fd)
{
	uint64_t copying = cached_ns(fd);
	struct span span;

	must(!posix_fadvise(fd, sizeof(whole) - 4096, 4096, POSIX_FADV_DONTNEED));
	span_begin(&span);
	must(preadv(fd, &(struct iovec){ whole, sizeof(whole) }, 1, 0) == sizeof(whole));
	span_end(&span);
	truth_row("preadv");
	truth_num("calls", 1);
	truth_num("bytes", sizeof(whole));
	truth_range("copy_ns", copying / 2, span.end_ns - span.begin_ns);
	truth_end();
}

int main(int argc, char **argv)
{
	struct sum sum = { 0 };
	int i, fd;

	must(argc == 2);
	fd = write_file(argv[1]);
	if (is_cached(fd))
		skip("this file system keeps the file in memory");
	for (i = 0; i < BLOCKS; i++)
		read_block(fd, i, &sum);
	if (!sum.slept)
		skip("the disk answered without letting the reader sleep");
	truth_row("read");
	truth_num("calls", BLOCKS);
	truth_num("bytes", BLOCK * BLOCKS);
	truth_range("blocked_d_ns", 1, sum.asleep_ns);
	truth_range("blocked_ns", 1, sum.asleep_ns);
	truth_range("wall_ns", 1, sum.wall_ns);
	truth_results("ok", BLOCKS, NULL);
	truth_end();
	read_all_but_cached(fd);
	truth_write();
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the truth programs share: stamps, threads, and the rows they print.
 *
 * A program collects rows and writes them once, when everything it did is over, as one JSON
 * object a line. A row names a call and, for one thread or one process, its tid or tgid; every
 * other key is a figure of iophase's output:
 *	N		exactly N
 *	[LO,HI]		within, both included
 *	[LO,HI,POINT]	within, and POINT is the best single guess (the table's error is against it)
 *	null		iophase must say that it does not know
 * "results" is an object of counts by class or by errno; classes it does not name must be 0.
 * "wakers" is one of wake-ups by kind of waker.
 * "hist_blocked" is [LO,HI] for every single call of the row, in ns.
 * The last line, {"disturbed":N}, counts the times the program saw the machine meddle with a call
 * whose time it tells (pre-empted inside it, for one); only such a run may be repeated.
 */
#ifndef TRUTH_H
#define TRUTH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MSEC 1000000ULL
#define SKIP_STATUS 77
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (errno %d)\n", errno);
	_exit(1);
}

static inline void skip(const char *why)
{
	fprintf(stderr, "%s\n", why);
	_exit(SKIP_STATUS);
}

/* Truth is what the call really returned: a program that is surprised has no truth to tell. */
#define must(cond) ((cond) ? (void)0 : die("%s:%d: not so: %s", __FILE__, __LINE__, #cond))
#define must_fail(call, err) must((call) == -1 && errno == (err))

static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static inline uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000ULL),
				  .tv_nsec = (long)(ns % 1000000000ULL) };
}

static inline void sleep_ms(unsigned int ms)
{
	struct timespec ts = to_timespec(ms * MSEC);

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

static inline pid_t self_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

/* Rows */

static char truth_text[1 << 18];
static size_t truth_len;
static pthread_mutex_t truth_lock = PTHREAD_MUTEX_INITIALIZER;
static int disturbed;

__attribute__((format(printf, 1, 2))) static inline void truth_put(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(truth_text + truth_len, sizeof(truth_text) - truth_len, fmt, ap);
	va_end(ap);
	if (n < 0 || truth_len + (size_t)n >= sizeof(truth_text))
		die("too many rows");
	truth_len += (size_t)n;
}

/* Opens a row; threads may do so at once, so the lock is held until truth_end(). */
static inline void truth_row(const char *call)
{
	pthread_mutex_lock(&truth_lock);
	truth_put("{\"call\":\"%s\"", call);
}

static inline void truth_num(const char *key, uint64_t value)
{
	truth_put(",\"%s\":%" PRIu64, key, value);
}

static inline void truth_range(const char *key, uint64_t lo, uint64_t hi)
{
	truth_put(",\"%s\":[%" PRIu64 ",%" PRIu64 "]", key, lo, hi);
}

static inline void truth_point(const char *key, uint64_t lo, uint64_t hi, uint64_t point)
{
	truth_put(",\"%s\":[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", key, lo, hi, point);
}

/* Pairs of a class ("ok", "eagain", an errno as text, ...) and an int count, ended by NULL. */
static inline void truth_results(const char *key, ...)
{
	const char *sep = "";
	va_list ap;

	truth_put(",\"results\":{");
	va_start(ap, key);
	for (; key; key = va_arg(ap, const char *)) {
		truth_put("%s\"%s\":%d", sep, key, va_arg(ap, int));
		sep = ",";
	}
	va_end(ap);
	truth_put("}");
}

static inline void truth_end(void)
{
	truth_put("}\n");
	pthread_mutex_unlock(&truth_lock);
}

/* The common row: every one of n calls did the same thing, moving bytes in all. */
static inline void truth_calls(const char *call, int n, const char *class)
{
	truth_row(call);
	truth_num("calls", (uint64_t)n);
	truth_results(class, n, NULL);
	truth_end();
}

static inline void truth_bytes(const char *call, int n, uint64_t bytes)
{
	truth_row(call);
	truth_num("calls", (uint64_t)n);
	truth_num("bytes", bytes);
	truth_results("ok", n, NULL);
	truth_end();
}

/* To be the very last thing: one write, so that no row of the program's own is disturbed. */
static inline void truth_write(void)
{
	truth_put("{\"disturbed\":%d}\n", disturbed);
	if (write(STDOUT_FILENO, truth_text, truth_len) != (ssize_t)truth_len)
		die("write");
}

/* Threads */

static inline pthread_t start(void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 << 10);
	if ((errno = pthread_create(&t, &attr, fn, arg)))
		die("pthread_create");
	return t;
}

/* A gate holds threads on a futex, which iophase does not watch. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int value;
};

#define GATE_INIT { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 }

static inline void gate_set(struct gate *g, int value)
{
	pthread_mutex_lock(&g->lock);
	g->value = value;
	pthread_cond_broadcast(&g->cond);
	pthread_mutex_unlock(&g->lock);
}

static inline void gate_add(struct gate *g, int n)
{
	pthread_mutex_lock(&g->lock);
	g->value += n;
	pthread_cond_broadcast(&g->cond);
	pthread_mutex_unlock(&g->lock);
}

static inline void gate_wait(struct gate *g, int value)
{
	pthread_mutex_lock(&g->lock);
	while (g->value < value)
		pthread_cond_wait(&g->cond, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static inline void pin_self(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(sched_setaffinity(0, sizeof(set), &set) == 0);
}

/* The first (0) or last (1) processor this process may use; asked for before any is pinned. */
static inline int usable_cpu(int which)
{
	static int cpus[2] = { -1, -1 };
	cpu_set_t set;
	int cpu;

	if (cpus[0] >= 0)
		return cpus[which];
	must(sched_getaffinity(0, sizeof(set), &set) == 0);
	for (cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		if (cpus[1] < 0)
			cpus[1] = cpu;
		cpus[0] = cpu;
	}
	return cpus[which];
}

/* /proc is read with pread only, so that a case about read() has no other read() in it. */
static inline void proc_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	must(fd >= 0);
	n = pread(fd, buf, size - 1, 0);
	must(n >= 0);
	buf[n] = 0;
	close(fd);
}

static inline uint64_t self_status(const char *key)
{
	char text[4096], *p;

	proc_text("/proc/self/status", text, sizeof(text));
	p = strstr(text, key);
	must(p);
	return strtoull(p + strlen(key), NULL, 10);
}

/*
 * Returns when the thread sleeps in the kernel, and a little later: the state is set before the
 * thread really leaves its processor.
 */
static inline void wait_asleep(pid_t tid)
{
	char path[64], text[512], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	do {
		sleep_ms(1);
		proc_text(path, text, sizeof(text));
		p = strrchr(text, ')');
		must(p);
	} while (p[2] != 'S');
	sleep_ms(1);
}

/* One call as the thread itself sees it: wall clock, processor time, time spent runnable. */
struct span {
	uint64_t begin_ns, end_ns, cpu_ns, runnable_ns;
	long preempted, slept;
};

/* Adds the thread's switches so far @times. */
static inline void count_switches(struct span *s, int times)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	s->preempted += times * ru.ru_nivcsw;
	s->slept += times * ru.ru_nvcsw;
}

/* The kernel's own run-delay clock (second field): counted from enqueueing, not from the waking. */
static inline uint64_t run_delay_ns(void)
{
	static __thread int fd = -1;
	unsigned long long run, delay;
	char text[96];
	ssize_t n;

	if (fd < 0)
		fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	n = pread(fd, text, sizeof(text) - 1, 0);
	must(n > 0);
	text[n] = 0;
	must(sscanf(text, "%llu %llu", &run, &delay) == 2);
	return delay;
}

static inline void span_begin(struct span *s)
{
	s->preempted = s->slept = 0;
	count_switches(s, -1);
	s->runnable_ns = run_delay_ns();
	s->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	s->begin_ns = now_ns();
}

static inline void span_end(struct span *s)
{
	s->end_ns = now_ns();
	s->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - s->cpu_ns;
	s->runnable_ns = run_delay_ns() - s->runnable_ns;
	count_switches(s, 1);
	__atomic_add_fetch(&disturbed, s->preempted > 0, __ATOMIC_RELAXED);
}

static inline uint64_t max_ns(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t min_ns(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t less_ns(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

struct bounds {
	uint64_t lo, hi, point;
};

/*
 * How long the call was blocked, if it was woken between woke_lo and woke_hi: from its begin to
 * the wake-up. One per cent or 30 us is allowed. More only where the thread's own clocks say that
 * it may have got to sleep late (what it ran, and what it waited for a processor other than after
 * the wake-up), or where the waker's stamps lie further apart.
 */
static inline struct bounds blocked_bounds(const struct span *s, uint64_t woke_lo, uint64_t woke_hi)
{
	uint64_t point = less_ns(woke_lo, s->begin_ns);
	uint64_t allowed = max_ns(point / 100, 30000);
	uint64_t after_ns = less_ns(less_ns(s->end_ns, woke_hi), s->cpu_ns);
	uint64_t late_ns = s->cpu_ns + less_ns(s->runnable_ns, after_ns);
	struct bounds b = {
		.lo = less_ns(point, max_ns(allowed, late_ns)),
		.hi = max_ns(point + allowed, less_ns(woke_hi, s->begin_ns)),
		.point = point,
	};

	if (b.hi > point + allowed || b.lo + allowed < point)
		__atomic_add_fetch(&disturbed, 1, __ATOMIC_RELAXED);
	return b;
}

static inline void bounds_add(struct bounds *sum, const struct bounds *b)
{
	sum->lo += b->lo;
	sum->hi += b->hi;
	sum->point += b->point;
}

#endif

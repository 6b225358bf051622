// SPDX-License-Identifier: GPL-2.0-only
/*
 * scan CALL N READY CALLS WHEN [SETS]: CALL (poll, ppoll, select, pselect6) over N descriptors of
 * which READY have data from the start.
 *
 * WHEN: now	READY > 0, or timeout 0
 *	 timeout	nothing comes for 2 ms
 *	 late		the last descriptor gets data when the call sleeps
 *	 eintr		a signal with a handler comes when the call sleeps
 *	 spuriousK	K times data comes and is taken away before the caller can look, then late
 * SETS (select): r, rwx (all in all three sets), split (a third each), over (nfds beyond the
 *	descriptor table, with bits set there, which the kernel ignores)
 */
#include "truth.h"

#include <poll.h>
#include <sys/select.h>

enum when { NOW, TIMEOUT, LATE, EINTR_, SPURIOUS };

static struct {
	const char *call, *sets;
	int n, ready, calls, spurious;
	enum when when;
	bool is_select;
} want;

static int *fds, late_fd;
static pid_t caller;
static struct gate turn = GATE_INIT;

/* select */

static unsigned long *masters[3], *bitmaps[3];
static int nfds;
static size_t map_bytes;

static void open_maps(void)
{
	bool over = !strcmp(want.sets, "over"), three = !strcmp(want.sets, "rwx");
	bool split = !strcmp(want.sets, "split");
	int i, s;

	nfds = over ? (int)self_status("FDSize:") + 5000 : fds[want.n - 1] + 1;
	map_bytes = ((size_t)nfds + 63) / 64 * 8;
	for (s = 0; s < 3; s++) {
		if (s && !three && !split)
			break;
		masters[s] = calloc(1, map_bytes);
		bitmaps[s] = malloc(map_bytes);
		for (i = 0; i < want.n; i++)
			if (!split || i * 3 / want.n == s)
				masters[s][fds[i] / 64] |= 1UL << fds[i] % 64;
		for (i = nfds - 4000; over && i < nfds; i++)
			masters[s][i / 64] |= 1UL << i % 64;
	}
}

static long call_select(int timeout_ms)
{
	struct timespec ts = to_timespec((uint64_t)timeout_ms * MSEC);
	struct timeval tv = { .tv_usec = timeout_ms * 1000 };
	int s;

	for (s = 0; s < 3; s++)
		if (masters[s])
			memcpy(bitmaps[s], masters[s], map_bytes);
	if (!strcmp(want.call, "select"))
		return syscall(SYS_select, nfds, bitmaps[0], bitmaps[1], bitmaps[2], &tv);
	return syscall(SYS_pselect6, nfds, bitmaps[0], bitmaps[1], bitmaps[2], &ts, NULL);
}

/* Bitmaps go in, and come out again unless the call was interrupted; never more than the table. */
static uint64_t select_set_bytes(void)
{
	uint64_t table = self_status("FDSize:"), n = min_ns((uint64_t)nfds, table);
	int s, maps = 0;

	for (s = 0; s < 3; s++)
		maps += !!masters[s];
	return (n + 63) / 64 * 8 * (uint64_t)maps * (want.when == EINTR_ ? 1 : 2);
}

/* poll */

static struct pollfd *entries;

static void open_entries(void)
{
	int i;

	entries = calloc((size_t)want.n, sizeof(*entries));
	for (i = 0; i < want.n; i++)
		entries[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
}

static long call_poll(int timeout_ms)
{
	struct timespec ts = to_timespec((uint64_t)timeout_ms * MSEC);

	if (!strcmp(want.call, "poll"))
		return syscall(SYS_poll, entries, want.n, timeout_ms);
	return syscall(SYS_ppoll, entries, want.n, &ts, NULL, 8);
}

/* The descriptors: copies of a pipe with data, of one without, and at the end the late one */

static void open_fds(void)
{
	int i, full[2], empty[2], late[2];

	must(!pipe(full) && !pipe(empty) && !pipe(late) && write(full[1], "x", 1) == 1);
	fcntl(late[0], F_SETFL, O_NONBLOCK);
	late_fd = late[1];
	fds = calloc((size_t)want.n, sizeof(*fds));
	for (i = 0; i < want.n; i++) {
		fds[i] = dup(i < want.ready ? full[0] : empty[0]);
		must(fds[i] >= 0);
	}
	if (want.when >= LATE)
		must(dup2(late[0], fds[want.n - 1]) >= 0);
}

static void take_late(void)
{
	char c;

	must(read(fds[want.n - 1], &c, 1) == 1);
}

/*
 * The helper has the caller's processor and comes before it: what it writes and takes back while
 * the caller is woken, the caller cannot have seen. It finds nothing and sleeps again.
 */
static void go_first(void)
{
	struct sched_param prio = { .sched_priority = 1 };

	pin_self(usable_cpu(0));
	if (sched_setscheduler(0, SCHED_FIFO, &prio))
		skip("SCHED_FIFO refused");
}

static void *help(void *arg)
{
	int i, k;

	(void)arg;
	if (want.when == SPURIOUS)
		go_first();
	for (i = 0; i < want.calls; i++) {
		gate_wait(&turn, i + 1);
		wait_asleep(caller);
		for (k = 0; k < want.spurious; k++) {
			must(write(late_fd, "x", 1) == 1);
			take_late();
			wait_asleep(caller);
		}
		if (want.when == EINTR_)
			must(!syscall(SYS_tgkill, getpid(), caller, SIGUSR1));
		else
			must(write(late_fd, "x", 1) == 1);
	}
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void prepare_help(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &sa, NULL);
	caller = self_tid();
	if (want.when == SPURIOUS)
		pin_self(usable_cpu(0));
	if (want.when >= LATE)
		start(help, NULL);
}

static void call_all(void)
{
	/* Long enough for the first pass, on any machine: it is to end before the time is over. */
	int i, timeout_ms = want.when == NOW ? 0 : want.when == TIMEOUT ? 20 + want.n / 100 : 5000;
	long ret, expected = want.when == LATE || want.when == SPURIOUS ? 1 : want.ready;

	if (want.when == NOW && want.ready)
		timeout_ms = 5000;
	for (i = 0; i < want.calls; i++) {
		gate_set(&turn, i + 1);
		ret = want.is_select ? call_select(timeout_ms) : call_poll(timeout_ms);
		if (want.when == EINTR_)
			must_fail(ret, EINTR);
		else
			must(ret == expected);
		if (expected == 1 && want.when >= LATE)
			take_late();
	}
}

static void say(void)
{
	static const int passes_of[] = { [NOW] = 1, [TIMEOUT] = 2, [LATE] = 2, [EINTR_] = 2,
					 [SPURIOUS] = 2 };
	uint64_t calls = (uint64_t)want.calls, n = (uint64_t)want.n;
	uint64_t passes = (uint64_t)(passes_of[want.when] + want.spurious);
	int ready = want.when == LATE || want.when == SPURIOUS ? 1 : want.ready;

	truth_row(want.call);
	truth_num("calls", calls);
	truth_num("asked", n * calls);
	truth_num("scanned", n * passes * calls);
	truth_num("ready", (uint64_t)ready * calls);
	truth_num("passes", passes * calls);
	truth_num("set_copy_bytes", (want.is_select ? select_set_bytes() : n * 10) * calls);
	if (want.when == NOW)
		truth_num("blocked_ns", 0);
	truth_results(want.when == EINTR_ ? "eintr" : ready ? "ok" : "zero", want.calls, NULL);
	truth_end();
}

static enum when to_when(const char *text)
{
	static const char *const names[] = { "now", "timeout", "late", "eintr" };
	enum when w;

	for (w = NOW; w < SPURIOUS; w++)
		if (!strcmp(text, names[w]))
			return w;
	must(sscanf(text, "spurious%d", &want.spurious) == 1);
	return SPURIOUS;
}

int main(int argc, char **argv)
{
	struct rlimit lim;

	must(argc >= 6);
	want.call = argv[1];
	want.n = atoi(argv[2]);
	want.ready = atoi(argv[3]);
	want.calls = atoi(argv[4]);
	want.when = to_when(argv[5]);
	want.sets = argc > 6 ? argv[6] : "r";
	want.is_select = !!strstr(want.call, "select");
	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	if (lim.rlim_cur < (rlim_t)want.n + 20)
		skip("RLIMIT_NOFILE is too low");
	open_fds();
	if (want.is_select)
		open_maps();
	else
		open_entries();
	prepare_help();
	call_all();
	say();
	truth_write();
	return 0;
}

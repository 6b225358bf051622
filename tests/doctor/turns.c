// SPDX-License-Identifier: GPL-2.0-only
/* turns SCENE VARIANT: turns that take long, by the program or by the machine. */
#include "scene.h"

#define PAUSE_MS 5

/* slow-turn: on the CPU, asleep, or behind a lock */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void slow_on_cpu(void)
{
	burn_ns(SLOW_MS * MSEC);
}

static void slow_asleep(void)
{
	sleep_ms(SLOW_MS);
}

static void *hold_lock(void *arg)
{
	pthread_mutex_lock(&lock);
	gate_set(arg, 1);
	sleep_ms(SLOW_MS);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void slow_behind_lock(void)
{
	struct gate held = GATE_INIT;
	pthread_t holder = start(hold_lock, &held);

	gate_wait(&held, 1);
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	pthread_join(holder, NULL);
}

static void (*slow)(void);

/* The second of two talks, which waits while the first is served. */
static int bystander_fd;

static void serve_slowly(int ep, int fd, uint32_t events)
{
	if (fd == bystander_fd) {
		echo(ep, fd, events);
		return;
	}
	if (fault_now())
		slow();
	else
		burn_ns(2 * MSEC);
	echo(ep, fd, events);
}

static void slow_turn(void (*how)(void), const char *on_cpu_or_blocked)
{
	struct talk talk[2] = { 0 };
	int ep;

	for (int i = 0; i < 2; i++)
		talk[i] = (struct talk){ .bytes = QUESTION_BYTES, .pause_ms = PAUSE_MS };
	with_talks("tcp", talk, 2);
	bystander_fd = talk[1].line.in;
	nonblocking(bystander_fd);
	slow = how;
	truth_begin("slow-turn", -1);
	evidence("turn_ms", SLOW_LO_MS, SLOW_HI_MS + 200);
	evidence(on_cpu_or_blocked, SLOW_LO_MS, SLOW_HI_MS);
	truth_tell();
	ep = set_of(talk[0].line.in, EPOLLIN);
	add(ep, bystander_fd, EPOLLIN);
	loop(ep, -1, serve_slowly);
}

static void slow_cpu(void)
{
	slow_turn(slow_on_cpu, "on_cpu_ms");
}

static void slow_sleep(void)
{
	slow_turn(slow_asleep, "blocked_ms");
}

static void slow_lock(void)
{
	slow_turn(slow_behind_lock, "blocked_ms");
}

/* slow-turn: for ever, since before the watch */

static void serve_and_hang(int ep, int fd, uint32_t events)
{
	if (variant != VARIANT_HEALTHY)
		sleep_on();
	echo(ep, fd, events);
}

static void hung(void)
{
	struct talk talk[2] = { 0 };
	int ep;

	for (int i = 0; i < 2; i++)
		talk[i] = (struct talk){ .bytes = QUESTION_BYTES, .pause_ms = PAUSE_MS };
	with_talks("tcp", talk, 2);
	truth_begin("slow-turn", -1);
	evidence("under_way_ms", 1000, 1e6);
	evidence("waiting", 2, 2);
	truth_tell();
	ep = set_of(talk[0].line.in, EPOLLIN);
	nonblocking(talk[1].line.in);
	add(ep, talk[1].line.in, EPOLLIN);
	loop(ep, -1, serve_and_hang);
}

/* cpu-starved: the subject is the least of those that want its CPU */

#define BURNERS 3

static void burn_and_talk(void *arg)
{
	struct talk *talk = arg;

	close(talk->line.in);
	for (int i = 0; i < BURNERS && variant != VARIANT_HEALTHY; i++) {
		if (fork_bounded())
			continue;
		pin_self(usable_cpu(1));
		for (;;)
			burn_ns(MSEC);
	}
	talk_on(talk);
}

static void serve_starved(int ep, int fd, uint32_t events)
{
	burn_ns(2 * MSEC);
	echo(ep, fd, events);
}

static void cpu_starved(void)
{
	struct talk talk = { .line = line_open("tcp"), .bytes = QUESTION_BYTES,
			     .pause_ms = PAUSE_MS };

	usable_cpu(1);	/* while this process may still use them all */
	with_client(burn_and_talk, &talk);
	close(talk.line.far_in);
	pin_self(usable_cpu(1));
	must(!setpriority(PRIO_PROCESS, 0, 10));
	truth_begin("cpu-starved", -1);
	evidence("runnable_ms_per_s", 300, 1000);
	truth_tell();
	loop(set_of(talk.line.in, EPOLLIN), -1, serve_starved);
}

static const struct scene scenes[] = {
	{ "slow-cpu", slow_cpu },
	{ "slow-sleep", slow_sleep },
	{ "slow-lock", slow_lock },
	{ "hung", hung },
	{ "cpu-starved", cpu_starved },
};

int main(int argc, char **argv)
{
	return scene_main(argc, argv, scenes, ARRAY_SIZE(scenes));
}

// SPDX-License-Identifier: GPL-2.0-only
/* Reads what the hooks counted: records of live threads, and the maps. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "fail.h"
#include "session/reader.h"
#include "session/steal.h"

/* Calls not asked for can be routed all the same, to follow epoll sets: not shown. */
static bool shown(const struct session *session, u32 call)
{
	return call && call < NR_CALLS && session->options->selected[call];
}

/* The same for a row of its own. */
static bool has_row(const struct session *session, u32 call)
{
	return shown(session, call) && !(session->options->by & BY_OTHERS);
}

static struct row *row_of(struct reading *reading, proc_id proc, u32 tid, u32 call)
{
	/* What is summed over processes is so over their threads. */
	struct row_key key = { .proc = proc, .tid = proc ? tid : 0, .call = call };

	/* Where threads are kept apart besides, the rows are their sums: read_once(). */
	return rows_get(reading->by_thread.by ? &reading->by_thread : &reading->rows, key);
}

static void set_comm(struct row *row, const char *comm)
{
	memcpy(row->comm, comm, COMM_LEN);
}

/* The row of a process gets its name, which that of a thread does not know. */
static void name_process(struct reading *reading, proc_id proc, u32 call, const char *comm)
{
	if (reading->by_thread.by)
		set_comm(rows_get(&reading->rows, (struct row_key){ .proc = proc, .call = call }),
			 comm);
}

static int add_in_flight(struct reading *reading, const struct thread_record *record)
{
	struct in_flight *bigger, *thread;

	bigger = reallocarray(reading->in_flight, reading->nr_in_flight + 1, sizeof(*bigger));
	if (!bigger)
		return fail(EXIT_RUNTIME, "out of memory");
	reading->in_flight = bigger;
	thread = &bigger[reading->nr_in_flight++];
	*thread = (struct in_flight){
		.proc = record->proc,
		.tgid = record->tgid,
		.tid = record->tid,
		.call = record->call,
		.age_ns = reading->now_ns > record->enter_ns ? reading->now_ns - record->enter_ns : 0,
		.age_bound = record->began_before,
		.phase = record->phase,
	};
	memcpy(thread->comm, record->comm, COMM_LEN);
	return 0;
}

static int add_watched(struct reading *reading, const struct thread_record *record)
{
	struct watched_thread *bigger, *thread;

	bigger = reallocarray(reading->threads, reading->nr_threads + 1, sizeof(*bigger));
	if (!bigger)
		return fail(EXIT_RUNTIME, "out of memory");
	reading->threads = bigger;
	thread = &bigger[reading->nr_threads++];
	*thread = (struct watched_thread){
		.proc = record->proc, .tid = record->tid, .place = record->place,
	};
	memcpy(thread->comm, record->proc_comm, COMM_LEN);
	return 0;
}

static void add_turning(struct reading *reading, const struct thread_record *record)
{
	struct turning *turning = &reading->turning[record->loop];
	u64 age_ns = reading->now_ns > record->turn_ns ? reading->now_ns - record->turn_ns : 0;

	turning->threads++;
	if (age_ns <= turning->oldest_ns)
		return;
	turning->oldest_ns = age_ns;
	turning->runnable_ns = record->turn_runnable_ns;
	if (record->wants_cpu_ns && record->wants_cpu_ns < reading->now_ns)
		turning->runnable_ns += reading->now_ns - record->wants_cpu_ns;
}

static int add_thread(struct session *session, struct reading *reading,
		      const struct thread_record *record)
{
	const struct slot_record *slots = (const void *)(record + 1);
	bool of_thread = session->options->by & BY_THREAD || session->options->everything;
	const char *comm = of_thread ? record->comm : record->proc_comm;

	for (u32 i = 0; i < record->nr_slots; i++) {
		struct row *row;

		if (!has_row(session, slots[i].call))
			continue;
		row = row_of(reading, record->proc, record->tid, slots[i].call);
		set_comm(row, comm);
		memcpy(row->proc_comm, record->proc_comm, COMM_LEN);
		row_add_call(row, slots[i].call, &slots[i].sum);
		name_process(reading, record->proc, slots[i].call, record->proc_comm);
	}
	if (record->waker_run && has_row(session, record->waker_call))
		row_add_waker(row_of(reading, record->proc, record->tid, record->waker_call),
			      &record->waker, record->waker_run);
	if (record->turn_ns && record->loop < LOOP_ROWS)
		add_turning(reading, record);
	if (session->options->doctor && add_watched(reading, record))
		return EXIT_RUNTIME;
	return shown(session, record->call) ? add_in_flight(reading, record) : 0;
}

static int read_threads(struct session *session, struct reading *reading)
{
	struct buffer *buffer = &session->buffer;
	int err = session_iterate(session->skel->links.iop_dump, buffer);

	for (size_t at = 0; !err && at + sizeof(struct thread_record) <= buffer->size;) {
		const struct thread_record *record = (void *)(buffer->data + at);

		err = add_thread(session, reading, record);
		at += sizeof(*record) + record->nr_slots * sizeof(struct slot_record);
	}
	return err;
}

/* Calls @visit with each key and value of @map, which may grow and shrink meanwhile. */
static void each_entry(struct session *session, struct reading *reading, struct bpf_map *map,
		       void (*visit)(struct session *session, struct reading *reading,
				     const void *key, const void *value))
{
	char keys[2][MAP_KEY_MAX], value[MAP_VALUE_MAX];
	char *key = NULL, *next = keys[0];
	size_t key_size = bpf_map__key_size(map), value_size = bpf_map__value_size(map);

	while (!bpf_map__get_next_key(map, key, next, key_size)) {
		if (!bpf_map__lookup_elem(map, next, key_size, value, value_size, 0))
			visit(session, reading, next, value);
		key = next;
		next = key == keys[0] ? keys[1] : keys[0];
	}
}

/* Whether the reading under way had what is in a row already, from the thread itself. */
static bool seen_alive(const struct session *session, u32 late)
{
	return late && late == session->skel->bss->reading;
}

/* The name of the row in which processes are summed for which there is no row. */
static const char ended_comm[COMM_LEN] = "(ended)";

static void add_folded(struct session *session, struct reading *reading, const void *k,
		       const void *v)
{
	const struct folded_key *key = k;
	const struct folded *folded = v;
	struct row *row, *process;

	if (!has_row(session, key->call) || seen_alive(session, key->late))
		return;
	row = row_of(reading, key->proc, key->tid, key->call);
	if (!row->comm[0])
		set_comm(row, key->proc ? folded->comm : ended_comm);
	row_add_call(row, key->call, &folded->sum);
	/* What is left of a process is called as its first thread was, if that is known. */
	process = rows_find(&reading->rows, (struct row_key){ .proc = key->proc, .call = key->call });
	if (!process || !process->comm[0] || key->tid == proc_tgid(key->proc))
		name_process(reading, key->proc, key->call, key->proc ? folded->comm : ended_comm);
}

static void add_errno(struct session *session, struct reading *reading, const void *k,
		      const void *v)
{
	const struct errno_key *key = k;

	if (has_row(session, key->call))
		row_add_errno(row_of(reading, key->proc, key->tid, key->call), key->error,
			      *(const u64 *)v);
}

static void add_waker(struct session *session, struct reading *reading, const void *k,
		      const void *v)
{
	const struct waker_key *key = k;

	if (has_row(session, key->call) && !seen_alive(session, key->late))
		row_add_waker(row_of(reading, key->proc, key->tid, key->call), &key->waker,
			      *(const u64 *)v);
}

static void add_left_out(struct session *session, struct reading *reading, const void *k,
			 const void *v)
{
	(void)session;
	if (reading->nr_left_out == LEFT_OUT_MAX)
		return;
	reading->left_out[reading->nr_left_out++] = (struct left_out_process){
		.tgid = proc_tgid(*(const proc_id *)k),
		.calls = *(const struct left_out *)v,
	};
}

static void add_hist(struct session *session, struct reading *reading, const void *k,
		     const void *v)
{
	const struct hist_key *key = k;
	u32 row = *(const u32 *)v;

	struct row_key of = { .proc = key->proc, .call = key->call };

	/* Histograms are kept per process, so a thread has none. */
	if (has_row(session, key->call) && row < HIST_ROWS && !(session->options->by & BY_THREAD))
		row_add_hist(rows_get(&reading->rows, of), &session->hists[row]);
}

int hists_map(struct session *session)
{
	if (!session->hists)
		session->hists = array_map(session->skel->maps.hists, "histograms");
	return session->hists ? 0 : EXIT_RUNTIME;
}

/* Gives a histogram that nobody adds to any more back to the hooks, empty. */
static void release_hist(struct session *session, const void *value)
{
	u32 row = *(const u32 *)value;

	if (row >= HIST_ROWS)
		return;
	memset(&session->hists[row], 0, sizeof(session->hists[row]));
	bpf_map_update_elem(bpf_map__fd(session->skel->maps.free_hists), NULL, &row, BPF_ANY);
}

#define MAP_READER(name, key_type, of_tid, is_late)				\
	static struct bpf_map *name##_map(struct session *session)		\
	{									\
		return session->skel->maps.name;				\
	}									\
	static struct row_key name##_key(const void *k)				\
	{									\
		const struct key_type *key = k;					\
										\
		return (struct row_key){ .proc = key->proc, .tid = of_tid,	\
					 .call = key->call };			\
	}									\
	static bool name##_late(const void *k)					\
	{									\
		const struct key_type *key = k;					\
										\
		(void)key;							\
		return is_late;							\
	}

MAP_READER(folded, folded_key, key->tid, key->late)
MAP_READER(errnos, errno_key, key->tid, false)
MAP_READER(wakers, waker_key, key->tid, key->late)
MAP_READER(hist_rows, hist_key, 0, false)

static struct bpf_map *models_map(struct session *session)
{
	return session->skel->maps.models;
}

static struct row_key models_key(const void *k)
{
	const struct model_key *key = k;

	return (struct row_key){ .proc = key->proc, .tid = key->tid, .model = key->model };
}

static bool models_late(const void *key)
{
	(void)key;
	return false;
}

const struct map_reader map_readers[MAP_READERS] = {
	{ folded_map, folded_key, folded_late, add_folded, NULL },
	{ errnos_map, errnos_key, errnos_late, add_errno, NULL },
	{ wakers_map, wakers_key, wakers_late, add_waker, NULL },
	{ hist_rows_map, hist_rows_key, hist_rows_late, add_hist, release_hist },
	{ models_map, models_key, models_late, add_model, NULL },
};

u32 map_readers_used(const struct session *session)
{
	bool models = session->options->by & BY_MODEL && !(session->options->by & BY_FD);

	return models ? MAP_READERS : MAP_READERS - 1;
}

void maps_enter(struct session *session)
{
	struct sched_param first = { .sched_priority = 1 };

	session->policy = -1;
	if (!session->kernel.preemptible || sched_getparam(0, &session->priority))
		return;
	session->policy = sched_getscheduler(0);
	/* Not allowed to: then what is dropped is counted. */
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first))
		session->policy = -1;
}

void maps_leave(struct session *session)
{
	if (session->policy >= 0)
		sched_setscheduler(0, session->policy, &session->priority);
}

/* What the doctor looks at besides the calls. */
static int read_objects(struct session *session, struct reading *reading, bool descriptors)
{
	int err;

	rows_init(&reading->fds, BY_FD);
	rows_init(&reading->loops, BY_LOOP);
	if (!descriptors)
		return event_loops_read(session, reading->turning, &reading->loops);
	err = descriptors_read(session, &reading->fds, reading->now_ns);
	err = err ? : event_loops_read(session, reading->turning, &reading->loops);
	err = err ? : listening_read(session, reading);
	return err ? : signs_read(session, reading);
}

static int read_once(struct session *session, struct reading *reading, bool descriptors)
{
	struct iophase_bpf *skel = session->skel;
	int err;

	rows_init(&reading->rows, session->options->by);
	if (session->options->everything)
		rows_init(&reading->by_thread, BY_PROCESS | BY_THREAD | BY_CALL);
	reading->now_ns = session->stopped_ns ? : clock_ns();
	reading->steal_ns = steal_ns() - session->steal_ns;
	err = read_threads(session, reading);
	if (err)
		return err;
	if (session->options->by & BY_MODEL) {
		err = models_read(session, reading);
		rows_add(&reading->rows, &session->retired.rows);
		return err;
	}
	if (session->options->by & BY_FD)
		return descriptors_read(session, &reading->rows, reading->now_ns);
	if (session->options->by & BY_LOOP)
		return event_loops_read(session, reading->turning, &reading->rows);
	maps_enter(session);
	for (u32 i = 0; i < map_readers_used(session); i++)
		each_entry(session, reading, map_readers[i].map(session), map_readers[i].add);
	each_entry(session, reading, skel->maps.left_outs, add_left_out);
	maps_leave(session);
	rows_add(&reading->rows, &session->retired.rows);
	rows_add(&reading->by_thread, &session->retired.by_thread);
	rows_add(&reading->rows, &reading->by_thread);
	return session->options->doctor ? read_objects(session, reading, descriptors) : 0;
}

static int read_all(struct session *session, struct reading *reading, bool descriptors)
{
	int err;

	*reading = (struct reading){ 0 };
	err = hists_map(session);
	/* A thread that ends meanwhile is seen once: alive, or in the rows that outlive it. */
	if (!++session->readings)
		session->readings++;
	session->skel->bss->reading = session->readings;
	if (!err)
		err = read_once(session, reading, descriptors);
	session->skel->bss->reading = 0;
	reading->asked_bound = session->asked_bound || session->skel->bss->asked_astray;
	memcpy(reading->losses, session->skel->bss->losses, sizeof(reading->losses));
	return err;
}

int session_read(struct session *session, struct reading *reading)
{
	return read_all(session, reading, true);
}

int session_read_times(struct session *session, struct reading *reading)
{
	return read_all(session, reading, false);
}

void reader_close(struct session *session)
{
	reading_free(&session->retired);
	if (session->hists)
		array_unmap(session->skel->maps.hists, session->hists);
}

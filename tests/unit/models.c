// SPDX-License-Identifier: GPL-2.0-only
/* Models of input: their parts, their rows from interval to interval, and what a descriptor shows. */
#include <string.h>
#include <sys/epoll.h>

#include "unit.h"

#include "user/model/models.h"
#include "user/options.h"

static const proc_id proc = (u64)42 << 32 | 7;

static struct row *add(struct rows *rows, u64 of, u32 model, struct model_sum sum)
{
	struct row *row = rows_get(rows, (struct row_key){ .proc = of, .model = model });

	row_add_model(row, &(struct row_model){ .sum = sum });
	return row;
}

/* Each process is a whole of its own. */
static void parts(void **state)
{
	struct row *blocking, *epoll, *other;
	struct rows rows;

	(void)state;
	rows_init(&rows, BY_PROCESS | BY_MODEL);
	blocking = add(&rows, proc, MODEL_BLOCKING,
		       (struct model_sum){ .calls = 7, .in_bytes = 700, .wall_ns = 100 });
	epoll = add(&rows, proc, MODEL_EPOLL_LT,
		    (struct model_sum){ .calls = 1, .in_bytes = 300, .wall_ns = 100, .wait_ns = 200 });
	add(&rows, proc, MODEL_IO_URING, (struct model_sum){ .calls = 2, .submit_ns = 100 });
	other = add(&rows, proc + 1, MODEL_SIGNAL, (struct model_sum){ .waits = 3 });
	models_share(&rows);
	assert_true(blocking->model->shares.calls == 0.7);
	assert_true(blocking->model->shares.bytes == 0.7);
	assert_true(blocking->model->shares.time == 0.2);
	assert_true(epoll->model->shares.bytes == 0.3);
	assert_true(epoll->model->shares.time == 0.6);
	assert_true(other->model->shares.calls < 0 && other->model->shares.time < 0);
	rows_free(&rows);
}

static void times(void **state)
{
	struct model_sum sum = {
		.wall_ns = 100, .blocked_ns = 10, .runnable_ns = 20,
		.wait_ns = 1000, .wait_blocked_ns = 900, .wait_runnable_ns = 50,
		.submit_ns = 40, .submit_blocked_ns = 30, .submit_runnable_ns = 5,
	};

	(void)state;
	assert_int_equal(model_time_ns(&sum), 1140);
	assert_int_equal(model_cpu_ns(&sum), 70 + 50 + 5);
}

/* What came since the last report; what is under way is so now, whatever was reported. */
static void intervals(void **state)
{
	struct row_model first = { .sum = { .calls = 5, .requests = 9, .ended = 5 }, .in_flight = 4 };
	struct row_model second = { .sum = { .calls = 8, .requests = 9, .ended = 8 }, .in_flight = 1 };
	struct row_key key = { .proc = proc, .model = MODEL_AIO };
	struct rows before, now;
	struct row *row;

	(void)state;
	rows_init(&before, BY_PROCESS | BY_MODEL);
	rows_init(&now, BY_PROCESS | BY_MODEL);
	row_add_model(rows_get(&before, key), &first);
	row_add_model(rows_get(&now, key), &second);
	rows_subtract(&now, &before);
	row = rows_find(&now, key);
	assert_non_null(row);
	assert_int_equal(row->sum.calls, 3);
	assert_int_equal(row->model->sum.ended, 3);
	assert_int_equal(row->model->sum.requests, 0);
	assert_int_equal(row->model->in_flight, 1);
	rows_free(&before);
	rows_free(&now);
}

/* Nothing ended, and nothing waits or is under way: there is no row. */
static void idle(void **state)
{
	struct model_sum sum = { .calls = 5, .waits = 2 };
	struct rows before, now;

	(void)state;
	rows_init(&before, BY_PROCESS | BY_MODEL);
	rows_init(&now, BY_PROCESS | BY_MODEL);
	add(&before, proc, MODEL_POLL, sum);
	add(&now, proc, MODEL_POLL, sum);
	add(&before, proc, MODEL_SELECT, sum);
	sum.waits++;
	add(&now, proc, MODEL_SELECT, sum);
	rows_subtract(&now, &before);
	assert_null(rows_find(&now, (struct row_key){ .proc = proc, .model = MODEL_POLL }));
	assert_non_null(rows_find(&now, (struct row_key){ .proc = proc, .model = MODEL_SELECT }));
	rows_free(&before);
	rows_free(&now);
}

static void descriptors(void **state)
{
	struct row_fd fd = { .head.named = 1, .descriptor.kind = KIND_TCP };

	(void)state;
	assert_string_equal(model_of_fd(&fd), "blocking");
	fd.head.nonblock = 1;
	assert_string_equal(model_of_fd(&fd), "nonblocking");
	fd.descriptor.kind = KIND_REGULAR;
	assert_string_equal(model_of_fd(&fd), "blocking");
	fd.descriptor.watch = WATCH_POLL;
	assert_string_equal(model_of_fd(&fd), "poll");
	fd.descriptor.watch = WATCH_SELECT;
	assert_string_equal(model_of_fd(&fd), "select");
	fd.descriptor.watch = WATCH_EPOLL;
	assert_string_equal(model_of_fd(&fd), "epoll-lt");
	fd.descriptor.mask = EPOLLET;
	assert_string_equal(model_of_fd(&fd), "epoll-et");
	fd.descriptor.watch = WATCH_NONE;
	fd.head.named = 0;
	assert_null(model_of_fd(&fd));
	fd.many = true;
	assert_null(model_of_fd(&fd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts), cmocka_unit_test(times), cmocka_unit_test(intervals),
		cmocka_unit_test(idle), cmocka_unit_test(descriptors),
	};

	return cmocka_run_group_tests_name("models", tests, NULL, NULL);
}

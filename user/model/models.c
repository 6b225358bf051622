// SPDX-License-Identifier: GPL-2.0-only
#include "model/models.h"

#include <sys/epoll.h>

static const char *const names[NR_MODELS] = {
#define MODEL(id, name) [MODEL_##id] = name,
#include "bpf/models.def"
#undef MODEL
};

const char *model_name(u32 model)
{
	return names[model];
}

bool model_scans(u32 model)
{
	return model >= MODEL_SELECT && model <= MODEL_EPOLL_ET;
}

bool model_requests(u32 model)
{
	return model == MODEL_AIO || model == MODEL_IO_URING;
}

u64 model_time_ns(const struct model_sum *sum)
{
	return sum->wall_ns + sum->wait_ns + sum->submit_ns;
}

u64 model_cpu_ns(const struct model_sum *sum)
{
	return model_time_ns(sum) - sum->blocked_ns - sum->runnable_ns - sum->wait_blocked_ns -
	       sum->wait_runnable_ns - sum->submit_blocked_ns - sum->submit_runnable_ns;
}

static double share(u64 part, u64 whole)
{
	return whole ? (double)part / whole : -1;
}

static struct model_shares shares_of(const struct rows *rows, const struct row *row)
{
	const struct model_sum *sum = &row->model->sum;
	u64 calls = 0, bytes = 0, time = 0;

	for (u32 model = 0; model < NR_MODELS; model++) {
		struct row_key key = row->key;
		const struct row *other;

		key.model = model;
		other = rows_find(rows, key);
		if (!other)
			continue;
		calls += other->model->sum.calls;
		bytes += other->model->sum.in_bytes + other->model->sum.out_bytes;
		time += model_time_ns(&other->model->sum);
	}
	return (struct model_shares){
		.calls = share(sum->calls, calls),
		.bytes = share(sum->in_bytes + sum->out_bytes, bytes),
		.time = share(model_time_ns(sum), time),
	};
}

void models_share(struct rows *rows)
{
	struct row *row, *next;

	HASH_ITER(hh, rows->table, row, next) {
		if (row->model)
			row->model->shares = shares_of(rows, row);
	}
}

bool model_fd_known(const struct row *row)
{
	return row->key.proc && row->model->fd && row->model->fd->head.fd != FD_UNKNOWN;
}

const char *model_of_fd(const struct row_fd *fd)
{
	const struct descriptor *d = &fd->descriptor;

	if (fd->many)
		return NULL;
	switch (d->watch) {
	case WATCH_EPOLL:
		return names[d->mask & EPOLLET ? MODEL_EPOLL_ET : MODEL_EPOLL_LT];
	case WATCH_POLL:
		return names[MODEL_POLL];
	case WATCH_SELECT:
		return names[MODEL_SELECT];
	}
	if (!fd->head.named)
		return NULL;
	if (d->kind == KIND_REGULAR || d->kind == KIND_DIRECTORY)
		return names[MODEL_BLOCKING];
	return names[fd->head.nonblock ? MODEL_NONBLOCKING : MODEL_BLOCKING];
}

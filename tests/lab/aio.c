// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux AIO. It cannot read from sockets asynchronously: IOCB_CMD_PREAD of one sleeps in
 * io_submit(). What it has for them since 4.18 is IOCB_CMD_POLL, a report of readiness, once: so
 * this is a loop over readiness that arms again after each report, all that is to be armed in one
 * io_submit().
 */
#include "model.h"

#include <linux/aio_abi.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define REQUESTS_MAX 32768
#define BATCH 256

/* By descriptor. The serial number tells late completions of one that is gone. */
static struct watch {
	struct iocb in, out;
	bool in_armed, out_armed;
	int wants;
	uint32_t serial;
} **watches;

static aio_context_t context;
static struct iocb **batch;
static int size, batched;

static void open_context(void)
{
	unsigned int requests = REQUESTS_MAX;

	while (syscall(SYS_io_setup, requests, &context)) {
		if (errno != EAGAIN || requests < BATCH)
			lacking("Linux AIO");
		requests /= 2;	/* others have theirs: fs.aio-max-nr */
	}
	batch = calloc(BATCH, sizeof(*batch));
	if (!batch)
		fail("memory for requests");
}

static void submit(void)
{
	long taken;

	for (int done = 0; done < batched; done += (int)taken) {
		taken = syscall(SYS_io_submit, context, batched - done, batch + done);
		if (taken < 0 && errno == EINVAL)
			lacking("IOCB_CMD_POLL");
		if (taken < 0)
			fail("io_submit");
	}
	batched = 0;
}

static void arm(struct iocb *request, int fd, uint64_t label, int events)
{
	*request = (struct iocb){
		.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = (uint32_t)fd,
		.aio_buf = (uint64_t)events, .aio_data = label,
	};
	batch[batched++] = request;
	if (batched == BATCH)
		submit();
}

/* What is wanted and not asked for yet. */
static void settle(int fd)
{
	struct watch *watch = watches[fd];
	uint64_t label = (uint64_t)watch->serial << 33 | (uint32_t)fd;

	if (watch->wants & WANT_IN && !watch->in_armed)
		arm(&watch->in, fd, label, POLLIN);
	if (watch->wants & WANT_OUT && !watch->out_armed)
		arm(&watch->out, fd, label | 1ull << 32, POLLOUT);
	watch->in_armed |= watch->wants & WANT_IN;
	watch->out_armed |= !!(watch->wants & WANT_OUT);
}

static bool add(int fd)
{
	static uint32_t serial;

	if (fd >= size) {
		watches = reallocarray(watches, (size_t)fd * 2, sizeof(*watches));
		if (!watches)
			fail("memory for requests");
		memset(watches + size, 0, (size_t)(fd * 2 - size) * sizeof(*watches));
		size = fd * 2;
	}
	watches[fd] = calloc(1, sizeof(**watches));
	if (!watches[fd])
		fail("memory for requests");
	watches[fd]->serial = ++serial & INT32_MAX;
	watches[fd]->wants = WANT_IN;
	settle(fd);
	return true;
}

static void change(int fd, int wants)
{
	watches[fd]->wants = wants;
	settle(fd);
}

static void cancel(struct iocb *request, bool armed)
{
	struct io_event unused;

	if (armed)
		syscall(SYS_io_cancel, context, request, &unused);
}

static void forget(int fd)
{
	submit();
	cancel(&watches[fd]->in, watches[fd]->in_armed);
	cancel(&watches[fd]->out, watches[fd]->out_armed);
	free(watches[fd]);
	watches[fd] = NULL;
}

static void complete(const struct io_event *event)
{
	int fd = (int)(uint32_t)event->data;
	uint32_t serial = (uint32_t)(event->data >> 33);
	bool is_out = event->data >> 32 & 1;

	if (!watches[fd] || watches[fd]->serial != serial)
		return;
	if (is_out)
		watches[fd]->out_armed = false;
	else
		watches[fd]->in_armed = false;
	loop_ready(fd, is_out ? WANT_OUT : WANT_IN);
	if (watches[fd] && watches[fd]->serial == serial)
		settle(fd);
}

static void wait_ready(void)
{
	struct io_event events[BATCH];
	long ready;

	submit();
	ready = syscall(SYS_io_getevents, context, 1, BATCH, events, NULL);
	for (long i = 0; i < ready; i++)
		complete(&events[i]);
}

const struct model model_aio = {
	.about = "Linux AIO: IOCB_CMD_POLL, armed again after each report",
	.open = open_context,
	.add = add,
	.change = change,
	.remove = forget,
	.wait = wait_ready,
};

// SPDX-License-Identifier: GPL-2.0-only
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"

/* The names of the files that are being written, for sink_remove(). */
static char *volatile unfinished[SINKS_MAX];

static void unfinished_replace(const char *was, char *name)
{
	for (int i = 0; i < SINKS_MAX; i++) {
		if (unfinished[i] == was) {
			unfinished[i] = name;
			return;
		}
	}
}

static int sink_fail(const struct sink *sink)
{
	/* Who reads us has seen enough, as head(1) does: no reason to complain. */
	if (errno == EPIPE)
		return EXIT_RUNTIME;
	return fail(EXIT_RUNTIME, "cannot write %s: %s", sink->path ? sink->path : "the output",
		    strerror(errno));
}

char *sink_temporary_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	int directory = slash ? slash - path + 1 : 0;
	char *name;

	return asprintf(&name, "%.*s.%s.XXXXXX", directory, path, path + directory) < 0 ? NULL : name;
}

/* The mode a file has that is not there yet, or that of the one to be replaced. */
static mode_t wanted_mode(const char *path)
{
	struct stat st;
	mode_t mask;

	if (!stat(path, &st))
		return st.st_mode & 0777;
	mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

static int open_temporary(struct sink *sink)
{
	mode_t mode = wanted_mode(sink->path);
	int fd;

	sink->temporary = sink_temporary_name(sink->path);
	if (!sink->temporary)
		return fail(EXIT_RUNTIME, "out of memory");
	fd = mkostemp(sink->temporary, O_CLOEXEC);
	if (fd < 0) {
		free(sink->temporary);
		sink->temporary = NULL;
		return sink_fail(sink);
	}
	unfinished_replace(NULL, sink->temporary);
	fchmod(fd, mode);
	sink->stream = fdopen(fd, "w");
	return sink->stream ? 0 : sink_fail(sink);
}

/* Forgets the temporary file, which by now has its final name or none. */
static void temporary_free(struct sink *sink)
{
	if (sink->temporary)
		unfinished_replace(sink->temporary, NULL);
	free(sink->temporary);
	sink->temporary = NULL;
}

int sink_open(struct sink *sink, const char *path, FILE *stream)
{
	struct stat st;
	int err;

	*sink = (struct sink){ .stream = stream, .path = path };
	if (!path)
		return 0;
	/* A link is followed, not replaced: /dev/stdout is one, and can lead to a regular file. */
	if (lstat(path, &st) ? errno == ENOENT : S_ISREG(st.st_mode)) {
		err = open_temporary(sink);
	} else {
		sink->stream = fopen(path, "we");
		err = sink->stream ? 0 : sink_fail(sink);
	}
	if (err)
		sink_abandon(sink);
	return err;
}

int sink_flush(struct sink *sink)
{
	if (fflush(sink->stream) || ferror(sink->stream))
		return sink_fail(sink);
	return 0;
}

int sink_close(struct sink *sink)
{
	int err = sink_flush(sink);

	if (!sink->path)
		return err;
	if (!err && sink->temporary && fsync(fileno(sink->stream)))
		err = sink_fail(sink);
	if (fclose(sink->stream) && !err)
		err = sink_fail(sink);
	sink->stream = NULL;
	if (!err && sink->temporary && rename(sink->temporary, sink->path))
		err = sink_fail(sink);
	if (err && sink->temporary)
		unlink(sink->temporary);
	temporary_free(sink);
	return err;
}

void sink_abandon(struct sink *sink)
{
	if (sink->path && sink->stream)
		fclose(sink->stream);
	if (sink->temporary)
		unlink(sink->temporary);
	temporary_free(sink);
	*sink = (struct sink){ 0 };
}

void sink_remove(void)
{
	for (int i = 0; i < SINKS_MAX; i++) {
		if (unfinished[i])
			unlink(unfinished[i]);
	}
}

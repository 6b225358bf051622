// SPDX-License-Identifier: GPL-2.0-only
#include "stack/perfmap.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stack/process.h"

#define FILE_BYTES	(32ll << 20)
#define LINE_BYTES	65536

/* Reads up to 16 digits of a hexadecimal number; how many characters it took, 0: it is none. */
static size_t parse_hex(const char *text, size_t length, u64 *value)
{
	size_t at = length > 2 && text[0] == '0' && (text[1] | 0x20) == 'x' ? 2 : 0, begin = at;

	*value = 0;
	for (; at < length; at++) {
		char c = text[at] | 0x20;

		if (text[at] >= '0' && text[at] <= '9')
			*value = *value << 4 | (u64)(text[at] - '0');
		else if (c >= 'a' && c <= 'f')
			*value = *value << 4 | (u64)(c - 'a' + 10);
		else
			break;
		if (at - begin == 16)
			return 0;
	}
	return at > begin ? at : 0;
}

bool perfmap_parse(const char *line, size_t length, u64 *start, u64 *size, const char **name,
		   size_t *name_length)
{
	size_t at = parse_hex(line, length, start), used;

	if (!at || at == length || line[at++] != ' ')
		return false;
	used = parse_hex(line + at, length - at, size);
	at += used;
	if (!used || at == length || line[at++] != ' ' || at == length)
		return false;
	*name = line + at;
	*name_length = length - at;
	return *start && *size && *start + *size > *start;
}

static void apply(const char *line, size_t length, struct perfmap_name *names, u32 count)
{
	size_t name_length;
	const char *name;
	u64 start, size;

	if (!perfmap_parse(line, length, &start, &size, &name, &name_length))
		return;
	for (u32 i = 0; i < count; i++) {
		if (names[i].address - start >= size)
			continue;
		names[i].start = start;
		snprintf(names[i].name, names[i].size, "%.*s", (int)name_length, name);
	}
}

/*
 * Applies the whole lines of @buffer, of which the first is no line if *@skip; how many bytes are
 * done with. *@skip: what follows them is no line either.
 */
static size_t apply_lines(const char *buffer, size_t size, bool *skip, struct perfmap_name *names,
			  u32 count)
{
	size_t at = 0;
	const char *end;

	while ((end = memchr(buffer + at, '\n', size - at))) {
		if (!*skip)
			apply(buffer + at, end - (buffer + at), names, count);
		*skip = false;
		at = end - buffer + 1;
	}
	/* A line that is longer than any that means something. */
	if (!at && size == LINE_BYTES)
		*skip = true;
	return *skip ? size : at;
}

void perfmap_read(int fd, struct perfmap_name *names, u32 count)
{
	static char buffer[LINE_BYTES];
	off_t at, left = FILE_BYTES;
	size_t held = 0, used;
	struct stat st;
	ssize_t n;
	bool skip;

	if (fstat(fd, &st))
		return;
	at = st.st_size > FILE_BYTES ? st.st_size - FILE_BYTES : 0;
	/* It may begin in the middle of a line. */
	skip = at;
	while (left > 0 && (n = pread(fd, buffer + held, sizeof(buffer) - held, at)) > 0) {
		at += n;
		left -= n;
		held += n;
		used = apply_lines(buffer, held, &skip, names, count);
		held -= used;
		memmove(buffer, buffer + used, held);
	}
}

int perfmap_open(const struct process *process)
{
	struct stat st;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/perf-%u.map", process->inner_tgid);
	fd = process_open_file(process, path, false);
	if (fd >= 0 && !fstat(fd, &st) && (!st.st_uid || st.st_uid == process->uid))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

// SPDX-License-Identifier: GPL-2.0-only
#include "saved/members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GZIP_BITS	(15 + 16)	/* of zlib: the largest window, and a header of gzip */
#define LINE_MAX_BYTES	(1 << 20)
#define MEMBER_MAX_BYTES (2ull << 30)	/* of text: some two million descriptors */

static bool write_all(struct member_writer *writer, const unsigned char *bytes, size_t count)
{
	while (count && !writer->error) {
		ssize_t n = write(writer->fd, bytes, count);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			writer->error = n ? errno : ENOSPC;
			break;
		}
		bytes += n;
		count -= n;
		writer->pending_bytes += n;
	}
	return !writer->error;
}

static bool compress_some(struct member_writer *writer, const char *text, size_t size, int flush)
{
	unsigned char out[1 << 14];
	z_stream *z = &writer->stream;
	int status;

	z->next_in = (unsigned char *)text;
	z->avail_in = size;
	do {
		z->next_out = out;
		z->avail_out = sizeof(out);
		status = deflate(z, flush);
		if (status == Z_STREAM_ERROR)
			writer->error = EINVAL;
		if (!write_all(writer, out, sizeof(out) - z->avail_out))
			return false;
	} while (flush == Z_FINISH ? status != Z_STREAM_END : !z->avail_out);
	return true;
}

static ssize_t cookie_write(void *cookie, const char *text, size_t size)
{
	struct member_writer *writer = cookie;

	if (!writer->error && compress_some(writer, text, size, Z_NO_FLUSH))
		return size;
	errno = writer->error;
	return 0;
}

FILE *member_begin(struct member_writer *writer)
{
	const cookie_io_functions_t functions = { .write = cookie_write };
	FILE *out;

	writer->stream = (z_stream){ 0 };
	writer->pending_bytes = 0;
	if (deflateInit2(&writer->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_BITS, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK) {
		errno = ENOMEM;
		return NULL;
	}
	out = fopencookie(writer, "w", functions);
	if (!out)
		deflateEnd(&writer->stream);
	return out;
}

int member_end(struct member_writer *writer, FILE *out)
{
	if (fclose(out) && !writer->error)
		writer->error = errno;
	if (!writer->error)
		compress_some(writer, NULL, 0, Z_FINISH);
	deflateEnd(&writer->stream);
	if (!writer->error) {
		writer->written_bytes += writer->pending_bytes;
		return 0;
	}
	/* What is there of it goes again, so that the file ends with a record that is whole. */
	if (!ftruncate(writer->fd, writer->written_bytes))
		lseek(writer->fd, writer->written_bytes, SEEK_SET);
	return writer->error;
}

void member_reader_open(struct member_reader *reader, int fd)
{
	reader->fd = fd;
	reader->begun = reader->ended = false;
	reader->stream = (z_stream){ 0 };
	reader->text = NULL;
}

void member_reader_close(struct member_reader *reader)
{
	if (reader->begun)
		inflateEnd(&reader->stream);
	reader->begun = false;
	free(reader->text);
	reader->text = NULL;
}

/* More of the file; false: there is none, or it cannot be read, which errno then says. */
static bool fill(struct member_reader *reader)
{
	ssize_t n;

	do {
		n = reader->ended ? 0 : read(reader->fd, reader->in, sizeof(reader->in));
	} while (n < 0 && errno == EINTR);
	if (!n)
		errno = 0;
	reader->ended |= n <= 0;
	reader->stream.next_in = reader->in;
	reader->stream.avail_in = n > 0 ? n : 0;
	return n > 0;
}

/* The text of a record as it comes, of which whole lines are handed on. */
struct line_buffer {
	char *text;
	size_t size, room;
	u64 seen_bytes;
};

static enum member_state hand_on(struct line_buffer *buffer, size_t more,
				 bool (*visit)(void *context, const char *line, size_t size),
				 void *context)
{
	char *line = buffer->text, *end;

	buffer->size += more;
	buffer->seen_bytes += more;
	while ((end = memchr(line, '\n', buffer->text + buffer->size - line))) {
		if (!visit(context, line, end - line))
			return MEMBER_DAMAGED;
		line = end + 1;
	}
	buffer->size -= line - buffer->text;
	memmove(buffer->text, line, buffer->size);
	if (buffer->size == buffer->room || buffer->seen_bytes > MEMBER_MAX_BYTES)
		return MEMBER_BIG;
	return MEMBER_WHOLE;
}

static enum member_state begin(struct member_reader *reader)
{
	if (!reader->stream.avail_in && !fill(reader))
		return errno ? MEMBER_UNREADABLE : MEMBER_NONE;
	if (!reader->begun) {
		reader->begun = inflateInit2(&reader->stream, GZIP_BITS) == Z_OK;
		errno = ENOMEM;
		return reader->begun ? MEMBER_WHOLE : MEMBER_UNREADABLE;
	}
	return inflateReset(&reader->stream) == Z_OK ? MEMBER_WHOLE : MEMBER_DAMAGED;
}

static enum member_state read_lines(struct member_reader *reader, struct line_buffer *buffer,
				    bool (*visit)(void *context, const char *line, size_t size),
				    void *context)
{
	z_stream *z = &reader->stream;
	enum member_state state;
	int status;

	do {
		if (!z->avail_in && !fill(reader))
			return errno ? MEMBER_UNREADABLE : MEMBER_CUT;
		z->next_out = (unsigned char *)buffer->text + buffer->size;
		z->avail_out = buffer->room - buffer->size;
		status = inflate(z, Z_NO_FLUSH);
		if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
			return status == Z_MEM_ERROR ? MEMBER_BIG : MEMBER_DAMAGED;
		state = hand_on(buffer, buffer->room - buffer->size - z->avail_out, visit, context);
		if (state != MEMBER_WHOLE)
			return state;
	} while (status != Z_STREAM_END);
	/* The last line has an end, too. */
	return buffer->size ? MEMBER_DAMAGED : MEMBER_WHOLE;
}

enum member_state member_read(struct member_reader *reader,
			      bool (*visit)(void *context, const char *line, size_t size),
			      void *context)
{
	struct line_buffer buffer = { .room = LINE_MAX_BYTES };
	enum member_state state = begin(reader);

	if (state != MEMBER_WHOLE)
		return state;
	if (!reader->text)
		reader->text = malloc(buffer.room);
	buffer.text = reader->text;
	errno = ENOMEM;
	return buffer.text ? read_lines(reader, &buffer, visit, context) : MEMBER_UNREADABLE;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file of records, each a member of a gzip file (RFC 1952) of its own: so each has its checksum and is
 * whole or is not, and zcat(1) reads them all.
 */
#ifndef IOPHASE_MEMBERS_H
#define IOPHASE_MEMBERS_H

#include <stdio.h>
#include <zlib.h>

#include "types.h"

/* Written to a descriptor, record by record. */
struct member_writer {
	int fd;
	int error;		/* errno of what was refused first; 0: nothing */
	u64 written_bytes;	/* by the records that are complete */
	u64 pending_bytes;	/* and by the one that is being written */
	z_stream stream;
};

/*
 * Begins a record; what is written to the stream returned is in it. member_end() closes that and
 * completes the record: 0, or an errno, and then the file has none of it. NULL: errno says why.
 */
FILE *member_begin(struct member_writer *writer);
int member_end(struct member_writer *writer, FILE *out);

enum member_state {
	MEMBER_WHOLE,
	MEMBER_NONE,		/* the file ends here, behind the last one */
	MEMBER_CUT,		/* the file ends within it */
	MEMBER_DAMAGED,		/* it is not what was written, or nothing that ever was */
	MEMBER_BIG,		/* it has more lines, or longer ones, than any that is written */
	MEMBER_UNREADABLE,	/* the file: errno says why */
};

struct member_reader {
	int fd;
	z_stream stream;
	bool begun;		/* the stream is set up */
	bool ended;		/* the file is */
	unsigned char in[1 << 16];
	char *text;		/* of the record, as much as is not handed on yet */
};

void member_reader_open(struct member_reader *reader, int fd);
void member_reader_close(struct member_reader *reader);

/*
 * Reads the next record, and calls @visit with each of its lines, without the line's end; what it is told is
 * worth nothing until MEMBER_WHOLE is returned. @visit returns false for what is no line of a session,
 * which makes it MEMBER_DAMAGED.
 */
enum member_state member_read(struct member_reader *reader,
			      bool (*visit)(void *context, const char *line, size_t size),
			      void *context);

#endif

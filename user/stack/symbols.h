/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames in words. */
#ifndef IOPHASE_SYMBOLS_H
#define IOPHASE_SYMBOLS_H

#include "stack/stack.h"
#include "text.h"

/* Names are as the process has them: to be escaped, as symbol_text() does. */
struct symbol {
	struct frame frame;
	bool inlined;		/* in the next one, which has the same frame */
	u64 offset;		/* in the function; else as addr2line(1) takes it of the module */
	char function[CODE_NAME];	/* "": not known */
	char module[IMAGE_NAME];	/* last part of the file's path; "": there is none */
	char file[SOURCE_NAME];	/* of the source; "": not known */
	u32 line;		/* 0: not known */
};

/*
 * Names @frames, of which what cannot be known stays empty, and what was inlined in them: fills
 * in at most @max symbols, the innermost first. How many there are.
 */
u32 symbols_name(struct image *image, const struct frame *frames, u32 count,
		 struct symbol *symbols, u32 max);

/*
 * "handle_client+0x42 (server.c:118)", "read_all, inlined (io.h:7)",
 * "epoll_wait+0x56 [libc.so.6]", "[libuv.so.1+0x2ab1]", "0x7f52e8c01234", with @escape for names:
 * text_name() or text_json_name().
 */
struct text symbol_text(const struct symbol *symbol, struct text (*escape)(const char *, size_t));

#endif

// SPDX-License-Identifier: GPL-2.0-only
#include "stack/demangle.h"

#include <ctype.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct output {
	char *text;
	size_t size, used;
	jmp_buf full;
};

/*
 * A short name can stand for one of any length, each part twice the one before, so that printing
 * is left when there is no room. What prints keeps all it has on the stack but for a piece
 * of the name, if that is punycode of Rust.
 */
static void append(const char *piece, size_t length, void *opaque)
{
	struct output *out = opaque;
	size_t room = out->size - 1 - out->used;

	if (!length)
		return;
	if (length > room)
		length = room;
	memcpy(out->text + out->used, piece, length);
	out->used += length;
	out->text[out->used] = '\0';
	if (out->used == out->size - 1)
		longjmp(out->full, 1);
}

/*
 * Bytes of @name up to the version of a symbol ("@@GLIBC_2.3.2") and to what gcc and clang append
 * to the name of a copy or a part of a function.
 */
static size_t plain_length(const char *name)
{
	static const char *const suffixes[] = {
		".isra.", ".constprop.", ".part.", ".cold", ".lto_priv.", ".llvm.",
	};
	size_t length = strcspn(name, "@");

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		const char *found = strstr(name, suffixes[i]);
		const char *rest = found ? found + strlen(suffixes[i]) : NULL;

		if (!found || found == name || (size_t)(found - name) >= length)
			continue;
		if (!*rest || *rest == '.' || isdigit((unsigned char)*rest))
			length = found - name;
	}
	return length;
}

/* Whether @name is of a known kind; then it is in @out. */
static bool print(const char *name, struct output *out)
{
	if (setjmp(out->full))
		return true;
	if ((!strncmp(name, "_R", 2) || !strncmp(name, "_ZN", 3)) &&
	    rust_demangle_callback(name, DMGL_NO_OPTS, append, out))
		return true;
	out->used = 0;
	return !strncmp(name, "_Z", 2) &&
	       cplus_demangle_v3_callback(name, DMGL_NO_OPTS, append, out);
}

void demangle(const char *name, char *text, size_t size)
{
	struct output out = { .text = text, .size = size };
	char plain[4096];

	snprintf(plain, sizeof(plain), "%.*s", (int)plain_length(name), name);
	text[0] = '\0';
	if (!print(plain, &out))
		snprintf(text, size, "%s", plain);
}

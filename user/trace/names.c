// SPDX-License-Identifier: GPL-2.0-only
#include "trace/names.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "model/fd.h"

struct name {
	u64 object;
	bool used;		/* since it was last looked at whether it can go */
	char *text;
	UT_hash_handle hh;
};

struct names {
	struct name *table;
	struct text (*escape)(const char *, size_t);
};

struct names *names_open(struct text (*escape)(const char *, size_t))
{
	struct names *names = calloc(1, sizeof(*names));

	if (names)
		names->escape = escape;
	return names;
}

static void drop(struct names *names, struct name *name)
{
	HASH_DEL(names->table, name);
	free(name->text);
	free(name);
}

void names_close(struct names *names)
{
	struct name *name, *next;

	if (!names)
		return;
	HASH_ITER(hh, names->table, name, next)
		drop(names, name);
	free(names);
}

static struct name *find(const struct names *names, u64 object)
{
	struct name *name;

	HASH_FIND(hh, names->table, &object, sizeof(object), name);
	return name;
}

/* One that was not used for long goes: it was closed, most likely, which nobody says. */
static void make_room(struct names *names)
{
	struct name *oldest = names->table;

	while (oldest->used) {
		oldest->used = false;
		HASH_DEL(names->table, oldest);
		HASH_ADD(hh, names->table, object, sizeof(oldest->object), oldest);
		oldest = names->table;
	}
	drop(names, oldest);
}

static struct name *make(struct names *names, u64 object)
{
	struct name *name;

	if (HASH_COUNT(names->table) >= DESCRIPTORS_MAX)
		make_room(names);
	name = calloc(1, sizeof(*name));
	if (!name)
		return NULL;	/* it stays without a name */
	name->object = object;
	HASH_ADD(hh, names->table, object, sizeof(name->object), name);
	return name;
}

static struct text text_of(const struct names *names, const struct trace_name *name)
{
	struct row_fd fd = {
		.head = { .tgid = name->tgid, .fd = name->fd, .named = 1, .name = name->name },
		.descriptor = { .kind = name->file_kind, .ino = name->ino },
	};

	return fd_name(&fd, names->escape);
}

void names_add(struct names *names, const struct trace_name *record)
{
	struct name *name = find(names, record->object);

	if (!name)
		name = make(names, record->object);
	if (!name)
		return;
	/*
	 * Two threads told of it. What a file is called does not change, but where it is may be out of
	 * reach by now; of a socket the peer does.
	 */
	if (name->text && (record->file_kind == KIND_PIPE || record->file_kind >= KIND_REGULAR))
		return;
	free(name->text);
	name->text = strdup(text_of(names, record).buf);
}

const char *names_find(const struct names *names, u64 object)
{
	struct name *name = object ? find(names, object) : NULL;

	if (!name)
		return NULL;
	name->used = true;
	return name->text;
}

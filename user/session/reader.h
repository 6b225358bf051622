/* SPDX-License-Identifier: GPL-2.0-only */
/* How the maps of the hooks are read into rows; for reader.c and retire.c. */
#ifndef IOPHASE_READER_H
#define IOPHASE_READER_H

#include "session/session_private.h"

#define MAP_KEY_MAX	128
#define MAP_VALUE_MAX	512
#define MAP_READERS	5

/* A map whose keys begin with a proc_id. */
struct map_reader {
	struct bpf_map *(*map)(struct session *session);
	struct row_key (*row_key)(const void *key);
	bool (*late)(const void *key);		/* folded during a reading, which left it out */
	void (*add)(struct session *session, struct reading *reading, const void *key,
		    const void *value);
	void (*release)(struct session *session, const void *value);	/* NULL: nothing to do */
};

/* Histograms are last: by then the rows they belong to are there. */
extern const struct map_reader map_readers[MAP_READERS];

/* How many of them there are for rows that are kept apart by what they are: those of models are last. */
u32 map_readers_used(const struct session *session);

/* Adds a row of the map of models: see struct map_reader. */
void add_model(struct session *session, struct reading *reading, const void *key, const void *value);

/* Maps the histograms; 0 or an exit code after a message. */
int hists_map(struct session *session);

#endif

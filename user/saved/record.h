/* SPDX-License-Identifier: GPL-2.0-only */
/* One record of a saved session, taken in line by line. */
#ifndef IOPHASE_RECORD_H
#define IOPHASE_RECORD_H

#include "saved/saved.h"

/* What the first line of a record says it is, enum record_kind; -1: nothing that is known. */
int record_kind_of(const json_t *head);

/* Makes @record empty; it will be of @saved, and is filled only if it is of @kinds. */
void record_begin(struct saved_record *record, struct saved *saved, unsigned int kinds);

/* Takes one line in, as member_read() has it; @context is the record. */
bool record_visit(void *context, const char *line, size_t size);

/* All lines were there, or the record was copied: makes of it what the outputs expect. */
void record_finish(struct saved_record *record);

#endif

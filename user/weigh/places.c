// SPDX-License-Identifier: GPL-2.0-only
#include "weigh/places.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "clock.h"
#include "fail.h"
#include "stack/traceback.h"
#include "weigh/ranges.h"

/* Stacks that are told apart; what is beyond has no callers. */
#define STACKS_KEPT	4096

struct stack_place {
	u64 identity;
	proc_id proc;
	u32 call;
	char comm[COMM_LEN];
	u64 samples;
	u64 weight_ns[NR_WEIGHTS];
	struct user_stack *stack;	/* NULL: it is in words, or there was none */
	char *callers;			/* NULL: not yet */
	UT_hash_handle hh;
};

struct places {
	struct stack_place *table;
	struct ranges *ranges;
	u32 nr_wordless;	/* stacks that are not in words yet */
};

struct places *places_open(void)
{
	struct places *places = calloc(1, sizeof(*places));

	if (!places)
		return NULL;
	places->ranges = ranges_open();
	if (!places->ranges) {
		free(places);
		return NULL;
	}
	return places;
}

static void place_free(struct stack_place *place)
{
	free(place->stack);
	free(place->callers);
	free(place);
}

void places_close(struct places *places)
{
	struct stack_place *place, *next;

	if (!places)
		return;
	HASH_ITER(hh, places->table, place, next) {
		HASH_DEL(places->table, place);
		place_free(place);
	}
	ranges_close(places->ranges);
	free(places);
}

/* A name of a folded stack can hold neither what parts names, nor what ends them. */
static void append_name(char *text, size_t size, const char *name)
{
	size_t at = strlen(text);

	if (at && at + 1 < size)
		text[at++] = ';';
	for (; *name && at + 1 < size; name++)
		text[at++] = *name == ';' ? ':' : *name == '\n' ? ' ' : *name;
	text[at] = '\0';
}

static struct text caller_text(const struct symbol *symbol)
{
	struct text text;

	if (*symbol->function)
		return text_name(symbol->function, sizeof(symbol->function));
	if (!*symbol->module)
		snprintf(text.buf, sizeof(text.buf), "0x%llx",
			 (unsigned long long)symbol->frame.address);
	else
		snprintf(text.buf, sizeof(text.buf), "[%.200s+0x%llx]",
			 text_name(symbol->module, sizeof(symbol->module)).buf,
			 (unsigned long long)symbol->offset);
	return text;
}

static void place_name(struct places *places, struct stack_place *place)
{
	static struct symbol symbols[TRACEBACK_MAX];
	static char text[TRACEBACK_MAX * (CODE_NAME + 8)];
	u32 count;

	if (!place->stack)
		return;
	*text = '\0';
	count = traceback_make(place->stack, symbols, TRACEBACK_MAX);
	while (count-- > 0) {
		/* There may be others that cannot be seen. */
		append_name(text, sizeof(text), caller_text(&symbols[count]).buf);
		if (symbols[count].frame.gap && count)
			append_name(text, sizeof(text), "[...]");
	}
	free(place->stack);
	place->stack = NULL;
	place->callers = strdup(text);
	places->nr_wordless--;
}

static struct stack_place *place_new(struct places *places, u64 identity,
				     const struct stack_sample *sample)
{
	bool room = HASH_COUNT(places->table) < STACKS_KEPT + NR_CALLS;
	struct stack_place *place;

	if (HASH_COUNT(places->table) >= STACKS_KEPT) {
		identity = sample->call;
		HASH_FIND(hh, places->table, &identity, sizeof(identity), place);
		if (place || !room)
			return place;
	}
	place = calloc(1, sizeof(*place));
	if (!place)
		return NULL;
	place->identity = identity;
	place->proc = sample->proc;
	place->call = sample->call;
	memcpy(place->comm, sample->comm, COMM_LEN);
	if (identity != sample->call)
		place->stack = malloc(sizeof(*place->stack));
	if (place->stack) {
		*place->stack = sample->stack;
		places->nr_wordless++;
	}
	HASH_ADD(hh, places->table, identity, sizeof(place->identity), place);
	return place;
}

void places_add(struct places *places, const struct stack_sample *sample)
{
	u64 identity = ranges_identity(places->ranges, sample);
	struct stack_place *place;

	HASH_FIND(hh, places->table, &identity, sizeof(identity), place);
	if (!place)
		place = place_new(places, identity, sample);
	if (!place)
		return;
	place->samples++;
	for (u32 i = 0; i < NR_WEIGHTS; i++)
		place->weight_ns[i] += sample->weight_ns[i];
}

void places_name(struct places *places, u64 budget_ns)
{
	u64 end_ns = clock_ns() + budget_ns;
	struct stack_place *place, *next;

	HASH_ITER(hh, places->table, place, next) {
		if (!places->nr_wordless || clock_ns() >= end_ns)
			return;
		place_name(places, place);
	}
}

static int by_words(const void *a, const void *b)
{
	const struct place_row *x = a, *y = b;
	int order;

	if (x->proc != y->proc)
		return x->proc < y->proc ? -1 : 1;
	order = (x->call > y->call) - (x->call < y->call);
	order = order ? : memcmp(x->comm, y->comm, COMM_LEN);
	return order ? : strcmp(x->callers, y->callers);
}

static enum weight sorted_by;

static int by_weight(const void *a, const void *b)
{
	const struct place_row *x = a, *y = b;
	u64 p = x->weight_ns[sorted_by], q = y->weight_ns[sorted_by];

	return p == q ? by_words(a, b) : p < q ? 1 : -1;
}

/* Rows that say the same become one. */
static u32 merge(struct place_row *rows, u32 count)
{
	u32 kept = 0;

	qsort(rows, count, sizeof(*rows), by_words);
	for (u32 i = 0; i < count; i++) {
		if (!kept || by_words(&rows[kept - 1], &rows[i])) {
			rows[kept++] = rows[i];
			continue;
		}
		rows[kept - 1].samples += rows[i].samples;
		for (u32 w = 0; w < NR_WEIGHTS; w++)
			rows[kept - 1].weight_ns[w] += rows[i].weight_ns[w];
	}
	return kept;
}

struct place_row *places_rows(struct places *places, enum weight by, u32 *count)
{
	struct place_row *rows = calloc(HASH_COUNT(places->table) + 1, sizeof(*rows));
	struct stack_place *place, *next;

	*count = 0;
	if (!rows)
		return NULL;
	HASH_ITER(hh, places->table, place, next) {
		struct place_row *row = &rows[(*count)++];

		place_name(places, place);
		row->proc = place->proc;
		row->call = place->call;
		row->samples = place->samples;
		row->callers = place->callers ? : "[not known]";
		memcpy(row->comm, place->comm, COMM_LEN);
		memcpy(row->weight_ns, place->weight_ns, sizeof(row->weight_ns));
	}
	*count = merge(rows, *count);
	sorted_by = by;
	qsort(rows, *count, sizeof(*rows), by_weight);
	return rows;
}

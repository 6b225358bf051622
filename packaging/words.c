// SPDX-License-Identifier: GPL-2.0-only
#include "words.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/finding.h"
#include "hooks/backend.h"
#include "model/calls.h"
#include "model/rows.h"
#include "options.h"
#include "weigh.h"

/* Those of WORD_ONE are filled in from the tables of the program. */
static struct option_words table[] = {
	{ "backend", WORD_ONE, false, { 0 } },
	{ "buffer", WORD_ANY, false, { 0 } },
	{ "by", WORD_ONE, true, { 0 } },
	{ "calls", WORD_ONE, true, { 0 } },
	{ "cgroup", WORD_DIRECTORY, false, { 0 } },
	{ "color", WORD_ONE, false, { 0 } },
	{ "comm", WORD_COMM, false, { 0 } },
	{ "duration", WORD_ANY, false, { 0 } },
	{ "fail-on", WORD_ONE, false, { 0 } },
	{ "fd", WORD_ANY, true, { 0 } },
	{ "format", WORD_ONE, false, { 0 } },
	{ "html", WORD_FILE, false, { 0 } },
	{ "min-us", WORD_ANY, false, { 0 } },
	{ "output", WORD_FILE, false, { 0 } },
	{ "pid", WORD_PID, true, { 0 } },
	{ "set", WORD_ONE, false, {
#define THRESHOLD(symbol, name, ...) name "=",
#include "doctor/thresholds.def"
#undef THRESHOLD
	} },
	{ "sort", WORD_ONE, false, { 0 } },
	{ "stacks", WORD_ONE, true, { 0 } },
	{ "tid", WORD_TID, true, { 0 } },
	{ "timeline", WORD_FILE, false, { 0 } },
	{ "top", WORD_ANY, false, { 0 } },
	{ "uid", WORD_UID, true, { 0 } },
};

static struct option_words *find(const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (!strcmp(table[i].option, option))
			return &table[i];
	}
	return NULL;
}

static void add(const char *option, const char *word)
{
	struct option_words *words = find(option);
	size_t i = 0;

	while (words->words[i]) {
		if (!strcmp(words->words[i], word))
			return;
		i++;
	}
	if (i + 1 >= ARRAY_SIZE(words->words))
		errx(1, "too many words for --%s", option);
	words->words[i] = word;
}

static void add_all(const char *option, const char *const *words)
{
	while (*words)
		add(option, *words++);
}

static void fill(void)
{
	static char sort_keys[] = SORT_KEYS;

	add_all("backend", backend_words);
	add_all("by", by_words);
	add_all("color", color_words);
	add_all("fail-on", severity_words);
	add_all("format", format_words);
	for (int i = 1; i < NR_CALLS; i++)
		add("calls", class_name(calls[i].class));
	for (int i = 1; i < NR_CALLS; i++)
		add("calls", calls[i].name);
	for (u32 i = 0; i < NR_WEIGHTS; i++)
		add("stacks", weight_name(i));
	for (char *key = strtok(sort_keys, ", "); key; key = strtok(NULL, ", "))
		add("sort", key);
}

const struct option_words *option_words(const char *option)
{
	static bool filled;

	if (!filled)
		fill();
	filled = true;
	return find(option);
}

void options_each(const struct argp *argp,
		  void (*visit)(void *context, const struct argp_option *option), void *context)
{
	for (const struct argp_option *option = argp->options; option && (option->name || option->doc);
	     option++) {
		if (!(option->flags & OPTION_HIDDEN))
			visit(context, option);
	}
	for (const struct argp_child *child = argp->children; child && child->argp; child++)
		options_each(child->argp, visit, context);
}

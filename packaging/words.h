/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be given for the arguments of options. */
#ifndef IOPHASE_WORDS_H
#define IOPHASE_WORDS_H

#include <argp.h>

#include "types.h"

enum word_kind {
	WORD_ANY,		/* nothing that could be listed */
	WORD_PID, WORD_TID, WORD_COMM, WORD_UID, WORD_FILE, WORD_DIRECTORY,
	WORD_ONE,		/* one of words */
};

/* Of an option that takes an argument. */
struct option_words {
	const char *option;	/* its long name */
	enum word_kind kind;
	bool list;		/* several, with commas between them */
	const char *words[128];	/* of WORD_ONE; NULL at the end */
};

/* NULL: there is none for this option. */
const struct option_words *option_words(const char *option);

/* The options of @command one by one, its own first; each is called with @context. */
void options_each(const struct argp *argp,
		  void (*visit)(void *context, const struct argp_option *option), void *context);

#endif

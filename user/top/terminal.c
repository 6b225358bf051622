// SPDX-License-Identifier: GPL-2.0-only
#include "top/terminal.h"

#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

#include "fail.h"

/* That the cursor can be put anywhere is the least. */
int terminal_check(void)
{
	const char *name = getenv("TERM"), *home;
	int err;

	if (setupterm(NULL, STDOUT_FILENO, &err) == OK) {
		home = tigetstr("cup");
		if (home && home != (char *)-1)
			return 0;
		return fail(EXIT_RUNTIME, "a terminal of type '%s' (TERM) cannot show a screen; "
			    "iophase 1 prints tables", name);
	}
	if (!name || !*name)
		return fail(EXIT_RUNTIME, "TERM is not set, so it is not known how to use the terminal; "
			    "iophase 1 prints tables");
	return fail(EXIT_RUNTIME, "no terminal of type '%s' (TERM) is known; TERM=xterm iophase top may do, "
		    "and iophase 1 prints tables", name);
}

static char *leaving;
static size_t leaving_size, leaving_room;

static int add_leaving(int c)
{
	if (leaving_size < leaving_room)
		leaving[leaving_size++] = c;
	return c;
}

size_t terminal_leaving(char *text, size_t size)
{
	static const char *const names[] = { "sgr0", "op", "rmkx", "cnorm", "rmcup" };

	leaving = text;
	leaving_room = size;
	leaving_size = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *sequence = tigetstr(names[i]);

		if (sequence && sequence != (char *)-1)
			tputs(sequence, 1, add_leaving);
	}
	return leaving_size;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the user is, and what the keys do. It knows of no terminal. */
#ifndef IOPHASE_BROWSER_H
#define IOPHASE_BROWSER_H

#include "top/view.h"

#define PLACES_MAX 8
#define FILTER_LEN 32

/* A list that was entered: of what, and which line is chosen. */
struct place {
	enum view_id view;
	struct scope scope;
	char of[64];		/* "redis-server, pid 123"; "": all */
	bool moved;		/* the user has chosen a line; until then the first is */
	struct row_key chosen;
	u32 line;		/* its number when it was last seen */
	u32 first;		/* the line at the top of the screen */
};

/* What lies over the list. */
enum sheet { SHEET_NONE, SHEET_HELP, SHEET_DETAIL, SHEET_LOST };

struct browser {
	struct place places[PLACES_MAX];
	u32 depth;		/* the last of them in use */
	u32 sort[NR_VIEWS];
	bool reverse[NR_VIEWS];
	char filter[FILTER_LEN];
	bool typing;		/* of the filter */
	bool paused;
	enum sheet sheet;
	u32 sheet_first;	/* its line at the top of the screen */
};

/* The list as it is shown. */
struct listing {
	const struct item **items;
	u32 count;
	u32 rows;		/* lines of the screen that there are for it */
	u32 sheet_lines;	/* of the sheet, if there is one */
};

enum wish { WISH_NOTHING, WISH_QUIT, WISH_LONGER, WISH_SHORTER };

/* What getch() gives for these, whatever the terminal sends. */
enum { KEY_TAB = '\t', KEY_ESCAPE = 27, KEY_RETURN = '\n' };

void browser_init(struct browser *browser);
struct place *browser_place(struct browser *browser);

/* A key, as curses has it. */
enum wish browser_key(struct browser *browser, int key, const struct listing *listing);

/* The number of the chosen line, kept in sight: the list may have changed. */
u32 browser_settle(struct browser *browser, const struct listing *listing);

/* The views that Tab goes through where the user is. */
bool browser_has(const struct browser *browser, enum view_id view);

#endif

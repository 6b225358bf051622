// SPDX-License-Identifier: GPL-2.0-only
#include "top/screen.h"

#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fail.h"
#include "top/guard.h"
#include "top/terminal.h"

#define ESCAPE_MS 25	/* after which an escape is a key, and not the beginning of one */

static SCREEN *screen;
static bool colored, blocks;

/* How a style looks: a colour of its own where there are colours, else these attributes. */
static const struct {
	short foreground, background;	/* -1: as the terminal has it */
	attr_t attributes, mono;
} looks[NR_STYLES] = {
	[STYLE_PLAIN] = { -1, -1, A_NORMAL, A_NORMAL },
	[STYLE_DIM] = { -1, -1, A_DIM, A_DIM },
	[STYLE_BOLD] = { -1, -1, A_BOLD, A_BOLD },
	[STYLE_HEAD] = { COLOR_BLACK, COLOR_GREEN, A_NORMAL, A_REVERSE },
	[STYLE_SORTED] = { COLOR_BLACK, COLOR_CYAN, A_NORMAL, A_REVERSE | A_BOLD },
	[STYLE_CHOSEN] = { COLOR_BLACK, COLOR_CYAN, A_NORMAL, A_REVERSE },
	[STYLE_KEY] = { COLOR_BLACK, COLOR_CYAN, A_NORMAL, A_REVERSE },
	[STYLE_INFO] = { COLOR_CYAN, -1, A_NORMAL, A_NORMAL },
	[STYLE_WARNING] = { COLOR_YELLOW, -1, A_BOLD, A_BOLD },
	[STYLE_CRITICAL] = { COLOR_RED, -1, A_BOLD, A_BOLD | A_UNDERLINE },
	[STYLE_LOST] = { COLOR_RED, -1, A_BOLD, A_BOLD },
	[STYLE_BLOCKED] = { COLOR_BLUE, -1, A_NORMAL, A_NORMAL },
	[STYLE_RUNNABLE] = { COLOR_YELLOW, -1, A_BOLD, A_NORMAL },
	[STYLE_KERNEL] = { COLOR_CYAN, -1, A_NORMAL, A_NORMAL },
	[STYLE_COPY] = { COLOR_MAGENTA, -1, A_NORMAL, A_NORMAL },
	[STYLE_WORK] = { COLOR_GREEN, -1, A_NORMAL, A_NORMAL },
	[STYLE_STALLED] = { COLOR_RED, -1, A_BOLD, A_BOLD },
};

static void arm_guard(void)
{
	char leaving[256];

	guard_arm(leaving, terminal_leaving(leaving, sizeof(leaving)));
}

static void start_colors(void)
{
	start_color();
	use_default_colors();
	for (int i = 1; i < NR_STYLES; i++)
		init_pair(i, looks[i].foreground, looks[i].background);
}

int screen_open(bool color)
{
	setlocale(LC_CTYPE, "");
	blocks = !strcmp(nl_langinfo(CODESET), "UTF-8");
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return fail(EXIT_RUNTIME, "cannot use the terminal");
	colored = color && has_colors();
	if (colored)
		start_colors();
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	refresh();
	arm_guard();
	return 0;
}

void screen_close(void)
{
	if (!screen)
		return;
	curs_set(1);
	endwin();
	delscreen(screen);
	screen = NULL;
	guard_disarm();
}

void screen_resize(void)
{
	struct winsize size;

	if (screen && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
}

int screen_canvas(struct canvas *canvas)
{
	canvas->blocks = blocks;
	return canvas_reset(canvas, LINES, COLS);
}

static void set_style(enum style style)
{
	attrset(colored ? looks[style].attributes | COLOR_PAIR(style) : looks[style].mono);
}

void screen_show(const struct canvas *canvas)
{
	const struct cell *cell = canvas->cells;

	for (int line = 0; line < canvas->lines; line++) {
		for (int column = 0; column < canvas->columns; column++, cell++) {
			if (!column || cell->style != cell[-1].style)
				set_style(cell->style);
			mvaddnwstr(line, column, &cell->glyph, 1);
		}
	}
	refresh();
}

int screen_key(void)
{
	int key = getch();

	return key == ERR ? -1 : key;
}

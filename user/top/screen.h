/* SPDX-License-Identifier: GPL-2.0-only */
/* The terminal: canvases are put on it, keys come from it. The only user of curses' functions. */
#ifndef IOPHASE_SCREEN_H
#define IOPHASE_SCREEN_H

#include "top/canvas.h"

/* Takes the terminal; 0, or an exit code after a message. @color: it may be used. */
int screen_open(bool color);
/* Gives it back; nothing happens if it was not taken. */
void screen_close(void);

/* It has another size: it is asked for. */
void screen_resize(void);

/* Its size, and whether it has block characters, as an empty canvas; 0 or -ENOMEM. */
int screen_canvas(struct canvas *canvas);

/* Shows @canvas: what has not changed is not sent. */
void screen_show(const struct canvas *canvas);

/* The next key as curses has it, -1: there is none. */
int screen_key(void);

#endif

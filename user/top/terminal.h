/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known of the terminal. */
#ifndef IOPHASE_TERMINAL_H
#define IOPHASE_TERMINAL_H

#include <stddef.h>

/* Whether it can show a screen; 0, or an exit code after a message. */
int terminal_check(void);

/* What leaves the screen, put in @text of @size bytes; its length. */
size_t terminal_leaving(char *text, size_t size);

#endif

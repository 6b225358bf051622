/* SPDX-License-Identifier: GPL-2.0-only */
/* What kind of hooks is used. */
#ifndef IOPHASE_BACKEND_H
#define IOPHASE_BACKEND_H

/* AUTO: for each need the cheapest hook that loses nothing on this kernel. */
enum backend { BACKEND_AUTO, BACKEND_TRAMPOLINE, BACKEND_TRACEPOINT };

extern const char *const backend_words[];	/* by enum backend, NULL-terminated */

#endif

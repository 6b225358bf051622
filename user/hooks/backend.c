// SPDX-License-Identifier: GPL-2.0-only
#include "hooks/backend.h"

#include <stddef.h>

const char *const backend_words[] = { "auto", "trampoline", "tracepoint", NULL };

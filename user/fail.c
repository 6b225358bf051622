// SPDX-License-Identifier: GPL-2.0-only
#include "fail.h"

#include <stdarg.h>
#include <stdio.h>

bool quiet;
int verbose;

static void message(const char *format, va_list args)
{
	fflush(stdout);
	fputs("iophase: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

int fail(int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message(format, args);
	va_end(args);
	return code;
}

void note(const char *format, ...)
{
	va_list args;

	if (quiet)
		return;
	va_start(args, format);
	message(format, args);
	va_end(args);
}

void debug(const char *format, ...)
{
	va_list args;

	if (verbose < 1)
		return;
	va_start(args, format);
	message(format, args);
	va_end(args);
}

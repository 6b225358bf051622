/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOPHASE_DEMANGLE_H
#define IOPHASE_DEMANGLE_H

#include <stddef.h>

/*
 * The name of a function as its author wrote it, without its parameters: of C++ and Rust, by
 * libiberty, which is C, static and knows both; the one of libstdc++ knows C++ only and would
 * bring that with it. What compilers append to the names of copies (".isra.0") is left out. A
 * name that is none of these, or is not valid, stays; what does not fit is cut.
 */
void demangle(const char *name, char *text, size_t size);

#endif

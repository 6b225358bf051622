// SPDX-License-Identifier: GPL-2.0-only
#include "stack/symbols.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stack/perfmap.h"

static void set_source(struct symbol *symbol, const struct source *source)
{
	symbol->line = source->line;
	memcpy(symbol->file, source->file, sizeof(symbol->file));
}

/* Names what is at @place, and what is inlined there; the last of the symbols is filled in. */
static u32 name_in_module(const struct place *place, struct symbol *symbols, u32 max)
{
	const struct code_name *name = module_name(place->module, place->address);
	struct symbol *symbol = symbols;
	u32 i;

	for (i = 0; i + 1 < name->nr_sources && i + 1 < max; i++, symbol++) {
		symbol[1] = *symbol;
		symbol->inlined = true;
		snprintf(symbol->function, sizeof(symbol->function), "%s",
			 name->sources[i].function);
		set_source(symbol, &name->sources[i]);
	}
	set_source(symbol, &name->sources[i]);
	if (name->function[0]) {
		memcpy(symbol->function, name->function, sizeof(symbol->function));
		symbol->offset -= name->start;
	}
	return i + 1;
}

/* What is asked for of a perf map, as one pass over it takes. */
struct wanted {
	struct perfmap_name names[STACK_FRAMES];
	struct symbol *symbols[STACK_FRAMES];
	u32 count;
};

static void want(struct wanted *wanted, u64 address, struct symbol *symbol)
{
	if (wanted->count == STACK_FRAMES)
		return;
	wanted->symbols[wanted->count] = symbol;
	wanted->names[wanted->count++] = (struct perfmap_name){
		.address = address, .name = symbol->function, .size = sizeof(symbol->function),
	};
}

static void name_by_perfmap(const struct image *image, struct wanted *wanted)
{
	int fd = wanted->count ? perfmap_open(image_process(image)) : -1;

	if (fd < 0)
		return;
	perfmap_read(fd, wanted->names, wanted->count);
	close(fd);
	for (u32 i = 0; i < wanted->count; i++) {
		struct symbol *symbol = wanted->symbols[i];

		if (wanted->names[i].start)
			symbol->offset = symbol->frame.address - wanted->names[i].start;
	}
}

/* Names one frame; how many symbols that took. */
static u32 name_frame(struct image *image, const struct frame *frame, struct wanted *wanted,
		      struct symbol *symbols, u32 max)
{
	/* A call can be the last instruction of a function. */
	u64 behind = !frame->exact;
	struct place place;

	symbols[0] = (struct symbol){ .frame = *frame };
	if (!image_find(image, frame->address - behind, &place))
		return 1;
	memcpy(symbols[0].module, place.name, sizeof(symbols[0].module));
	if (place.name[0])
		symbols[0].offset = place.address + behind;
	if (place.module)
		return name_in_module(&place, symbols, max);
	want(wanted, frame->address - behind, &symbols[0]);
	return 1;
}

u32 symbols_name(struct image *image, const struct frame *frames, u32 count,
		 struct symbol *symbols, u32 max)
{
	struct wanted wanted = { .count = 0 };
	u32 used = 0;

	for (u32 i = 0; i < count && used < max; i++)
		used += name_frame(image, &frames[i], &wanted, symbols + used, max - used);
	name_by_perfmap(image, &wanted);
	image_rest(image);
	return used;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

struct text symbol_text(const struct symbol *symbol, struct text (*escape)(const char *, size_t))
{
	const char *base = last_part(symbol->file);
	struct text function = escape(symbol->function, sizeof(symbol->function));
	struct text file = escape(base, sizeof(symbol->file) - (base - symbol->file));
	struct text module = escape(symbol->module, sizeof(symbol->module)), text;
	unsigned long long offset = symbol->offset;
	size_t size = sizeof(text.buf);
	char where[160] = "";

	if (symbol->line)
		snprintf(where, sizeof(where), " (%.120s:%u)", file.buf, symbol->line);
	else if (symbol->function[0] && module.buf[0])
		snprintf(where, sizeof(where), " [%.120s]", module.buf);
	if (symbol->inlined)
		snprintf(text.buf, size, "%.128s, inlined%s", function.buf, where);
	else if (symbol->function[0])
		snprintf(text.buf, size, "%.128s+0x%llx%s", function.buf, offset, where);
	else if (module.buf[0])
		snprintf(text.buf, size, "[%.120s+0x%llx]%s", module.buf, offset, where);
	else
		snprintf(text.buf, size, "0x%llx", (unsigned long long)symbol->frame.address);
	return text;
}

// SPDX-License-Identifier: GPL-2.0-only
#include "hooks/parts.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define FIELDS_MAX 32

static const struct {
	const char *gives;
	const char *fields[FIELDS_MAX];
} parts_table[NR_PARTS] = {
#define PART(name, gives, ...) [PART_##name] = { gives, { __VA_ARGS__ } },
#include "bpf/parts.def"
#undef PART
};

/* @whole begins with @start, and with whole words of it. */
static bool begins_with(const char *whole, const char *start)
{
	size_t length = strlen(start);

	return !strncmp(whole, start, length) && strchr(".[", whole[length]);
}

static bool reads(enum part part, const char *field)
{
	const char *const *known = parts_table[part].fields;

	for (int i = 0; i < FIELDS_MAX && known[i]; i++) {
		if (begins_with(field, known[i]) || begins_with(known[i], field))
			return true;
	}
	return false;
}

bool parts_leave_out(struct parts *parts, const char *field)
{
	for (int part = 0; *field && part < NR_PARTS; part++) {
		if (*parts->lacks[part] || !reads(part, field))
			continue;
		snprintf(parts->lacks[part], FIELD_LEN, "%s", field);
		return true;
	}
	return false;
}

u32 parts_mask(const struct parts *parts)
{
	u32 mask = 0;

	for (int part = 0; part < NR_PARTS; part++)
		mask |= *parts->lacks[part] ? 1u << part : 0;
	return mask;
}

void parts_each(const struct parts *parts, void (*visit)(const char *gives, const char *why))
{
	for (int part = 0; part < NR_PARTS; part++) {
		if (*parts->lacks[part])
			visit(parts_table[part].gives, field_text(parts->lacks[part]));
	}
}

json_t *parts_json(const struct parts *parts)
{
	json_t *array = json_array();

	for (int part = 0; part < NR_PARTS; part++) {
		if (*parts->lacks[part])
			json_array_append_new(array, json_pack("{s:s,s:s}", "what",
							       parts_table[part].gives, "why",
							       field_text(parts->lacks[part])));
	}
	return array;
}

const char *field_text(const char *field)
{
	static char text[FIELD_LEN + 64];
	const char *dot = strchr(field, '.');

	if (dot)
		snprintf(text, sizeof(text), "the kernel's BTF has no field %s of struct %.*s",
			 dot + 1, (int)(dot - field), field);
	else
		snprintf(text, sizeof(text), "the kernel's BTF has no struct %s", field);
	return text;
}

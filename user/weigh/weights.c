// SPDX-License-Identifier: GPL-2.0-only
/* The phases that stacks can be weighed by, as words. */
#include <string.h>

#include "weigh.h"

static const char *const weight_names[] = {
#define WEIGHT(name) [WEIGHT_##name] = #name,
#include "bpf/weights.def"
#undef WEIGHT
};

const char *weight_name(u32 weight)
{
	return weight_names[weight];
}

bool weigh_parse(struct weigh *weigh, const char *list)
{
	while (true) {
		size_t length = strcspn(list, ",");
		bool known = false;

		for (u32 i = 0; i < NR_WEIGHTS; i++) {
			if (strlen(weight_names[i]) == length &&
			    !strncmp(weight_names[i], list, length))
				known = weigh->shown[i] = true;
		}
		if (!known)
			return false;
		if (!list[length])
			return true;
		list += length + 1;
	}
}

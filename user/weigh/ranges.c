// SPDX-License-Identifier: GPL-2.0-only
#include "weigh/ranges.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "clock.h"

/* Code comes and goes; what is known of a process is read again after so long. */
#define FRESH_NS	NS_PER_SEC
#define PROCESSES_MAX	1024
#define CODE_MAX	1024	/* ranges of one process; what is beyond is not told apart */

struct range {
	u64 start, end;
};

struct process {
	proc_id proc;
	u64 read_ns;
	u32 count;
	struct range code[CODE_MAX];
	UT_hash_handle hh;
};

struct ranges {
	struct process *table;
};

struct ranges *ranges_open(void)
{
	return calloc(1, sizeof(struct ranges));
}

static void drop(struct ranges *ranges, struct process *process)
{
	HASH_DEL(ranges->table, process);
	free(process);
}

void ranges_close(struct ranges *ranges)
{
	struct process *process, *next;

	if (!ranges)
		return;
	HASH_ITER(hh, ranges->table, process, next)
		drop(ranges, process);
	free(ranges);
}

/* Of one that has ended there is what was known before. */
static void process_read(struct process *process)
{
	char path[32], line[512], mode[5];
	u32 count = 0;
	FILE *maps;

	process->read_ns = clock_ns();
	snprintf(path, sizeof(path), "/proc/%u/maps", proc_tgid(process->proc));
	maps = fopen(path, "re");
	if (!maps)
		return;
	while (count < CODE_MAX && fgets(line, sizeof(line), maps)) {
		struct range range;

		/* A line that is longer goes on with a name, which is no range. */
		if (sscanf(line, "%lx-%lx %4s", &range.start, &range.end, mode) == 3 &&
		    mode[2] == 'x')
			process->code[count++] = range;
	}
	fclose(maps);
	if (count)
		process->count = count;
}

static struct process *process_of(struct ranges *ranges, proc_id proc)
{
	struct process *process;

	HASH_FIND(hh, ranges->table, &proc, sizeof(proc), process);
	if (process && process->read_ns + FRESH_NS > clock_ns())
		return process;
	if (!process) {
		if (HASH_COUNT(ranges->table) >= PROCESSES_MAX)
			drop(ranges, ranges->table);
		process = calloc(1, sizeof(*process));
		if (!process)
			return NULL;
		process->proc = proc;
		HASH_ADD(hh, ranges->table, proc, sizeof(process->proc), process);
	}
	process_read(process);
	return process;
}

/* The ranges are in order. */
static bool is_code(const struct process *process, u64 word)
{
	u32 low = 0, high = process->count;

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (word < process->code[middle].start)
			high = middle;
		else if (word >= process->code[middle].end)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

/* FNV-1a, a word at a time. */
static u64 mix(u64 hash, u64 word)
{
	for (int i = 0; i < 8; i++, word >>= 8)
		hash = (hash ^ (word & 0xff)) * 0x100000001b3;
	return hash;
}

u64 ranges_identity(struct ranges *ranges, const struct stack_sample *sample)
{
	const struct process *process = process_of(ranges, sample->proc);
	const struct user_stack *stack = &sample->stack;
	u64 hash = mix(mix(0xcbf29ce484222325, sample->proc), sample->call), word;
	u32 frames = stack->nr_frames < STACK_FRAMES ? stack->nr_frames : STACK_FRAMES;
	u32 bytes = stack->stack_bytes < STACK_BYTES ? stack->stack_bytes : STACK_BYTES;

	hash = mix(mix(hash, stack->ip), stack->sp);
	for (u32 i = 0; i < frames; i++)
		hash = mix(hash, stack->frames[i]);
	for (u32 at = 0; process && at + sizeof(word) <= bytes; at += sizeof(word)) {
		memcpy(&word, stack->stack + at, sizeof(word));
		if (is_code(process, word))
			hash = mix(mix(hash, at), word);
	}
	return hash;
}

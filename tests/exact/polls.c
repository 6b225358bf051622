// SPDX-License-Identifier: GPL-2.0-only
/*
 * polls FILE: counts from when it says "polls: watching" on standard output until its input ends,
 * then writes to FILE, as one JSON object, what it counted and the events that the kernel
 * dropped.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "polls.h"

#include "polls.skel.h"

static const char *const kinds[NR_KINDS] = {
	[KIND_SOCK] = "sock", [KIND_PIPE] = "pipe", [KIND_EVENTFD] = "eventfd",
	[KIND_TIMERFD] = "timerfd", [KIND_EPOLL] = "epoll",
};

/* Copies to @name what the kernel calls the function; the compiler may have added to its name. */
static int find_symbol(const char *function, char name[128])
{
	FILE *file = fopen("/proc/kallsyms", "r");
	size_t length = strlen(function);
	int found = 0;
	char line[512];

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%*x %*1[tT] %127s", name) == 1 &&
			!strncmp(name, function, length) && (!name[length] || name[length] == '.');
	if (file)
		fclose(file);
	return found ? 0 : -1;
}

static int attach(struct polls_bpf *skel)
{
	char name[128];

	if (find_symbol("__ep_eventpoll_poll", name))
		return -1;
	skel->links.polls_nested = bpf_program__attach_kprobe(skel->progs.polls_nested, false, name);
	return skel->links.polls_nested ? polls_bpf__attach(skel) : -1;
}

static unsigned long long missed(struct polls_bpf *skel)
{
	unsigned long long sum = skel->bss->overflows;
	struct bpf_program *program;

	bpf_object__for_each_program(program, skel->obj) {
		struct bpf_prog_info info = { 0 };
		__u32 size = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			sum += info.recursion_misses;
	}
	return sum;
}

static void write_counts(struct polls_bpf *skel, FILE *out)
{
	struct counted key, *last = NULL;
	int fd = bpf_map__fd(skel->maps.counts);
	__u64 count;

	for (; !bpf_map_get_next_key(fd, last, &key); last = &key) {
		if (!bpf_map_lookup_elem(fd, &key, &count))
			fprintf(out, "%s\n{\"tgid\":%u,\"nr\":%u,\"kind\":\"%s\",\"count\":%llu}",
				last ? "," : "", key.tgid, key.nr, kinds[key.kind], count);
	}
}

static void write_copies(struct polls_bpf *skel, FILE *out)
{
	int fd = bpf_map__fd(skel->maps.copies);
	__u32 tgid, *last = NULL;
	struct copied sum;

	for (; !bpf_map_get_next_key(fd, last, &tgid); last = &tgid) {
		if (!bpf_map_lookup_elem(fd, &tgid, &sum))
			fprintf(out, "%s\n{\"tgid\":%u,\"calls\":%llu,\"ns\":%llu}",
				last ? "," : "", tgid, sum.calls, sum.ns);
	}
}

static int write_all(struct polls_bpf *skel, const char *path)
{
	FILE *out = fopen(path, "w");

	if (!out)
		return 1;
	fprintf(out, "{\"missed\":%llu,\"counts\":[", missed(skel));
	write_counts(skel, out);
	fprintf(out, "],\"copies\":[");
	write_copies(skel, out);
	fprintf(out, "]}\n");
	return fclose(out) ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct polls_bpf *skel = argc == 2 ? polls_bpf__open_and_load() : NULL;
	int status = 1;
	char c;

	if (skel && !attach(skel)) {
		puts("polls: watching");
		fflush(stdout);
		while (read(STDIN_FILENO, &c, 1) > 0)
			;
		status = write_all(skel, argv[1]);
	}
	polls_bpf__destroy(skel);
	return status;
}

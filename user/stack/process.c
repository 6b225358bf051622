// SPDX-License-Identifier: GPL-2.0-only
#include "stack/process.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whether @name is the same here and in /proc/self. */
static bool same(int dir, const char *name)
{
	struct stat theirs, ours;
	char own[64];

	snprintf(own, sizeof(own), "/proc/self/%s", name);
	return !fstatat(dir, name, &theirs, 0) && !stat(own, &ours) &&
	       theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

static void read_status(struct process *process)
{
	int fd = openat(process->dir, "status", O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char line[1024];
	u32 value;
	int at, more;

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "Uid: %*u %u", &process->uid);
		/* One number for each namespace it is in, the innermost last. */
		at = 0;
		if (sscanf(line, "NSpid:%n", &at) == EOF || !at)
			continue;
		while (sscanf(line + at, "%u%n", &value, &more) == 1) {
			process->inner_tgid = value;
			at += more;
		}
	}
	fclose(file);
}

void process_open(struct process *process, u32 tgid)
{
	char path[32];

	*process = (struct process){ .tgid = tgid, .inner_tgid = tgid, .uid = -1 };
	snprintf(path, sizeof(path), "/proc/%u", tgid);
	process->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (process->dir < 0)
		return;
	read_status(process);
	process->own_root = same(process->dir, "root") && same(process->dir, "ns/mnt");
}

void process_close(struct process *process)
{
	if (process->dir >= 0)
		close(process->dir);
	process->dir = -1;
}

/*
 * Opens for reading what @path_fd (O_PATH), which it closes, stands for. In two steps, since to
 * open a device can do things, and to open a pipe wakes whoever waits for a reader.
 */
static int open_regular(int path_fd)
{
	struct stat st;
	char link[64];
	int fd = -1;

	if (path_fd < 0)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	if (!fstat(path_fd, &st) && S_ISREG(st.st_mode))
		fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	close(path_fd);
	return fd;
}

int process_open_file(const struct process *process, const char *path, bool follow)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int root, fd;

	/* Its files can still be had when it is gone, if they are ours too. */
	if (process->own_root)
		root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	else
		root = openat(process->dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -1;
	fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	close(root);
	return open_regular(fd);
}

int process_open_mapped(const struct process *process, u64 start, u64 end)
{
	char path[64];

	/* These links lead to the very file, not to its name (CAP_CHECKPOINT_RESTORE). */
	snprintf(path, sizeof(path), "map_files/%llx-%llx", (unsigned long long)start,
		 (unsigned long long)end);
	return open_regular(openat(process->dir, path, O_PATH | O_CLOEXEC));
}

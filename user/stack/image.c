// SPDX-License-Identifier: GPL-2.0-only
#include "stack/image.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "clock.h"

/* What a process can make us keep: mappings with code, and files open at a time. */
#define MAPPINGS_MAX	16384
#define MODULES_MAX	64

#define VDSO "[vdso]"

/* How long what was read from /proc/PID/maps is good for an address that is in it. */
#define FRESH_NS	NS_PER_SEC

struct mapping {
	u64 start, end, offset;
	struct file_id file;
	struct module *module;
	bool tried;		/* to open the file */
	char *path;
};

struct image {
	struct process process;
	struct mapping *mappings;	/* with code, by address */
	u32 nr_mappings, room;
	u64 read_ns;
	struct module *modules[MODULES_MAX];
	u32 nr_modules;
};

struct image *image_open(u32 tgid)
{
	struct image *image = calloc(1, sizeof(*image));

	if (!image)
		return NULL;
	process_open(&image->process, tgid);
	image_refresh(image);
	return image;
}

static void drop_mappings(struct mapping *mappings, u32 count)
{
	for (u32 i = 0; i < count; i++)
		free(mappings[i].path);
	free(mappings);
}

void image_close(struct image *image)
{
	if (!image)
		return;
	for (u32 i = 0; i < image->nr_modules; i++)
		module_close(image->modules[i]);
	drop_mappings(image->mappings, image->nr_mappings);
	process_close(&image->process);
	free(image);
}

const struct process *image_process(const struct image *image)
{
	return &image->process;
}

/* Parses a line of /proc/PID/maps; false: it is none, or there is no code. */
static bool parse_mapping(char *line, struct mapping *mapping)
{
	unsigned long long start, end, offset, ino;
	unsigned int major, minor;
	char modes[5];
	int path = 0;

	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &start, &end, modes, &offset, &major,
		   &minor, &ino, &path) < 7 || !path || start >= end || modes[2] != 'x')
		return false;
	line[strcspn(line, "\n")] = '\0';
	*mapping = (struct mapping){
		.start = start, .end = end, .offset = offset,
		.file = { .dev = makedev(major, minor), .ino = ino },
		.path = line + path,
	};
	if (!strcmp(mapping->path, VDSO))
		mapping->file = VDSO_FILE;
	return true;
}

static bool add_mapping(struct image *image, const struct mapping *mapping)
{
	struct mapping *grown;
	u32 room = image->room ? 2 * image->room : 16;

	if (image->nr_mappings == MAPPINGS_MAX)
		return false;
	if (image->nr_mappings == image->room) {
		grown = realloc(image->mappings, room * sizeof(*grown));
		if (!grown)
			return false;
		image->mappings = grown;
		image->room = room;
	}
	grown = &image->mappings[image->nr_mappings];
	*grown = *mapping;
	grown->path = strdup(mapping->path);
	if (!grown->path)
		return false;
	image->nr_mappings++;
	return true;
}

static void read_mappings(struct image *image, FILE *file)
{
	struct mapping mapping;
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, file) > 0) {
		if (parse_mapping(line, &mapping) && !add_mapping(image, &mapping))
			break;
	}
	free(line);
}

static void refresh(struct image *image)
{
	struct mapping *old = image->mappings;
	u32 nr_old = image->nr_mappings;
	int fd = openat(image->process.dir, "maps", O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	image->read_ns = clock_ns();
	if (!file)
		return;
	image->mappings = NULL;
	image->nr_mappings = image->room = 0;
	read_mappings(image, file);
	fclose(file);
	if (image->nr_mappings) {
		drop_mappings(old, nr_old);
		return;
	}
	/* A process that ends has no mappings: what it had says more. */
	drop_mappings(image->mappings, 0);
	image->mappings = old;
	image->nr_mappings = image->room = nr_old;
}

void image_refresh(struct image *image)
{
	if (!image->read_ns || clock_ns() - image->read_ns > FRESH_NS)
		refresh(image);
}

static struct mapping *mapping_of(const struct image *image, u64 address)
{
	u32 low = 0, high = image->nr_mappings;

	while (low < high) {
		u32 middle = (low + high) / 2;
		struct mapping *mapping = &image->mappings[middle];

		if (address < mapping->start)
			high = middle;
		else if (address >= mapping->end)
			low = middle + 1;
		else
			return mapping;
	}
	return NULL;
}

/* Opens the file of @mapping, by the mapping itself or by a path where the same file still is. */
static struct module *open_module(struct image *image, const struct mapping *mapping)
{
	struct process *process = &image->process;
	struct module *module = NULL;
	int fd;

	if (!strcmp(mapping->path, VDSO))
		return module_open_vdso();
	if (mapping->path[0] != '/')
		return NULL;
	fd = process_open_mapped(process, mapping->start, mapping->end);
	if (fd >= 0)
		return module_open(fd, mapping->path, &mapping->file, process);
	fd = process_open_file(process, mapping->path, false);
	if (fd >= 0 && file_is(fd, &mapping->file))
		module = module_open(fd, mapping->path, &mapping->file, process);
	else if (fd >= 0)
		close(fd);
	return module;
}

static struct module *module_of(struct image *image, struct mapping *mapping)
{
	struct module *module;

	if (mapping->tried)
		return mapping->module;
	mapping->tried = true;
	for (u32 i = 0; i < image->nr_modules; i++) {
		if (module_is(image->modules[i], &mapping->file))
			return mapping->module = image->modules[i];
	}
	if (image->nr_modules == MODULES_MAX)
		return NULL;
	module = open_module(image, mapping);
	if (module)
		image->modules[image->nr_modules++] = module;
	return mapping->module = module;
}

/* The last part of @path, without what the kernel says of a file that has no name any more. */
static void name_of(const char *path, char *name, size_t size)
{
	static const char deleted[] = " (deleted)";
	const char *slash = strrchr(path, '/');
	size_t length;

	if (path[0] != '/' && strcmp(path, VDSO))
		path = "";
	if (path[0] == '/')
		path = slash + 1;
	length = strlen(path);
	if (length > strlen(deleted) && !strcmp(path + length - strlen(deleted), deleted))
		length -= strlen(deleted);
	snprintf(name, size, "%.*s", (int)length, path);
}

bool image_find(struct image *image, u64 address, struct place *place)
{
	struct mapping *mapping = mapping_of(image, address);

	/* A library may have been loaded since. */
	if (!mapping && image->read_ns && clock_ns() - image->read_ns > FRESH_NS / 100) {
		refresh(image);
		mapping = mapping_of(image, address);
	}
	if (!mapping)
		return false;
	*place = (struct place){ .start = mapping->start, .end = mapping->end };
	place->offset = address - mapping->start + mapping->offset;
	place->address = place->offset;
	place->module = module_of(image, mapping);
	if (place->module && !module_address(place->module, place->offset, &place->address))
		place->module = NULL;
	name_of(mapping->path, place->name, sizeof(place->name));
	return true;
}

/*
 * Bytes of a call by a register or through memory whose ModRM byte is @modrm and the one behind
 * it @sib; 0: it is none. Intel SDM volume 2, table 2-2; the opcode is FF /2.
 */
static int indirect_call_bytes(u8 modrm, u8 sib)
{
	int mod = modrm >> 6, rm = modrm & 7, bytes = 2;

	if ((modrm >> 3 & 7) != 2)
		return 0;
	if (mod == 3)
		return bytes;
	if (rm == 4)
		bytes++;
	if (mod == 2 || (mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5))))
		bytes += 4;
	return bytes + (mod == 1);
}

static bool ends_with_call(const u8 *code, size_t size, s32 *relative)
{
	*relative = 0;
	if (size >= 5 && code[size - 5] == 0xe8) {
		memcpy(relative, code + size - 4, sizeof(*relative));
		return true;
	}
	for (size_t n = 2; n <= 7 && n <= size; n++) {
		const u8 *call = code + size - n;

		if (call[0] == 0xff && indirect_call_bytes(call[1], n > 2 ? call[2] : 0) == (int)n)
			return true;
	}
	return false;
}

bool image_returned_to(struct image *image, u64 address, u64 *target)
{
	struct place place;
	s32 relative;
	u8 code[7];
	size_t size;

	if (target)
		*target = 0;
	if (!image_find(image, address - 1, &place))
		return false;
	if (!place.module)
		return true;
	size = place.offset + 1 < sizeof(code) ? place.offset + 1 : sizeof(code);
	if (!module_read(place.module, place.offset + 1 - size, code, size))
		return true;
	if (!ends_with_call(code, size, &relative))
		return false;
	if (target && relative)
		*target = address + relative;
	return true;
}

void image_rest(struct image *image)
{
	for (u32 i = 0; i < image->nr_modules; i++)
		module_rest(image->modules[i]);
}

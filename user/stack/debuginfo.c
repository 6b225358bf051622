// SPDX-License-Identifier: GPL-2.0-only
#include "stack/debuginfo.h"

#include <dwarf.h>
#include <elfutils/libdwelf.h>
#include <endian.h>
#include <fcntl.h>
#include <gelf.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "stack/demangle.h"
#include "stack/process.h"

/* What a file of a process can make us hold in memory for the time of one stack. */
#define DWARF_BYTES_MAX	(128ull << 20)
#define MINI_BYTES_MAX	(32ull << 20)
#define CRC_BYTES_MAX	(256ll << 20)

#define DEBUG_DIR	"/usr/lib/debug"

void debuginfo_init(struct debuginfo *debug)
{
	*debug = (struct debuginfo){
		.file = { .fd = -1 }, .mini = { .fd = -1 }, .self = { .fd = -1 },
	};
}

/* Nobody but root can cut short what is mapped: not so in a container, whose root may be anyone. */
static bool is_steady(int fd, const struct process *process)
{
	struct stat st;

	return process->own_root && !fstat(fd, &st) && !st.st_uid && !(st.st_mode & 022);
}

static bool same_build_id(Elf *a, Elf *b)
{
	const void *id_a, *id_b;
	ssize_t size = dwelf_elf_gnu_build_id(a, &id_a);

	return size > 0 && dwelf_elf_gnu_build_id(b, &id_b) == size && !memcmp(id_a, id_b, size);
}

static bool has_build_id(Elf *elf)
{
	const void *id;

	return dwelf_elf_gnu_build_id(elf, &id) > 0;
}

static bool has_crc(const struct object *file, u32 crc)
{
	u8 piece[16384];
	u32 sum = crc32(0, NULL, 0);
	off_t at = 0;
	ssize_t n;

	while ((n = pread(file->fd, piece, sizeof(piece), at)) > 0 && at < CRC_BYTES_MAX) {
		sum = crc32(sum, piece, n);
		at += n;
	}
	return !n && sum == crc;
}

/* Opens @path as the debug file of @object: by its build id, or the checksum if it has none. */
static bool open_file(struct debuginfo *debug, const struct object *object,
		      const struct process *process, const char *path, u32 crc)
{
	int fd = process_open_file(process, path, true);

	if (fd < 0 || !object_open(&debug->file, fd, is_steady(fd, process)))
		return false;
	if (has_build_id(object->elf) ? same_build_id(object->elf, debug->file.elf) :
					has_crc(&debug->file, crc))
		return true;
	object_close(&debug->file);
	return false;
}

static bool open_by_build_id(struct debuginfo *debug, const struct object *object,
			     const struct process *process)
{
	char path[256];
	const void *data;
	const u8 *id;
	ssize_t size = dwelf_elf_gnu_build_id(object->elf, &data);
	int at;

	if (size < 2 || size > 64)
		return false;
	id = data;
	at = snprintf(path, sizeof(path), DEBUG_DIR "/.build-id/%02x/", id[0]);
	for (ssize_t i = 1; i < size; i++)
		at += snprintf(path + at, sizeof(path) - at, "%02x", id[i]);
	snprintf(path + at, sizeof(path) - at, ".debug");
	return open_file(debug, object, process, path, 0);
}

/* Looks where gdb does: GDB manual, "Debugging Information in Separate Files". */
static void open_by_link(struct debuginfo *debug, const struct object *object,
			 const struct process *process, const char *path)
{
	static const char *const forms[] = { "%.*s/%s", "%.*s/.debug/%s", DEBUG_DIR "%.*s/%s" };
	const char *slash = strrchr(path, '/');
	char candidate[4096];
	GElf_Word crc;
	const char *link = dwelf_elf_gnu_debuglink(object->elf, &crc);

	if (!link || strchr(link, '/') || !slash)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (snprintf(candidate, sizeof(candidate), forms[i], (int)(slash - path), path,
			     link) >= (int)sizeof(candidate) || !strcmp(candidate, path))
			continue;
		if (open_file(debug, object, process, candidate, crc))
			return;
	}
}

/* Unpacks the symbols that distributions such as Fedora leave in stripped files. */
static void open_mini(struct debuginfo *debug, const struct object *object)
{
	Elf_Scn *section = object_section(object, ".gnu_debugdata");
	Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
	u8 *memory = data ? malloc(MINI_BYTES_MAX) : NULL;
	uint64_t limit = MINI_BYTES_MAX;
	size_t in = 0, out = 0;

	if (!memory)
		return;
	if (lzma_stream_buffer_decode(&limit, 0, NULL, data->d_buf, &in, data->d_size, memory,
				      &out, MINI_BYTES_MAX) == LZMA_OK)
		object_open_memory(&debug->mini, memory, out, true);
	else
		free(memory);
}

/* Bytes that a section takes when it is unpacked, by any of the two ways of packing. */
static u64 unpacked_bytes(Elf_Scn *section, const GElf_Shdr *header)
{
	u64 bytes = header->sh_size;
	GElf_Chdr packed;
	Elf_Data *data;

	if (header->sh_flags & SHF_COMPRESSED && gelf_getchdr(section, &packed))
		bytes = packed.ch_size;
	data = header->sh_flags & SHF_COMPRESSED ? NULL : elf_rawdata(section, NULL);
	if (data && data->d_size > 12 && !memcmp(data->d_buf, "ZLIB", 4)) {
		memcpy(&bytes, (u8 *)data->d_buf + 4, sizeof(bytes));
		bytes = be64toh(bytes);
	}
	return bytes < DWARF_BYTES_MAX ? bytes : DWARF_BYTES_MAX + 1;
}

/* Bytes of debug information. */
static u64 dwarf_bytes(Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	const char *name;
	u64 bytes = 0;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return 0;
	while ((section = elf_nextscn(elf, section)) && bytes <= DWARF_BYTES_MAX) {
		if (!gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS)
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		if (name && (!strncmp(name, ".debug_", 7) || !strncmp(name, ".zdebug_", 8)))
			bytes += unpacked_bytes(section, &header);
	}
	return bytes;
}

static Dwarf *open_dwarf(const struct object *object, bool steady)
{
	u64 bytes = object->elf ? dwarf_bytes(object->elf) : 0;

	/* Of what others can write, libdw would open any path to a common part (dwz). */
	if (!bytes || (!steady && (bytes > DWARF_BYTES_MAX ||
				   object_section(object, ".gnu_debugaltlink"))))
		return NULL;
	return dwarf_begin_elf(object->elf, DWARF_C_READ, NULL);
}

void debuginfo_load(struct debuginfo *debug, const struct object *object, const char *path,
		    const struct process *process)
{
	if (debug->object || !path)
		return;
	debug->object = object;
	debug->process = process;
	if (!open_by_build_id(debug, object, process))
		open_by_link(debug, object, process, path);
	open_mini(debug, object);
}

/* Lines and the like, which take by far the most of the time and memory: only when used. */
static Dwarf *dwarf_of(struct debuginfo *debug)
{
	const struct object *object = debug->object;

	if (debug->dwarf_tried || !object)
		return debug->dwarf;
	debug->dwarf_tried = true;
	if (debug->file.elf)
		debug->dwarf = open_dwarf(&debug->file, is_steady(debug->file.fd, debug->process));
	if (debug->dwarf || !dwarf_bytes(object->elf))
		return debug->dwarf;
	/* By a handle of its own, with which what it read goes. */
	if (object_open(&debug->self, fcntl(object->fd, F_DUPFD_CLOEXEC, 0), false))
		debug->dwarf = open_dwarf(&debug->self, false);
	return debug->dwarf;
}

void debuginfo_drop(struct debuginfo *debug)
{
	if (debug->dwarf)
		dwarf_end(debug->dwarf);
	object_close(&debug->file);
	object_close(&debug->mini);
	object_close(&debug->self);
	debuginfo_init(debug);
}

/* Units whose rest is in another file (-gsplit-dwarf) are left out: libdw would open any path. */
static bool is_whole(Dwarf_Die *unit)
{
	return !dwarf_hasattr(unit, DW_AT_dwo_name) && !dwarf_hasattr(unit, DW_AT_GNU_dwo_name);
}

/* The compilation unit that has @address. Some compilers write no index of them (clang). */
static bool find_unit(Dwarf *dwarf, u64 address, Dwarf_Die *unit)
{
	Dwarf_CU *cu = NULL;

	if (dwarf_addrdie(dwarf, address, unit))
		return is_whole(unit);
	while (!dwarf_get_units(dwarf, cu, &cu, NULL, NULL, unit, NULL)) {
		if (is_whole(unit) && dwarf_haspc(unit, address) == 1)
			return true;
	}
	return false;
}

static void set_file(struct source *source, const char *name)
{
	size_t length = strlen(name), size = sizeof(source->file);

	snprintf(source->file, size, "%s", length < size ? name : name + length - (size - 1));
}

static void find_line(Dwarf_Die *unit, u64 address, struct source *source)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, address);
	const char *name = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
	int number;

	if (!name || dwarf_lineno(line, &number) || number <= 0)
		return;
	source->line = number;
	set_file(source, name);
}

static u64 attribute(Dwarf_Die *die, u32 name)
{
	Dwarf_Attribute value;
	Dwarf_Word word;

	return dwarf_formudata(dwarf_attr(die, name, &value), &word) ? 0 : word;
}

/* The place that the inlined function @die was called at. */
static void find_call(Dwarf_Die *unit, Dwarf_Die *die, struct source *source)
{
	u64 line = attribute(die, DW_AT_call_line), index = attribute(die, DW_AT_call_file);
	const char *name = NULL;
	Dwarf_Files *files;

	if (!dwarf_getsrcfiles(unit, &files, NULL))
		name = dwarf_filesrc(files, index, NULL, NULL);
	if (!name || !line || line > INT32_MAX)
		return;
	source->line = line;
	set_file(source, name);
}

/* Names with a namespace or class are only in what is for the linker. */
static void name_inlined(Dwarf_Die *die, struct source *source)
{
	Dwarf_Attribute value;
	const char *name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &value));

	if (!name)
		name = dwarf_diename(die);
	demangle(name ? name : "?", source->function, sizeof(source->function));
}

/* Names that begin so are the implementation's own, and say nothing to a person. */
static bool is_internal(const struct source *source)
{
	return !strncmp(source->function, "__", 2);
}

/* The scopes around @address, the innermost first; to be freed. */
static int find_scopes(Dwarf_Die *unit, u64 address, Dwarf_Die **scopes)
{
	Dwarf_Die innermost;
	int count = dwarf_getscopes(unit, address, scopes);

	if (count <= 0)
		return 0;
	/* These are by definition, so that of an inlined function its caller is none of them. */
	innermost = (*scopes)[0];
	free(*scopes);
	*scopes = NULL;
	count = dwarf_getscopes_die(&innermost, scopes);
	return count > 0 ? count : 0;
}

u32 debuginfo_sources(struct debuginfo *debug, u64 address, struct source sources[SOURCES])
{
	Dwarf *dwarf = dwarf_of(debug);
	Dwarf_Die unit, *scopes = NULL;
	u32 nr_sources = 1;
	int count;

	if (!dwarf || !find_unit(dwarf, address, &unit))
		return 1;
	find_line(&unit, address, &sources[0]);
	count = find_scopes(&unit, address, &scopes);
	for (int i = 0; i < count && nr_sources < SOURCES; i++) {
		if (dwarf_tag(&scopes[i]) != DW_TAG_inlined_subroutine)
			continue;
		name_inlined(&scopes[i], &sources[nr_sources - 1]);
		if (is_internal(&sources[nr_sources - 1]))
			sources[nr_sources - 1].function[0] = '\0';
		else
			nr_sources++;
		find_call(&unit, &scopes[i], &sources[nr_sources - 1]);
	}
	free(scopes);
	return nr_sources;
}

Dwarf_CFI *debuginfo_cfi(struct debuginfo *debug)
{
	Dwarf *dwarf = dwarf_of(debug);

	return dwarf ? dwarf_getcfi(dwarf) : NULL;
}

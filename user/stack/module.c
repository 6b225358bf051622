// SPDX-License-Identifier: GPL-2.0-only
#include "stack/module.h"

#include <gelf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stack/debuginfo.h"
#include "stack/demangle.h"
#include "stack/object.h"

/* Names kept, by address. Stacks of one loop have few. */
#define NAMES	16

struct segment {
	u64 offset, size, address;
};

struct module {
	struct file_id file;
	struct object object;
	char *path;
	bool is_libc;		/* its lines tell nobody anything, for 10 MB and 50 ms */
	const struct process *process;
	struct segment segments[8];	/* with code */
	u32 nr_segments;
	Dwarf_CFI *cfi;
	bool cfi_tried;
	struct debuginfo debuginfo;
	struct code_name names[NAMES];
};

static void find_segments(struct module *module)
{
	GElf_Phdr header;
	size_t count;

	if (elf_getphdrnum(module->object.elf, &count))
		return;
	for (size_t i = 0; i < count && module->nr_segments < ARRAY_SIZE(module->segments); i++) {
		if (!gelf_getphdr(module->object.elf, i, &header))
			return;
		if (header.p_type == PT_LOAD && header.p_flags & PF_X)
			module->segments[module->nr_segments++] = (struct segment){
				header.p_offset, header.p_filesz, header.p_vaddr,
			};
	}
}

/* A module of @object, which it takes over. */
static struct module *new_module(struct object *object, const struct file_id *file)
{
	struct module *module = calloc(1, sizeof(*module));

	if (!module) {
		object_close(object);
		return NULL;
	}
	module->object = *object;
	module->file = *file;
	debuginfo_init(&module->debuginfo);
	find_segments(module);
	return module;
}

struct module *module_open(int fd, const char *path, const struct file_id *file,
			   const struct process *process)
{
	struct module *module;
	struct object object;

	if (!object_open(&object, fd, false))
		return NULL;
	module = new_module(&object, file);
	if (!module)
		return NULL;
	module->path = strdup(path);
	module->is_libc = strstr(path, "/libc.so.") || strstr(path, "/libc-2.");
	module->process = process;
	return module;
}

/* The whole of the vdso is mapped, section headers included: its size is where they end. */
static size_t vdso_size(const Elf64_Ehdr *header)
{
	return header->e_shoff + header->e_shnum * sizeof(Elf64_Shdr);
}

struct module *module_open_vdso(void)
{
	const Elf64_Ehdr *vdso = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);
	struct object object;

	if (!vdso || !object_open_memory(&object, (const u8 *)vdso, vdso_size(vdso), false))
		return NULL;
	return new_module(&object, &VDSO_FILE);
}

void module_close(struct module *module)
{
	if (!module)
		return;
	module_rest(module);
	if (module->cfi)
		dwarf_cfi_end(module->cfi);
	object_close(&module->object);
	free(module->path);
	free(module);
}

bool module_is(const struct module *module, const struct file_id *file)
{
	return file->ino && module->file.dev == file->dev && module->file.ino == file->ino;
}

bool file_is(int fd, const struct file_id *file)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_ino == file->ino;
}

bool module_address(const struct module *module, u64 offset, u64 *address)
{
	for (u32 i = 0; i < module->nr_segments; i++) {
		const struct segment *segment = &module->segments[i];

		if (offset >= segment->offset && offset - segment->offset < segment->size) {
			*address = offset - segment->offset + segment->address;
			return true;
		}
	}
	return false;
}

bool module_read(const struct module *module, u64 offset, void *buf, size_t size)
{
	return object_read(&module->object, offset, buf, size);
}

static struct debuginfo *debuginfo_of(struct module *module)
{
	debuginfo_load(&module->debuginfo, &module->object, module->path, module->process);
	return &module->debuginfo;
}

/* Looks in all tables that can be there, from the fullest to what is left in a stripped file. */
static bool find_function(struct module *module, u64 address, u64 *start,
			  char name[OBJECT_NAME])
{
	struct debuginfo *debug;

	if (object_function(&module->object, SHT_SYMTAB, address, start, name))
		return true;
	debug = debuginfo_of(module);
	return object_function(&debug->file, SHT_SYMTAB, address, start, name) ||
	       object_function(&debug->mini, SHT_SYMTAB, address, start, name) ||
	       object_function(&module->object, SHT_DYNSYM, address, start, name);
}

const struct code_name *module_name(struct module *module, u64 address)
{
	/* The lowest bits of addresses behind calls differ well enough. */
	struct code_name *known = &module->names[address % NAMES];
	char name[OBJECT_NAME];

	if (known->address == address && address)
		return known;
	*known = (struct code_name){ .address = address };
	if (find_function(module, address, &known->start, name))
		demangle(name, known->function, sizeof(known->function));
	known->nr_sources = 1;
	if (module->is_libc)
		return known;
	known->nr_sources = debuginfo_sources(debuginfo_of(module), address, known->sources);
	return known;
}

Dwarf_Frame *module_frame(struct module *module, u64 address)
{
	Dwarf_Frame *frame;
	Dwarf_CFI *cfi;

	if (!module->cfi_tried)
		module->cfi = dwarf_getcfi_elf(module->object.elf);
	module->cfi_tried = true;
	if (module->cfi && !dwarf_cfi_addrframe(module->cfi, address, &frame))
		return frame;
	/* Go has its own in .debug_frame only. */
	cfi = debuginfo_cfi(debuginfo_of(module));
	if (cfi && !dwarf_cfi_addrframe(cfi, address, &frame))
		return frame;
	return NULL;
}

void module_rest(struct module *module)
{
	debuginfo_drop(&module->debuginfo);
}

// SPDX-License-Identifier: GPL-2.0-only
#include "stack/object.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool of_this_machine(Elf *elf)
{
	GElf_Ehdr header;

	return elf && elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &header) &&
	       header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == EM_X86_64;
}

bool object_open(struct object *object, int fd, bool steady)
{
	*object = (struct object){ .fd = fd };
	if (fd < 0)
		return false;
	elf_version(EV_CURRENT);
	object->elf = elf_begin(fd, steady ? ELF_C_READ_MMAP : ELF_C_READ, NULL);
	if (of_this_machine(object->elf))
		return true;
	object_close(object);
	return false;
}

bool object_open_memory(struct object *object, const u8 *memory, size_t size, bool allocated)
{
	*object = (struct object){
		.fd = -1, .memory = memory, .size = size, .allocated = allocated,
	};
	elf_version(EV_CURRENT);
	/* Opened for reading, so that it is not written to. */
	object->elf = elf_memory((char *)memory, size);
	if (of_this_machine(object->elf))
		return true;
	object_close(object);
	return false;
}

void object_close(struct object *object)
{
	elf_end(object->elf);
	if (object->fd >= 0)
		close(object->fd);
	if (object->allocated)
		free((void *)object->memory);
	*object = (struct object){ .fd = -1 };
}

bool object_read(const struct object *object, u64 offset, void *buf, size_t size)
{
	if (object->fd >= 0)
		return pread(object->fd, buf, size, offset) == (ssize_t)size;
	if (offset > object->size || size > object->size - offset)
		return false;
	memcpy(buf, object->memory + offset, size);
	return true;
}

Elf_Scn *object_section(const struct object *object, const char *name)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	const char *other;
	size_t names;

	if (elf_getshdrstrndx(object->elf, &names))
		return NULL;
	while ((section = elf_nextscn(object->elf, section))) {
		if (!gelf_getshdr(section, &header))
			continue;
		other = elf_strptr(object->elf, names, header.sh_name);
		if (other && !strcmp(other, name))
			return section;
	}
	return NULL;
}

/* A symbol table while it is searched. */
struct search {
	const struct object *object;
	u64 address;
	u64 strings, strings_size;	/* in the file */
	Elf64_Sym best;			/* st_name 0: none */
	u64 nearest;			/* the last start of a function, with a size, before it */
	bool labels;			/* what has no size is looked at, too */
	char name[OBJECT_NAME];		/* of the best, once it had to be compared */
};

static bool read_name(const struct search *search, const Elf64_Sym *symbol,
		      char name[OBJECT_NAME])
{
	u64 left;

	if (symbol->st_name >= search->strings_size)
		return false;
	left = search->strings_size - symbol->st_name;
	if (left > OBJECT_NAME)
		left = OBJECT_NAME;
	if (!object_read(search->object, search->strings + symbol->st_name, name, left))
		return false;
	name[left - 1] = '\0';
	return name[0];
}

static size_t underscores(const char *name)
{
	return strspn(name, "_");
}

/* Whether the bindings say that people call it by the name of @a rather than of @b. */
static bool better_bound(const Elf64_Sym *a, const Elf64_Sym *b)
{
	static const u8 ranks[16] = { [STB_GLOBAL] = 2, [STB_WEAK] = 1 };

	return ranks[ELF64_ST_BIND(a->st_info)] > ranks[ELF64_ST_BIND(b->st_info)];
}

static void take_better_name(struct search *search, const Elf64_Sym *symbol)
{
	char name[OBJECT_NAME];

	if (!read_name(search, symbol, name))
		return;
	if (!search->name[0] && !read_name(search, &search->best, search->name))
		search->name[0] = '\0';
	if (search->name[0] && (underscores(name) > underscores(search->name) ||
	    (underscores(name) == underscores(search->name) &&
	     !better_bound(symbol, &search->best))))
		return;
	search->best = *symbol;
	memcpy(search->name, name, sizeof(name));
}

/* Labels of assembler code often have no size: they reach as far as the next function. */
static bool reaches(const struct search *search, const Elf64_Sym *symbol)
{
	GElf_Shdr header;
	Elf_Scn *section;

	if (symbol->st_size)
		return search->address - symbol->st_value < symbol->st_size;
	if (!search->labels)
		return false;
	section = elf_getscn(search->object->elf, symbol->st_shndx);
	return section && gelf_getshdr(section, &header) && header.sh_flags & SHF_EXECINSTR &&
	       search->address - header.sh_addr < header.sh_size &&
	       symbol->st_value >= header.sh_addr;
}

static void consider(struct search *search, const Elf64_Sym *symbol)
{
	u8 type = ELF64_ST_TYPE(symbol->st_info);

	if (symbol->st_shndx == SHN_UNDEF || !symbol->st_name ||
	    symbol->st_value > search->address ||
	    (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE))
		return;
	if (symbol->st_size && symbol->st_value > search->nearest)
		search->nearest = symbol->st_value;
	if (search->best.st_name && symbol->st_value < search->best.st_value)
		return;
	if (!reaches(search, symbol))
		return;
	if (!search->best.st_name || symbol->st_value > search->best.st_value ||
	    (!search->best.st_size && symbol->st_size)) {
		search->best = *symbol;
		search->name[0] = '\0';
	} else if (symbol->st_size || !search->best.st_size) {
		take_better_name(search, symbol);
	}
}

/* Reads the table by pieces, which costs no memory for good; 7 MB take 3 ms. */
static void search_table(struct search *search, const GElf_Shdr *table)
{
	Elf64_Sym symbols[256];
	u64 count = table->sh_size / sizeof(*symbols), piece;

	for (u64 at = 0; at < count; at += piece) {
		piece = count - at < ARRAY_SIZE(symbols) ? count - at : ARRAY_SIZE(symbols);
		if (!object_read(search->object, table->sh_offset + at * sizeof(*symbols), symbols,
				 piece * sizeof(*symbols)))
			return;
		for (u64 i = 0; i < piece; i++)
			consider(search, &symbols[i]);
	}
}

static bool find_table(const struct object *object, u32 type, GElf_Shdr *table)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(object->elf, section))) {
		if (gelf_getshdr(section, table) && table->sh_type == type &&
		    table->sh_entsize == sizeof(Elf64_Sym))
			return true;
	}
	return false;
}

bool object_function(const struct object *object, u32 type, u64 address, u64 *start,
		     char name[OBJECT_NAME])
{
	struct search search = { .object = object, .address = address };
	const Elf64_Sym *best = &search.best;
	GElf_Shdr table, strings;
	Elf_Scn *section;

	if (!object->elf || !find_table(object, type, &table))
		return false;
	section = elf_getscn(object->elf, table.sh_link);
	if (!section || !gelf_getshdr(section, &strings) || strings.sh_type != SHT_STRTAB)
		return false;
	search.strings = strings.sh_offset;
	search.strings_size = strings.sh_size;
	/* In a stripped file functions are missing, so that a label would seem to reach far. */
	search.labels = type == SHT_SYMTAB;
	search_table(&search, &table);
	if (!best->st_name || (!best->st_size && best->st_value < search.nearest) ||
	    !read_name(&search, best, name))
		return false;
	*start = best->st_value;
	return true;
}

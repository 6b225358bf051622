// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes the manual page and the completions of shells from the tables of the program, so that they
 * cannot differ from what it understands.
 *
 *   tables man iophase.8.in     the page, where lines @options COMMAND@ become lists of options
 *   tables bash|zsh|fish FILE   FILE, with a line @tables@ in it, for that shell
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "options.h"
#include "version.h"
#include "words.h"

/* A heading of a group of options, which is no option. */
static bool heading(const struct argp_option *option)
{
	return !option->name;
}

static bool has_letter(const struct argp_option *option)
{
	return option->key > ' ' && option->key <= '~';
}

static const struct option_words *words_of(const struct argp_option *option)
{
	const struct option_words *words = option_words(option->name);

	if (!words)
		errx(1, "packaging/words.c does not know what --%s takes", option->name);
	return words;
}

/* The manual */

#define MDOC_COLUMNS 78

/*
 * Lines of words. What mdoc would take for something else is escaped: a backslash, and a period that
 * begins a line.
 */
static void print_mdoc(const char *text)
{
	int column = 0;

	while (*text) {
		int len = strcspn(text, " ");

		if (column && column + 1 + len > MDOC_COLUMNS) {
			putchar('\n');
			column = 0;
		}
		if (column)
			column += printf(" ");
		else if (*text == '.' || *text == '\'')
			fputs("\\&", stdout);
		column += len;
		for (; len; len--, text++)
			fputs(*text == '\\' ? "\\e" : (char[]){ *text, '\0' }, stdout);
		text += *text == ' ';
	}
	putchar('\n');
}

/* The argument of an option as a word of mdoc. */
static void print_argument(const char *argument)
{
	printf(" Ar %s", argument);
}

static void mdoc_option(void *context, const struct argp_option *option)
{
	(void)context;
	if (heading(option))
		return;
	fputs(".It", stdout);
	if (has_letter(option))
		printf(" Fl %c ,", option->key);
	printf(" Fl -%s", option->name);
	if (option->arg)
		print_argument(option->arg);
	putchar('\n');
	print_mdoc(option->doc);
}

static void print_list(const char *name)
{
	const struct argp *argp = !strcmp(name, "common") ? &options_common :
				  !strcmp(name, "rows") ? &options_rows : NULL;
	struct argp own;

	for (u32 i = 0; i < nr_commands; i++) {
		if (strcmp(commands[i].name, name))
			continue;
		/* Those that all have are listed once. */
		own = *commands[i].argp;
		own.children = NULL;
		argp = &own;
	}
	if (!argp)
		errx(1, "no such command: %s", name);
	puts(".Bl -tag -width Ds");
	options_each(argp, mdoc_option, NULL);
	puts(".El");
}

static void man_line(const char *line)
{
	char name[32];

	if (sscanf(line, "@options %31[a-z]@", name) == 1)
		print_list(name);
	else
		fputs(line, stdout);
}

/* bash: a case for each command and option */

static void bash_word(void *context, const struct argp_option *option)
{
	(void)context;
	if (heading(option))
		return;
	if (has_letter(option))
		printf("-%c ", option->key);
	printf("--%s%s ", option->name, option->arg ? "=" : "");
}

static void bash_argument(void *context, const struct argp_option *option)
{
	static const char *const lists[] = {
		[WORD_PID] = "$(_iophase_pids)", [WORD_TID] = "$(_iophase_tids)",
		[WORD_COMM] = "$(_iophase_comms)", [WORD_UID] = "$(_iophase_uids)",
	};
	const struct option_words *words;

	if (heading(option) || !option->arg)
		return;
	words = words_of(option);
	printf("\t%s:", (const char *)context);
	if (has_letter(option))
		printf("-%c|%s:", option->key, (const char *)context);
	printf("--%s) ", option->name);
	if (words->kind == WORD_FILE || words->kind == WORD_DIRECTORY)
		printf("_iophase_%s ;;\n", words->kind == WORD_FILE ? "files" : "directories");
	else if (words->kind == WORD_ANY)
		printf("COMPREPLY=() ;;\n");
	else if (words->kind == WORD_ONE) {
		printf("_iophase_%s \"", words->list ? "list" : "one");
		for (size_t i = 0; words->words[i]; i++)
			printf("%s%s", i ? " " : "", words->words[i]);
		puts("\" ;;");
	} else {
		printf("_iophase_%s \"%s\" ;;\n", words->list ? "list" : "one", lists[words->kind]);
	}
}

static void bash_tables(void)
{
	fputs("_iophase_commands='", stdout);
	for (u32 i = 0; i < nr_commands; i++)
		printf("%s%s", i ? " " : "", commands[i].name);
	puts("'\n\n_iophase_options()\n{\n\tcase $1 in");
	for (u32 i = 0; i < nr_commands; i++) {
		printf("\t%s) echo '", commands[i].name);
		options_each(commands[i].argp, bash_word, NULL);
		puts("' ;;");
	}
	puts("\tesac\n}\n\n# What an option takes; false if it takes nothing.\n_iophase_argument()\n{\n"
	     "\tcase $1:$2 in");
	for (u32 i = 0; i < nr_commands; i++)
		options_each(commands[i].argp, bash_argument, (void *)commands[i].name);
	puts("\t*) return 1 ;;\n\tesac\n}");
}

/* zsh: specifications for _arguments */

/* In single quotes, within which _arguments has its own meaning of brackets and colons. */
static void zsh_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr("[]:\\", *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void zsh_action(const struct option_words *words)
{
	static const char *const actions[] = {
		[WORD_ANY] = " ", [WORD_PID] = "_sequence _pids", [WORD_TID] = "_iophase_tids",
		[WORD_COMM] = "_iophase_comms", [WORD_UID] = "_iophase_uids", [WORD_FILE] = "_files",
		[WORD_DIRECTORY] = "_files -/",
	};

	if (words->kind != WORD_ONE) {
		fputs(actions[words->kind], stdout);
		return;
	}
	fputs(words->list ? "_values -s , word" : "(", stdout);
	for (size_t i = 0; words->words[i]; i++)
		printf("%s%s", i || words->list ? " " : "", words->words[i]);
	fputs(words->list ? "" : ")", stdout);
}

static void zsh_option(void *context, const struct argp_option *option)
{
	(void)context;
	if (heading(option))
		return;
	if (has_letter(option))
		printf("\t\t'*'{-%c%s,--%s%s}'[", option->key, option->arg ? "+" : "", option->name,
		       option->arg ? "=" : "");
	else
		printf("\t\t'*--%s%s[", option->name, option->arg ? "=" : "");
	zsh_text(option->doc);
	putchar(']');
	if (option->arg) {
		putchar(':');
		zsh_text(option->arg);
		putchar(':');
		zsh_action(words_of(option));
	}
	puts("'");
}

static void zsh_tables(void)
{
	puts("_iophase_commands=(");
	for (u32 i = 0; i < nr_commands; i++)
		printf("\t%s\n", commands[i].name);
	puts(")\n\n_iophase_options()\n{\n\tcase $1 in");
	for (u32 i = 0; i < nr_commands; i++) {
		printf("\t%s) specs=(\n", commands[i].name);
		options_each(commands[i].argp, zsh_option, NULL);
		puts("\t) ;;");
	}
	puts("\tesac\n}");
}

/* fish: a line for each option */

static void fish_text(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void fish_words(const struct option_words *words)
{
	static const char *const lists[] = {
		[WORD_PID] = "(__fish_complete_list , __fish_complete_pids)",
		[WORD_TID] = "(__fish_complete_list , __iophase_tids)", [WORD_COMM] = "(__iophase_comms)",
		[WORD_UID] = "(__fish_complete_list , __iophase_uids)",
		[WORD_DIRECTORY] = "(__fish_complete_directories)",
	};

	if (words->kind == WORD_FILE) {
		fputs(" -r -F", stdout);
	} else if (words->kind == WORD_ANY) {
		fputs(" -x", stdout);
	} else if (words->kind != WORD_ONE) {
		printf(" -x -a '%s'", lists[words->kind]);
	} else {
		printf(words->list ? " -x -a '(__fish_complete_list , \"string split \\\" \\\" \\\"" :
		       " -x -a '");
		for (size_t i = 0; words->words[i]; i++)
			printf("%s%s", i ? " " : "", words->words[i]);
		fputs(words->list ? "\\\"\")'" : "'", stdout);
	}
}

static void fish_option(void *context, const struct argp_option *option)
{
	if (heading(option))
		return;
	printf("complete -c iophase -n '__iophase_using %s'", (const char *)context);
	if (has_letter(option))
		printf(" -s %c", option->key);
	printf(" -l %s", option->name);
	if (option->arg)
		fish_words(words_of(option));
	fputs(" -d ", stdout);
	fish_text(option->doc);
	putchar('\n');
}

static void fish_tables(void)
{
	fputs("set -g __iophase_commands", stdout);
	for (u32 i = 0; i < nr_commands; i++)
		printf(" %s", commands[i].name);
	puts("\ncomplete -c iophase -f -n __iophase_first -a \"$__iophase_commands\"");
	for (u32 i = 0; i < nr_commands; i++)
		options_each(commands[i].argp, fish_option, (void *)commands[i].name);
}

static void (*tables)(void);

static void shell_line(const char *line)
{
	if (!strcmp(line, "@tables@\n"))
		tables();
	else
		fputs(line, stdout);
}

static void fill_in(const char *path, void (*print_line)(const char *line))
{
	FILE *in = fopen(path, "r");
	char *line = NULL;
	size_t size;

	if (!in)
		err(1, "%s", path);
	while (getline(&line, &size, in) > 0)
		print_line(line);
	free(line);
	fclose(in);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} shells[] = { { "bash", bash_tables }, { "zsh", zsh_tables }, { "fish", fish_tables } };

	if (argc != 3)
		errx(2, "usage: tables man|bash|zsh|fish FILE");
	for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
		if (!strcmp(shells[i].name, argv[1]))
			tables = shells[i].print;
	}
	if (!tables && strcmp(argv[1], "man"))
		errx(2, "no such output: %s", argv[1]);
	fill_in(argv[2], tables ? shell_line : man_line);
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}

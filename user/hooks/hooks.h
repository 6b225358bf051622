/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The probe table: for each need of the measurement the hooks that can meet it, and which of
 * them are used on this kernel. docs/hooks.md says by which figures they are in their order.
 */
#ifndef IOPHASE_HOOKS_H
#define IOPHASE_HOOKS_H

#include "hooks/backend.h"
#include "hooks/kernel.h"
#include "hooks/parts.h"
#include "types.h"

struct iophase_bpf;

enum need {
	NEED_CALLS,	/* begin and end of the watched calls */
	NEED_PHASES,	/* on the CPU, blocked, runnable */
	NEED_LIVES,	/* births, new programs and ends of threads */
	NEED_SCAN,	/* descriptors scanned, passes */
	NEED_COPY,	/* time copying from sockets */
	NEED_READ,	/* time copying from other files */
	NEED_SETS,	/* sizes of epoll sets */
	NEED_READY,	/* when an epoll set had something ready */
	NEED_FD_READY,	/* when each descriptor became ready; only where they are kept apart */
	NEED_SIGNALS,	/* signals that tell of descriptors; only where models are asked for */
	NEED_URING,	/* requests of io_uring; the same */
	NR_NEEDS,
};

/* The tier of a candidate that sees nothing, and is there so that all else can be measured. */
#define TIER_UNKNOWN "unknown"

struct candidate {
	enum need need;
	enum backend backend;
	const char *name;
	const char *gives;
	const char *tier;		/* how exactly what it gives is known */
	const char *const *programs;	/* all of them are needed; NULL: none is */
	const char *const *optional;	/* left out where the kernel lacks their functions */
	const char *function;		/* one that a trial program can be put on; NULL: no trial */
	/* Why it is not to be used on @kernel unless asked for by its backend; NULL: it can be. */
	const char *(*unfit)(const struct kernel *kernel);
};

extern const struct candidate candidates[];
extern const u32 nr_candidates;
#define CANDIDATES_MAX 32

enum stage {
	STAGE_UNTRIED, STAGE_USABLE,
	STAGE_MISSING,	/* what it is to be put on is not there */
	STAGE_LACKING,	/* a field that it reads is not there */
	STAGE_LOAD, STAGE_ATTACH,
};

/* How a trial ended. */
struct verdict {
	enum stage stage;
	int error;		/* errno of STAGE_LOAD and STAGE_ATTACH */
	char program[32];	/* which one was refused; "" in a trial without ours */
	char target[64];	/* the function, or the section, it was for */
	char field[FIELD_LEN];	/* of STAGE_LACKING */
};

struct hooks {
	struct kernel *kernel;
	enum backend backend;
	bool descriptors;	/* they, and event loops, are kept apart */
	bool models;		/* and models of input, */
	bool models_by_fd;	/* which are those of descriptors */
	bool doctor;		/* and signs of misuse are looked for */
	struct verdict verdicts[CANDIDATES_MAX];
	const struct candidate *chosen[NR_NEEDS];
	struct parts parts;
};

const char *need_name(enum need need);

/* Whether @need is one of this measurement. */
bool hooks_need(const struct hooks *hooks, enum need need);

/*
 * Chooses for each need the first candidate of @hooks->backend that is not known to be refused,
 * after a trial of those that a kernel can forbid. 0, or an exit code after a message.
 */
int hooks_choose(struct hooks *hooks);

/*
 * Puts the smallest fentry program on the function of @candidate, if it has one: what a kernel that
 * forbids them, or does not have the function, says to it. It is not attached.
 */
void hooks_try_function(struct hooks *hooks, const struct candidate *candidate);

/* Marks the programs of @candidates that are chosen, and the others that @selected calls need. */
void hooks_autoload(const struct hooks *hooks, struct iophase_bpf *skel,
		    const bool selected[NR_CALLS]);

/* Marks those of one candidate alone, for a trial; NULL: those that belong to none. */
void hooks_autoload_only(const struct hooks *hooks, struct iophase_bpf *skel,
			 const struct candidate *candidate);

/* Tells the hooks what kernel they are in, and what they cannot have there. */
void hooks_set_knobs(const struct hooks *hooks, struct iophase_bpf *skel);

/*
 * Loads and attaches the marked programs. 0, or an errno, with @verdict saying which of them
 * was refused and when; programs that are optional are then no cause.
 */
int hooks_load(struct iophase_bpf *skel, struct verdict *verdict);
int hooks_attach(struct iophase_bpf *skel, struct verdict *verdict);

/*
 * Notes that the program of @verdict was refused, so that a part of the measurement is left out of
 * it, or hooks_choose() takes another candidate; false if neither can be.
 */
bool hooks_refuse(struct hooks *hooks, const struct verdict *verdict);

/* Says what a program that cannot be done without was refused for; an exit code. */
int explain_refusal(const struct verdict *verdict);

/* What a verdict means, in words; from a buffer that the next call uses again. */
const char *verdict_text(const struct verdict *verdict);

/* Whether what @need is for is seen at all. */
bool hooks_see(const struct hooks *hooks, enum need need);

/* "tracepoint", "trampoline", or "mixed". */
const char *hooks_backend(const struct hooks *hooks);

/* For libbpf_set_print(): its messages are for developers, but name what was refused. */
int hooks_print_libbpf(int level, const char *format, __builtin_va_list args);

#endif

// SPDX-License-Identifier: GPL-2.0-only
#include "stack/traceback.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"

#define WALL_MS		5000
#define CPU_SECONDS	3
#define MEMORY_BYTES	(2ull << 30)

/* What the child has to say; it is believed in nothing else. */
struct answer {
	u32 nr_symbols;
	struct symbol symbols[TRACEBACK_MAX];
};

/* Who may write next to nothing; the kernel's own number for whom it cannot name. */
#define NOBODY	65534

/* Keeps but the capabilities to look at processes and to read files. libcap would do the same. */
static bool drop_capabilities(void)
{
	static const u8 kept[] = { CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_CHECKPOINT_RESTORE };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct rights[2];
	u32 mask[2] = { 0 };

	if (syscall(SYS_capget, &header, rights))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		mask[kept[i] / 32] |= 1u << kept[i] % 32;
	for (size_t i = 0; i < ARRAY_SIZE(rights); i++) {
		rights[i].permitted &= mask[i];
		rights[i].effective = rights[i].permitted;
		rights[i].inheritable = 0;
	}
	return !syscall(SYS_capset, &header, rights);
}

/* By the calls themselves, since the library's tell other threads, by signals. */
static bool drop_rights(void)
{
	if (!geteuid() && (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) ||
			   syscall(SYS_setgroups, 0, NULL) ||
			   syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) ||
			   syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY)))
		return false;
	return drop_capabilities();
}

#define FIELD(field) offsetof(struct seccomp_data, field)
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
#define UNLESS(test, value, skip) BPF_JUMP(BPF_JMP | test | BPF_K, value, 0, skip)

#define ALLOW(name) UNLESS(BPF_JEQ, SYS_##name, 1), RETURN(SECCOMP_RET_ALLOW)
#define ALLOW_WITHOUT(name, argument, flags) \
	UNLESS(BPF_JEQ, SYS_##name, 4), LOAD(args[argument]), UNLESS(BPF_JSET, flags, 1), \
	RETURN(SECCOMP_RET_ERRNO | EPERM), RETURN(SECCOMP_RET_ALLOW)

/*
 * Lets the process do nothing but read files and use memory. Other calls fail, as they do for a
 * process without rights, so that a library that tries them goes on.
 */
static bool confine(void)
{
	struct sock_filter filter[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		ALLOW(read), ALLOW(pread64), ALLOW(lseek), ALLOW(close), ALLOW(fstat), ALLOW(stat),
		ALLOW(newfstatat), ALLOW(readlink), ALLOW(fcntl), ALLOW(munmap), ALLOW(mremap),
		ALLOW(mprotect), ALLOW(madvise), ALLOW(brk), ALLOW(clock_gettime), ALLOW(sysinfo),
		ALLOW(futex), ALLOW(rt_sigreturn), ALLOW(exit_group),
		/* A filter cannot see its flags: what it can write is nobody's. */
		ALLOW(openat2),
		ALLOW_WITHOUT(openat, 2, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC),
		ALLOW_WITHOUT(mmap, 3, MAP_SHARED),
		RETURN(SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void bound(int resource, rlim_t most)
{
	struct rlimit limit = { most, most };

	setrlimit(resource, &limit);
}

static void answer_with_frames(struct answer *answer, const struct frame *frames, u32 count)
{
	for (u32 i = 0; i < count; i++)
		answer->symbols[i] = (struct symbol){ .frame = frames[i] };
	answer->nr_symbols = count;
}

/* Runs in the child. */
static void work(const struct user_stack *stack, struct answer *answer)
{
	static struct symbol symbols[TRACEBACK_MAX];
	struct frame frames[TRACEBACK_MAX];
	struct image *image;
	u32 count;

	bound(RLIMIT_CORE, 0);
	bound(RLIMIT_CPU, CPU_SECONDS);
	bound(RLIMIT_AS, MEMORY_BYTES);
	/* A change of user resets what comes with the parent's death. */
	if (!drop_rights() || prctl(PR_SET_PDEATHSIG, SIGKILL) || !confine())
		_exit(1);
	image = image_open(stack->tgid);
	if (!image)
		_exit(1);
	count = stack_unwind(image, stack, frames, TRACEBACK_MAX);
	answer_with_frames(answer, frames, count);
	count = symbols_name(image, frames, count, symbols, TRACEBACK_MAX);
	memcpy(answer->symbols, symbols, count * sizeof(*symbols));
	answer->nr_symbols = count;
	_exit(0);
}

/* Waits for the child to end, and ends it if it takes too long. */
static bool await(pid_t pid)
{
	struct pollfd ended = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int status;

	if (ended.fd < 0 || poll(&ended, 1, WALL_MS) != 1)
		kill(pid, SIGKILL);
	if (ended.fd >= 0)
		close(ended.fd);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return false;
	}
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* What is known without reading any file. */
static u32 bare_frames(const struct user_stack *stack, struct answer *answer)
{
	u32 count = stack->nr_frames < STACK_FRAMES ? stack->nr_frames : STACK_FRAMES;
	struct frame frames[STACK_FRAMES] = { { .address = stack->ip } };

	for (u32 i = 1; i < count; i++)
		frames[i] = (struct frame){ .address = stack->frames[i], .gap = i == 1 };
	answer_with_frames(answer, frames, count ? count : 1);
	return answer->nr_symbols;
}

/* A child that something went wrong in may have left anything. */
static void terminate(struct symbol *symbol)
{
	symbol->function[sizeof(symbol->function) - 1] = '\0';
	symbol->module[sizeof(symbol->module) - 1] = '\0';
	symbol->file[sizeof(symbol->file) - 1] = '\0';
}

/* Starts the child. No signal reaches it but SIGKILL: our handlers are not for it. */
static pid_t start(const struct user_stack *stack, struct answer *answer)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (!pid)
		work(stack, answer);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

/* Asks a child; how many symbols there are in @answer, 0: none. */
static u32 ask(const struct user_stack *stack, struct answer *answer)
{
	pid_t pid = start(stack, answer);

	if (pid < 0)
		return 0;
	if (!await(pid))
		debug("the stack of thread %u could not be read in full", stack->tid);
	return answer->nr_symbols <= TRACEBACK_MAX ? answer->nr_symbols : 0;
}

u32 traceback_make(const struct user_stack *stack, struct symbol *symbols, u32 max)
{
	static struct answer bare;
	struct answer *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0), *answer = shared;
	u32 count = shared == MAP_FAILED ? 0 : ask(stack, shared);

	if (!count) {
		answer = &bare;
		count = bare_frames(stack, answer);
	}
	if (count > max)
		count = max;
	memcpy(symbols, answer->symbols, count * sizeof(*symbols));
	for (u32 i = 0; i < count; i++)
		terminate(&symbols[i]);
	if (shared != MAP_FAILED)
		munmap(shared, sizeof(*shared));
	return count;
}

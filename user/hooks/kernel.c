// SPDX-License-Identifier: GPL-2.0-only
#include "hooks/kernel.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fail.h"

/* bpf_loop() came with 5.17 (commit e6f2dd0f8067), the newest of what the hooks need. */
#define OLDEST_MAJOR 5
#define OLDEST_MINOR 17

static void kernel_version(unsigned int *major, unsigned int *minor)
{
	struct utsname name;

	*major = *minor = 0;
	if (!uname(&name))
		sscanf(name.release, "%u.%u", major, minor);
}

static bool file_has(const char *path, const char *word)
{
	char line[256] = "";
	FILE *file = fopen(path, "re");
	bool has = file && fgets(line, sizeof(line), file) && strstr(line, word);

	if (file)
		fclose(file);
	return has;
}

/* A file of debugfs, opened whether or not that is mounted anywhere; -1 if it cannot be. */
static int debugfs_open(const char *path)
{
	int fs = fsopen("debugfs", FSOPEN_CLOEXEC), tree = -1, fd = -1;

	if (fs >= 0 && !fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		tree = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (tree >= 0)
		fd = openat(tree, path, O_RDONLY | O_CLOEXEC);
	if (tree >= 0)
		close(tree);
	if (fs >= 0)
		close(fs);
	return fd;
}

/*
 * Whether kernel code can be pre-empted. Where that can be chosen at boot debugfs says how, the
 * word in use in brackets; where it does not say, it is to be feared.
 */
static bool kernel_preemptible(void)
{
	int fd = debugfs_open("sched/preempt");
	struct utsname name;
	char modes[64];
	ssize_t n;

	if (fd < 0)
		return uname(&name) || strstr(name.version, "PREEMPT");
	n = read(fd, modes, sizeof(modes) - 1);
	close(fd);
	modes[n < 0 ? 0 : n] = '\0';
	return !strstr(modes, "(none)") && !strstr(modes, "(voluntary)");
}

/* Arguments of tracepoint @name after the context, as BTF has them; -1: no such one. */
static int tracepoint_args(const struct btf *btf, const char *name)
{
	char type_name[64];
	const struct btf_type *type;
	int id;

	snprintf(type_name, sizeof(type_name), "btf_trace_%s", name);
	id = btf__find_by_name_kind(btf, type_name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return -1;
	type = btf__type_by_id(btf, btf__type_by_id(btf, id)->type);
	type = btf__type_by_id(btf, type->type);
	return btf_vlen(type) - 1;
}

/* Offset of variable @name in the per-CPU area, -1: BTF does not have it. */
static s64 percpu_offset(const struct btf *btf, const char *name)
{
	int section = btf__find_by_name_kind(btf, ".data..percpu", BTF_KIND_DATASEC);
	int variable = btf__find_by_name_kind(btf, name, BTF_KIND_VAR);
	const struct btf_type *type;
	const struct btf_var_secinfo *info;

	if (section < 0 || variable < 0)
		return -1;
	type = btf__type_by_id(btf, section);
	info = btf_var_secinfos(type);
	for (u32 i = 0; i < btf_vlen(type); i++) {
		if (info[i].type == (u32)variable)
			return info[i].offset;
	}
	return -1;
}

/* Bytes from the beginning of type @id to @member, also of structures without a name in it. */
static s64 type_member_offset(const struct btf *btf, u32 id, const char *member)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	for (u32 i = 0; btf_is_composite(type) && i < btf_vlen(type); i++) {
		const struct btf_member *m = &btf_members(type)[i];
		const char *name = btf__name_by_offset(btf, m->name_off);
		s64 offset = *name ? strcmp(name, member) ? -1 : 0 :
			     type_member_offset(btf, m->type, member);

		if (offset >= 0)
			return offset + btf_member_bit_offset(type, i) / 8;
	}
	return -1;
}

static s64 member_offset(const struct btf *btf, const char *name, const char *member)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);

	return id > 0 ? type_member_offset(btf, id, member) : -1;
}

/*
 * Where the preempt count of a CPU is, seen from its run queue. It is a variable of its own,
 * but for 6.2 to 6.14, where it is in pcpu_hot (commits 64701838bf05, 46e8fff6d45f).
 */
static void find_preempt_count(const struct btf *btf, struct kernel *kernel)
{
	s64 rq = percpu_offset(btf, "runqueues"), count = percpu_offset(btf, "__preempt_count");
	s64 hot = percpu_offset(btf, "pcpu_hot"), in_hot;

	if (count < 0 && hot >= 0) {
		in_hot = member_offset(btf, "pcpu_hot", "preempt_count");
		count = in_hot < 0 ? -1 : hot + in_hot;
	}
	kernel->preempt_count_known = rq >= 0 && count >= 0 &&
				      member_offset(btf, "cfs_rq", "rq") >= 0;
	kernel->preempt_count_from_rq = count - rq;
}

static bool capable(int cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	if (syscall(SYS_capget, &header, data))
		return true;
	return data[cap / 32].effective & 1u << cap % 32;
}

static int check_privileges(void)
{
	bool bpf = capable(CAP_BPF), perfmon = capable(CAP_PERFMON);

	if (capable(CAP_SYS_ADMIN) || (bpf && perfmon))
		return 0;
	return fail(EXIT_RUNTIME, "not permitted: %s missing; run it as root: sudo iophase ...",
		    bpf ? "CAP_PERFMON is" : perfmon ? "CAP_BPF is" : "CAP_BPF and CAP_PERFMON are");
}

/* The number of the initial PID namespace (PROC_PID_INIT_INO, include/linux/proc_ns.h). */
#define INITIAL_PID_NS "pid:[4026531836]"

/*
 * The hooks know processes by their initial ids. In another namespace -p would find another
 * process, and each process would seem to have ended.
 */
static int check_namespace(void)
{
	char link[64] = "";

	if (readlink("/proc/self/ns/pid", link, sizeof(link) - 1) < 0 ||
	    !strcmp(link, INITIAL_PID_NS))
		return 0;
	return fail(EXIT_RUNTIME, "in a PID namespace (a container) process ids are not the kernel's "
		    "own; run it outside, or with the host's: docker run --pid=host ...");
}

const struct btf *kernel_types(struct kernel *kernel)
{
	if (!kernel->btf)
		kernel->btf = btf__load_vmlinux_btf();
	return kernel->btf;
}

int kernel_check(struct kernel *kernel)
{
	unsigned int major, minor;
	int err = check_privileges();

	err = err ? : check_namespace();
	if (err)
		return err;
	kernel_version(&major, &minor);
	if (major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR))
		return fail(EXIT_RUNTIME, "Linux %u.%u is too old: at least %u.%u is needed", major,
			    minor, OLDEST_MAJOR, OLDEST_MINOR);
	if (file_has("/sys/kernel/security/lockdown", "[confidentiality]"))
		return fail(EXIT_RUNTIME, "the kernel is locked down (confidentiality), which forbids "
			    "BPF to read kernel memory; boot without lockdown=confidentiality");
	if (!kernel_types(kernel))
		return fail(EXIT_RUNTIME, "the kernel describes its types nowhere (no BTF: "
			    "/sys/kernel/btf/vmlinux); one built with CONFIG_DEBUG_INFO_BTF=y is needed");
	kernel->switch_has_state = tracepoint_args(kernel->btf, "sched_switch") >= 4;
	kernel->rdonly_cast = btf__find_by_name_kind(kernel->btf, "bpf_rdonly_cast",
						     BTF_KIND_FUNC) > 0;
	find_preempt_count(kernel->btf, kernel);
	kernel->preemptible = kernel_preemptible();
	/* Measured: docs/hooks.md. */
	kernel->tracepoints_preemptible = major >= 7;
	return 0;
}

void kernel_drop_types(struct kernel *kernel)
{
	btf__free(kernel->btf);
	kernel->btf = NULL;
}

int cgroup_find(const char *path, u64 *id)
{
	struct statfs fs;
	struct stat st;

	if (statfs(path, &fs) || stat(path, &st))
		return -errno;
	if (fs.f_type != CGROUP2_SUPER_MAGIC || !S_ISDIR(st.st_mode))
		return -EINVAL;
	*id = st.st_ino;
	return 0;
}

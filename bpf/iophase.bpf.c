// SPDX-License-Identifier: GPL-2.0-only
/*
 * All programs in one compilation unit: the static linker of libbpf 1.1 cannot link objects
 * that call kernel functions.
 */
#include "state.bpf.h"
#include "sets.bpf.h"
#include "totals.bpf.h"
#include "syscalls.bpf.c"
#include "sched.bpf.c"
#include "copy.bpf.c"
#include "scan.bpf.c"
#include "interest.bpf.c"
#include "ready.bpf.c"
#include "watch.bpf.c"
#include "descriptors.bpf.c"
#include "signs.bpf.c"
#include "signals.bpf.c"
#include "uring.bpf.c"

char LICENSE[] SEC("license") = "GPL";

"""What iophase itself takes: time to attach, kernel memory, resident memory, CPU."""

import json
import os
import pathlib
import signal
import subprocess
import time

import tools
import workloads
from figures import Series, Table, verdict

ATTACHED_S = 0.5
STATE_MIB = 16
RESIDENT_MIB = 20
CPU_PERCENT = 0.5
MANY_THREADS = 1000
MANY_CPUS = 64
MIB = 1 << 20
# include/uapi/linux/bpf.h, enum bpf_map_type
PER_CPU_TYPES = (5, 6, 10, 21)
TASK_STORAGE = 29
# struct bpf_local_storage and struct bpf_local_storage_elem, before the value.
STORAGE_BYTES = 192
ELEMENT_BYTES = 128


def run_attach(options):
    table = Table("From exec to attached", ("what is watched", "ms", "detached ms", "budget"))
    with workloads.Load("roundtrip", steps=1) as load:
        for name, args in (("one process", ["-p", load.pid]), ("all processes", [])):
            pairs = [attach_ms(options.iophase, args) for _ in range(options.rounds)]
            took = Series(attached for attached, _ in pairs)
            table.add(name, took.show(1), Series(detached for _, detached in pairs).show(1),
                      verdict(took.median, 1000 * ATTACHED_S, "<= 500 ms"))
    return [table]


def attach_ms(iophase, args):
    start = time.monotonic()
    process = subprocess.Popen([iophase, *map(str, args)], text=True, stderr=subprocess.PIPE,
                               stdout=subprocess.DEVNULL)
    try:
        tools.await_line(process, tools.WATCHING)
        attached = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=tools.DETACH_S)
        return 1000 * (attached - start), 1000 * (time.monotonic() - attached)
    finally:
        tools.end(process)


def run_memory(options):
    """With 1,000 threads that all make calls, printed every second."""
    seconds = 3 if options.quick else 10
    tool = tools.Tool("iophase 1", lambda pids: [options.iophase, "-p", tools.comma(pids), 1],
                      says=tools.WATCHING)
    with workloads.Load("roundtrip", "-t", MANY_THREADS, steps=30000) as load:
        with tool.watching([load.pid]) as process:
            load.run()
            percent = cpu_percent(process.pid, load, seconds)
            maps = maps_of(process.pid)
            resident = peak_resident(process.pid) / MIB
    return [footprint_table(maps, resident, percent, seconds), map_table(maps)]


def cpu_percent(pid, load, seconds):
    start, before = time.monotonic(), workloads.cpu_ns(pid)
    while time.monotonic() - start < seconds:
        load.run(0.1)
    return (workloads.cpu_ns(pid) - before) / 1e7 / (time.monotonic() - start)


def footprint_table(maps, resident, percent, seconds):
    here = sum(each.bytes_here for each in maps) / MIB
    there = sum(each.bytes_with(MANY_CPUS) for each in maps) / MIB
    table = Table(f"Footprint with {MANY_THREADS:,} threads watched", ("what", "figure", "budget"))
    limit = f"<= {STATE_MIB} MiB"
    table.add(f"maps, this machine ({os.cpu_count()} CPUs)", f"{here:.1f} MiB",
              verdict(here, STATE_MIB, limit))
    table.add(f"maps, were there {MANY_CPUS} CPUs", f"{there:.1f} MiB",
              verdict(there, STATE_MIB, limit))
    table.add("peak resident (VmHWM)", f"{resident:.1f} MiB",
              verdict(resident, RESIDENT_MIB, f"<= {RESIDENT_MIB} MiB"))
    table.add(f"own CPU, 1 s intervals, {seconds} s", f"{percent:.2f} %",
              verdict(percent, CPU_PERCENT, f"<= {CPU_PERCENT} %"))
    return table


def map_table(maps):
    table = Table("Its maps, largest first", ("map", "type", "entries at most", "value bytes",
                                              "MiB here", f"MiB at {MANY_CPUS} CPUs"),
                  "The kernel's own figure (memlock in fdinfo); task storage is reckoned from its "
                  "value size, since the kernel counts none of its elements.")
    for each in sorted(maps, key=lambda each: -each.bytes_with(MANY_CPUS)):
        table.add(each.name, each.type, each.max_entries, each.value_size,
                  f"{each.bytes_here / MIB:.2f}", f"{each.bytes_with(MANY_CPUS) / MIB:.2f}")
    return table


class Map:
    def __init__(self, fields, name):
        self.name = name
        self.type = int(fields["map_type"])
        self.value_size = int(fields["value_size"])
        self.max_entries = int(fields["max_entries"])
        self.memlock = int(fields["memlock"])

    @property
    def bytes_here(self):
        if self.type == TASK_STORAGE:
            element = slab_bytes(self.value_size + ELEMENT_BYTES)
            return self.memlock + MANY_THREADS * (STORAGE_BYTES + element)
        return self.memlock

    def bytes_with(self, cpus):
        if self.type in PER_CPU_TYPES:
            return self.bytes_here * cpus / possible_cpus()
        return self.bytes_here


def slab_bytes(size):
    """What kmalloc takes for it: the next power of two."""
    return 1 << (size - 1).bit_length()


def possible_cpus():
    return int(pathlib.Path("/sys/devices/system/cpu/possible").read_text().split("-")[-1]) + 1


def maps_of(pid):
    """Each map the process holds, once."""
    names, found = map_names(), {}
    for path in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        fields = fields_of(path)
        if "map_id" in fields:
            found[fields["map_id"]] = Map(fields, names.get(fields["map_id"], fields["map_id"]))
    return list(found.values())


def ids_of(pid, key):
    """The ids of the maps ("map_id") or programs ("prog_id") that a process holds."""
    every = (fields_of(path) for path in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir())
    return {fields[key] for fields in every if key in fields}


def map_names():
    shown = subprocess.run(["bpftool", "-j", "map", "show"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    return {str(each["id"]): each.get("name", "") for each in json.loads(shown)}


def fields_of(path):
    pairs = (line.partition(":") for line in path.read_text().splitlines())
    return {key: value.strip() for key, _, value in pairs}


def peak_resident(pid):
    return 1024 * int(fields_of(pathlib.Path(f"/proc/{pid}/status"))["VmHWM"].split()[0])

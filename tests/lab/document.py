#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""docs/models.md and its charts, made from docs/models.json. As a program: are they?"""

import json
import sys

sys.dont_write_bytecode = True
import charts  # noqa: E402
import servers  # noqa: E402
import tables  # noqa: E402
import tap  # noqa: E402
import sections  # noqa: E402  (of the bench; tables.py has its path)

DOCS = servers.ROOT / "docs"
FIGURES = DOCS / "models.json"
PAGE = DOCS / "models.md"
CONNECTIONS = "connections"


def by_connections(result, share, value):
    """{model: [(connections, value)]} of the points in which so many percent are active."""
    found = {}
    for point in result["points"]:
        connections = point["connections"]
        if point["active"] == max(1, connections * share // 100) and not point["think_us"]:
            found.setdefault(point["model"], []).append((connections, value(point)))
    return found


def cpu_us(point):
    return tables.median(point["rounds"], "cpu_ns") / 1000


def memory_mib(point):
    return (point["memory"]["resident_kib"] + max(point["memory"]["kernel_kib"], 0)) / 1024


def of_rows(rows, names):
    return {said: [(row["descriptors"], row[f"{name}_ns"] / 1000) for row in rows]
            for said, name in names.items()}


def pictures(result):
    """{file name: SVG}"""
    waits = {f"{way}, {said}": f"{way}{case}" for case, said in
             (("_asleep", "sleeps"), ("", "one ready"), ("_all", "all ready"))
             for way in ("select", "poll", "epoll")}
    controls = {op.upper(): op for op in ("add", "mod", "del")}
    return {
        "models-cpu-1.svg": charts.chart(
            "CPU time for a request, 1 % of the connections active",
            (CONNECTIONS, "CPU time of the server, us"), by_connections(result, 1, cpu_us)),
        "models-cpu-100.svg": charts.chart(
            "CPU time for a request, all connections active",
            (CONNECTIONS, "CPU time of the server, us"), by_connections(result, 100, cpu_us)),
        "models-memory.svg": charts.chart(
            "Memory of the server, kernel stacks and page tables included",
            (CONNECTIONS, "MiB"), by_connections(result, 100, memory_mib)),
        "models-wait.svg": charts.chart(
            "One wait call", ("descriptors in the set", "CPU time, us"),
            of_rows(result["scan"], waits)),
        "models-ctl.svg": charts.chart(
            "epoll_ctl", ("descriptors in the set", "CPU time, us"),
            of_rows(result["ctl"], controls)),
    }


def write(result):
    FIGURES.write_text(json.dumps(result, separators=(",", ":")) + "\n")
    sections.rewrite(PAGE, "lab", tables.markdown(result))
    for name, picture in pictures(result).items():
        (DOCS / name).write_text(picture)


def between_marks(page):
    return page.partition("<!-- lab: begin -->\n")[2].partition("\n<!-- lab: end -->")[0]


def check_page(case):
    result = json.loads(FIGURES.read_text())
    if between_marks(PAGE.read_text()) != tables.markdown(result).strip():
        case.fail("the tables of docs/models.md are not those of docs/models.json")


def check_pictures(case):
    for name, picture in pictures(json.loads(FIGURES.read_text())).items():
        if (DOCS / name).read_text() != picture:
            case.fail(f"docs/{name} is not what docs/models.json gives")
        if name not in PAGE.read_text():
            case.fail(f"docs/{name} is not shown in docs/models.md")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write(json.loads(FIGURES.read_text()))
    else:
        sys.exit(tap.run([("docs/models.md has the figures of docs/models.json", check_page),
                          ("the charts too", check_pictures)]))

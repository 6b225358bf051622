"""Figures and tables: medians of interleaved rounds, their spread, and the budgets beside them."""

import os
import platform
import statistics

UNKNOWN = "-"


class Series:
    """One figure, measured once a round."""

    def __init__(self, values):
        self.values = list(values)

    def __bool__(self):
        return bool(self.values)

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def quartiles(self):
        if len(self.values) < 3:
            return min(self.values), max(self.values)
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high

    def minus(self, other):
        """Round by round, so that what slows the whole machine for a while cancels out."""
        return Series(mine - its for mine, its in zip(self.values, other.values))

    def over(self, other):
        return Series(mine / its for mine, its in zip(self.values, other.values))

    def divided_by(self, number):
        return Series(value / number for value in self.values)

    def show(self, decimals=0, sign=""):
        if not self:
            return UNKNOWN
        low, high = self.quartiles
        return (f"{self.median:{sign}.{decimals}f} "
                f"({low:{sign}.{decimals}f}..{high:{sign}.{decimals}f})")


def ratio(part, whole):
    """`part` round by round over the median of `whole`, which may be close to 0 in one round."""
    return part.divided_by(whole.median)


def machine():
    with open("/proc/cpuinfo") as info:
        model = next(line.split(": ")[1].strip() for line in info if line.startswith("model name"))
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}, {system}"


def verdict(value, limit, text):
    return f"{text}: {'met' if value <= limit else 'NOT met'}"


class Table:
    def __init__(self, title, heads, note=""):
        self.title = title
        self.heads = heads
        self.note = note
        self.rows = []

    def add(self, *cells):
        self.rows.append([str(cell) for cell in cells])

    def text(self):
        widths = [max(map(len, column)) for column in zip(self.heads, *self.rows)]
        lines = ["", self.title]
        for row in (self.heads, *self.rows):
            cells = [row[0].ljust(widths[0]),
                     *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
            lines.append("  ".join(cells).rstrip())
        if self.note:
            lines.append(self.note)
        return "\n".join(lines)

    def markdown(self, level=2):
        lines = ["", f"{'#' * level} {self.title}", ""]
        lines.append("| " + " | ".join(self.heads) + " |")
        lines.append("|---" + "|--:" * (len(self.heads) - 1) + "|")
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        if self.note:
            lines += ["", self.note]
        return "\n".join(lines)

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
The page of `report --html` in a browser (Chromium, without a screen): nothing goes wrong in it, what it holds is
what -j prints, and each figure that is read on it is what its formula makes of that.
"""

import html.parser
import json
import math
import re
import shutil
import sys

import cli
from cli import Failure, Skip, iophase

CHROMIUM = shutil.which("chromium")
HOSTILE = [b"<img src=x>", b"</script>", b"\xff&amp;<b>", b"${x}`'\"", b"<svg/onload=1>"]
DOCUMENTS = {"processes": ["--by", "process"], "calls": ["--by", "process,call"], "loops": ["--by", "loop"],
             "descriptors": ["--by", "fd"], "by_call": ["--by", "call"], "doctor": ["--doctor"]}
UNITS = {
    "ns": [(1, "ns"), (1e3, "us"), (1e6, "ms"), (1e9, "s"), (3600e9, "h"), (86400e9, "d")],
    "count": [(1, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")],
    "bytes": [(1, "B"), (1024, "K"), (1048576, "M"), (1073741824, "G"), (1099511627776, "T")],
}


class Page(html.parser.HTMLParser):
    """The figures of a page as a browser has drawn it, its data, its tags and its text."""

    def __init__(self, text):
        super().__init__()
        self.figures, self.tags, self.data, self.text = [], [], "", ""
        self.inside = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if "data-formula" in attrs:
            self.figures.append([attrs["data-formula"], attrs["data-format"], ""])
            self.inside = "figure"
        elif tag in ("script", "style"):
            self.inside = attrs.get("id", "code")

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "data":
            self.data += data
        elif self.inside == "figure":
            self.figures[-1][2] += data
        if self.inside in (None, "figure"):
            self.text += data


def draw(path):
    """The page after its script has run; the browser has nothing to say."""
    if not CHROMIUM:
        raise Skip("chromium is not installed")
    with cli.scratch() as home:
        result = cli.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home}",
                          "--enable-logging=stderr", "--dump-dom", f"file://{path}"])
    result.check(result.status == 0 and "CONSOLE" not in result.err, "the browser complains")
    return Page(result.out.decode())


def at(data, path):
    for key in path.split("."):
        if data is None:
            return None
        if key == "length":
            data = len(data)
        elif isinstance(data, list):
            data = data[int(key)]
        else:
            data = data.get(key)
    return data


def quantile(buckets, q):
    rank, seen = math.ceil(q * sum(count for _, count in buckets)), 0
    for bucket, count in buckets:
        seen += count
        if seen >= rank:
            return 0 if bucket is None else 2 ** (bucket / 8) * 1e9
    return None


def term(data, text):
    call = re.fullmatch(r"(sum|q)\((.*?)(?:, ([0-9.]+))?\)", text)
    if not call:
        return at(data, text)
    if call[1] == "q":
        return quantile(at(data, call[2]) or [], float(call[3]))
    rows, rest = call[2].split(".*.")
    return sum(at(row, rest) or 0 for row in at(data, rows))


def value_of(data, formula):
    words = re.split(r" ([-+/]) ", formula)
    value = term(data, words[0])
    for sign, word in zip(words[1::2], words[2::2]):
        other = term(data, word)
        if value is None or other is None or (sign == "/" and not other):
            return None
        value = value / other if sign == "/" else value - other if sign == "-" else value + other
    return value


def text_of(kind, value):
    """Some texts that a value can have: of one that is half between two, either."""
    def rounded(number, digits):
        return {f"{number * (1 + e):.{digits}f}" for e in (-1e-12, 1e-12)}

    if value is None:
        return {"-"}
    if kind == "id":
        return {str(value)}
    if kind == "percent":
        return {text + "%" for text in rounded(value * 100, 1 if value < 0.0995 else 0)}
    if kind == "plain":
        return {str(int(value)) if value == int(value) else f"{value:.3g}", f"{value:.15g}"}
    if kind == "ratio" and value < 999.5:
        return rounded(value, 1 if value < 99.95 else 0)
    if kind == "count" and value < 9999.5:
        return rounded(value, 0)
    if kind == "ms":
        kind, value = "ns", value * 1e6
    size, name = [unit for unit in UNITS["count" if kind == "ratio" else kind]
                  if unit[0] == 1 or value >= 0.9995 * unit[0]][-1]
    number = value / size
    return {text + name for text in rounded(number, 0 if size == 1 or number >= 99.95 else
                                            1 if number >= 9.995 else 2)}


def same_number(text, texts):
    """As printed, or the same number in another notation (1e+3 for 1000)."""
    if text in texts:
        return True
    try:
        return any(float(text) == float(other) for other in texts)
    except ValueError:
        return False


def check_figures(page):
    data = json.loads(page.data)
    wrong = [(formula, kind, text, texts) for formula, kind, text in page.figures
             if not same_number(text.lstrip("<>~"), texts := text_of(kind, value_of(data, formula)))]
    if wrong:
        raise Failure("\n".join(map(str, wrong[:10])))
    if len(page.figures) < 100:
        raise Failure(f"only {len(page.figures)} figures")


def check_documents(page, session):
    """What the page holds is what -j prints, of the first 200 rows."""
    data = json.loads(page.data)
    for name, options in DOCUMENTS.items():
        more = [] if name == "doctor" else ["-N", 200]
        printed = json.loads(iophase("report", session, "-j", "-q", "--total", *options, *more).ends(0, out=b"{").out)
        data[name].pop("all_rows", None)
        if data[name] != printed:
            raise Failure(f"{name}: the page has other figures than -j")


def check_series(page):
    """All columns of a series together are what its row has."""
    data = json.loads(page.data)
    checked = 0
    for series in data["latency"]["series"]:
        if series["what"] != "wall":
            continue
        row, = [row for row in data["calls"]["rows"] if row["tgid"] == series["tgid"] and row["call"] == series["of"]]
        total = {}
        for _, cell in series["cells"]:
            for bucket, count in cell:
                total[bucket] = total.get(bucket, 0) + count
        if total != dict(map(tuple, row["hist"]["wall"])):
            raise Failure(f"{series['of']}: {total} in all columns, {row['hist']['wall']} in all")
        checked += 1
    if not checked or len(data["latency"]["columns"]) < 2:
        raise Failure("no series of several columns")


def drawn(*options):
    with cli.scratch() as directory, cli.target("--threads", 2) as target:
        session = directory / "x.iophase"
        iophase("-q", "-p", target.pid, "-o", session, *options).ends(0, out=b"seen")
        target.stop(9)
        iophase("report", session, "--html", directory / "x.html", "-q").ends(0)
        page = draw(directory / "x.html")
        check_documents(page, session)
    check_figures(page)
    check_series(page)
    return [f"{len(page.figures)} figures"]


def live():
    """Beside what is printed, without a session on the disk."""
    with cli.scratch() as directory, cli.target() as target:
        iophase("-q", "-p", target.pid, "-d", 1.2, "--html", directory / "x.html").ends(0, out=b"seen")
        if [path.name for path in directory.iterdir()] != ["x.html"]:
            raise Failure(f"{list(directory.iterdir())}")
        check_figures(draw(directory / "x.html"))


def hostile(name):
    """A name is text, whatever it looks like."""
    with cli.scratch() as directory, cli.target("--comm", name) as target:
        path = directory / "x.html"
        iophase("-q", "-p", target.pid, "-d", 0.3, "--html", path).ends(0, out=b"seen")
        page = draw(path)
    bad = [tag for tag, attrs in page.tags if tag in ("img", "b") or any(key.startswith("on") for key in attrs)]
    scripts = [attrs for tag, attrs in page.tags if tag == "script"]
    if bad or len(scripts) != 2:
        raise Failure(f"tags {bad}, scripts {scripts}")
    shown = json.loads(page.data)["processes"]["rows"][0]["comm"]
    if shown not in page.text:
        raise Failure(f"{shown!r} is not on the page")


def policy():
    """Nothing is loaded, and only the page's own script and style are used."""
    with cli.scratch() as directory, cli.target() as target:
        path = directory / "x.html"
        iophase("-q", "-p", target.pid, "-d", 0.3, "--html", path).ends(0, out=b"seen")
        text = path.read_text(encoding="utf-8")
    nonces = set(re.findall(r"nonce[-=]\"?([0-9a-f]{32})", text))
    if len(nonces) != 1 or "default-src 'none'" not in text:
        raise Failure(f"nonces {nonces}")
    if re.search(r"(src|href)=[\"'](?!#)|url\(|@import|https?://(?!www\.w3\.org/)|innerHTML|eval\(|style=\"", text):
        raise Failure("it refers to something outside, or writes markup")


def replaced():
    with cli.scratch() as directory:
        path = directory / "x.html"
        path.write_text("old")
        (directory / "bad.iophase").write_text("no session")
        iophase("report", directory / "bad.iophase", "--html", path).ends(1, "not a session")
        if path.read_text() != "old":
            raise Failure("replaced by nothing")


def main():
    tests = [("page: of a session", lambda: drawn("-d", 2.3)), ("page: of intervals", lambda: drawn("0.4", "4")),
             ("page: live", live), ("page: nothing from elsewhere", policy), ("page: kept if there is none", replaced)]
    tests += [(f"page: hostile name {name!r}", lambda name=name: hostile(name)) for name in HOSTILE]
    return cli.run_all(tests)


if __name__ == "__main__":
    sys.exit(main())

"""The parts of docs/overhead.md that programs write; what stands around them is kept."""

TITLE = "# What iophase costs\n"


def rewrite(path, name, text):
    """Puts `text` between the marks of `name`, or at the end with new marks."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    old = path.read_text() if path.exists() else TITLE
    before, marked, rest = old.partition(begin)
    if not marked:
        before, rest = old.rstrip("\n") + "\n\n", ""
    elif end not in rest:
        raise RuntimeError(f"{path}: {begin} without its end")
    after = rest.partition(end)[2] or "\n"
    path.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}")

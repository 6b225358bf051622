# SPDX-License-Identifier: GPL-2.0-only
"""What iophase prints as JSON, held against the schemas of docs/."""

import json
import re

from cli import ROOT, Failure, Skip

try:
    import jsonschema
except ImportError:
    jsonschema = None

DOCS = ROOT / "docs"


def parse(text):
    try:
        return json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise Failure(f"no JSON: {error}: {text[:300]!r}") from None


def as_json(name):
    """The name as the interface says: what is no UTF-8 as \\xNN, a backslash doubled."""
    return name.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


class Schema:
    """A schema of docs/, which may point to another one beside it."""

    def __init__(self, name):
        path = DOCS / name
        self.tree = parse(path.read_bytes())
        self.base = path.as_uri()

    def errors_of(self, document):
        if jsonschema is None:
            raise Skip("python3-jsonschema is not installed")
        validator = jsonschema.Draft202012Validator(
            self.tree, resolver=jsonschema.RefResolver(self.base, self.tree))
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
                for error in validator.iter_errors(document)]

    def validated(self, text):
        """The document that the bytes `text` are, which is as described."""
        document = parse(text)
        errors = self.errors_of(document)
        if errors:
            raise Failure("\n".join(errors[:10]))
        return document

    def sound(self):
        """Fails unless it is a schema, strict, and describes all fields, with units for times."""
        if jsonschema is None:
            raise Skip("python3-jsonschema is not installed")
        jsonschema.Draft202012Validator.check_schema(self.tree)
        problems = list(undescribed(self.tree, ""))
        if problems:
            raise Failure("\n".join(problems))


def undescribed(node, path):
    """Paths of objects that are not strict and of fields that are not described."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from undescribed(item, f"{path}/{index}")
    if not isinstance(node, dict):
        return
    if isinstance(node.get("properties"), dict) and "additionalProperties" in node:
        for name, field in node["properties"].items():
            said = field.get("description", "")
            # A field that is another document's has its description there.
            elsewhere = "#/properties/" in field.get("$ref", "")
            if not said and not elsewhere:
                yield f"{path}/{name}: no description"
            if name.endswith("_ns") and not elsewhere and not re.search(r"\bns\b", said):
                yield f"{path}/{name}: no unit"
    if node.get("type") == "object" and "additionalProperties" not in node:
        yield f"{path}: takes any field"
    for name, item in node.items():
        yield from undescribed(item, f"{path}/{name}")

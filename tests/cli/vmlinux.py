# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's description of its types (BTF), and copies of it in which a name is another."""

import struct

PATH = "/sys/kernel/btf/vmlinux"
ABSENT = b"iop_absent\0"

(ARRAY, STRUCT, UNION, TYPEDEF, FUNC, VAR) = (3, 4, 5, 8, 12, 14)
MODIFIERS = (TYPEDEF, 9, 10, 11, 18)    # and volatile, const, restrict, type tag
# Bytes behind the three words of a type (linux/btf.h): (fixed, for each of its parts).
BEHIND = {1: (4, 0), ARRAY: (12, 0), STRUCT: (0, 12), UNION: (0, 12), 6: (0, 8), 13: (0, 8),
          VAR: (4, 0), 15: (0, 12), 17: (4, 0), 19: (0, 12)}


class Types:
    def __init__(self, path=PATH):
        with open(path, "rb") as file:
            self.data = file.read()
        self.head, types, size, self.strings, self.strings_size = struct.unpack_from(
            "<4xIIIII", self.data)
        at, end = self.head + types, self.head + types + size
        self.places = [None]            # of each type, by its id
        self.structures, self.functions, self.typedefs = {}, {}, {}     # places, by name
        named = {STRUCT: self.structures, FUNC: self.functions, TYPEDEF: self.typedefs}
        while at < end:
            name, info, _ = struct.unpack_from("<III", self.data, at)
            kind = info >> 24 & 31
            self.places.append(at)
            if kind in named:
                named[kind].setdefault(self.string(name), []).append(at)
            fixed, each = BEHIND.get(kind, (0, 0))
            at += 12 + fixed + each * (info & 0xffff)

    def string(self, offset):
        at = self.head + self.strings + offset
        return self.data[at:self.data.index(b"\0", at)].decode()

    def kind(self, place):
        return struct.unpack_from("<I", self.data, place + 4)[0] >> 24 & 31

    def members(self, place):
        """(place, name, type id) of each."""
        for i in range(struct.unpack_from("<I", self.data, place + 4)[0] & 0xffff):
            at = place + 12 + 12 * i
            name, type_id = struct.unpack_from("<II", self.data, at)
            yield at, self.string(name), type_id

    def structure(self, type_id):
        """Place of the structure that a type is, or is an array of; None if it is neither."""
        place = self.places[type_id]
        while place and self.kind(place) in (*MODIFIERS, ARRAY):
            place = self.places[struct.unpack_from(
                "<I", self.data, place + (12 if self.kind(place) == ARRAY else 8))[0]]
        return place if place and self.kind(place) in (STRUCT, UNION) else None

    def member(self, place, wanted):
        """(place, type id) of a member, also of one without a name; None if there is none."""
        for at, name, type_id in self.members(place):
            if name == wanted:
                return at, type_id
            inner = None if name else self.structure(type_id)
            found = self.member(inner, wanted) if inner else None
            if found:
                return found
        return None

    def steps(self, structure, path):
        """(index in path, place) of the members on the way to a field, as far as they are there."""
        for place in self.structures.get(structure, []):
            for i, word in enumerate(path):
                found = place and self.member(place, word)
                if not found:
                    break
                yield i, found[0]
                place = self.structure(found[1])

    def without(self, places):
        """A copy in which what is at these places, types or members, has another name."""
        copy = bytearray(self.data)
        for place in places:
            struct.pack_into("<I", copy, place, self.strings_size)
        end = self.head + self.strings + self.strings_size
        copy[end:end] = ABSENT
        struct.pack_into("<I", copy, 20, self.strings_size + len(ABSENT))
        return bytes(copy)

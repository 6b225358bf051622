#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The echo and chat service of peer.h in Python, with a selector of the standard library."""

import json
import os
import pathlib
import resource
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "servers"))
import eventloop  # noqa: E402

LINE_MAX_BYTES = 64 << 10
OWN_DESCRIPTORS = 4  # the standard ones and the listener


class Server(eventloop.Server):
    """Of each client: what it said of a message that is not whole, and whether it has quit."""

    def __init__(self, selector, port):
        super().__init__(selector, port, Server.heard)
        self.begun = {}
        self.quitters = set()

    def heard(self, client, data):
        if client in self.quitters:
            return
        data = self.begun.pop(client, b"") + data
        lines, newline, rest = data.rpartition(b"\n")
        answer = []
        for line in lines.split(b"\n") if newline else ():
            kind = line[:1]
            if kind == b"E":
                answer.append(line + b"\n")
            elif kind == b"B":
                for other in self.clients - {client}:
                    self.send(other, line + b"\n")
            elif kind == b"Q":
                self.quitters.add(client)
                break
            else:
                self.drop(client)
                return
        if answer:
            self.send(client, b"".join(answer))
        if len(rest) > LINE_MAX_BYTES:
            self.drop(client)
        elif client in self.clients:
            if rest:
                self.begun[client] = rest
            self._part(client)

    def drop(self, client):
        super().drop(client)
        self.begun.pop(client, None)
        self.quitters.discard(client)

    def _flush(self, client):
        super()._flush(client)
        self._part(client)

    def _part(self, client):
        """From one who has quit and has had all its answers."""
        if client in self.quitters and not client.outbox:
            self.drop(client)


def announce(name, port):
    says = {"model": f"python-{name}", "port": port,
            "about": f"Python, {eventloop.SELECTORS[name].__name__}"}
    if name == "select":
        says["clients_max"] = eventloop.SELECT_DESCRIPTORS - OWN_DESCRIPTORS
        says["clients_why"] = "select() of Python refuses descriptors from 1024 on"
    print(json.dumps(says), flush=True)


def main():
    name, port = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = eventloop.SELECT_DESCRIPTORS if name == "select" else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, hard), hard))
    try:
        server = Server(eventloop.SELECTORS[name](), port)
    except OSError as error:
        sys.exit(f"port {port}: {os.strerror(error.errno)}")
    announce(name, server.port)
    server.run()


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Group chat server: everything a client says goes to all the others."""

import sys

sys.dont_write_bytecode = True
import eventloop  # noqa: E402


def heard(server, client, data):
    for other in server.clients - {client}:
        server.send(other, data)


if __name__ == "__main__":
    eventloop.main(__doc__, heard)

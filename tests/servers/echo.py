#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""TCP echo server: every client hears what it says."""

import sys

sys.dont_write_bytecode = True
import eventloop  # noqa: E402


def heard(server, client, data):
    server.send(client, data)


if __name__ == "__main__":
    eventloop.main(__doc__, heard)

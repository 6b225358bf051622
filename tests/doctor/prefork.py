#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
prefork.py gunicorn fault|healthy: benoitc/gunicorn, issue 792: workers forked from one parent
select on the same listener, and all of them are woken for each connection. The twin has a listener
for each worker (SO_REUSEPORT). Their client is their grandparent.
"""

import ctypes
import json
import os
import select
import signal
import socket
import sys
import time

WORKERS = 6
PAUSE_S = 0.005
PR_SET_PDEATHSIG = 1


def fork():
    """A child that ends with its parent."""
    child = os.fork()
    if not child:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.alarm(60)
    return child


def listener(port=0):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(512)
    sock.setblocking(False)
    return sock


def call_on(port):
    while True:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"?")
            sock.recv(1)
        time.sleep(PAUSE_S)


def work(sock):
    while True:
        select.select([sock], [], [])
        try:
            conn, _ = sock.accept()
        except BlockingIOError:
            continue
        with conn:
            conn.setblocking(True)
            conn.recv(100)
            conn.sendall(b"a")


def main():
    scene, variant = sys.argv[1:3]
    shared = listener()
    port = shared.getsockname()[1]
    signal.alarm(60)
    if fork():
        # Not a listener of the client's, who would be given connections that nobody accepts.
        shared.close()
        signal.signal(signal.SIGCHLD, lambda *_: os._exit(0))
        time.sleep(0.1)
        call_on(port)
    socks = [shared] + [listener(port) if variant == "healthy" else shared
                        for _ in range(WORKERS - 1)]
    print(json.dumps({"rule": "herd", "scene": scene, "variant": variant, "pid": os.getpid(),
                      "tid": os.getpid(), "fd": shared.fileno(),
                      "evidence": {"workers": [WORKERS, WORKERS],
                                   "wakeups_per_accept": [2, WORKERS + 4]}}), flush=True)
    for sock in socks:
        if not fork():
            work(sock)
    signal.pause()


if __name__ == "__main__":
    main()

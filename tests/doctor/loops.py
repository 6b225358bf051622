#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""loops.py SCENE VARIANT PORT: faults of loops in Python. See talk.c and scene.h."""

import asyncio
import json
import os
import select
import selectors
import socket
import sys
import threading
import time
import warnings

CHUNK_BYTES = 4096
LONG_BYTES = 6000
SLOW_S = 0.3
RARE = 100
COUNT_MAX = 10**9

SPIN = {"spins_per_s": [2000, COUNT_MAX], "cpu_ms_per_s": [200, 1050]}
RARE_SPIN = {"spins_per_s": [50, COUNT_MAX]}

scene, variant, port = sys.argv[1:4]
round_count = 0


def fault_now():
    global round_count
    round_count += 1
    return variant == "fault" or (variant == "rare" and round_count % RARE == RARE // 2)


def tell(rule, fd, evidence):
    print(json.dumps({"rule": rule, "scene": scene, "variant": variant, "pid": os.getpid(),
                      "tid": threading.get_native_id(), "fd": fd, "evidence": evidence}),
          flush=True)


def spin():
    return SPIN if variant == "fault" else RARE_SPIN


def connect():
    sock = socket.create_connection(("127.0.0.1", int(port)))
    sock.setblocking(False)
    return sock


def hear(sock, size=65536):
    """What is there; an answer of b"" ends the program, as its client has ended."""
    try:
        data = sock.recv(size)
    except BlockingIOError:
        return b""
    if not data:
        sys.exit(0)
    return data


def undrained():
    """select.epoll, edge-triggered: one recv where the question takes two."""
    sock, epoll, have = connect(), select.epoll(), 0
    epoll.register(sock, select.EPOLLIN | select.EPOLLET)
    tell("et-undrained", sock.fileno(),
         {"left": [LONG_BYTES - CHUNK_BYTES] * 2, "stall_ms": [350, 470]})
    while True:
        epoll.poll()
        once = fault_now()
        while data := hear(sock, CHUNK_BYTES):
            have += len(data)
            if once:
                break
        if have >= LONG_BYTES:
            have = 0
            sock.send(b"a")


def spin_out():
    """selectors: EVENT_WRITE stays after the answer."""
    sock, selector = connect(), selectors.DefaultSelector()
    selector.register(sock, selectors.EVENT_READ)
    tell("lt-spin", sock.fileno(), spin())
    while True:
        for key, events in selector.select():
            if events & selectors.EVENT_READ and hear(sock):
                sock.send(b"a")
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if fault_now() else 0)
                if wanted != key.events:
                    selector.modify(sock, wanted)


def zero_timeout():
    """selectors: asked, and never waited for."""
    sock, selector = connect(), selectors.DefaultSelector()
    selector.register(sock, selectors.EVENT_READ)
    tell("zero-timeout", None, SPIN)
    while True:
        for _ in selector.select(None if variant == "healthy" else 0):
            if hear(sock):
                sock.send(b"a")


async def serve(work):
    reader, writer = await asyncio.open_connection(sock=connect())
    while await reader.read(65536):
        await work()
        writer.write(b"a")


def asleep():
    """asyncio: time.sleep() in a coroutine."""
    async def work():
        if variant == "healthy":
            await asyncio.sleep(SLOW_S)
        elif fault_now():
            time.sleep(SLOW_S)

    async def work_not():
        pass

    async def both():
        await asyncio.gather(serve(work), serve(work_not))

    tell("slow-turn", None, {"turn_ms": [250, 400], "blocked_ms": [250, 400]})
    asyncio.run(both())


def answer_late(sock):
    """A backend that takes its time, in a process of its own."""
    while sock.recv(1):
        time.sleep(SLOW_S)
        sock.send(b"b")
    os._exit(0)


def start_backend():
    near, far = socket.socketpair()
    if not os.fork():
        near.close()
        answer_late(far)
    far.close()
    return near


def blocking_recv():
    """asyncio: a blocking socket is asked in a coroutine."""
    backend = start_backend()

    async def work():
        if variant == "healthy":
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(backend, b"?")
            await loop.sock_recv(backend, 1)
        elif fault_now():
            backend.send(b"?")
            backend.recv(1)

    if variant == "healthy":
        backend.setblocking(False)
    tell("blocking-in-loop", backend.fileno(), {"blocked_ms": [250, 400]})
    asyncio.run(serve(work))


def asyncore_writable():
    """
    asyncore: writable() is True unless it is overridden, as its documentation says; a dispatcher
    that does not spins on a poll() that always reports it as ready to be written to.
    """
    warnings.simplefilter("ignore", DeprecationWarning)
    import asyncore

    class Client(asyncore.dispatcher):
        outbox = b""

        def handle_read(self):
            if self.recv(65536):
                self.outbox += b"a"

        def handle_close(self):
            sys.exit(0)

        def handle_write(self):
            if self.outbox:
                self.outbox = self.outbox[self.send(self.outbox):]

    class Corrected(Client):
        def writable(self):
            return bool(self.outbox)

    client = (Corrected if variant == "healthy" else Client)(connect())
    tell("lt-spin", client.socket.fileno(), SPIN)
    asyncore.loop(use_poll=True)


SCENES = {"undrained": undrained, "spin-out": spin_out, "zero-timeout": zero_timeout,
          "asleep": asleep, "blocking-recv": blocking_recv, "asyncore": asyncore_writable}

if __name__ == "__main__":
    SCENES[scene]()

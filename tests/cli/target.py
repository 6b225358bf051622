# SPDX-License-Identifier: GPL-2.0-only
"""
A program to be watched. In each round of every thread: an epoll_wait, a select, a poll and a
read that find one byte; a read that finds none; and one of a closed descriptor. Every round but
the last takes MS milliseconds, which are spent in one more poll that finds nothing.

target.py [--rounds N] [--ms MS] [--threads N] [--comm NAME] [--idle] [--wait]
"""

import argparse
import os
import select
import socket
import sys
import threading

CLOSED_FD = 1000


def one_round(near, far, epoll, ms):
    far.send(b"x")
    epoll.poll(1)
    select.select([near], [], [], 1)
    quick = select.poll()
    quick.register(near, select.POLLIN)
    quick.poll(1000)
    os.read(near.fileno(), 100)
    for fd in (near.fileno(), CLOSED_FD):
        try:
            os.read(fd, 100)
        except OSError:
            pass
    if ms:
        select.poll().poll(ms)


def rounds(count, ms):
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far, select.epoll() as epoll:
        epoll.register(near, select.EPOLLIN)
        while count != 0:
            one_round(near, far, epoll, ms)
            count -= 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=-1)
    parser.add_argument("--ms", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--comm")
    parser.add_argument("--idle", action="store_true", help="only sleep, outside of any call")
    parser.add_argument("--wait", action="store_true", help="begin when standard input ends")
    args = parser.parse_args()
    if args.comm is not None:
        with open("/proc/self/comm", "wb", buffering=0) as comm:
            comm.write(os.fsencode(args.comm))
    if args.idle:
        os.write(2, b"ready\n")
        threading.Event().wait()
    if args.wait:
        os.write(2, b"ready\n")
        sys.stdin.read()
    threads = [threading.Thread(target=rounds, args=(args.rounds, args.ms), daemon=True)
               for _ in range(args.threads)]
    for thread in threads:
        thread.start()
    tids = " ".join(str(thread.native_id) for thread in threads)
    os.write(2, f"ready {tids}\n".encode())
    rounds(args.rounds, args.ms)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()

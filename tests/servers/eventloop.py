# SPDX-License-Identifier: GPL-2.0-only
"""A TCP server on one event loop: accepts, reads, and keeps what a client cannot take yet."""

import argparse
import errno
import resource
import selectors
import signal
import socket
import sys

SELECTORS = {
    "epoll": selectors.EpollSelector,
    "poll": selectors.PollSelector,
    "select": selectors.SelectSelector,
}
CHUNK_BYTES = 64 * 1024
OUTBOX_BYTES = 1024 * 1024
SELECT_DESCRIPTORS = 1024  # select() knows no higher ones, so accept() has to refuse them
NO_MORE_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.outbox = bytearray()


class Server:
    """Calls `heard(server, client, data)` for all that a client says; send() takes the answer."""

    def __init__(self, selector, port, heard):
        self.selector = selector
        self.heard = heard
        self.clients = set()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self._listen(True)

    def run(self):
        while True:
            ready = self.selector.select()
            # Newcomers first: who was connected before something was said is to hear it.
            if any(key.fileobj is self.listener for key, _ in ready):
                self._accept_all()
            for key, events in ready:
                if key.data in self.clients:  # an earlier event of this turn may have dropped it
                    self._serve(key.data, events)

    def send(self, client, data):
        """Sends what the client takes now; the rest goes when the selector says it takes more."""
        client.outbox += data
        if len(client.outbox) == len(data):
            self._flush(client)
        if len(client.outbox) > OUTBOX_BYTES:
            self.drop(client)

    def drop(self, client):
        if client in self.clients:
            self.clients.remove(client)
            self.selector.unregister(client.sock)
            client.sock.close()
            self._listen(True)

    def _listen(self, wanted):
        listening = self.listener in self.selector.get_map()
        if wanted and not listening:
            self.selector.register(self.listener, selectors.EVENT_READ)
        elif listening and not wanted:
            self.selector.unregister(self.listener)

    def _accept_all(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                # Left in the set, a listener nobody can accept from would be reported for ever.
                if error.errno in NO_MORE_DESCRIPTORS:
                    self._listen(False)
                    return
            else:
                self._welcome(sock)

    def _welcome(self, sock):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Client(sock)
        self.selector.register(sock, selectors.EVENT_READ, client)
        self.clients.add(client)

    def _serve(self, client, events):
        if events & selectors.EVENT_WRITE:
            self._flush(client)
        if events & selectors.EVENT_READ and client in self.clients:
            self._read(client)

    def _read(self, client):
        try:
            data = client.sock.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.heard(self, client, data)
        else:
            self.drop(client)

    def _flush(self, client):
        try:
            sent = client.sock.send(client.outbox)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.drop(client)
            return
        del client.outbox[:sent]
        # Who does not take the answers is not heard either, so a slow client holds up only itself.
        interest = selectors.EVENT_WRITE if client.outbox else selectors.EVENT_READ
        if self.selector.get_key(client.sock).events != interest:
            self.selector.modify(client.sock, interest, client)


def main(description, heard):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--selector", choices=SELECTORS, default="epoll")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    args = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    if args.selector == "select":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, SELECT_DESCRIPTORS), hard))
    server = Server(SELECTORS[args.selector](), args.port, heard)
    print("port", server.port, flush=True)
    server.run()

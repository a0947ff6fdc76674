"""A Unix socket in a directory of its own or of an instance, whose connections are answered by the test."""

import contextlib
import os
import socket
import tempfile
import threading


class FakeSocket:
    """talk(link) has each connection to itself, in a thread, until it returns or the client goes."""

    def __init__(self, name, kind, directory=None):
        self.seen = []
        self.stack = contextlib.ExitStack()
        self.directory = directory or self.stack.enter_context(tempfile.TemporaryDirectory(prefix="hearth-e2e."))
        self.listener = self.stack.enter_context(socket.socket(socket.AF_UNIX, kind))
        self.listener.bind(os.path.join(self.directory, name))
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def talk(self, link):
        raise NotImplementedError

    def _accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(link,), daemon=True).start()

    def _talk(self, link):
        with link, contextlib.suppress(OSError):  # the client has gone
            self.talk(link)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.stack.close()

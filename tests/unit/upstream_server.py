"""A server of models that sends just the bytes a test tells it to, and the driver that asks it."""

import json
import os
import socket
import ssl
import subprocess
import threading
import time

PATIENCE_S = 30


def sse(*events, end="\n"):
    """Events as bytes, each of a JSON value, of raw bytes or of text as it is."""
    out = b""
    for event in events:
        if isinstance(event, bytes):
            data = event
        else:
            data = (event if isinstance(event, str) else json.dumps(event)).encode()
        out += b"data: " + data + 2 * end.encode()
    return out


def head(status=200, reason="OK", **headers):
    lines = [f"HTTP/1.1 {status} {reason}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def fail(status, body=b"", **headers):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return [head(status, "No", Content_Length=len(body), **headers) + body]


def stream(*pieces):
    """An answer of 200 whose body is these pieces, a write each."""
    return [head(Content_Type="text/event-stream"), *pieces]


def bytewise(data):
    return [head()] + [data[i:i + 1] for i in range(len(data))]


def text_chunk(text, finish=None):
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


def reply_of(text):
    """A whole stream in the OpenAI dialect."""
    return stream(sse(text_chunk(text), text_chunk("", "stop"), "[DONE]"))


class Server:
    """Each connection takes the next answer of the script: a list of pieces, bytes or functions of the connection."""

    def __init__(self, script, path=None, tls=None):
        self.script = list(script)
        self.requests = []
        self.now = self.most = 0
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.tls = tls
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.url = "http://models.invalid/v1"
        else:
            self.listener = socket.socket()
            self.listener.bind(("127.0.0.1", 0))
            port = self.listener.getsockname()[1]
            self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1"
        self.listener.listen(64)
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def close(self):
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(PATIENCE_S)
        self.listener.close()

    def wait(self, _connection):
        """A piece of a script: nothing more, until the other end has gone or the test is over."""
        _connection.settimeout(0.05)
        while not self.over.is_set():
            try:
                if not _connection.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, connection):
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            self._answer(connection)
        except (OSError, ssl.SSLError):
            pass  # the other end has gone, as it may
        finally:
            connection.close()

    def _answer(self, connection):
        connection.settimeout(PATIENCE_S)
        request = self._read(connection)
        if request is None:
            return
        with self.lock:
            self.requests.append(request)
            answer = self.script.pop(0) if self.script else reply_of("out of script")
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            for piece in answer:
                if callable(piece):
                    piece(connection)
                else:
                    connection.sendall(piece)
        finally:
            with self.lock:
                self.now -= 1

    @staticmethod
    def _read(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return None
            data += more
        top, body = data.split(b"\r\n\r\n", 1)
        lines = top.decode().split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            headers[name.lower()] = value
        while len(body) < int(headers.get("content-length", 0)):
            body += connection.recv(1 << 20)
        return {"line": lines[0], "headers": headers, "body": json.loads(body), "at": time.monotonic()}


def drive(options, asks, env=None):
    """What the driver printed: a list of objects, the last one of its end."""
    driver = os.path.join(os.environ.get("top_builddir", "."), "tests/unit/upstream_driver")
    clean = {name: value for name, value in os.environ.items()
             if not name.endswith("_API_KEY") and not name.lower().endswith("_proxy")}
    ran = subprocess.run([driver], input=json.dumps({"options": options, "asks": asks}).encode(),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**clean, **(env or {})},
                         timeout=2 * PATIENCE_S, check=False)
    if ran.returncode != 0:
        raise AssertionError(f"the driver ended with {ran.returncode}: {ran.stderr.decode()}")
    return [json.loads(line) for line in ran.stdout.splitlines()]

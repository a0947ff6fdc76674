"""A server of agentd/api's front (tests/unit/api_server.c) and a client that sends bytes as they are."""

import json
import os
import resource
import select
import shutil
import socket
import subprocess
import tempfile
import unittest

BUILD = os.environ.get("top_builddir", ".")
PATIENCE_S = 20
KEY = "sk_live_0123456789abcdef"
OTHER_KEY = "sk_test_fedcba9876543210"
HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"


class Closed(Exception):
    """The connection ended where an answer was to begin."""


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def code(self):
        """The error's code, in either shape."""
        value = self.json()
        return value["code"] if "ok" in value else value["error"]["code"]

    def message(self):
        value = self.json()
        return value["error"] if "ok" in value else value["error"]["message"]


class Connection:
    """Reads answers as strictly as the server reads requests."""

    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(PATIENCE_S)
        self.file = sock.makefile("rb")

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        line = self.file.readline(65536)
        if not line.endswith(b"\r\n"):
            raise Closed(line)
        return line[:-2].decode()

    def head(self):
        status = self.line().split(" ", 2)
        assert status[0] in ("HTTP/1.0", "HTTP/1.1"), status
        headers = {}
        while line := self.line():
            name, value = line.split(": ", 1)
            assert name.lower() not in headers, f"{name} stands twice"
            headers[name.lower()] = value
        return int(status[1]), headers

    def chunk(self):
        size = int(self.line(), 16)
        data = self.file.read(size)
        assert self.line() == "" and len(data) == size
        return data

    def answer(self, is_head=False):
        status, headers = self.head()
        body = b""
        if is_head or status in (100, 204):
            pass
        elif headers.get("transfer-encoding") == "chunked":
            while part := self.chunk():
                body += part
        elif "content-length" in headers:
            body = self.file.read(int(headers["content-length"]))
        else:
            body = self.file.read()
        return Answer(status, headers, body)

    def ask(self, data, **options):
        self.send(data)
        return self.answer(**options)

    def is_closed(self):
        """Nothing more comes, and the server has closed."""
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True

    def frame(self):
        """The next frame's data in a stream of chunks: (id or None, text); pings are left out."""
        while True:
            number, text = None, None
            for line in self.chunk().decode().splitlines():
                if line.startswith("id: "):
                    number = int(line[4:])
                elif line.startswith("data: "):
                    text = line[6:]
            if text is not None:
                return number, text

    def close(self):
        self.file.close()
        self.sock.close()


def get(path, headers=b""):
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n"


def post(path, body=b"{}", headers=JSON):
    length = b"Content-Length: %d\r\n" % len(body)
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + headers + length + b"\r\n" + body


class World(unittest.TestCase):
    limits = {}
    is_any = False

    def setUp(self):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.directory = tempfile.mkdtemp(prefix="hearth-api-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.path = os.path.join(self.directory, "s")
        # Where it is built with that sanitizer, freed memory is not to count as used.
        options = os.environ.get("ASAN_OPTIONS", "")
        environment = {**os.environ, "ASAN_OPTIONS": options + ":quarantine_size_mb=1"}
        words = [f"{name}={value}" for name, value in self.limits.items()]
        self.server = subprocess.Popen(
            [os.path.join(BUILD, "tests/unit/api_server"), self.path, *words,
             *(["any"] if self.is_any else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment)
        self.addCleanup(self._stop)
        self._said = b""
        _, port, self.any_port = self._line().split()
        self.port = int(port)

    def _stop(self):
        self.server.kill()
        self.server.wait()
        self.server.stdin.close()
        self.server.stdout.close()

    def tearDown(self):
        """The server ends by itself, and each of its calls has ended."""
        self.server.stdin.close()
        self.assertEqual(self.server.wait(PATIENCE_S), 0)
        lines = (self._said + self.server.stdout.read()).decode().splitlines()
        self.assertEqual(lines[-1], "closed 0", lines)

    def command(self, line):
        self.server.stdin.write(line.encode() + b"\n")
        self.expect("done")

    def _line(self):
        while b"\n" not in self._said:
            if not select.select([self.server.stdout], [], [], PATIENCE_S)[0]:
                self.fail("the server says nothing")
            part = self.server.stdout.read(4096)
            if not part:
                self.fail("the server has ended")
            self._said += part
        line, self._said = self._said.split(b"\n", 1)
        return line.decode()

    def expect(self, wanted):
        self.assertEqual(self._line(), wanted)

    def connect(self, port=None):
        connection = Connection(socket.create_connection(("127.0.0.1", port or self.port)))
        self.addCleanup(connection.close)
        return connection

    def connect_unix(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.path)
        connection = Connection(sock)
        self.addCleanup(connection.close)
        return connection

    def ask(self, data, **options):
        connection = self.connect()
        answer = connection.ask(data, **options)
        connection.close()
        return answer

    def refused(self, data, status):
        """One answer with this status, then the end; returns it."""
        connection = self.connect()
        answer = connection.ask(data)
        self.assertEqual(answer.status, status, (data[:200], answer.body))
        self.assertIn("x-request-id", answer.headers)
        self.assertTrue(answer.message())
        self.assertTrue(connection.is_closed(), (data[:200], "a second answer"))
        connection.close()
        return answer

"""hearth-scripted-model on a socket, and a client that sees each byte of its replies."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

BUILD = os.environ.get("top_builddir", ".")
PROGRAM = os.path.join(BUILD, "hearth-scripted-model")
PATIENCE_S = 20
OPENAI = "/v1/chat/completions"
ANTHROPIC = "/v1/messages"


class Reply:
    """Read whole, whatever its end: chunks are the frames of chunked coding, body is all of them."""

    def __init__(self, raw):
        head, _, rest = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            self.headers[name.lower()] = value
        self.chunks = []
        if self.headers.get("transfer-encoding") == "chunked":
            self.is_whole = self._read_chunks(rest)
        else:
            self.chunks = [rest]
            self.is_whole = len(rest) == int(self.headers.get("content-length", "-1"))
        self.body = b"".join(self.chunks)

    def _read_chunks(self, rest):
        while b"\r\n" in rest:
            size, _, rest = rest.partition(b"\r\n")
            size = int(size, 16)
            if size == 0:
                return rest == b"\r\n"
            self.chunks.append(rest[:size])
            if rest[size:size + 2] != b"\r\n":
                return False
            rest = rest[size + 2:]
        return False

    def json(self):
        return json.loads(self.body)

    def events(self):
        """[(name or None, data)] of a stream; data is parsed but for [DONE]."""
        events = []
        for block in self.body.decode().replace("\r\n", "\n").split("\n\n"):
            name, data = None, None
            for line in block.split("\n"):
                if line.startswith("event: "):
                    name = line[len("event: "):]
                elif line.startswith("data: "):
                    data = line[len("data: "):]
            if data is not None:
                events.append((name, data if data == "[DONE]" else json.loads(data)))
        return events


class World(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="hearth-scripted-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.process = None

    def write_scenario(self, scenario):
        path = os.path.join(self.directory, "scenario.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(scenario if isinstance(scenario, str) else json.dumps(scenario))
        return path

    def start(self, scenario=None, where=("--port", "0"), **options):
        """The model, ready; it must end well. Answers what it said of where it is."""
        arguments = list(where)
        if scenario is not None:
            arguments += ["--scenario", self.write_scenario(scenario)]
        self.process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, text=True,
                                        **options)
        self.addCleanup(self.stop, self.process)
        word, url = self.process.stdout.readline().split()
        self.assertEqual(word, "ready")
        if url.startswith("http://"):
            self.assertRegex(url, r"^http://127\.0\.0\.1:\d+/v1$")
            self.address = ("127.0.0.1", int(url.split(":")[2].split("/")[0]))
        else:
            self.address = url.removeprefix("unix:")
        return url

    def steps(self, *steps):
        return self.start({"steps": list(steps)})

    def stop(self, process):
        process.send_signal(signal.SIGTERM)  # none once it has been waited for
        try:
            code = process.wait(PATIENCE_S)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        self.assertEqual(code, 0)

    def run_program(self, *arguments, **options):
        """One that ends by itself: (exit status, stdout, stderr)."""
        done = subprocess.run([PROGRAM, *arguments], timeout=PATIENCE_S, capture_output=True,
                              text=True, check=False, **options)
        return done.returncode, done.stdout, done.stderr

    def connect(self):
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        client = socket.socket(family, socket.SOCK_STREAM)
        self.addCleanup(client.close)
        client.settimeout(PATIENCE_S)
        client.connect(self.address)
        return client

    @staticmethod
    def request(path, body, method="POST", headers="Connection: close\r\n"):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def send(self, path, body, **options):
        client = self.connect()
        client.sendall(self.request(path, body, **options))
        return client

    @staticmethod
    def read_all(client):
        raw = bytearray()
        while True:
            data = client.recv(1 << 20)
            if not data:
                return bytes(raw)
            raw += data

    def ask_raw(self, path, body, **options):
        return Reply(self.read_all(self.send(path, body, **options)))

    def ask(self, *messages, path=OPENAI, stream=False, **more):
        messages = [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages]
        return self.ask_raw(path, {"model": "x", "stream": stream, "messages": messages, **more})

    def text(self, *messages):
        return self.ask(*messages).json()["choices"][0]["message"]["content"]

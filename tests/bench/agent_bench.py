"""What agentd adds to an agent's turn, and what many of them cost: before a fake supervisor, with the scripted model.

    top_builddir=build PYTHONPATH=tests:tests/unit python3 tests/bench/agent_bench.py [N] [text|turns|reads|commit|many|warm ...]

Times are those of a client in Python on Unix sockets, so each has a floor of the same client beside it. The fake
supervisor forks a guest for each acquire; "warm" is reads before the supervisor of the tree that `make stage` made, with
a warm pool of image tiny, as root.
"""

import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time

from agent_world import AgentWorld, BUILD, CODER
from rpc_client import PATIENCE_S, until

KEYS = 16       # a key may ask 100 times a second
RUNS = 200
STREAMS = 1000
TURNS = 20


class Wire:
    """One connection, kept alive; little is done between a byte's arrival and the clock."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(path)

    def send(self, method, path, body=None, key=None):
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(data)}\r\n" + (f"Authorization: Bearer {key}\r\n" if key else "") + "\r\n"
        self.socket.sendall(head.encode() + data)

    def pieces(self, is_end):
        """(time, all bytes until then) for each piece that comes."""
        data = b""
        while not is_end(data):
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise EOFError(data.decode(errors="replace"))
            data += piece
            yield time.perf_counter(), data

    def stream(self):
        return self.pieces(lambda data: data.endswith(b"0\r\n\r\n"))

    def reply(self):
        def is_end(data):
            head, _, body = data.partition(b"\r\n\r\n")
            length = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            return length and len(body) >= int(length[0])
        for _, data in self.pieces(is_end):
            pass
        if not data.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(data.decode())
        return json.loads(data.partition(b"\r\n\r\n")[2])


class Tap(threading.Thread):
    """Between agentd and the model: what the first connection says to the model."""

    def __init__(self, path, model_path):
        super().__init__(daemon=True)
        self.said = b""
        self.listener, self.model = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen()
        self.model.connect(model_path)
        self.start()

    def run(self):
        agentd = self.listener.accept()[0]
        threading.Thread(target=self.answer, args=[agentd], daemon=True).start()
        while data := agentd.recv(1 << 16):
            self.said += data
            self.model.sendall(data)

    def answer(self, agentd):
        while data := self.model.recv(1 << 16):
            agentd.sendall(data)

    def asked(self):
        """The body of each request, in order."""
        rest = self.said
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            size = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            yield rest[:size]
            rest = rest[size:]


def show(name, values, floor=None):
    values = sorted(values)
    row = f"{name:44} {len(values):5} {values[len(values) // 2] * 1e3:8.3f} {values[len(values) * 99 // 100] * 1e3:8.3f}"
    print(row + (f" {sorted(floor)[len(floor) // 2] * 1e3:8.3f}" if floor else ""), flush=True)


class Bench(AgentWorld):
    agents = [CODER]

    def runTest(self):
        """not one of the tests"""

    def setUp(self):
        read = {"text": "", "tool_calls": [{"name": "read", "arguments": {"path": "/proc/sys/kernel/ostype"}}]}
        sleep = {"text": "", "tool_calls": [{"name": "bash", "arguments": {"command": "read x </dev/zero"}}]}
        self.scenario = {"conversations": [
            {"match": "turns", "steps": [{"tool_calls": [{"name": "fly", "arguments": {}}], "repeat": TURNS - 1},
                                         {"text": "done"}]},
            {"match": "reads", "steps": [{**read, "repeat": TURNS}, {"text": "done"}]},
            {"match": "works", "steps": [
                {**sleep, "tool_calls": [{"name": "bash", "arguments": {
                    "command": f"until test -e {self.go()}; do sleep 0.2; done"}}]}, {"text": "done"}]},
            {"match": "says", "steps": [{"text": "this is all that is said", "repeat": 100000}]}]}
        self.tap = None
        super().setUp()
        self.api, self.model_path = (os.path.join(self.directory, name) for name in ("api.sock", "model.sock"))
        client = self.connect()
        self.keys = [client.call("key.create", name=f"bench {i}")["key"] for i in range(KEYS)]
        self.turn = 0
        for text in "says first", "turns first":
            self.request("POST", "/v1/chat/completions", self.body(text, stream=False),
                         {"Authorization": f"Bearer {self.key()}"})
        self.asked, *self.asked_in_turns = self.tap.asked()
        self.restart_agentd()  # which asks the model itself from now on

    def start_model(self):
        path = super().start_model()
        if self.tap:
            return path
        between = os.path.join(self.directory, "tap.sock")
        self.tap = Tap(between, path)
        return between

    def ask_of_model(self, text):
        """What agentd asks the model when it is told this."""
        return self.asked.replace(b"says first", text.encode())

    @staticmethod
    def go():
        return f"/tmp/hearth-agent-bench-{os.getpid()}"

    def key(self):
        self.turn += 1
        return self.keys[self.turn % KEYS]

    def body(self, text, **members):
        return {"model": "coder", "stream": True, "messages": [{"role": "user", "content": text}], **members}

    # One turn of text

    def time_text(self, wire, path, body, key):
        began, first = time.perf_counter(), None
        wire.send("POST", path, body, key)
        for now, data in wire.stream():
            if first is None and b'"this is' in data:
                first = now - began
        if first is None:
            raise RuntimeError(data.decode())
        return first, now - began

    def bench_text(self, n):
        direct, through = Wire(self.model_path), Wire(self.api)
        figures = {"direct": [], "through": []}
        for i in range(n):
            text = f"says {i}"
            figures["direct"].append(self.time_text(direct, "/v1/chat/completions", self.ask_of_model(text), None))
            figures["through"].append(self.time_text(through, "/v1/chat/completions", self.body(text), self.key()))
        for at, name in enumerate(("first byte", "end")):
            floor = [row[at] for row in figures["direct"]]
            show(f"text: request to {name}", [row[at] for row in figures["through"]], floor)
            show(f"text: added until {name}", [a[at] - b for a, b in zip(figures["through"], floor)])

    # Turns of a run whose tools cost nothing: the model is told that there is no such tool

    @staticmethod
    def time_stream(wire, path, body, key=None):
        began = time.perf_counter()
        wire.send("POST", path, body, key)
        for now, data in wire.stream():
            pass
        if b"[DONE]" not in data:
            raise RuntimeError(data.decode())
        return now - began

    def bench_turns(self, n):
        direct, through = Wire(self.model_path), Wire(self.api)
        floor, added = [], []
        for i in range(n):
            bodies = [body.replace(b"turns first", b"turns directly %d" % i) for body in self.asked_in_turns]
            floor.append(sum(self.time_stream(direct, "/v1/chat/completions", body) for body in bodies) / TURNS)
            whole = self.time_stream(through, "/v1/chat/completions", self.body(f"turns {i}"), self.key())
            added.append(whole / TURNS - floor[-1])
        show(f"turns: added to each of {TURNS} (floor: the model)", added, floor)

    # A tool's turn

    def time_reads(self, wire, number):
        """(from the call's name to its result, from its start to its result) of each call; from the request to the first."""
        states, came, at, began = {}, [], 0, time.perf_counter()
        wire.send("POST", "/v1/chat/completions", self.body(f"reads {number}"), self.key())
        for now, data in wire.stream():
            came.append((now, len(data)))
        for frame in data.split(b"\n\n")[:-1]:
            at += len(frame) + 2
            if b'"tool_call":' in frame:
                call = json.loads(frame.partition(b"data: ")[2])["choices"][0]["tool_call"]
                states.setdefault(call["id"], {})[call["state"]] = next(now for now, size in came if size >= at)
        rows = [(row["completed"] - row["preparing"], row["completed"] - row["calling"]) for row in states.values()]
        return rows, min(row["completed"] for row in states.values()) - began

    def bench_reads(self, n):
        wire = Wire(self.api)
        first, held, work, whole = [], [], [], []
        for number in range(n):
            rows, request = self.time_reads(wire, number)
            whole.append(request)
            first.append(rows[0][0])
            held += [row[0] for row in rows[1:]]
            work += [row[1] for row in rows[1:]]
        client = self.connect()
        floor = []
        for _ in range(n):
            began = time.perf_counter()
            lease = client.acquire()
            floor.append(time.perf_counter() - began)
            client.call("sandbox.release", **lease)
        lease = client.acquire()
        tool = []
        for _ in range(n):
            began = time.perf_counter()
            client.tool(lease, "read", path="/proc/sys/kernel/ostype")
            tool.append(time.perf_counter() - began)
        client.call("sandbox.release", **lease)
        show("read: request to result, acquires", whole)
        show("read: call to result, acquires (floor: acquire)", first, floor)
        show("read: call to result, held (floor: JSON-RPC)", held, tool)
        show("read: its start to result, held", work)

    # The store

    def bench_commit(self, n):
        session = self.chat_once("says")
        wire = Wire(self.api)
        commits, plain, disk = [], [], []
        fd = os.open(os.path.join(self.project, "floor"), os.O_CREAT | os.O_WRONLY)
        for i in range(n):
            began = time.perf_counter()
            wire.send("PATCH", f"/v1/chat/sessions/{session}", {"title": f"title {i}"}, self.key())
            wire.reply()
            commits.append(time.perf_counter() - began)
            began = time.perf_counter()
            wire.send("GET", "/v1/models", None, self.key())
            wire.reply()
            plain.append(time.perf_counter() - began)
            began = time.perf_counter()
            os.pwrite(fd, b"x" * 4096, i * 4096)
            os.fdatasync(fd)
            disk.append(time.perf_counter() - began)
        os.close(fd)
        show("commit: one (floor: write and fdatasync)", [a - b for a, b in zip(commits, plain)], disk)
        show("a request without it", plain)

    def chat_once(self, text):
        wire = Wire(self.api)
        wire.send("POST", "/v1/chat/completions", self.body(text, stream=False), self.key())
        return wire.reply()["sessionId"]

    # Many

    def memory(self):
        with open(f"/proc/{self.agentd.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))

    def start_run(self, number):
        """Nobody follows it; its id."""
        wire = Wire(self.api)
        wire.send("POST", "/v1/chat/completions", self.body(f"works {number}"), self.keys[number % KEYS])
        for _, data in wire.stream():
            if b"\r\n\r\n" in data:
                head = data.partition(b"\r\n\r\n")[0].decode().lower()
                wire.socket.close()
                return next(line.split()[1] for line in head.split("\r\n") if line.startswith("x-run-id"))

    def follow(self, run, number, ends):
        wire = Wire(self.api)
        wire.send("GET", f"/v1/runs/{run}/events", None, self.keys[number % KEYS])
        for _, data in wire.stream():
            pass
        ends[number] = b'"status":"completed"' in data

    def bench_many(self):
        idle = self.memory()
        began = time.perf_counter()
        runs = [self.start_run(number) for number in range(RUNS)]
        working = self.memory()
        ends = {}
        followers = [threading.Thread(target=self.follow, args=(runs[i % RUNS], i, ends)) for i in range(STREAMS)]
        for i, thread in enumerate(followers):
            thread.start()
            time.sleep(0.001)  # a key's share
        until(lambda: self.open_connections() >= STREAMS, "the streams are open")
        full = self.memory()
        with open(self.go(), "w", encoding="ascii"):
            pass
        for thread in followers:
            thread.join()
        os.unlink(self.go())
        print(f"RSS, MiB: idle {idle:.1f}; {RUNS} runs {working:.1f}; and {STREAMS} streams {full:.1f};"
              f" after them {self.memory():.1f}; {sum(ends.values())} saw their run complete,"
              f" {time.perf_counter() - began:.1f} s in all", flush=True)

    def open_connections(self):
        links = f"/proc/{self.agentd.pid}/fd"
        return sum(os.readlink(f"{links}/{fd}").startswith("socket:") for fd in os.listdir(links)) - RUNS


class WarmBench(Bench):
    """With real sandboxes, that are there already."""

    def _start(self, program, *arguments, **options):
        if program == "tests/fake/fake_supervisor":
            self.identity = {}
            os.chown(self.directory, 0, 0)
            os.chmod(self.directory, 0o755)
            with open(os.path.join(self.directory, "hearth.conf"), "w", encoding="ascii") as file:
                file.write('[pool "tiny"]\nmin = 8\n')
            program, options = f"{os.path.abspath(BUILD)}/tests/stage/sbin/hearth-supervisor", {}
            arguments = ["--dir", self.directory]
            self.addCleanup(subprocess.run, [program, *arguments, "--recover"], check=True)  # after it was killed
        return super()._start(program, *arguments, **options)

    def make_project(self):
        super().make_project()
        subprocess.run(["chown", "-R", "hearth", self.project], check=True)

    def start_model(self):
        path = super().start_model()
        os.chmod(os.path.join(self.directory, "model.sock"), 0o666)
        return path

    def expect(self, event):
        until(lambda: os.path.exists(os.path.join(self.directory, "control.sock")), "the supervisor listens")

    def tearDown(self):
        for process in self.agentd, self.supervisor:
            process.terminate()
            self.assertEqual(process.wait(PATIENCE_S), 0)


def run(bench, parts):
    try:
        bench.setUp()
        for part in parts:
            part(bench)
        bench.tearDown()
    finally:
        bench.doCleanups()


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    threading.stack_size(256 * 1024)
    few = max(10, n // 10)
    parts = {"text": lambda bench: bench.bench_text(n), "turns": lambda bench: bench.bench_turns(few),
             "reads": lambda bench: bench.bench_reads(few), "commit": lambda bench: bench.bench_commit(n),
             "many": lambda bench: bench.bench_many()}
    asked = sys.argv[2:] or [*parts, "warm"]
    print(f"{f'ms, load {os.getloadavg()[0]:.1f}':44}     n      p50      p99    floor")
    run(Bench(), [parts[name] for name in asked if name != "warm"])
    if "warm" in asked:
        run(WarmBench(), [parts["reads"]])


main()

"""agentd: clients that send nonsense, too much, too slowly, or go away at the wrong moment."""

import json
import os
import random
import select
import socket

import tap
from agentd_world import World
from rpc_client import RpcError, until

LINE_MAX = 1 << 20
CALLS_MAX = 1024
CLIENTS_MAX = 512


def version(request_id=1):
    return json.dumps(
        {"jsonrpc": "2.0", "id": request_id, "method": "agentd.version"}).encode() + b"\n"


class BadInput(World):
    def setUp(self):
        super().setUp()
        self.client = self.connect()

    def assert_serves(self, client=None):
        client = client or self.client
        client.send_bytes(version("still"))
        self.assertEqual(client.wait("still")["name"], "hearth-agentd")

    def test_lines_that_are_no_request(self):
        """each bad line gets one error of the right kind, and the next line is served"""
        deep = b"[" * 33 + b"]" * 33
        for line, kind in (
                (b"{", "parse_error"), (b"nonsense", "parse_error"), (b"\0", "parse_error"),
                (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}', "parse_error"),
                (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', "parse_error"),
                (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"\\u0000"}}', "parse_error"),
                (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":' + deep + b"}}", "parse_error"),
                (b"[]", "invalid_request"), (b"1", None), (b'"x"', None), (b"null", None),
                (b'{"id":1,"method":"agentd.version"}', "invalid_request"),
                (b'{"jsonrpc":"1.0","id":1,"method":"agentd.version"}', "invalid_request"),
                (b'{"jsonrpc":"2.0","id":1}', "invalid_request"),
                (b'{"jsonrpc":"2.0","id":1,"method":1}', "invalid_request"),
                (b'{"jsonrpc":"2.0","id":{},"method":"agentd.version"}', "invalid_request"),
                (b'{"jsonrpc":"2.0","id":1,"method":"agentd.version","more":1}', "invalid_request"),
                (b'{"jsonrpc":"2.0","id":1,"result":{}}', "invalid_request"),
                (b'{"jsonrpc":"2.0","id":1,"method":"agentd.version","params":[]}', "invalid_arguments"),
                (b'{"jsonrpc":"2.0","id":1,"method":"agentd.version","params":1}', "invalid_params"),
                (b'{"jsonrpc":"2.0","id":1,"method":"no.such.method"}', "unknown_method")):
            self.client.send_bytes(line + b"\n")
            error = self.client.read_message()["error"]
            if kind:
                self.assertEqual(error["data"]["type"], kind, line[:60])
            self.assertGreater(len(error["message"]), 0)
            self.assert_serves()

    def test_parameters_of_the_wrong_type(self):
        """every parameter of every method is checked before anything is done"""
        for method, params in (
                ("sandbox.acquire", {"template": 1}), ("sandbox.acquire", {"template": "x" * 32}),
                ("sandbox.acquire", {"wait_ms": -1}), ("sandbox.acquire", {"wait_ms": 1.5}),
                ("sandbox.acquire", {"on_empty": "cry"}), ("sandbox.acquire", {"tenplate": "x"}),
                ("sandbox.release", {}), ("sandbox.release", {"id": "1"}),
                ("sandbox.release", {"id": 0}), ("sandbox.release", {"id": 1, "epoch": 1}),
                ("sandbox.list", {"x": 1}), ("sandbox.exec", {"id": 1, "argv": "ls"}),
                ("sandbox.exec", {"id": 1, "argv": []}), ("sandbox.exec", {"id": 1, "argv": [1]}),
                ("sandbox.exec", {"id": 1, "argv": ["x"], "env": []}),
                ("sandbox.exec", {"id": 1, "argv": ["x"], "pty": {"rows": 0}}),
                ("sandbox.exec", {"id": 1, "argv": ["x"], "pty": {"cols": 1}}),
                ("sandbox.stdin", {"data": "x"}), ("sandbox.stdin", {"request": [], "data": "x"}),
                ("sandbox.signal", {"request": 1}), ("sandbox.resize", {"request": 1, "rows": 1}),
                ("sandbox.cancel", {"request": None}),
                ("tool.call", {"id": 1, "name": "ls"}),
                ("tool.call", {"id": 1, "name": "ls", "arguments": []}),
                ("tool.call", {"id": 1, "name": 1, "arguments": {}})):
            with self.assertRaises(RpcError, msg=(method, params)) as caught:
                self.client.call(method, **params)
            self.assertEqual(caught.exception.type, "invalid_arguments", (method, params))
            self.assertTrue(caught.exception.message.startswith("params"), caught.exception.message)

    def test_a_line_that_is_too_long(self):
        """a line of more than 1 MiB is refused, its rest skipped, the next one served"""
        self.client.send_bytes(b"x" * (3 * LINE_MAX) + b"\n")
        self.assertEqual(self.client.read_message()["error"]["data"]["type"], "too_large")
        self.assert_serves()
        padding = b" " * (LINE_MAX - len(version()) + 1)
        self.client.send_bytes(version()[:-1] + padding + b"\n")
        self.assertIn("result", self.client.read_message())

    def test_one_byte_at_a_time(self):
        """a request may come in single bytes"""
        for byte in version():
            self.client.send_bytes(bytes([byte]))
        self.assertIn("result", self.client.read_message())

    def test_a_line_that_never_ends(self):
        """half a line and a disconnect leave nothing"""
        self.client.send_bytes(version()[:-1])
        self.client.close()
        self.assert_serves(self.connect())

    def test_ten_thousand_requests_at_once(self):
        """10,000 pipelined requests get 10,000 answers, in order"""
        self.client.send_bytes(b"".join(version(i) for i in range(10000)))
        for i in range(10000):
            self.assertEqual(self.client.read_message()["id"], i)

    def test_more_commands_than_may_be_under_way(self):
        """beyond 1024 requests under way the next is busy; nothing is lost"""
        handle = self.client.acquire()
        release = os.path.join(self.root, "go")
        params = {**handle, "argv": ["sh", "-c", "while ! test -e go; do sleep 0.05; done"]}
        requests = [self.client.send("sandbox.exec", **params) for _ in range(CALLS_MAX + 10)]
        busy = 0
        for request in requests[CALLS_MAX:]:
            with self.assertRaises(RpcError) as caught:
                self.client.wait(request)
            busy += caught.exception.type == "busy"
        self.assertEqual(busy, 10)
        with open(release, "w", encoding="utf-8"):
            pass
        for request in requests[:CALLS_MAX]:
            self.assertEqual(self.client.wait(request)["exit_code"], 0)

    def test_more_bytes_than_may_be_under_way(self):
        """beyond 32 MiB of requests under way the next is busy"""
        handle = self.client.acquire()
        command = ["sh", "-c", "while ! test -e go; do sleep 0.05; done"]
        requests = [self.client.send("sandbox.exec", **handle, argv=command, stdin="x" * 1000000)
                    for _ in range(40)]
        with self.assertRaises(RpcError) as caught:
            self.client.wait(requests[-1])
        self.assertEqual(caught.exception.type, "busy")
        with open(os.path.join(self.root, "go"), "w", encoding="utf-8"):
            pass
        for request in requests[:33]:
            self.assertEqual(self.client.wait(request)["exit_code"], 0)

    def test_more_lists_than_may_be_under_way(self):
        """of many lists at once some are answered, the others are busy, none is lost"""
        kinds = set()
        for request in [self.client.send("sandbox.list") for _ in range(200)]:
            try:
                kinds.add("total" in self.client.wait(request))
            except RpcError as error:
                kinds.add(error.type)
        self.assertLessEqual(kinds, {True, "busy"})
        self.assertIn("total", self.client.call("sandbox.list"))

    def test_a_client_that_never_reads(self):
        """endless output for a client that does not read costs little memory, and others nothing"""
        handle = self.client.acquire()
        before = self.rss_kib()
        self.client.send("sandbox.exec", **handle, argv=["yes", "x" * 1000])
        other = self.connect()
        self.wait_for_rest()
        self.assertLess(self.rss_kib() - before, 48 << 10)
        self.assert_serves(other)
        # It reads on: the command goes on.
        for _ in range(2000):
            self.client.wait_notification("sandbox.output")

    def wait_for_rest(self):
        """Until agentd has done nothing for 20 looks in a row."""
        seen = []

        def rests():
            seen.append((self.rss_kib(), self.cpu_ticks()))
            return len(seen) > 20 and len(set(seen[-20:])) == 1
        until(rests, "agentd stops reading what the command writes")

    def rss_kib(self):
        with open(f"/proc/{self.agentd.pid}/status", encoding="utf-8") as file:
            return int(next(line for line in file if line.startswith("VmRSS")).split()[1])

    def cpu_ticks(self):
        with open(f"/proc/{self.agentd.pid}/stat", encoding="utf-8") as file:
            return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))

    def test_requests_of_a_client_that_never_reads(self):
        """requests whose answers are not read are not read either"""
        line = b'{"jsonrpc":"2.0","id":1,"method":"tool.list"}\n'
        self.client.socket.setblocking(False)
        before = self.rss_kib()
        sent = 0
        with self.assertRaises(BlockingIOError):
            while sent < 64 << 20:
                sent += self.client.socket.send(line * 1000)
                if sent > 1 << 20:
                    self.wait_writable()
        self.assert_serves(self.connect())
        self.assertLess(self.rss_kib() - before, 48 << 10)

    def wait_writable(self):
        if not select.select([], [self.client.socket], [], 1)[1]:
            raise BlockingIOError

    def test_too_many_clients(self):
        """beyond 512 clients the next is told so; when one leaves, there is room again"""
        clients = [self.connect() for _ in range(CLIENTS_MAX - 1)]
        self.assert_serves(clients[-1])
        late = self.connect()
        self.assertEqual(late.read_message()["error"]["data"]["type"], "busy")
        self.assertTrue(late.is_closed())
        clients[0].close()

        def is_let_in():
            with self.connect() as client:
                try:
                    client.send_bytes(version())
                    return "result" in (client.read_message() or {})
                except OSError:
                    return False
        until(is_let_in, "there is room")

    def test_ten_thousand_connects(self):
        """10,000 clients that come and go at once leave no fd"""
        self.assert_serves()
        before = self.fd_count()
        for _ in range(10000):
            self.connect_quickly()
        self.assert_serves()
        until(lambda: self.fd_count() == before, "all are gone")

    def connect_quickly(self):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(self.path)

    def test_a_half_closed_client_still_gets_its_answers(self):
        """what was asked before the end of the stream is answered"""
        self.client.send_bytes(version(1) + version(2))
        self.client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual([self.client.read_message()["id"] for _ in range(2)], [1, 2])
        self.assertTrue(self.client.is_closed())

    def test_a_disconnect_in_the_middle_of_everything(self):
        """200 clients leave at random moments of their work; nothing is left of them"""
        seed = int(os.environ.get("HEARTH_TEST_SEED", "20"))
        dice = random.Random(seed)
        for _ in range(200):
            client = self.connect()
            client.send("sandbox.acquire")
            client.send("sandbox.list")
            if dice.random() < 0.7:
                handle = {"id": client.wait(1)["id"]}
                client.socket.settimeout(0.1)
                try:
                    self.burden(client, handle, dice)
                except TimeoutError:
                    pass  # it does not read its output, so it is not read either
            client.close()
        watcher = self.connect()
        until(lambda: len(watcher.call("sandbox.list")["sandboxes"]) == 1, "all are given back")
        watcher.close()
        until(lambda: self.fd_count() <= 12, f"fds are closed (seed {seed})")

    @staticmethod
    def burden(client, handle, dice):
        for _ in range(dice.randrange(6)):
            kind = dice.randrange(6)
            if kind == 0:
                client.send("sandbox.exec", **handle, argv=["yes"])
            elif kind == 1:
                request = client.send("sandbox.exec", **handle, argv=["cat"], stdin="stream")
                client.send("sandbox.stdin", request=request, data="x" * dice.randrange(300000))
            elif kind == 2:
                client.send("tool.call", **handle, name="bash", arguments={"command": "sleep 100"})
            elif kind == 3:
                client.send("tool.call", **handle, name="write",
                            arguments={"path": "f", "content": "x" * dice.randrange(500000)})
            elif kind == 4:
                client.send("sandbox.cancel", request=client.last_id)
            else:
                client.send("sandbox.release", **handle)


tap.main()

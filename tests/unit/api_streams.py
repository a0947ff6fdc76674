"""agentd's HTTP front: connections that stay, streams, and their limits."""

import os
import random
import resource
import select
import socket
import time

import tap
from api_world import Closed, HOST, JSON, PATIENCE_S, World, get, post


def memory_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmRSS:")).split()[1])


class Connections(World):
    limits = {"rate": 0}

    def test_keep_alive(self):
        """a connection stays for many requests, errors among them, until its client says close"""
        connection = self.connect()
        for _ in range(50):
            self.assertEqual(connection.ask(get(b"/health")).status, 200)
            self.assertEqual(connection.ask(get(b"/nowhere")).status, 404)
            self.assertEqual(connection.ask(post(b"/v1/echo", b'{"a":[]}')).json()["params"], {"a": []})
        answer = connection.ask(get(b"/health", b"Connection: close\r\n"))
        self.assertEqual(answer.headers["connection"], "close")
        self.assertTrue(connection.is_closed())

    def test_http_1_0(self):
        """HTTP/1.0 closes, unless it asks to stay"""
        connection = self.connect()
        line = b"GET /health HTTP/1.0\r\n" + HOST
        for _ in range(2):
            answer = connection.ask(line + b"Connection: keep-alive\r\n\r\n")
            self.assertEqual(answer.headers["connection"], "keep-alive")
        self.assertEqual(connection.ask(line + b"\r\n").status, 200)
        self.assertTrue(connection.is_closed())

    def test_pipeline(self):
        """1,000 requests in one go are answered in their order"""
        connection = self.connect()
        connection.send(b"".join(post(b"/v1/echo", b'{"n":%d}' % n) for n in range(1000)))
        for n in range(1000):
            self.assertEqual(connection.answer().json()["params"], {"n": n})

    def test_pipeline_behind_a_slow_one(self):
        """what follows a request waits for its answer, however much it is"""
        connection = self.connect()
        connection.send(post(b"/v1/slow"))
        self.assertEqual(connection.head()[0], 200)
        behind = b"".join(get(b"/v1/items/%d" % n) for n in range(3000))
        connection.sock.setblocking(False)
        sent = 0
        while sent < len(behind) and select.select([], [connection.sock], [], 0.1)[1]:
            sent += connection.sock.send(behind[sent:])
        connection.sock.settimeout(PATIENCE_S)
        self.command("answer")
        self.assertEqual(b"".join(iter(connection.chunk, b"")).strip(), b'{"slow":"answer"}')
        connection.send(behind[sent:])
        for n in range(3000):
            self.assertEqual(connection.answer().json()["params"], {"id": str(n)})

    def test_half_close(self):
        """a client that closes its half after asking still gets its answers"""
        connection = self.connect()
        connection.send(get(b"/health") + get(b"/v1/items/x"))
        connection.sock.shutdown(socket.SHUT_WR)
        self.assertEqual(connection.answer().status, 200)
        self.assertEqual(connection.answer().status, 200)
        self.assertTrue(connection.is_closed())

    def test_leaving(self):
        """a client that leaves in a head, a body or before an answer leaves nothing"""
        for data in (b"", b"G", get(b"/health")[:-2], post(b"/v1/echo", b"{}" * 100)[:-1],
                     b"POST /v1/echo HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n5\r\n"):
            connection = self.connect()
            connection.send(data)
            connection.close()
        connection = self.connect()
        connection.send(post(b"/v1/never"))
        self.assertEqual(self.ask(get(b"/health")).status, 200)
        connection.close()
        self.expect("gone")
        self.command("none")

    def test_stop(self):
        """when it stops, idle connections close, answers are still given, nobody is let in"""
        idle, slow, other = self.connect(), self.connect(), self.connect()
        self.assertEqual(idle.ask(get(b"/health")).status, 200)
        slow.send(post(b"/v1/slow"))
        self.assertEqual(slow.head()[0], 200)
        other.send(get(b"/heal"))
        self.command("stop")
        self.assertTrue(idle.is_closed())
        self.command("answer")
        self.assertEqual(b"".join(iter(slow.chunk, b"")).strip(), b'{"slow":"answer"}')
        self.assertTrue(slow.is_closed())
        other.close()

    def test_end_with_open_calls(self):
        """when the server ends, open calls are told, and end"""
        stream, never = self.connect(), self.connect()
        stream.send(get(b"/v1/stream?count=1&open=true"))
        self.assertEqual(stream.head()[0], 200)
        never.send(post(b"/v1/never"))
        self.assertEqual(self.ask(get(b"/health")).status, 200)


class Timeouts(World):
    limits = {"head_ms": 150, "body_ms": 300, "idle_ms": 150, "write_ms": 300, "ping_ms": 100000}

    def test_slow_requests(self):
        """a head or a body that does not come in time is 408"""
        for data in (b"G", get(b"/health")[:-2], post(b"/v1/echo")[:-1],
                     b"POST /v1/echo HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n1\r\n"):
            connection = self.connect()
            connection.send(data)
            self.assertEqual(connection.answer().status, 408)
            self.assertTrue(connection.is_closed())

    def test_drip(self):
        """a byte now and then does not make the time longer"""
        connection = self.connect()
        connection.sock.settimeout(0.02)
        answer = b""
        while not answer:
            try:
                connection.send(b"G")
                answer = connection.sock.recv(65536)
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                break
        self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer)

    def test_idle(self):
        """who says nothing, at first or after an answer, is closed without a word"""
        connection = self.connect()
        self.assertTrue(connection.is_closed())
        connection = self.connect()
        self.assertEqual(connection.ask(get(b"/health")).status, 200)
        self.assertTrue(connection.is_closed())

    def test_ahead(self):
        """before its answer has begun, too, a client can send only so much ahead"""
        connection = self.connect_unix()
        connection.send(post(b"/v1/slow"))
        flood, sent = get(b"/v1/items/x") * 20000, 0
        connection.sock.setblocking(False)
        while sent < len(flood) and select.select([], [connection.sock], [], 0.3)[1]:
            sent += connection.sock.send(flood[sent:sent + 65536])
        self.assertLess(sent, len(flood))
        self.command("answer")
        connection.sock.settimeout(PATIENCE_S)
        self.assertEqual(connection.answer().json(), {"slow": "answer"})
        self.assertEqual(connection.answer().status, 200)

    def test_no_reading(self):
        """who does not take its answer is closed after a time, and its handler is told"""
        connection = self.connect()
        connection.send(get(b"/v1/stream?count=100000&bytes=1000"))
        self.expect("gone")

    def test_quiet_streams_stay(self):
        """a stream whose client has nothing to say stays"""
        connection = self.connect()
        connection.send(get(b"/v1/stream?count=1&open=true"))
        connection.head()
        connection.frame()
        self.assertEqual(select.select([connection.sock], [], [], 0.5)[0], [])
        connection.close()
        self.expect("gone")


class Limits(World):
    limits = {"connections_max": 8, "address_connections_max": 6, "calls_max": 2, "rate": 1, "burst": 12}

    def test_connections(self):
        """beyond the cap nobody is let in until somebody leaves"""
        there = [self.connect_unix() for _ in range(4)] + [self.connect() for _ in range(4)]
        for connection in there:
            self.assertEqual(connection.ask(get(b"/health")).status, 200)
        late = self.connect_unix()
        late.send(get(b"/health"))
        self.assertEqual(select.select([late.sock], [], [], 0.2)[0], [])
        there[0].close()
        self.assertEqual(late.answer().status, 200)

    def test_connections_of_an_address(self):
        """one address has its share, and is told when it wants more"""
        there = [self.connect() for _ in range(6)]
        for connection in there:
            self.assertEqual(connection.ask(get(b"/health")).status, 200)
        late = self.connect()
        self.assertEqual(late.ask(get(b"/health")).status, 429)
        self.assertTrue(late.is_closed())  # else it would keep others out
        self.assertEqual(self.connect_unix().ask(get(b"/health")).status, 200)

    def test_calls(self):
        """one caller has so many calls at a time"""
        streams = [self.connect() for _ in range(2)]
        for stream in streams:
            stream.send(get(b"/v1/stream?count=1&open=true"))
            self.assertEqual(stream.head()[0], 200)
        answer = self.ask(get(b"/v1/items/x"))
        self.assertEqual((answer.status, answer.code()), (429, "rate_limit_exceeded"))
        self.assertEqual(answer.headers["retry-after"], "1")
        streams[0].close()
        self.expect("gone")
        self.assertEqual(self.ask(get(b"/v1/items/x")).status, 200)

    def test_rate(self):
        """beyond a burst, one caller has so many calls a second"""
        connection = self.connect()
        codes = [connection.ask(get(b"/v1/items/x")).status for _ in range(14)]
        self.assertEqual(codes[:12], [200] * 12)
        self.assertIn(429, codes[12:])
        answer = connection.ask(get(b"/v1/items/x"))
        while answer.status == 200:
            answer = connection.ask(get(b"/v1/items/x"))
        self.assertEqual(answer.headers["retry-after"], "1")
        self.assertEqual(self.connect_unix().ask(get(b"/v1/items/x")).status, 200)


class Descriptors(World):
    def test_out_of_descriptors(self):
        """without descriptors nobody new is let in, and once there are some again those who waited are"""
        there = [self.connect() for _ in range(4)]
        for connection in there:
            self.assertEqual(connection.ask(get(b"/health")).status, 200)
        used = len(os.listdir(f"/proc/{self.server.pid}/fd"))
        _, limit = resource.prlimit(self.server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.server.pid, resource.RLIMIT_NOFILE, (used + 1, limit))
        late = [self.connect() for _ in range(3)]
        for connection in late:
            connection.send(get(b"/health"))
        for connection in there:
            self.assertEqual(connection.ask(get(b"/health")).status, 200)
        resource.prlimit(self.server.pid, resource.RLIMIT_NOFILE, (limit, limit))
        for connection in late:
            self.assertEqual(connection.answer().status, 200)


class Bodies(World):
    limits = {"bodies_max": 100000}

    def test_bodies(self):
        """the bodies of all together have a cap, and what is answered makes room"""
        part = b"POST /v1/echo HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 90000\r\n\r\n" + b" " * 80000
        both = {connection.sock: connection for connection in (self.connect(), self.connect())}
        for connection in both.values():
            connection.send(part)
        # One of them comes too late; which, is not said.
        late = both.pop(select.select(list(both), [], [], PATIENCE_S)[0][0])
        answer = late.answer()
        self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "1"))
        for connection in both.values():
            self.assertEqual(connection.ask(b" " * 9998 + b"{}").status, 200)
        for _ in range(3):
            self.assertEqual(self.ask(post(b"/v1/echo", b" " * 90000 + b"{}")).status, 200)


class Chaos(World):
    limits = {"rate": 0, "head_ms": 30, "body_ms": 30, "idle_ms": 30, "write_ms": 50, "ping_ms": 5,
              "connections_max": 20, "stream_high": 4096, "stream_cap": 65536}
    PARTS = (get(b"/health"), get(b"/v1/items/x?limit=1"), post(b"/v1/echo"), post(b"/v1/slow"), post(b"/v1/never"),
             get(b"/v1/stream?count=3"), get(b"/v1/stream?count=500&bytes=1000"),
             get(b"/v1/stream?count=200&bytes=1000&flood=true"), get(b"/v1/stream?count=1&open=true"),
             get(b"/health", b"Connection: close\r\n"), get(b"/v1/stream?count=2").replace(b"1.1", b"1.0"),
             get(b"/v1/stream?count=2").replace(b"GET", b"HEAD"), get(b"/nowhere"), b"\r\n", b"\0", b"x" * 70000,
             b"POST /v1/echo HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
             b"POST /v1/echo HTTP/1.1\r\n" + HOST + JSON + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")

    def play(self, choice):
        """One client: some parts, one of them cut; it reads a little, or not; it leaves somehow."""
        connection = choice.choice((self.connect, self.connect_unix))()
        data = b"".join(choice.choices(self.PARTS, k=choice.randint(1, 4)))
        data = data[:choice.choice((len(data), choice.randint(0, len(data))))]
        try:
            for _ in range(choice.randint(1, 2)):
                connection.send(data)
                if choice.random() < 0.6 and select.select([connection.sock], [], [], 0.02)[0]:
                    connection.sock.recv(choice.choice((1, 100, 65536)))
            if choice.random() < 0.2:
                connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was refused, or too slow
        return connection

    def test_chaos(self):
        """whatever clients do at the same time, every call ends, and others are answered"""
        seed = int(os.environ.get("HEARTH_SEED", random.randrange(1 << 32)))
        print(f"# HEARTH_SEED={seed}", flush=True)
        choice = random.Random(seed)
        there = []
        for _ in range(300):
            there.append(self.play(choice))
            if len(there) > 10:
                there.pop(choice.randrange(len(there))).close()
        for connection in there:
            connection.close()
        self.assertEqual(self.ask(get(b"/health")).status, 200)


class Streams(World):
    limits = {"stream_high": 65536, "stream_cap": 1 << 20, "ping_ms": 50, "rate": 0, "calls_max": 2000,
              "address_connections_max": 2000}

    def test_frames(self):
        """frames come in chunks with ids, then [DONE], and the connection stays"""
        connection = self.connect()
        for _ in range(2):
            connection.send(get(b"/v1/stream?count=3", b"Last-Event-ID: \xff garbage\r\n"))
            status, headers = connection.head()
            self.assertEqual((status, headers["content-type"]), (200, "text/event-stream"))
            self.assertEqual(headers["cache-control"], "no-cache")
            self.assertIn("x-request-id", headers)
            for n in range(3):
                self.assertEqual(connection.frame(), (n + 1, '{"n":%d,"filler":""}' % n))
            self.assertEqual(connection.frame(), (None, "[DONE]"))
            self.assertEqual(connection.chunk(), b"")

    def test_http_1_0(self):
        """HTTP/1.0 gets a stream without chunks that ends with the connection"""
        answer = self.ask(b"GET /v1/stream?count=2 HTTP/1.0\r\n" + HOST + b"\r\n")
        self.assertNotIn("transfer-encoding", answer.headers)
        self.assertTrue(answer.body.startswith(b"id: 1\ndata: "))
        self.assertTrue(answer.body.endswith(b"data: [DONE]\n\n"))

    def test_head(self):
        """HEAD of a stream is its head, and the connection stays"""
        connection = self.connect()
        for path in b"/v1/stream?count=2", b"/v1/stream?count=9&bytes=100000":  # more than the high mark
            data = get(path).replace(b"GET", b"HEAD")
            for _ in range(2):
                self.assertEqual(connection.ask(data, is_head=True).status, 200)

    def test_head_of_an_open_stream(self):
        """HEAD does not wait for the end of a stream that has none, nor hold its place"""
        connection = self.connect()
        for _ in range(2):
            data = get(b"/v1/stream?count=1&open=true").replace(b"GET", b"HEAD")
            self.assertEqual(connection.ask(data, is_head=True).status, 200)
            self.expect("gone")
        self.assertEqual(connection.ask(get(b"/health")).status, 200)

    def test_errors(self):
        """an error in a stream is its last frame"""
        connection = self.connect()
        connection.send(get(b"/v1/stream?count=1&fail=true"))
        connection.head()
        connection.frame()
        self.assertIn('"code":"upstream_error"', connection.frame()[1])
        self.assertEqual(connection.chunk(), b"")

    def test_pings(self):
        """a quiet stream has pings, and an answer that is kept alive has blanks"""
        stream, slow = self.connect(), self.connect()
        stream.send(get(b"/v1/stream?count=0&open=true"))
        stream.head()
        slow.send(post(b"/v1/slow"))
        self.assertEqual(slow.head()[1]["content-type"], "application/json")
        for _ in range(3):
            self.assertEqual(stream.chunk(), b": ping\n\n")
            self.assertEqual(slow.chunk(), b" ")
        self.command("answer")
        body = b""
        while part := slow.chunk():
            body += part
        self.assertEqual(body.strip(), b'{"slow":"answer"}')
        stream.close()
        self.expect("gone")

    def test_gone_before_it_is_kept_alive(self):
        """whose client has gone before its handler knows that it takes long gets no blanks, and ends"""
        connection = self.connect()
        connection.send(post(b"/v1/late"))
        self.assertEqual(self.ask(get(b"/health")).status, 200)
        connection.close()
        self.assertEqual(self.ask(get(b"/health")).status, 200)
        self.command("late")
        time.sleep(0.2)  # four times as long as until a blank
        self.command("answer")
        self.assertEqual(self.ask(get(b"/health")).status, 200)

    def test_slow_reader(self):
        """a handler that heeds a full stream waits, and its slow client gets every frame"""
        connection = self.connect()
        connection.send(get(b"/v1/stream?count=20000&bytes=1000"))
        connection.head()
        self.assertEqual(self.ask(get(b"/health")).status, 200)
        self.assertLess(memory_kib(self.server.pid), 64 << 10)
        for n in range(20000):
            self.assertEqual(connection.frame()[0], n + 1)
        self.assertEqual(connection.frame(), (None, "[DONE]"))

    def test_flood(self):
        """a client that does not read is dropped at the cap, and its stream has no good end"""
        connection = self.connect()
        connection.send(get(b"/v1/stream?count=100000&bytes=1000&flood=true&open=true"))
        self.expect("gone")
        self.assertLess(memory_kib(self.server.pid), 64 << 10)
        with self.assertRaises((Closed, ConnectionResetError)):
            connection.head()
            while True:
                self.assertNotEqual(connection.chunk(), b"", "the stream has a good end")

    def test_disconnect(self):
        """a client that leaves in mid-stream is noticed, and so is one that resets"""
        for is_reset in (False, True):
            connection = self.connect()
            connection.send(get(b"/v1/stream?count=2&open=true"))
            connection.head()
            connection.frame()
            if is_reset:
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
            self.expect("gone")

    def test_thousand(self):
        """1,000 streams at a time, each with its pings, and others are answered"""
        before = memory_kib(self.server.pid)
        files = len(os.listdir(f"/proc/{self.server.pid}/fd"))
        streams = [self.connect_unix() if n % 2 else self.connect() for n in range(1000)]
        for stream in streams:
            stream.send(get(b"/v1/stream?count=1&open=true"))
        for stream in streams:
            self.assertEqual(stream.head()[0], 200)
            self.assertEqual(stream.frame()[0], 1)
        after = memory_kib(self.server.pid)
        print(f"# 1,000 streams: {before} KiB before, {after} KiB with them", flush=True)
        self.assertLess(after - before, 64 << 10)
        self.assertEqual(self.ask(get(b"/health")).status, 200)
        for stream in streams:
            self.assertEqual(stream.chunk(), b": ping\n\n")
            stream.close()
        for _ in streams:
            self.expect("gone")
        while len(os.listdir(f"/proc/{self.server.pid}/fd")) > files:
            self.assertEqual(self.ask(get(b"/health")).status, 200)


if __name__ == "__main__":
    tap.main()

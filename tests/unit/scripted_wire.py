"""hearth-scripted-model: its streams, and what goes wrong on the wire as a scenario wants it."""

import json
import socket
import time

import tap
from scripted_world import ANTHROPIC, OPENAI, Reply, World

TEXT = "Grüße, 🔥! " * 3


def openai_said(events):
    """(text, thinking, calls, finish) of a stream's deltas."""
    text, thinking, calls, finish = "", "", [], None
    for _, data in events:
        if data == "[DONE]" or not data["choices"]:
            continue
        choice = data["choices"][0]
        text += choice["delta"].get("content", "")
        thinking += choice["delta"].get("reasoning_content", "")
        for call in choice["delta"].get("tool_calls", []):
            if "id" in call:
                calls.append([call["function"]["name"], ""])
            calls[call["index"]][1] += call["function"]["arguments"]
        finish = choice["finish_reason"] or finish
    return text, thinking, calls, finish


class Streams(World):
    def test_openai(self):
        """a stream of OpenAI's dialect has role, thinking, text, calls, finish, usage and [DONE]"""
        self.steps({"thinking": "hmm " * 5, "text": TEXT, "chunk": 5, "tool_calls": [
            {"name": "read", "arguments": {"path": "a"}}, {"name": "ls", "arguments": {}}]})
        reply = self.ask("x", stream=True, stream_options={"include_usage": True})
        self.assertEqual(reply.headers["content-type"], "text/event-stream; charset=utf-8")
        self.assertEqual(reply.headers["x-hearth-scripted"], "1")
        events = reply.events()
        self.assertEqual(events[0][1]["choices"][0]["delta"], {"role": "assistant", "content": ""})
        self.assertEqual(events[-1], (None, "[DONE]"))
        self.assertEqual(events[-2][1]["choices"], [])
        self.assertEqual(events[-2][1]["usage"]["completion_tokens"], 20)
        self.assertEqual(openai_said(events), (TEXT, "hmm " * 5, [
            ["read", '{"path":"a"}'], ["ls", "{}"]], "tool_calls"))
        self.assertEqual({data["id"] for _, data in events[:-1]}, {"chatcmpl-scripted-1"})
        self.assertEqual({data["model"] for _, data in events[:-1]}, {"scripted/x"})
        self.assertGreater(len(events), 15)
        self.assertEqual(len(reply.chunks), len(events))  # each event is flushed

    def test_openai_usage_is_asked_for(self):
        """without stream_options there is no usage in a stream"""
        self.start()
        self.assertFalse(any("usage" in data for _, data in self.ask("x", stream=True).events()
                             if data != "[DONE]"))

    def test_anthropic(self):
        """a stream of Anthropic's dialect has its named events, block after block"""
        self.steps({"thinking": "hm", "text": TEXT, "chunk": 16, "tool_calls": [
            {"name": "ls", "arguments": {}}]})
        events = self.ask("x", path=ANTHROPIC, stream=True).events()
        for name, data in events:
            self.assertEqual(name, data["type"])
        names = [name for name, _ in events]
        self.assertEqual(names[:3], ["message_start", "ping", "content_block_start"])
        self.assertEqual(names[-2:], ["message_delta", "message_stop"])
        self.assertEqual(events[-2][1]["delta"]["stop_reason"], "tool_use")
        blocks = [data["content_block"]["type"] for name, data in events
                  if name == "content_block_start"]
        self.assertEqual(blocks, ["thinking", "text", "tool_use"])
        self.assertEqual([data["index"] for name, data in events if name == "content_block_stop"],
                         [0, 1, 2])
        deltas = [(data["index"], data["delta"]) for name, data in events
                  if name == "content_block_delta"]
        self.assertEqual([delta["type"] for index, delta in deltas if index == 0],
                         ["thinking_delta", "signature_delta"])
        self.assertEqual("".join(delta["text"] for index, delta in deltas if index == 1), TEXT)
        self.assertEqual([delta["partial_json"] for index, delta in deltas if index == 2], ["{}"])

    def test_deltas_are_whole_characters(self):
        """chunk counts bytes, but no delta has half a character"""
        for chunk in (1, 2, 3, 4, 7, 1000):
            self.steps({"text": TEXT, "chunk": chunk})
            deltas = [data["choices"][0]["delta"].get("content", "") for _, data in
                      self.ask("x", stream=True).events()[1:-2]]
            self.assertEqual("".join(deltas), TEXT)
            for delta in deltas:
                size = len(delta.encode())
                self.assertTrue(0 < size <= chunk or len(delta) == 1, delta)

    def test_ends_and_lines(self):
        """no_done leaves the last event out; crlf and comments change the lines and nothing else"""
        plain = {"text": TEXT, "chunk": 8}
        self.steps(plain, {**plain, "no_done": True}, {**plain, "crlf": True},
                   {**plain, "comments": True}, {**plain, "no_done": True})
        whole, open_ended, crlf, comments = (self.ask("x", stream=True) for _ in range(4))
        said = openai_said(whole.events())
        self.assertTrue(open_ended.is_whole)
        self.assertEqual(openai_said(open_ended.events()), said)
        self.assertNotIn(b"[DONE]", open_ended.body)
        self.assertEqual(crlf.body.count(b"\r\n"), crlf.body.count(b"\n"))
        self.assertEqual(openai_said(crlf.events()), said)
        self.assertIn(b"\n\n: a comment\n\ndata: ", comments.body)
        self.assertEqual(openai_said(comments.events()), said)
        last = self.ask("x", path=ANTHROPIC, stream=True)
        self.assertEqual(last.events()[-1][0], "message_delta")

    def test_a_body_of_its_own(self):
        """status 200 with a text is a stream with any bytes in it"""
        self.steps({"status": 200, "body": "data: {\r\rdata: \ufeff\n"})
        reply = self.ask("x", stream=True)
        self.assertEqual(reply.headers["content-type"], "text/event-stream")
        self.assertEqual(reply.body, "data: {\r\rdata: \ufeff\n".encode())


class Wire(World):
    def test_pieces(self):
        """wire_chunk is bytes in a write, also of a reply in one object; 1 splits characters"""
        self.steps({"text": TEXT, "wire_chunk": 1}, {"text": TEXT, "wire_chunk": 1000},
                   {"text": TEXT, "wire_chunk": 7}, {"status": 500, "wire_chunk": 1})
        reply = self.ask("x", stream=True)
        self.assertEqual({len(chunk) for chunk in reply.chunks}, {1})
        self.assertEqual(openai_said(reply.events())[0], TEXT)
        reply = self.ask("x", stream=True)
        self.assertEqual([len(chunk) for chunk in reply.chunks[:-1]],
                         [1000] * (len(reply.chunks) - 1))
        self.assertEqual(openai_said(reply.events())[0], TEXT)
        reply = self.ask("x")
        self.assertEqual(reply.json()["choices"][0]["message"]["content"], TEXT)
        self.assertTrue(self.ask("x").is_whole)

    def test_cut(self):
        """cut_after ends the connection after that many bytes, before the reply has ended"""
        cuts = (0, 1, 100, 250)
        self.steps(*({"text": TEXT * 9, "cut_after": n, "repeat": 2} for n in cuts),
                   {"text": TEXT, "wire_chunk": 7, "cut_after": 100},
                   {"status": 500, "cut_after": 5}, {"text": "a", "cut_after": 100000})
        for n in cuts:
            for stream in (True, False):
                reply = self.ask("x", stream=stream)
                self.assertEqual((reply.status, len(reply.body), reply.is_whole), (200, n, False))
        reply = self.ask("x", stream=True)
        self.assertEqual([len(chunk) for chunk in reply.chunks], [7] * 14 + [2])
        reply = self.ask("x")
        self.assertEqual((reply.status, len(reply.body), reply.is_whole), (500, 5, False))
        self.assertTrue(self.ask("x").is_whole)  # it is over before that

    def test_stall(self):
        """stall_after sends that many bytes and then nothing, while others are answered"""
        self.start({"conversations": [
            {"match": f"stall {n}", "steps": [{"text": TEXT, "stall_after": n, "repeat": 2}]}
            for n in (0, 100)]})
        for n in (0, 100):
            for stream in (True, False):
                client = self.send(OPENAI, {
                    "stream": stream, "messages": [{"role": "user", "content": f"stall {n}"}]})
                raw = b""
                while b"\r\n\r\n" not in raw or len(Reply(raw).body) < n:
                    raw += client.recv(65536)
                self.assertEqual(self.text("go on"), "scripted model: you said: go on")
                client.setblocking(False)
                with self.assertRaises(BlockingIOError):
                    client.recv(1)
                self.assertEqual((Reply(raw).status, len(Reply(raw).body)), (200, n))
                self.assertFalse(Reply(raw).is_whole)

    def test_delay(self):
        """delay_ms is before the first byte, and others are answered meanwhile"""
        self.steps({"text": "late", "delay_ms": 3600000}, {"text": "at once"})
        client = self.send(OPENAI, {"messages": [{"role": "user", "content": "x"}]})
        self.assertEqual(self.text("y"), "at once")
        client.setblocking(False)
        with self.assertRaises(BlockingIOError):
            client.recv(1)

    def test_a_short_delay_ends(self):
        """after its delay a reply comes"""
        self.steps({"text": "late", "delay_ms": 20})
        before = time.monotonic()
        self.assertEqual(self.text("x"), "late")
        self.assertGreaterEqual(time.monotonic() - before, 0.02)

    def test_clients_that_go(self):
        """a client that goes before or within its reply leaves nothing behind"""
        self.steps({"text": "x" * 4000000, "repeat": 20, "chunk": 1000},
                   {"text": "late", "delay_ms": 3600000, "repeat": 80})
        for i in range(100):
            client = self.send(OPENAI, {
                "stream": True, "messages": [{"role": "user", "content": "x"}]})
            if i < 20:
                client.recv(1000)
            client.close()
        # More than there may be at a time: a place that was kept would be missed.
        self.assertEqual(self.text("x"), "scripted model: you said: x")

    def test_sigterm(self):
        """SIGTERM ends it with 0 at once, whatever is under way: replies are cut"""
        self.steps({"text": TEXT, "stall_after": 100}, {"text": TEXT, "delay_ms": 3600000},
                   {"text": "x" * 4000000})
        clients = [self.send(OPENAI, {"stream": True, "messages": [
            {"role": "user", "content": "x"}]}) for _ in range(3)]
        began = clients[0].recv(10) + clients[2].recv(10)
        self.assertEqual(began, b"HTTP/1.1 2" * 2)
        idle = self.connect()
        self.stop(self.process)
        self.assertEqual(self.read_all(clients[1]), b"")
        self.assertEqual(self.read_all(idle), b"")
        self.assertFalse(Reply(b"HTTP/1.1 2" + self.read_all(clients[0])).is_whole)


class Limits(World):
    def test_connections(self):
        """at most 64 connections are served at a time, and the next once one has gone"""
        self.steps({"text": "x", "stall_after": 0, "repeat": 63},
                   *({"text": word} for word in ("first", "second", "third", "fourth")))
        hold = [self.send(OPENAI, self.body("x")) for _ in range(63)]
        for client in hold:
            self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 200"))
        last = self.connect()
        self.assertEqual(self.ask_again(last), "first")
        waiting = self.send(OPENAI, self.body("x"))
        # If it were served, it would have had one of these.
        self.assertEqual([self.ask_again(last), self.ask_again(last)], ["second", "third"])
        hold.pop().close()
        self.assertIn(b'"fourth"', self.read_all(waiting))

    def ask_again(self, client):
        """The text of one more request on a connection that is kept."""
        client.sendall(self.request(OPENAI, self.body("x"), headers=""))
        raw = b""
        while not raw or not Reply(raw).is_whole:
            data = client.recv(65536)
            self.assertTrue(data)
            raw += data
        return Reply(raw).json()["choices"][0]["message"]["content"]

    def test_big_requests(self):
        """a body of 32 MiB is taken, a bigger one and too many headers are refused"""
        self.start()
        size = 32 * 1024 * 1024
        empty = len(self.body(""))
        reply = self.ask_raw(OPENAI, self.body("x" * (size - empty)))
        self.assertEqual(reply.status, 200)
        self.assertEqual(len(reply.json()["choices"][0]["message"]["content"]),
                         size - empty + len("scripted model: you said: "))
        client = self.connect()
        client.sendall(f"POST {OPENAI} HTTP/1.1\r\nHost: x\r\nContent-Length: {size + 1}\r\n\r\n"
                       .encode())
        self.assertIn(b" 413 ", client.recv(65536).split(b"\r\n")[0])
        client = self.connect()
        client.sendall(f"POST {OPENAI} HTTP/1.1\r\nX: {'x' * 65536}\r\n\r\n".encode())
        self.assertIn(b" 400 ", client.recv(65536).split(b"\r\n")[0])

    @staticmethod
    def body(content):
        return json.dumps({"messages": [{"role": "user", "content": content}]}).encode()

    def test_connections_are_kept(self):
        """one connection serves many requests, streamed and not"""
        self.start()
        client = self.connect()
        for stream in (True, False, True, False):
            client.sendall(self.request(OPENAI, {"stream": stream, "messages": [
                {"role": "user", "content": "x"}]}, headers=""))
            raw = b""
            while not raw or not Reply(raw).is_whole:
                data = client.recv(65536)
                self.assertTrue(data)
                raw += data
            self.assertEqual(Reply(raw).status, 200)

    def test_pipelined_requests(self):
        """requests that come before the last is answered are answered in their order"""
        self.start()
        client = self.connect()
        count = 50
        requests = [self.request(OPENAI, self.body(f"n{i}."), headers="") for i in range(count)]
        client.sendall(b"".join(requests[:-1]) + self.request(OPENAI, self.body(f"n{count - 1}.")))
        raw = self.read_all(client)
        at = [raw.index(f"you said: n{i}.".encode()) for i in range(count)]
        self.assertEqual(at, sorted(at))

    def test_chunked_requests(self):
        """a body in chunks, split anywhere, is a body"""
        self.start()
        body = self.body("hello")
        client = self.connect()
        client.sendall(f"POST {OPENAI} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n".encode())
        for byte in body:
            client.sendall(b"1\r\n%c\r\n" % byte)
        client.sendall(b"0\r\n\r\n")
        self.assertIn(b"you said: hello", self.read_all(client))

    def test_what_is_no_http(self):
        """bytes that are no HTTP are refused or cut off, and the next client is served"""
        self.start()
        for raw in (b"\0" * 100, b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02",
                    b"POST /v1/messages HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                    b"POST /v1/messages HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
                    b"POST /v1/messages HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"):
            client = self.connect()
            client.sendall(raw)
            client.shutdown(socket.SHUT_WR)
            try:
                self.assertNotIn(b" 200 ", self.read_all(client))
            except ConnectionResetError:
                pass
        self.assertEqual(self.text("x"), "scripted model: you said: x")


tap.main()

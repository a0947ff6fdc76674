"""upstream: models over the wire, in both dialects, with servers that do all that servers do."""

import json
import os
import random
import ssl
import subprocess
import tempfile
import unittest

import tap
from upstream_server import Server, bytewise, drive, fail, head, reply_of, sse, stream, text_chunk

KEY = "sk-test-0123456789abcdef-very-secret"
USER = [{"role": "user", "content": "hi"}]
OPENAI, ANTHROPIC = 1, 2


class Wire(unittest.TestCase):
    def serve(self, *script, **more):
        server = Server(script, **more)
        self.addCleanup(server.close)
        return server

    def drive(self, servers, *asks, env=None, **options):
        """Ask; servers by the names of their providers: a server, or (server, more members)."""
        providers = []
        for name, server in servers.items():
            server, more = server if isinstance(server, tuple) else (server, {})
            providers.append({"name": name, "base_url": server.url, "key": KEY, "dialect": OPENAI, **more})
        options = {"tries": 2, "first_wait_ms": 1, "last_wait_ms": 1, **options}
        asks = [{"model": "one/m", "messages": USER, **ask} for ask in asks]
        lines = drive({"providers": providers, **options}, asks, env)
        self.assertEqual(lines[-1]["event"], "end", lines)
        return lines[:-1]

    def ask(self, *script, **more):
        """One question to one server: (server, lines, the last of which is done)."""
        members = {name: more.pop(name) for name in ("dialect", "concurrency", "key") if name in more}
        options = {name: more.pop(name) for name in list(more) if name.endswith("_ms") or name == "tries"}
        server = self.serve(*script)
        lines = self.drive({"one": (server, members)}, more, **options)
        self.assertEqual([line["event"] for line in lines].count("done"), 1)
        self.assertEqual(lines[-1]["event"], "done")
        return server, lines, lines[-1]

    def text(self, lines):
        return "".join(line["text"] for line in lines if line["event"] == "text")

    def events(self, lines, name):
        return [line for line in lines if line["event"] == name]

    def assert_text(self, answer, text, **more):
        _, lines, done = self.ask(answer, **more)
        self.assertEqual(done["status"], "", done["error"])
        self.assertEqual(self.text(lines), text)
        self.assertEqual(done["message"], {"role": "assistant", "content": text})
        return lines


class OpenAi(Wire):
    def test_text(self):
        """a text comes in its deltas, then whole, with its usage"""
        server, lines, done = self.ask(stream(
            sse({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}),
            sse(text_chunk("Hel")), sse(text_chunk("lo"), text_chunk("", "stop")),
            sse({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}, "[DONE]")),
            options={"temperature": 0.5, "max_tokens": 9, "unknown": 1})
        self.assertEqual([line["text"] for line in self.events(lines, "text")], ["Hel", "lo"])
        self.assertEqual(done["message"], {"role": "assistant", "content": "Hello"})
        self.assertEqual((done["finish"], done["usage"], done["tries"], done["model"]),
                         ("stop", [7, 2], 1, "one/m"))
        request = server.requests[0]
        self.assertEqual(request["line"], "POST /v1/chat/completions HTTP/1.1")
        self.assertEqual(request["headers"]["authorization"], "Bearer " + KEY)
        self.assertEqual(request["headers"]["content-type"], "application/json")
        self.assertEqual(request["body"], {
            "model": "m", "messages": USER, "stream": True, "stream_options": {"include_usage": True},
            "temperature": 0.5, "max_tokens": 9})

    def test_ends(self):
        """an end is one with [DONE], with a finish_reason alone, and with [DONE] alone"""
        whole = sse(text_chunk("x", "stop"))
        self.assert_text(stream(whole, sse("[DONE]")), "x")
        self.assert_text(stream(whole), "x")
        self.assert_text(stream(sse(text_chunk("x"), "[DONE]")), "x")
        self.assert_text(stream(whole.rstrip() + b"\n"), "x")

    def test_open_end(self):
        """a server that says [DONE] and then nothing is not waited for"""
        server = self.serve()
        server.script = [stream(sse(text_chunk("x", "stop"), "[DONE]"), server.wait)]
        done = self.drive({"one": server}, {})[-1]
        self.assertEqual((done["status"], done["message"]["content"]), ("", "x"))

    def test_finish_reasons(self):
        """each finish_reason has its meaning, and calls count more than the word"""
        for reason, finish in (("stop", "stop"), ("length", "length"), ("content_filter", "filtered"),
                               ("eos", "stop"), ("tool_calls", "stop")):
            _, _, done = self.ask(stream(sse(text_chunk("x", reason))))
            self.assertEqual(done["finish"], finish, reason)

    def test_plain(self):
        """an answer that is no stream is read whole"""
        answer = {"choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "content": "see", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
                {"id": "b", "type": "function", "function": {"name": "g", "arguments": {"y": 2}}}]}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
        _, lines, done = self.ask([head(Content_Type="application/json"), json.dumps(answer).encode()])
        self.assertEqual(self.text(lines), "see")
        self.assertEqual((done["finish"], done["usage"]), ("tools", [3, 4]))
        self.assertEqual([call["function"] for call in done["message"]["tool_calls"]], [
            {"name": "f", "arguments": "{\"x\": 1}"}, {"name": "g", "arguments": "{\"y\":2}"}])

    def calls(self, *deltas):
        chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": delta}}]} for delta in deltas]
        _, lines, done = self.ask(stream(sse(*chunks, text_chunk(None, "tool_calls"), "[DONE]")))
        self.assertEqual((done["status"], done["finish"]), ("", "tools"), done["error"])
        self.assertIsNone(done["message"]["content"])
        calls = done["message"]["tool_calls"]
        self.assertEqual([(call["id"], call["function"]["name"]) for call in calls],
                         [(line["id"], line["name"]) for line in self.events(lines, "tool_call")])
        return calls

    @staticmethod
    def call(index=None, id=None, name=None, arguments=None):  # pylint: disable=redefined-builtin
        piece = {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}
        piece["function"] = {key: value for key, value in piece["function"].items() if value is not None}
        return {key: value for key, value in piece.items() if value is not None}

    def names(self, calls):
        return [(call["function"]["name"], call["function"]["arguments"]) for call in calls]

    def test_calls(self):
        """tool calls come in pieces, several at once, by their index"""
        call = self.call
        calls = self.calls([call(0, "a", "f", "")], [call(1, "b", "g", "{\"y\"")], [call(0, None, None, "{\"x")],
                           [call(0, None, None, "\":1}"), call(1, None, None, ":2}")])
        self.assertEqual(self.names(calls), [("f", "{\"x\":1}"), ("g", "{\"y\":2}")])
        self.assertEqual([one["id"] for one in calls], ["a", "b"])

    def test_odd_calls(self):
        """calls without ids, without an index, or all with the same index are told apart"""
        call = self.call
        calls = self.calls([call(0, None, "f", "{}")], [call(1, "", "f", "{}")])
        self.assertEqual(len({one["id"] for one in calls}), 2)
        self.assertTrue(all(one["id"] for one in calls))
        calls = self.calls([call(None, "a", "f", "{")], [call(None, None, None, "}")], [call(None, "b", "g", "")])
        self.assertEqual(self.names(calls), [("f", "{}"), ("g", "{}")])
        calls = self.calls([call(0, "a", "f", "{\"x\":1}")], [call(0, "b", "f", "{\"x\":2}")])
        self.assertEqual([one["id"] for one in calls], ["a", "b"])
        calls = self.calls([call(0, "a", "f", "{")], [call(0, "other", None, "}")])
        self.assertEqual(self.names(calls), [("f", "{}")])
        calls = self.calls([call(0, "", "f", "{\"x\":1}"), call(0, "", "f", "{\"x\":2}")])
        self.assertEqual(self.names(calls), [("f", "{\"x\":1}"), ("f", "{\"x\":2}")])
        calls = self.calls([call(0, None, "f", "{")], [call(0, None, "f", "}")])
        self.assertEqual(self.names(calls), [("f", "{}")])
        calls = self.calls([call(0, "same", "f", "{}"), call(1, "same", "g", "{}")])
        self.assertEqual(len({one["id"] for one in calls}), 2)

    def test_bad_arguments(self):
        """arguments that are no JSON are passed on as they are"""
        self.assertEqual(self.names(self.calls([self.call(0, "a", "f", "{\"x\": tru")])), [("f", "{\"x\": tru")])

    def test_thinking(self):
        """what the model thinks is told under any of its names, and is no text"""
        for name in ("reasoning_content", "reasoning", "thinking"):
            chunk = {"choices": [{"index": 0, "delta": {name: "hm"}}]}
            _, lines, done = self.ask(stream(sse(chunk, text_chunk("x", "stop"))))
            self.assertEqual([line["text"] for line in self.events(lines, "thinking")], ["hm"])
            self.assertEqual(done["message"]["content"], "x")

    def test_reasoning(self):
        """the effort is said to those providers only that know it"""
        server = self.serve()
        server.script = [reply_of("x") for _ in range(6)]
        levels = {"openai": ["minimal", "minimal"], "xai": ["xhigh", "high"], "one": ["high", None],
                  "groq": ["off", None], "mistral": ["low", None]}
        for provider, (level, said) in levels.items():
            self.drive({provider: server}, {"model": provider + "/m", "reasoning": level})
            self.assertEqual(server.requests[-1]["body"].get("reasoning_effort"), said, provider)
        self.assertNotIn("stream_options", server.requests[-1]["body"])


class Anthropic(Wire):
    BEGIN = {"type": "message_start", "message": {"usage": {
        "input_tokens": 5, "cache_read_input_tokens": 10, "output_tokens": 1}}}

    def answer(self, *events, stop="end_turn", ending="message_stop"):
        end = {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 8}}
        return stream(sse(self.BEGIN, {"type": "ping"}, *events, end, {"type": ending}))

    @staticmethod
    def block(index, block, *deltas):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}

    def test_text(self):
        """a text, with what was thought before it and its usage"""
        server, lines, done = self.ask(self.answer(
            *self.block(0, {"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "hm"},
                        {"type": "signature_delta", "signature": "s"}),
            *self.block(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Hel"},
                        {"type": "text_delta", "text": "lo"})), dialect=ANTHROPIC)
        self.assertEqual(self.text(lines), "Hello")
        self.assertEqual([line["text"] for line in self.events(lines, "thinking")], ["hm"])
        self.assertEqual(done["message"], {"role": "assistant", "content": "Hello"})
        self.assertEqual((done["status"], done["finish"], done["usage"]), ("", "stop", [15, 8]))
        request = server.requests[0]
        self.assertEqual(request["line"], "POST /v1/messages HTTP/1.1")
        self.assertEqual(request["headers"]["x-api-key"], KEY)
        self.assertNotIn("authorization", request["headers"])
        self.assertEqual(request["headers"]["anthropic-version"], "2023-06-01")
        self.assertEqual(request["body"]["max_tokens"], 8192)

    def test_calls(self):
        """tool calls come with their input in pieces, and with what was thought before them"""
        _, lines, done = self.ask(self.answer(
            *self.block(0, {"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "hm"},
                        {"type": "signature_delta", "signature": "sig"}),
            *self.block(1, {"type": "tool_use", "id": "a", "name": "f", "input": {}},
                        {"type": "input_json_delta", "partial_json": ""},
                        {"type": "input_json_delta", "partial_json": "{\"x\":"},
                        {"type": "input_json_delta", "partial_json": " 1}"}),
            *self.block(2, {"type": "tool_use", "id": "b", "name": "g", "input": {}}), stop="tool_use"),
            dialect=ANTHROPIC)
        self.assertEqual((done["status"], done["finish"]), ("", "tools"))
        self.assertEqual([line["name"] for line in self.events(lines, "tool_call")], ["f", "g"])
        self.assertEqual(done["message"], {
            "role": "assistant", "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
                {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}],
            "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "sig"}]})

    def test_stop_reasons(self):
        """each stop_reason has its meaning"""
        for reason, finish in (("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"),
                               ("refusal", "filtered")):
            _, _, done = self.ask(self.answer(stop=reason), dialect=ANTHROPIC)
            self.assertEqual((done["status"], done["finish"]), ("", finish), reason)

    def test_plain(self):
        """an answer that is no stream is read whole"""
        answer = {"type": "message", "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 2},
                  "content": [{"type": "text", "text": "see"},
                              {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}]}
        _, lines, done = self.ask([head(), json.dumps(answer).encode()], dialect=ANTHROPIC)
        self.assertEqual(self.text(lines), "see")
        self.assertEqual(done["message"]["tool_calls"][0]["function"], {"name": "f", "arguments": "{\"x\":1}"})
        self.assertEqual((done["finish"], done["usage"]), ("tools", [1, 2]))

    def test_overloaded(self):
        """an error within the stream is tried again before a text, and a cut after one"""
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        _, lines, done = self.ask(stream(sse(self.BEGIN, error)), self.answer(), dialect=ANTHROPIC)
        self.assertEqual((done["status"], done["tries"]), ("", 2))
        self.assertIn("529: Overloaded", self.events(lines, "retry")[0]["why"])
        self.assertEqual(done["usage"], [30, 9])
        text = list(self.block(0, {"type": "text", "text": "abc"}))
        _, _, done = self.ask(stream(sse(self.BEGIN, *text, error)), dialect=ANTHROPIC)
        self.assertEqual((done["status"], done["message"]["content"], done["tries"]), ("ECONNRESET", "abc", 1))
        self.assertIn("Overloaded", done["error"])


class Bytes(Wire):
    TEXT = "a € and 🙂"

    def test_line_ends(self):
        """events are read with LF, CR LF and CR, with comments, other fields and a byte order mark"""
        for end in ("\n", "\r\n", "\r"):
            body = "\ufeff: hello\nevent: x\nid: 1\nretry: 9\n".replace("\n", end).encode()
            body += sse(text_chunk(self.TEXT), end=end) + b": ping" + 2 * end.encode()
            body += sse(text_chunk("", "stop"), "[DONE]", end=end)
            self.assert_text(stream(body), self.TEXT)
            self.assert_text(bytewise(body), self.TEXT)

    def test_split_characters(self):
        """a character whose bytes come in two deltas is one, and what is none becomes U+FFFD"""
        raw = b'{"choices":[{"delta":{"content":"%s"}}]}'
        last = text_chunk("", "stop")
        deltas = [raw % b"a\xe2\x82", raw % b"\xac\xf0\x9f", raw % b"\x99\x82 b"]
        lines = self.assert_text(stream(sse(*deltas, last)), "a\u20ac\U0001f642 b")
        self.assertEqual([line["text"] for line in self.events(lines, "text")], ["a", "\u20ac", "\U0001f642 b"])
        self.assert_text(stream(sse(raw % b"a\xff\xc0b", raw % b"c\xe2\x82", last)), "a\ufffd\ufffdbc\ufffd\ufffd")
        self.assert_text(stream(sse(raw % b"x\\ud83dy \\ud83d\\ude42 \\u0000", last)), "x\ufffdy \U0001f642 \ufffd")

    def test_split_arguments(self):
        """arguments whose characters are cut between deltas come whole"""
        raw = b'{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"%s"}}]}}]}'
        _, _, done = self.ask(stream(sse(raw % b"{\\\"x\\\":\\\"\xe2\x82", raw % b"\xac\\\"}", text_chunk(None, "stop"))))
        self.assertEqual(done["message"]["tool_calls"][0]["function"]["arguments"], "{\"x\":\"\u20ac\"}")

    def test_large_delta(self):
        """a delta of 10 MB is one, and a reply of more than 16 MB is refused"""
        large = "x" * (10 << 20)
        body = sse(text_chunk(large), text_chunk("", "stop"))
        _, _, done = self.ask(stream(body), is_quiet=True)
        self.assertEqual((done["status"], done["texts"], done["text_bytes"]), ("", 1, 10 << 20))
        body = sse(text_chunk(large), text_chunk(large, "stop"))
        _, _, done = self.ask(stream(body), is_quiet=True)
        self.assertEqual((done["status"], done["tries"]), ("EPROTO", 1), done["error"])
        self.assertIn("more than 16777216 bytes", done["error"])

    def test_many_deltas(self):
        """hundreds of thousands of tiny deltas are one reply"""
        count = 1000000 if "HEARTH_SOAK" in os.environ else 200000
        chunk = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
        pieces = [chunk * 10000] * (count // 10000)
        _, _, done = self.ask(stream(*pieces, sse(text_chunk("", "stop"))), is_quiet=True)
        self.assertEqual((done["status"], done["texts"], done["text_bytes"]), ("", count, count))

    def test_many_calls(self):
        """128 parallel calls are taken, and 1000 are refused, not tried again"""
        for count, status in ((128, ""), (129, "EPROTO"), (1000, "EPROTO")):
            calls = [{"index": i, "id": f"c{i}", "function": {"name": "f", "arguments": "{}"}} for i in range(count)]
            chunk = {"choices": [{"delta": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}
            _, _, done = self.ask(stream(sse(chunk)))
            self.assertEqual((done["status"], done["tries"]), (status, 1))
            if status:
                self.assertIn("more than 128 tool calls", done["error"])
                self.assertIsNone(done["message"])

    def test_large_answer(self):
        """an answer that is no stream is read up to its limit"""
        _, _, done = self.ask([head(), b"{\"x\":\"", *[b"x" * (1 << 20)] * 33])
        self.assertEqual((done["status"], done["tries"]), ("EPROTO", 1))
        self.assertIn("more than 33554432 bytes", done["error"])

    def test_odd_names(self):
        """a tool call without a name, or with one that is too long, is an error"""
        for name, why in ((None, "without a name"), ("f" * 257, "more than 256 bytes")):
            call = {"index": 0, "id": "a", "function": {"name": name, "arguments": "{}"}}
            answer = stream(sse({"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "stop"}]}))
            _, _, done = self.ask(answer, answer)
            self.assertEqual((done["status"], done["message"]), ("EPROTO", None))
            self.assertIn(why, done["error"])

    def test_garbage(self):
        """what is neither events nor JSON is tried again and then an error"""
        deep = b"data: " + b"[" * 100000 + b"\n\n"
        for body in (b"", b"<html>no</html>", b"\x00\xff\xfe" * 99, b"data\n\n", b"data: {]\n\n", deep, b"{", b"[]",
                     b"{}", b"data: 1\n\n", b"data: [DONE]\n\n", b"data: {}\n\n", b" \n", b"{\"choices\": 5}"):
            _, lines, done = self.ask(stream(body), stream(body))
            self.assertIn(done["status"], ("EPROTO", "ECONNRESET"), body[:20])
            self.assertEqual((done["tries"], len(self.events(lines, "retry"))), (2, 1))
            self.assertTrue(done["error"].startswith("one/m: "))


class Failures(Wire):
    def test_again(self):
        """what may pass is tried again: statuses, lost connections, cuts before a text"""
        whole = reply_of("x")
        tools = {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}}]}
        lost = [lambda connection: connection.close()]
        short = [head(Content_Length=999), sse(tools)]
        for first in [fail(status) for status in (408, 409, 425, 429, 500, 502, 503, 504, 520, 529)] + [
                lost, short, stream(sse(tools)), stream(sse({"error": {"message": "no", "code": 503}}))]:
            server, lines, done = self.ask(first, whole)
            self.assertEqual((done["status"], done["tries"], len(server.requests)), ("", 2, 2), first)
            self.assertEqual(done["message"], {"role": "assistant", "content": "x"})
            self.assertEqual(self.events(lines, "retry")[0]["model"], "one/m")
            self.assertEqual(server.requests[0]["body"], server.requests[1]["body"])

    def test_at_once(self):
        """what cannot pass is not tried again, and is told with what the server said"""
        for status, name in ((400, "EINVAL"), (401, "EACCES"), (403, "EACCES"), (404, "ENOENT"), (413, "EINVAL"),
                             (422, "EINVAL"), (302, "EINVAL")):
            server, lines, done = self.ask(fail(status, {"error": {"message": "so\nit is"}},
                                                Location="http://127.0.0.1:1/"))
            self.assertEqual((done["status"], done["tries"], len(server.requests)), (name, 1, 1))
            self.assertIn(f"(HTTP {status}: so it is)", done["error"])
            self.assertIsNone(done["message"])
            self.assertFalse(self.events(lines, "retry"))
        for body in ({"message": "so it is"}, {"error": "so it is"}, {"detail": "so it is"}, b"so it is",
                     [{"error": {"message": "so it is", "status": "INVALID_ARGUMENT"}}]):
            self.assertIn("HTTP 400: so it is", self.ask(fail(400, body))[2]["error"])

    def test_long_error(self):
        """what a server says at length is cut after a whole character"""
        for begin in range(4):
            text = "x" * begin + "\U0001f642" * 300
            for answer in (fail(400, {"error": text}), fail(500, text.encode()), stream(sse(text))):
                self.assertIn("\U0001f642", self.ask(answer, tries=1)[2]["error"])

    def test_limited(self):
        """429 waits as long as the server asks, but not beyond the cap; then it is EBUSY with what was asked"""
        _, lines, done = self.ask(*[fail(429, {"error": {"message": "slow"}}, Retry_After=7)] * 2, last_wait_ms=20)
        self.assertEqual([line["wait_ms"] for line in self.events(lines, "retry")], [20])
        self.assertEqual((done["status"], done["retry_after_ms"]), ("EBUSY", 7000))
        self.assertIn("limited now (HTTP 429: slow)", done["error"])
        _, lines, _ = self.ask(fail(503, Retry_After="Fri, 31 Dec 2999 23:59:59 GMT"), reply_of("x"), last_wait_ms=20)
        self.assertEqual([line["wait_ms"] for line in self.events(lines, "retry")], [20])

    def test_fallback(self):
        """the next model is asked when one is given up, with a key and a dialect of its own"""
        for script, tries in (([fail(500)] * 2, 3), ([fail(401)], 2), ([fail(404)], 2)):
            one = self.serve(*script)
            two = self.serve(stream(sse({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})))
            lines = self.drive({"one": one, "two": (two, {"dialect": ANTHROPIC, "key": "other-key"})},
                               {"fallbacks": ["none/x", "two/n"]})
            done = lines[-1]
            self.assertEqual((done["status"], done["model"], done["tries"]), ("", "two/n", tries))
            self.assertEqual(self.events(lines, "retry")[-1]["model"], "two/n")
            self.assertEqual(two.requests[0]["headers"]["x-api-key"], "other-key")
            self.assertEqual(two.requests[0]["body"]["model"], "n")

    def test_no_fallback(self):
        """a request that is wrong is wrong for every model"""
        two = self.serve()
        done = self.drive({"one": self.serve(fail(400)), "two": two}, {"fallbacks": ["two/n"]})[-1]
        self.assertEqual((done["status"], done["model"], len(two.requests)), ("EINVAL", "one/m", 0))

    def test_cut(self):
        """a cut after text was passed on is the end, with what had come"""
        tool = {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}}]}
        for answer in (stream(sse(text_chunk("abc"), tool)), [head(Content_Length=9999), sse(text_chunk("abc"))]):
            server, lines, done = self.ask(answer)
            self.assertEqual((done["status"], len(server.requests)), ("ECONNRESET", 1))
            self.assertEqual(done["message"], {"role": "assistant", "content": "abc"})
            self.assertEqual(self.text(lines), "abc")

    def test_stall(self):
        """a server that falls silent is given up: again before a text, the end after one"""
        server = self.serve()
        server.script = [[server.wait], stream(b": hello\n", server.wait), reply_of("x")]
        done = self.drive({"one": server}, {}, tries=3, stall_timeout_ms=600)[-1]
        self.assertEqual((done["status"], done["tries"]), ("", 3))
        server.script = [stream(sse(text_chunk("abc")), server.wait)]
        done = self.drive({"one": server}, {}, stall_timeout_ms=600)[-1]
        self.assertEqual((done["status"], done["message"]["content"]), ("ETIMEDOUT", "abc"))
        self.assertIn("nothing came for 600 ms", done["error"])
        server.script = [stream(sse(text_chunk("abc", "stop")), server.wait)]
        done = self.drive({"one": server}, {}, stall_timeout_ms=600)[-1]
        self.assertEqual((done["status"], done["message"]["content"]), ("", "abc"))

    def test_nobody(self):
        """nobody there is tried again and then an error"""
        server = Server([])
        server.close()
        done = self.drive({"one": server}, {})[-1]
        self.assertEqual((done["status"], done["tries"]), ("EIO", 2))
        self.assertIn("127.0.0.1", done["error"])

    def test_key_is_not_told(self):
        """a key that the server says back is in no error and no news"""
        for echo in (KEY, "Bearer " + KEY, KEY[4:], KEY[:-6]):
            for answer in (fail(401, {"error": {"message": "wrong: " + echo}}), fail(500, echo.encode()),
                           stream(sse({"error": {"message": "wrong: " + echo}})), stream(b"data: " + echo.encode() + b"\n\n")):
                _, lines, done = self.ask(answer, answer)
                self.assertNotEqual(done["status"], "")
                for start in range(len(KEY) - 8):
                    self.assertNotIn(KEY[start:start + 8], json.dumps(lines))
                self.assertIn("***", done["error"])


class Ways(Wire):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="hearth-upstream-")  # pylint: disable=consider-using-with
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def path(self, name):
        return os.path.join(self.directory, name)

    def test_socket(self):
        """a provider may be behind a Unix socket; its URL names it only"""
        server = self.serve(reply_of("x"), path=self.path("socket"))
        done = self.drive({"one": (server, {"socket_path": self.path("socket")})}, {})[-1]
        self.assertEqual((done["status"], done["message"]["content"]), ("", "x"))
        self.assertEqual(server.requests[0]["headers"]["host"], "models.invalid")

    def test_tls(self):
        """a certificate that no authority stands for is refused, and accepted when it is told to be one"""
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
                        "-keyout", self.path("key"), "-out", self.path("certificate")],
                       check=True, capture_output=True)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.path("certificate"), self.path("key"))
        server = self.serve(reply_of("x"), tls=tls)
        done = self.drive({"one": server}, {})[-1]
        self.assertEqual((done["status"], done["tries"], len(server.requests)), ("EIO", 1, 0))
        self.assertIn("certificate", done["error"])
        done = self.drive({"one": server}, {}, env={"SSL_CERT_FILE": self.path("certificate")})[-1]
        self.assertEqual((done["status"], done["message"]["content"]), ("", "x"))

    def test_proxy(self):
        """a proxy of the environment is asked, but not for what is on this machine"""
        server = self.serve(reply_of("x"), reply_of("by proxy"))
        proxy = {"http_proxy": server.url}
        self.assertEqual(self.drive({"one": server}, {}, env=proxy)[-1]["message"]["content"], "x")
        self.assertEqual(server.requests[0]["line"], "POST /v1/chat/completions HTTP/1.1")
        server.url, proxy_url = "http://models.invalid/v1", server.url
        done = self.drive({"one": server}, {}, env={"http_proxy": proxy_url})[-1]
        self.assertEqual(done["message"]["content"], "by proxy")
        self.assertEqual(server.requests[1]["line"], "POST http://models.invalid/v1/chat/completions HTTP/1.1")

    def test_no_name(self):
        """a host that has no address is tried again and then an error"""
        server = Server([])
        server.close()
        server.url = "http://models.invalid/v1"
        done = self.drive({"one": server}, {})[-1]
        self.assertEqual((done["status"], done["tries"]), ("EIO", 2))
        self.assertIn("models.invalid", done["error"])

    def test_key_file(self):
        """a key comes from a file, and one that others may read keeps it all from starting"""
        path = self.path("ONE_API_KEY")
        with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write("key-of-file\n")
        server = self.serve(reply_of("x"))
        self.drive({"one": (server, {"key": None})}, {}, key_directories=[self.directory])
        self.assertEqual(server.requests[0]["headers"]["authorization"], "Bearer key-of-file")
        os.chmod(path, 0o644)
        lines = drive({"providers": [{"name": "one", "base_url": server.url}],
                       "key_directories": [self.directory]}, [])
        self.assertEqual((lines[0]["event"], lines[0]["status"]), ("not_created", "EACCES"))
        self.assertIn("ONE_API_KEY: others may open it", lines[0]["error"])

    def test_no_key(self):
        """without a key, a provider of one's own is asked without, and a known one is not asked"""
        server = self.serve(reply_of("x"))
        self.drive({"one": (server, {"key": None})}, {})
        self.assertNotIn("authorization", server.requests[0]["headers"])
        lines = drive({}, [{"model": "openai/m", "messages": USER}, {"model": "nobody/m", "messages": USER},
                           {"model": "m", "messages": USER}, {"model": "ollama/m", "messages": {}}])
        self.assertEqual([(line["event"], line["status"]) for line in lines[:-1]], [
            ("refused", "EACCES"), ("refused", "ENOENT"), ("refused", "ENOENT"), ("refused", "EINVAL")])
        self.assertIn("set OPENAI_API_KEY", lines[0]["error"])

    def test_bad_asks(self):
        """a question that cannot be asked is refused at once, or when it cannot be said in the dialect"""
        lines = drive({}, [{"model": "ollama/m", "messages": USER, **bad} for bad in (
            {"tools": {}}, {"reasoning": "much"}, {"fallbacks": ["ollama/m"] * 8}, {"model": "ollama/" + "m" * 200})])
        self.assertEqual([(line["event"], line["status"]) for line in lines[:-1]], [
            ("refused", "EINVAL"), ("refused", "EINVAL"), ("refused", "EINVAL"), ("refused", "ENOENT")])
        server = self.serve()
        done = self.drive({"one": (server, {"dialect": ANTHROPIC})},
                          {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]})[-1]
        self.assertEqual((done["status"], done["tries"], server.requests), ("EINVAL", 0, []))
        self.assertIn("one/m: messages: a part of type \"input_audio\"", done["error"])


class Life(Wire):
    def test_turns(self):
        """no more requests than are allowed are at a provider at a time, the others follow in order"""
        server = self.serve()
        server.script = [reply_of(str(i)) for i in range(6)]
        lines = self.drive({"one": (server, {"concurrency": 1})}, *[{}] * 6)
        self.assertEqual([done["message"]["content"] for done in sorted(
            self.events(lines, "done"), key=lambda done: done["ask"])], list("012345"))
        self.assertEqual(server.most, 1)

    def test_cancel(self):
        """who cancels, within any callback, gets one end and nothing before it"""
        body = stream(sse({"choices": [{"delta": {"reasoning": "hm"}}]}, text_chunk("a"), {"choices": [{"delta": {
            "tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}}]}, text_chunk("b", "stop")))
        for callback in ("start", "thinking", "text", "tool_call"):
            _, lines, done = self.ask(body, cancel_on=callback)
            self.assertEqual((done["status"], done["message"]), ("ECANCELED", None))
            if callback != "start":
                self.assertEqual(lines[-2]["event"], callback)
        _, lines, done = self.ask(fail(500), cancel_on="retry", first_wait_ms=60000, last_wait_ms=60000)
        self.assertEqual((done["status"], done["tries"]), ("ECANCELED", 1))

    def test_cancel_in_queue(self):
        """who leaves the queue does not hold it up"""
        server = self.serve(reply_of("x"), reply_of("y"))
        lines = self.drive({"one": (server, {"concurrency": 1})}, {}, {"cancel_on": "start"}, {})
        done = {line["ask"]: line for line in self.events(lines, "done")}
        self.assertEqual([done[i]["status"] for i in range(3)], ["", "ECANCELED", ""])
        self.assertEqual(len(server.requests), 2)

    def test_destroy(self):
        """the end of all ends each request once, under way, in the queue or between tries"""
        server = self.serve()
        server.script = [stream(sse(text_chunk("x")), server.wait)]
        lines = self.drive({"one": (server, {"concurrency": 1}), "two": self.serve(fail(500))},
                           {"stop_on": "text"}, {}, {"model": "two/n"}, first_wait_ms=60000, last_wait_ms=60000)
        done = self.events(lines, "done")
        self.assertEqual({line["ask"]: line["status"] for line in done}, {i: "ECANCELED" for i in range(3)})
        self.assertEqual(len(done), 3)

    def test_storm(self):
        """whatever servers and callers do, at random and at once, each request ends once"""
        seed = int(os.environ.get("HEARTH_SEED") or random.randrange(1 << 32))
        print(f"# HEARTH_SEED={seed}", flush=True)
        rng = random.Random(seed)
        whole = sse({"choices": [{"delta": {"reasoning": "hm"}}]}, text_chunk("a\u20ac"), {"choices": [{"delta": {
            "tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]}}]},
            text_chunk("b", "stop"), "[DONE]")
        server = self.serve()

        def answer():
            cut, garbage = whole[:rng.randrange(len(whole))], rng.randbytes(rng.randrange(200))
            return rng.choice([
                stream(whole), stream(whole), bytewise(whole), stream(cut), [head(Content_Length=9999), cut],
                stream(cut, garbage), stream(garbage), [garbage], [], [server.wait], stream(cut, server.wait),
                fail(rng.choice([400, 401, 404, 429, 500, 503, 529]), garbage)])

        callbacks = [None] * 6 + ["start", "thinking", "text", "tool_call", "retry"]
        for stop_on in (None, "retry", "text"):
            server.script = [answer() for _ in range(200)]
            asks = [{"fallbacks": ["two/n"], "cancel_on": rng.choice(callbacks)} for _ in range(60)]
            asks[rng.randrange(60)]["stop_on"] = stop_on
            lines = self.drive({"one": (server, {"concurrency": 5}), "two": (server, {"concurrency": 2})}, *asks,
                               tries=3, stall_timeout_ms=200)
            self.assertEqual(sorted(line["ask"] for line in self.events(lines, "done")), list(range(60)))

    def test_scripted(self):
        """a provider behind which no model thinks is told as such"""
        server = self.serve(reply_of("x"), reply_of("x"))
        lines = self.drive({"one": (server, {"is_scripted": True}), "two": server}, {}, {"model": "two/n"})
        self.assertEqual({line["model"]: line["is_scripted"] for line in self.events(lines, "done")},
                         {"one/m": True, "two/n": False})


if __name__ == "__main__":
    tap.main()

"""upstream: replies over the wire, in both dialects, in all the shapes that servers give them."""

import json
import os

import tap
from upstream_server import bytewise, head, reply_of, sse, stream, text_chunk
from upstream_world import ANTHROPIC, KEY, USER, Wire


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


if __name__ == "__main__":
    tap.main()

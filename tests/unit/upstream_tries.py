"""upstream: tries, waits and fallbacks, the ways to a server, and the life of a request."""

import json
import os
import random
import ssl
import subprocess
import tempfile

import tap
from upstream_server import Server, bytewise, drive, fail, head, reply_of, sse, stream, text_chunk
from upstream_world import ANTHROPIC, KEY, USER, Wire


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
        """who cancels, within any callback, gets one end and nothing before it, with what had come without its calls"""
        body = stream(sse({"choices": [{"delta": {"reasoning": "hm"}}]}, text_chunk("a"), {"choices": [{"delta": {
            "tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}}]}, text_chunk("b", "stop")))
        for callback in ("start", "thinking", "text", "tool_call"):
            _, lines, done = self.ask(body, cancel_on=callback)
            said = {"role": "assistant", "content": "a"} if callback in ("text", "tool_call") else None
            self.assertEqual((done["status"], done["message"]), ("ECANCELED", said))
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

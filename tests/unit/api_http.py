"""agentd's HTTP front: what it makes of bad input, byte for byte."""

import gzip
import json
import socket

import tap
from api_world import Closed, HOST, JSON, KEY, OTHER_KEY, World, get, post

SECOND = get(b"/v1/items/second")


class Framing(World):
    def each(self, cases):
        for status, data in cases:
            with self.subTest(data=data[:120]):
                self.refused(data, status)

    def test_ambiguous_lengths(self):
        """two lengths, a length and a coding, odd numbers: 400, and never a second request"""
        line = b"POST /v1/echo HTTP/1.1\r\n" + HOST + JSON
        smuggled = b"0\r\n\r\n" + SECOND
        self.each([
            (400, line + b"Content-Length: 0\r\nContent-Length: 80\r\n\r\n" + smuggled),
            (400, line + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n" + smuggled),
            (400, line + b"Content-Length: 5, 5\r\n\r\n" + smuggled),
            (400, line + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled),
            (400, line + b"Transfer-Encoding: chunked\r\nContent-Length: 80\r\n\r\n" + smuggled),
            (501, line + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + smuggled),
            (501, line + b"Transfer-Encoding: identity\r\n\r\n" + smuggled),
            (400, line + b"Transfer-Encoding : chunked\r\n\r\n" + smuggled),
            (400, line + b"Transfer-Encoding:\x0bchunked\r\n\r\n" + smuggled),
            (400, line.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n" + smuggled),
            (400, line + b"Content-Length: -1\r\n\r\n" + smuggled),
            (400, line + b"Content-Length: +5\r\n\r\n" + smuggled),
            (400, line + b"Content-Length: 0x5\r\n\r\n" + smuggled),
            (400, line + b"Content-Length: 5 5\r\n\r\n" + smuggled),
            (400, line + b"Content-Length: \r\n\r\n" + smuggled),
            (413, line + b"Content-Length: 18446744073709551617\r\n\r\n" + smuggled),
        ])

    def test_chunks(self):
        """a chunk's size that overflows or is none, extensions without end, a trailer without end"""
        line = b"POST /v1/echo HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
        self.each([
            (400, line + b"10000000000000002\r\n{}\r\n0\r\n\r\n"),
            (413, line + b"fffffffffffffff\r\n{}\r\n0\r\n\r\n"),
            (400, line + b"-2\r\n{}\r\n0\r\n\r\n"),
            (400, line + b"2\n{}\r\n0\r\n\r\n"),
            (400, line + b"2\r\n{}0\r\n\r\n" + SECOND),
            (400, line + b"2\r\n{}\n0\r\n\r\n" + SECOND),
            (400, line + b"2;" + b"x" * 300 + b"\r\n{}\r\n0\r\n\r\n"),
            (400, line + b"1;aaaaaaaaaaaaaaa\r\n \r\n" * 2000 + b"0\r\n\r\n"),
            (431, line + b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 2000 + b"\r\n"),
            (400, line + b"0\r\n\n" + SECOND),
        ])

    def test_trailers(self):
        """a trailer is read and means nothing, and the next request follows"""
        connection = self.connect()
        connection.send(
            b"POST /v1/echo HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
            b"1;x=y\r\n{\r\n1\r\n}\r\n0\r\nContent-Length: 5\r\nAuthorization: Bearer x\r\n\r\n" + SECOND)
        self.assertEqual(connection.answer().json()["params"], {})
        self.assertEqual(connection.answer().json()["params"], {"id": "second"})

    def test_lines(self):
        """bare LF and CR, NUL, folded headers, blanks before the colon, no header at all"""
        self.each([(400, data + SECOND) for data in (
            b"GET /health HTTP/1.1\nHost: localhost\n\n",
            b"GET /health HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n",
            b"GET /health HTTP/1.1\r\nHost: localhost\rX: y\r\n\r\n",
            b"GET /health HTTP/1.1\r\nHost: local\0host\r\n\r\n",
            b"GET /heal\0th HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
            b"GET /health HTTP/1.1\r\nHost: localhost\r\n\tX: a\r\n\r\n",
            b"GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n",
            b"GET /health HTTP/1.1\r\nlocalhost\r\n\r\n",
            b"\r\n\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")])

    def test_hosts(self):
        """no Host and two Hosts are refused; on a Unix socket and of HTTP/1.0, which no browser speaks, none is needed"""
        self.each([
            (400, b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n" + SECOND),
        ])
        self.assertEqual(self.ask(b"GET /health HTTP/1.1\r\n\r\n").status, 400)
        self.assertEqual(self.ask(b"GET /health HTTP/1.0\r\n\r\n").status, 200)
        self.assertEqual(self.ask(b"GET /health HTTP/1.0\r\nHost: evil.example\r\n\r\n").status, 403)
        self.assertEqual(self.connect_unix().ask(b"GET /health HTTP/1.1\r\n\r\n").status, 200)

    def test_sizes(self):
        """64 KiB of a header, 1,000 headers, 100 KiB of a path"""
        self.each([
            (431, get(b"/health", b"X: " + b"a" * 65536 + b"\r\n")),
            (431, get(b"/health", b"X: y\r\n" * 1000)),
            (414, get(b"/health?" + b"a" * 102400)),
        ])

    def test_targets(self):
        """a whole URL, CONNECT, OPTIONS *, no path: 400; TRACE and methods unknown: 405"""
        self.each([(400, line + b"\r\n" + HOST + b"\r\n" + SECOND) for line in (
            b"GET http://localhost/health HTTP/1.1", b"CONNECT localhost:80 HTTP/1.1",
            b"OPTIONS * HTTP/1.1", b"GET health HTTP/1.1", b"GET //\x7f HTTP/1.1",
            b"GET /a b HTTP/1.1", b"GET  /health HTTP/1.1", b"GET /health#x HTTP/1.1",
            b"GE(T /health HTTP/1.1")])
        for method in (b"TRACE", b"BREW", b"get", b"DELETE"):
            answer = self.ask(method + b" /health HTTP/1.1\r\n" + HOST + b"\r\n")
            self.assertEqual(answer.status, 405)
            self.assertEqual(answer.headers["allow"], "GET, HEAD")

    def test_versions(self):
        """HTTP/0.9, 1.2, 2 and what is no HTTP"""
        self.each([
            (400, b"GET /health\r\n"),
            (505, b"GET /health HTTP/1.2\r\n" + HOST + b"\r\n"),
            (505, b"GET /health HTTP/0.9\r\n" + HOST + b"\r\n"),
            (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            (400, b"GET /health HTTP/11\r\n" + HOST + b"\r\n"),
            (400, b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"),
            (400, b"\0\0\0\x02{}"),
        ])

    def test_expect(self):
        """a client that waits is told to go on when its head is fine, and else why not"""
        line = b"POST /v1/echo HTTP/1.1\r\n" + HOST + JSON + b"Expect: 100-continue\r\n"
        connection = self.connect()
        for _ in range(2):
            self.assertEqual(connection.ask(line + b"Content-Length: 2\r\n\r\n").status, 100)
            self.assertEqual(connection.ask(b"{}").status, 200)
        self.each([
            (413, line + b"Content-Length: 9999999\r\n\r\n"),
            (404, line.replace(b"echo", b"nowhere") + b"Content-Length: 2\r\n\r\n"),
            (417, line.replace(b"100-continue", b"200-ok") + b"Content-Length: 2\r\n\r\n"),
        ])
        # Who does not wait needs no word.
        self.assertEqual(self.connect().ask(line + b"Content-Length: 2\r\n\r\n{}").status, 200)

    def test_upgrade(self):
        """an upgrade is not taken, and the request is answered"""
        answer = self.ask(get(b"/health", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                              b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"))
        self.assertEqual(answer.status, 200)
        self.assertNotIn("upgrade", answer.headers)

    def test_cut_anywhere(self):
        """two requests at once are answered alike wherever the bytes are cut"""
        data = post(b"/v1/echo", b'{"a":1}') + SECOND
        for cut in range(1, len(data), 3):
            connection = self.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.send(data[:cut])
            connection.send(data[cut:])
            self.assertEqual(connection.answer().json()["params"], {"a": 1})
            self.assertEqual(connection.answer().json()["params"], {"id": "second"})
            connection.close()


class Requests(World):
    def test_paths(self):
        """%-encoding twice, invalid, and paths that climb"""
        for path, wanted in ((b"/v1/items/%2561", "%61"), (b"/v1/items/a%2Fb", "a/b"),
                             (b"/v1/items/..%2F..%2Fetc", "../../etc"),
                             (b"/v1/%69tems/%C3%A4", "\u00e4")):
            self.assertEqual(self.ask(get(path)).json()["params"], {"id": wanted})
        for path in (b"/v1/items/%", b"/v1/items/%zz", b"/v1/items/%00", b"/v1/items/%0d%0aX:%20y",
                     b"/v1/items/%ff", b"/v1/items/..", b"/v1/items/%2e%2e", b"/v1/../health",
                     b"/v1/items/x?limit=%", b"/v1/items/x?limit=1&limit=2", b"/v1/items/x?limit=0",
                     b"/v1/items/x?limit=many", b"/v1/items/x?other=1", b"/v1/items/x?id=y"):
            self.assertEqual(self.ask(get(path)).status, 400, path)
        for path in (b"/", b"//", b"/v1/items/", b"/v1/items/a/b", b"/items/x", b"/v1/admin", b"/admin"):
            answer = self.ask(get(path))
            self.assertEqual((answer.status, answer.code()), (404, "not_found"), path)

    def test_query(self):
        """a query's members get the types that the schema wants"""
        answer = self.ask(get(b"/api/v1/items/x?limit=5&all=true&tag=a&tag=b+c&title=7"))
        self.assertEqual(answer.json()["params"], {
            "id": "x", "limit": 5, "all": True, "tag": ["a", "b c"], "title": "7"})

    def test_bodies(self):
        """each kind of malformed JSON is 400 with its place; valid but odd is never 500"""
        for body in (b"{", b"}", b"[", b"nul", b"{'a':1}", b'{"a":1,}', b'{"a":1 "b":2}', b'{"a":01}',
                     b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\\ud800"}', b'{"a":"\\u0000"}', b'{"a":"\xff"}',
                     b'{"a":"\xed\xa0\x80"}', b"\xef\xbb\xbf{}", b"{}{}", b'{"a":1,"a":2}', b" ", b"\0",
                     "{}".encode("utf-16"), b'{"a":"' + b"x" * 1000, b"[]", b"1", b'"x"', b"null",
                     b'{"a":' + b"[" * 100, b'{"a":' * 100000):
            answer = self.ask(post(b"/v1/echo", body))
            self.assertEqual(answer.status, 400, body[:80])
            self.assertIn("the body", answer.json()["error"]["message"])
        for body in (b'{"a":-0}', b'{"":{"":[]}}', b'{"a":1e308}', b'{"a":"\\ud83d\\ude00"}',
                     b'{"a":9223372036854775807}', b'{"a":' + b"[" * 60 + b"]" * 60 + b"}",
                     b'{"a":[' + b"1," * 99999 + b"1]}", b' \r\n\t{"a":null}\n'):
            self.assertEqual(self.ask(post(b"/v1/echo", body)).status, 200, body[:80])

    def test_types(self):
        """a body that is compressed, or said to be what is no JSON, is 415; curl's own word and none at all pass"""
        packed = gzip.compress(b"{}")
        for headers in (b"Content-Type: text/plain\r\n", b"Content-Type: application/jsonx\r\n",
                        b"Content-Type: text/json\r\n",
                        b"Content-Type: multipart/form-data; boundary=application/json\r\n"):
            self.refused(post(b"/v1/echo", headers=headers), 415)
        self.refused(post(b"/v1/echo", packed, JSON + b"Content-Encoding: gzip\r\n"), 415)
        for headers in (b"", b"Content-Type: Application/JSON; charset=utf-8\r\n",
                        b"Content-Type: application/x-www-form-urlencoded\r\n",
                        JSON + b"Content-Encoding: identity\r\n"):
            self.assertEqual(self.ask(post(b"/v1/echo", headers=headers)).status, 200)

    def test_lengths(self):
        """a missing length, a body too large by length or by chunks, a body where none may be"""
        line = b"POST /v1/echo HTTP/1.1\r\n" + HOST
        self.assertEqual(self.ask(line + JSON + b"\r\n").status, 411)
        self.assertEqual(self.ask(line + b"\r\n").status, 200)
        self.assertEqual(self.ask(line + b"Content-Length: 0\r\n\r\n").status, 200)
        self.refused(line + JSON + b"Content-Length: 1048577\r\n\r\n", 413)
        self.refused(line + JSON + b"Transfer-Encoding: chunked\r\n\r\n100001\r\n", 413)
        self.refused(line.replace(b"echo", b"large") + JSON + b"Content-Length: 33554433\r\n\r\n", 413)
        self.refused(b"GET /health HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 2\r\n\r\n{}", 400)
        large = b'{"a":"' + b"x" * (3 << 20) + b'"}'
        self.assertEqual(self.ask(post(b"/v1/large", large)).status, 200)

    def test_large_refused(self):
        """who still sends when it is refused can read why"""
        connection = self.connect()
        connection.send(b"POST /v1/echo HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 20000000\r\n\r\n")
        try:
            for _ in range(200):
                connection.send(b"x" * 100000)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it does not read for ever
        self.assertEqual(connection.answer().status, 413)

    def test_echoes(self):
        """nothing that a client says ends a header line or begins one"""
        for session in ("a\r\nX-Evil: 1", "a\nX-Evil: 1", "\r\n\r\n<html>", "a\x7f"):
            body = b'{"fail":true,"sessionId":%s}' % json.dumps(session).encode()
            answer = self.ask(post(b"/v1/echo", body))
            self.assertEqual(answer.status, 409)
            self.assertNotIn("x-evil", answer.headers)
            self.assertNotIn("x-session-id", answer.headers)
        self.assertEqual(self.ask(post(b"/v1/echo", b'{"sessionId":"s1"}')).headers["x-session-id"], "s1")

    def test_request_ids(self):
        """a request's id is the client's when it is one, else a new one"""
        for name in (b"a", b"A-b_c.9", b"x" * 64):
            answer = self.ask(post(b"/v1/echo", headers=JSON + b"X-Request-Id: " + name + b"\r\n"))
            self.assertEqual(answer.headers["x-request-id"], name.decode())
            self.assertEqual(answer.json()["request_id"], name.decode())
        made = set()
        for name in (b"", b"x" * 65, b"a b", b"a,b", b"\xc3\xa4", b"<script>"):
            answer = self.ask(get(b"/health", b"X-Request-Id: " + name + b"\r\n"))
            self.assertRegex(answer.headers["x-request-id"], "^req_[0-9a-f]{32}$")
            made.add(answer.headers["x-request-id"])
        self.assertEqual(len(made), 6)

    def test_shapes(self):
        """results and errors in OpenAI's shape and in REST's"""
        self.assertEqual(self.ask(post(b"/v1/rest", b'{"a":1}')).json()["data"]["params"], {"a": 1})
        self.assertIs(self.ask(post(b"/v1/rest")).json()["ok"], True)
        answer = self.ask(post(b"/v1/rest", b'{"fail":true}'))
        self.assertEqual((answer.status, answer.headers["retry-after"]), (409, "2"))
        self.assertEqual(answer.json(), {
            "ok": False, "error": "it was to fail: ?", "code": "conflict",
            "details": {"type": "invalid_request_error", "param": "fail"}})
        self.assertEqual(self.ask(post(b"/v1/echo", b'{"fail":true}')).json(), {"error": {
            "message": "it was to fail: ?", "type": "invalid_request_error", "code": "conflict",
            "param": "fail"}})

    def test_shapes_of_refusals(self):
        """what is refused before its route runs has its path's shape; where there is no such path it is REST's"""
        self.command("keys " + KEY)
        stranger = JSON + b"Origin: https://evil.example\r\n"
        for path, is_rest in ((b"/v1/rest", True), (b"/api/v1/rest?a=/v1/echo", True), (b"/v1/nowhere", True),
                              (b"/v1/echo", False), (b"/api/v1/echo?a", False)):
            for status, data in ((403, post(path, headers=stranger)), (401, post(path)), (405, get(path))):
                answer = self.ask(data)
                self.assertEqual(answer.status, 404 if path == b"/v1/nowhere" and status != 403 else status, data)
                self.assertEqual("ok" in answer.json(), is_rest, data)
        self.assertIs(self.ask(b"no HTTP\r\n\r\n").json()["ok"], False)

    def test_param(self):
        """an argument that does not fit, is missing or unknown is named"""
        for path, param in ((b"/v1/items/x?limit=0", "limit"), (b"/v1/items/x?other=1", "other"),
                            (b"/v1/items/x?all=maybe&limit=1", "all")):
            self.assertEqual(self.ask(get(path)).json()["error"]["param"], param)

    def test_nul(self):
        """a text that holds NUL is refused with what to do, not with the parser's own options"""
        message = self.ask(post(b"/v1/echo", b'{"a":"\\u0000"}')).json()["error"]["message"]
        self.assertIn("leave it out", message)
        self.assertNotIn("JSON_ALLOW_NUL", message)

    def test_head(self):
        """HEAD is GET without the body"""
        connection = self.connect()
        answer = connection.ask(b"HEAD /health HTTP/1.1\r\n" + HOST + b"\r\n", is_head=True)
        self.assertEqual((answer.status, answer.headers["content-length"]), (200, "16"))
        answer = connection.ask(b"HEAD /nowhere HTTP/1.1\r\n" + HOST + b"\r\n", is_head=True)
        self.assertEqual(answer.status, 404)
        self.assertEqual(connection.ask(get(b"/health")).body, b'{"status":"ok"}\n')

    def test_openapi(self):
        """openapi.json is served, and lists the routes"""
        document = self.ask(get(b"/openapi.json")).json()
        self.assertEqual(document["openapi"], "3.1.0")
        self.assertIn("/items/{id}", document["paths"])
        self.assertNotIn("/admin", document["paths"])


class Browsers(World):
    def test_rebinding(self):
        """a name that is not ours is refused on loopback, whatever it resolves to"""
        for host in (b"localhost", b"LocalHost:3890", b"127.0.0.1:1", b"[::1]:80", b"hearth.example"):
            self.assertEqual(self.ask(b"GET /health HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").status, 200)
        for host in (b"evil.example", b"localhost.evil.example", b"127.0.0.1.evil.example", b"",
                     b"localhost:80@evil.example", b"127.0.0.2", b"[::1", b"0.0.0.0"):
            answer = self.ask(b"GET /health HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
            self.assertEqual((answer.status, answer.code()), (403, "denied"), host)

    def test_origins(self):
        """allowed pages may read answers; strangers may not even ask"""
        for origin in (b"http://localhost:5173", b"http://127.0.0.1"):
            answer = self.ask(post(b"/v1/echo", headers=JSON + b"Origin: " + origin + b"\r\n"))
            self.assertEqual(answer.headers["access-control-allow-origin"], origin.decode())
            self.assertIn("x-session-id", answer.headers["access-control-expose-headers"])
            for name in ("x-request-id", "x-run-id", "x-should-retry", "Retry-After"):
                self.assertIn(name, answer.headers["access-control-expose-headers"])
            self.assertEqual(answer.headers["vary"], "Origin")
        for origin in (b"https://evil.example", b"null", b"", b"http://localhost.evil.example",
                       b"http://localhost:1\t,x"):
            answer = self.ask(post(b"/v1/echo", headers=JSON + b"Origin: " + origin + b"\r\n"))
            self.assertEqual(answer.status, 403, origin)
            self.assertNotIn("access-control-allow-origin", answer.headers)
        self.assertNotIn("access-control-allow-origin", self.ask(get(b"/health")).headers)

    def test_preflight(self):
        """a preflight needs no key, and is told methods and headers"""
        self.command("keys " + KEY)
        connection = self.connect()
        answer = connection.ask(
            b"OPTIONS /v1/items/7 HTTP/1.1\r\n" + HOST + b"Origin: http://localhost:1\r\n"
            b"Access-Control-Request-Method: PATCH\r\n\r\n")
        self.assertEqual(answer.status, 204)
        self.assertEqual(answer.headers["access-control-allow-methods"], "GET, HEAD, PATCH, DELETE")
        self.assertIn("Authorization", answer.headers["access-control-allow-headers"])
        self.assertEqual(connection.ask(get(b"/health")).status, 200)
        self.assertEqual(self.ask(b"OPTIONS /nowhere HTTP/1.1\r\n" + HOST + b"\r\n").status, 404)

    def test_errors_are_shown_to_pages(self):
        """an error has the headers that let a page read it"""
        self.command("keys " + KEY)
        answer = self.ask(post(b"/v1/echo", headers=JSON + b"Origin: http://localhost:1\r\n"))
        self.assertEqual(answer.status, 401)
        self.assertEqual(answer.headers["access-control-allow-origin"], "http://localhost:1")


def bearer(text):
    return b"Authorization: Bearer " + text.encode() + b"\r\n"


class Keys(World):
    is_any = True

    def test_keys(self):
        """absent, Basic, two, a part of a key, one MB, not ASCII: 401 or 400; a good one: 200"""
        self.command(f"keys {KEY} {OTHER_KEY}")
        for headers in (b"", b"Authorization: Basic c2s6eA==\r\n", b"Authorization: " + KEY.encode() + b"\r\n",
                        b"Authorization: Bearer\r\n", b"Authorization:\r\n", bearer(KEY[:-1]),
                        bearer(KEY + "0"), bearer(KEY.upper()), bearer("sk_live_"), bearer("\u00e4" * 20),
                        bearer(KEY + " " + KEY), b"X-Api-Key: " + KEY.encode() + b"\r\n"):
            answer = self.ask(get(b"/v1/items/x", headers))
            self.assertEqual((answer.status, answer.code()), (401, "invalid_api_key"), headers)
            self.assertEqual(answer.headers["www-authenticate"], "Bearer")
        self.refused(get(b"/v1/items/x", bearer(KEY) * 2), 400)
        self.refused(get(b"/v1/items/x", bearer("sk_live_" + "a" * (1 << 20))), 431)
        for headers in (bearer(KEY), bearer(OTHER_KEY), b"authorization: bearer  " + KEY.encode() + b"\r\n"):
            self.assertEqual(self.ask(get(b"/v1/items/x", headers)).status, 200)
        self.assertEqual(self.ask(get(b"/health")).status, 200)

    def test_refused_before_body(self):
        """without a key no body is read"""
        self.command("keys " + KEY)
        self.refused(b"POST /v1/large HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 30000000\r\n\r\n", 401)

    def test_no_keys_beyond_loopback(self):
        """while there is no key, a server that others reach lets nobody in"""
        answer = self.ask(get(b"/v1/items/x", bearer(KEY)))
        self.assertEqual(answer.status, 401)
        self.assertIn("hearth key create", answer.json()["error"]["message"])
        self.assertEqual(self.ask(get(b"/health")).status, 200)

    def test_host_beyond_loopback(self):
        """at 0.0.0.0 loopback's own connections are still checked"""
        connection = self.connect(int(self.any_port))
        self.assertEqual(connection.ask(b"GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 403)

    def test_revoked(self):
        """a key that is revoked loses its streams, and others keep theirs"""
        self.command(f"keys {KEY} {OTHER_KEY}")
        streams = []
        for key in (KEY, OTHER_KEY):
            stream = self.connect()
            stream.send(get(b"/v1/stream?count=1&open=true", bearer(key)))
            self.assertEqual(stream.head()[0], 200)
            self.assertEqual(stream.frame()[0], 1)
            streams.append(stream)
        self.command("keys " + OTHER_KEY)
        self.expect("gone")
        with self.assertRaises(Closed):
            streams[0].chunk()
        self.assertEqual(self.ask(get(b"/v1/items/x", bearer(KEY))).status, 401)
        self.assertEqual(self.ask(get(b"/v1/items/x", bearer(OTHER_KEY))).status, 200)
        streams[1].close()
        self.expect("gone")


class Local(World):
    def test_no_keys(self):
        """while there is no key and all is local, anybody passes, with any bearer or none"""
        for headers in (b"", bearer("anything"), b"Authorization: Basic eDp5\r\n"):
            self.assertEqual(self.ask(get(b"/v1/items/x", headers)).status, 200)
        self.assertEqual(self.connect_unix().ask(get(b"/v1/items/x")).status, 200)


if __name__ == "__main__":
    tap.main()

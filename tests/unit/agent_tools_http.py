"""http_fetch with the real agentd, a real guest and the curl that is here, against a server on loopback."""

import http.server
import json
import os
import shutil
import socket
import threading

import tap
from agentd_world import World
from rpc_client import RpcError


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def echo(self):
        """What has come, as JSON."""
        return json.dumps({"method": self.command, "path": self.path, "body": self.body[:99],
                           "size": len(self.body),
                           "headers": dict(self.headers)}).encode()

    def do_GET(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        kind = self.path.split("?")[0].strip("/")
        if kind == "loop":
            self.answer(302, Location="/loop")
        elif kind in ("file", "ftp"):
            self.answer(302, Location=f"{kind}:///etc/passwd")
        elif kind == "there":
            self.answer(307 if self.command == "PUT" else 301, Location="/echo/x")
        elif kind == "long":
            self.answer(200, b"B" + b"x" * 300000 + b"E", Content_Type="text/plain")
        elif kind == "image":
            self.answer(200, b"\x89PNG\0", Content_Type="image/png")
        elif kind == "missing":
            self.answer(404, b"nothing\n", Content_Type="text/plain", Retry_After="3")
        elif kind == "slow":
            self.answer(200, b"", Content_Type="text/plain")
            self.server.go_on.wait()
        elif kind == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
            self.close_connection = True
        elif kind == "silent":
            self.server.go_on.wait()
        elif kind == "chunks":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n"
                             b"4\r\nHTTP\r\n0\r\nT: trailer\r\n\r\n")
        else:
            self.answer(200, self.echo(), Content_Type="application/json", ETag='"1"')

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, *arguments):
        pass


class Fetch(World):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        self.server.daemon_threads = True
        self.server.go_on = threading.Event()
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.addCleanup(self.server.go_on.set)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.client = self.connect()
        self.handle = self.client.acquire()

    def fetch(self, path, **arguments):
        url = path if "://" in path else self.url + path
        answer = self.client.tool(self.handle, "http_fetch", url=url, **arguments)
        self.assertEqual(answer["is_error"], answer["content"].startswith("Error: "))
        return answer["content"]

    def echo(self, path, **arguments):
        text = self.fetch(path, **arguments)
        head, body = text.split("\n\n", 1)
        self.assertTrue(head.startswith("HTTP 200 application/json"), text)
        return json.loads(body)

    def test_requests_arrive_as_they_were_meant(self):
        """method, headers, body and URL arrive as they were written"""
        came = self.echo("/echo/{a}[1-3]?q=-o", headers={"X-A": "-o @f; $(id)", "X-Empty": ""})
        self.assertEqual((came["method"], came["path"]), ("GET", "/echo/{a}[1-3]?q=-o"))
        self.assertEqual(came["headers"]["X-A"], "-o @f; $(id)")
        self.assertEqual(came["headers"]["X-Empty"], "")
        big = "@/etc/passwd\n" + "\u00e4" * 100000
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            came = self.echo("/echo", method=method, body=big)
            self.assertEqual(came["method"], method)
            self.assertEqual((came["size"], came["body"]), (len(big), big[:99]))
            self.assertEqual(came["headers"]["Content-Type"], "text/plain; charset=utf-8")
            self.assertEqual(self.echo("/echo", method=method)["body"], "")
        came = self.echo("/echo", method="POST", body='{"a": 1}')
        self.assertEqual(came["headers"]["Content-Type"], "application/json")

    def test_answers_have_status_headers_and_body(self):
        """status, type, useful headers and body come apart; trailers do no harm"""
        self.assertEqual(self.fetch("/missing"),
                         "HTTP 404 text/plain\nRetry-After: 3\n\nnothing\n")
        self.assertIn("Server: BaseHTTP", self.fetch("/echo", method="HEAD"))
        self.assertTrue(self.fetch("/echo", method="HEAD").endswith("\n(no body)\n"))
        text = self.fetch("/long")
        self.assertTrue(text.startswith("HTTP 200 text/plain\n\nBxxx"))
        self.assertIn("[... 200002 bytes cut ...]", text)
        self.assertTrue(text.endswith("xE\n"))
        self.assertIn("(binary, 5 bytes", self.fetch("/image"))
        self.assertTrue(self.fetch("/chunks").startswith("HTTP 200\n\nHTTP"))

    def test_redirects_are_followed_where_that_repeats_no_change(self):
        """GET and POST follow, PUT shows where it leads; loops and other schemes are refused"""
        text = self.fetch("/there")
        self.assertIn(f"URL: {self.url}/echo/x (redirects: 1)\n", text)
        self.assertEqual(self.echo("/there", method="POST", body="x")["method"], "GET")
        self.assertTrue(self.fetch("/there", method="PUT", body="x").startswith(
            "HTTP 307\nLocation: /echo/x\n"))
        self.assertIn("10) redirects followed: fetch the address", self.fetch("/loop"))
        for scheme in ("file", "ftp"):
            text = self.fetch("/" + scheme)
            self.assertIn("only http and https", text)
            self.assertNotIn("root:", text)

    def test_what_fails_is_an_error(self):
        """refused, unknown, silent and cut: an error says what to do"""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            text = self.fetch(f"http://127.0.0.1:{unused.getsockname()[1]}/")
        self.assertIn("nothing listens there", text)
        self.assertIn("check the name", self.fetch("http://a.invalid/"))
        self.assertIn("set a longer timeout", self.fetch("/silent", timeout=50))
        text = self.fetch("/cut")
        self.assertTrue(text.startswith("Error: "))
        self.assertTrue(text.endswith("\nHTTP 200\n\npart\n"), text)

    def test_other_schemes_and_options_are_refused(self):
        """what is no http URL is refused before curl starts"""
        for url in ("file:///etc/passwd", "gopher://x", "-K/etc/passwd", "http://u:p@x/"):
            with self.assertRaises(RpcError) as caught:
                self.client.tool(self.handle, "http_fetch", url=url)
            self.assertEqual(caught.exception.type, "invalid_arguments")

    def test_tools_of_agentd_are_not_on_the_socket(self):
        """a connection has no project: memory and search are unknown tools here"""
        for name in ("memory_get", "search_web"):
            with self.assertRaises(RpcError) as caught:
                self.client.tool(self.handle, name)
            self.assertEqual(caught.exception.type, "unknown_tool")


assert os.path.isabs(shutil.which("curl") or ""), "these tests want curl to be installed"
tap.main()

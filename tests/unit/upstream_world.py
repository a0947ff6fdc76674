"""One who asks models, for the tests of upstream: servers, questions, and what is told of each."""

import unittest

from upstream_server import Server, drive

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

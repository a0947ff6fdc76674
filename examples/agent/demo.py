#!/usr/bin/env python3
"""From an empty folder to an agent that has written, tested and mended a function, and goes on the next day.

Plays it against the real thing: hearth init, hearth start, one streamed call; then everything is stopped, as at night,
started again, and the same session is asked once more. With the key of a provider in the environment (XAI_API_KEY for
the agent of hearth init) its model does the work; else answers follow the script examples/agent/demo.json, while the
sandbox, its tools and what they find are real.

usage: demo.py DIRECTORY     (hearth on PATH; DIRECTORY is made)
"""

import http.client
import ipaddress
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
FIRST = "Write a TypeScript function slugify(text) with a vitest test, install what it needs, and make the tests pass."
SECOND = "Is what you wrote yesterday still there, and does it still work?"
PATIENCE_S = 120
LINES = 12  # of a tool's result that are shown


def private_registry():
    """Behind a mirror or a proxy the registry has an address that sandboxes reach only when it is excepted."""
    found = socket.getaddrinfo("registry.npmjs.org", 443, socket.AF_INET, socket.SOCK_STREAM)
    addresses = {ipaddress.ip_address(entry[4][0]) for entry in found}
    return ",".join(f"{address}/32" for address in addresses if not address.is_global)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """hearth start, from when it answers to when it has stopped."""

    def __init__(self, directory):
        excepted = private_registry()
        self.port = free_port()
        words = ["hearth", "start", "--dir", str(directory / "run"), "--project", str(directory / "project"),
                 "--port", str(self.port), "--pool", "2", "--net", "default"]
        if excepted:
            words += ["--except", excepted]
        if not any(name.endswith("_API_KEY") for name in os.environ):
            words += ["--script", str(HERE / "demo.json")]
        self.process = subprocess.Popen(words)

    def __enter__(self):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                sys.exit("hearth start has ended")
            try:
                self.ask("GET", "/health").read()
                return self
            except OSError:
                time.sleep(0.1)
        sys.exit("hearth start does not answer")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        if self.process.wait(PATIENCE_S) != 0:
            sys.exit("hearth start has failed")

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=900)
        headers = {"Content-Type": "application/json", "Authorization": "Bearer sk_test_local"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        return connection.getresponse()

    def chat(self, message, session=None):
        """Shows the stream as it comes. Returns (session, tool results)."""
        body = {"agent": "coder", "stream": True, "messages": [{"role": "user", "content": message}]}
        if session:
            body["sessionId"] = session
        print(f"\n--- you: {message}")
        response = self.ask("POST", "/v1/chat/completions", body)
        if response.status != 200:
            sys.exit(response.read().decode())
        results = []
        for line in response:
            text = line.decode().strip()
            if not text.startswith("data: {"):
                continue
            frame = json.loads(text[6:])
            session = frame.get("sessionId", session)
            for choice in frame["choices"]:
                show(choice, results)
        print()
        return session, results


def show(choice, results):
    print(choice["delta"].get("content", ""), end="", flush=True)
    if "error" in choice:
        sys.exit(choice["error"]["message"])
    call = choice.get("tool_call", {})
    if call.get("state") == "calling":
        arguments = call["arguments"]
        print(f"\n> {call['name']} {arguments.get('command') or arguments.get('path')}", flush=True)
    elif call.get("state") in ("completed", "error"):
        results.append(call["result"])
        for line in call["result"].splitlines()[:LINES]:
            print(f"  {line}")


def main():
    directory = pathlib.Path(sys.argv[1])
    project = directory / "project"
    project.mkdir(parents=True)
    subprocess.run(["hearth", "--version"], check=True)
    subprocess.run(["hearth", "init", str(project)], check=True)
    with Server(directory) as server:
        session, _ = server.chat(FIRST)
    print(f"\n--- the next day: session {session}")
    with Server(directory) as server:
        again, results = server.chat(SECOND, session)
        server.ask("DELETE", f"/v1/chat/sessions/{session}").read()
    if again != session or "2 passed" not in "".join(results):
        sys.exit("the second day did not find what the first one left")
    print("\nagent: done")


main()

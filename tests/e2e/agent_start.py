"""hearth init, start, chat, session and key with real sandboxes, from an empty folder to the second day."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import tap
from instance import PREFIX
from rpc_client import until

WORKSPACES = pathlib.Path("/var/lib/hearth/workspaces")
SECONDS = 120


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Agent(unittest.TestCase):
    def setUp(self):
        self.path = tempfile.mkdtemp(prefix="hearth-e2e.")
        self.addCleanup(shutil.rmtree, self.path)
        os.chmod(self.path, 0o700)  # agentd is user hearth, and may be shut out
        self.project = os.path.join(self.path, "project")
        self.port = free_port()
        self.environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        self.environment["HEARTH_DIR"] = os.path.join(self.path, "run")

    def hearth(self, *words, status=0):
        done = subprocess.run([os.path.join(PREFIX, "bin/hearth"), *words], env=self.environment, text=True,
                              capture_output=True, timeout=SECONDS, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def start(self):
        self.process = subprocess.Popen(
            [os.path.join(PREFIX, "bin/hearth"), "start", "--project", self.project, "--image", "tiny", "--pool", "2",
             "--port", str(self.port)], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.kill)
        said = ""
        while "Ctrl-C ends it" not in said:
            line = self.process.stdout.readline()
            self.assertTrue(line, said)
            said += line
        return said

    def kill(self):
        """Only when a test has failed: what it leaves is ended too."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            self.hearth("down")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.assertEqual(self.process.wait(SECONDS), 0)

    def request(self, method, path, body=None, key=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        self.addCleanup(connection.close)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())

    def chat(self, message, **members):
        status, body = self.request("POST", "/v1/chat/completions",
                                    {"agent": "coder", "messages": [{"role": "user", "content": message}], **members})
        self.assertEqual(status, 200, body)
        return body["choices"][0]["message"]["content"], body["sessionId"]

    def acquires(self):
        pool = json.loads(self.hearth("pool", "ls", "--json"))["pools"][0]
        return pool["hits"] + pool["built"] + pool["waited"]

    def test_two_days(self):
        """an agent works, is stopped, and finds its files, its directory and what was said; then its session goes, and all of it"""
        self.hearth("init", self.project)
        self.assertIn("script", self.start())
        text, session = self.chat("hello")
        self.assertEqual(self.acquires(), 0, "text alone has taken a sandbox")
        text, _ = self.chat("run: id -u; mkdir kept && cd kept && echo first >file", sessionId=session)
        self.assertIn("\n0\n", text)
        self.assertEqual(self.acquires(), 1)
        until(lambda: json.loads(self.hearth("pool", "ls", "--json"))["pools"][0]["leased"] == 0, "it is given back")
        self.stop()
        self.start()
        text, again = self.chat("run: pwd; cat file", sessionId=session)
        self.assertEqual(again, session)
        self.assertIn("/workspace/kept\nfirst", text)
        self.assertIn("hello", self.hearth("session", "show", session))
        self.assertTrue((WORKSPACES / session).is_dir())
        self.hearth("session", "rm", session)
        until(lambda: not (WORKSPACES / session).exists(), "the workspace is gone with its session")
        self.hearth("session", "show", session, status=3)
        self.stop()

    def test_commands(self):
        """chat shows its tool calls; a key is needed once there is one, and no more once it is revoked"""
        self.hearth("init", self.project)
        self.hearth("agent", "validate", self.project)
        self.start()
        said = self.hearth("chat", "run: echo from-the-box")
        self.assertRegex(said, r"> bash echo from-the-box\n +ok ")
        session = json.loads(self.hearth("session", "ls", "--json"))["sessions"][0]["id"]
        key = json.loads(self.hearth("key", "create", "--name", "me", "--json"))
        self.assertEqual(self.request("GET", "/v1/models")[0], 401)
        self.assertEqual(self.request("GET", "/v1/models", key=key["key"])[0], 200)
        self.assertTrue(re.search(key["id"], self.hearth("key", "ls")))
        self.hearth("key", "revoke", key["id"])
        self.assertEqual(self.request("GET", "/v1/models")[0], 200)
        self.hearth("session", "rm", session)
        until(lambda: not (WORKSPACES / session).exists(), "the workspace is gone with its session")
        self.stop()


tap.main()

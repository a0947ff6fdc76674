"""Clients that others write: curl, Python without a package, and the examples as they stand."""

import base64
import hashlib
import hmac
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import tap
from agent_world import AgentWorld, CODER, Connection
from rpc_client import PATIENCE_S, until

EXAMPLES = os.path.join(os.environ.get("top_srcdir", "."), "examples", "agent")
SECRET = "a secret of the webhook's"


def call(name, **arguments):
    return {"name": name, "arguments": arguments}


class Clients(AgentWorld):
    has_port = True

    def run_example(self, name, *arguments, stdin="", key=None):
        """(exit status, stdout, stderr)"""
        environment = {**os.environ, "HEARTH_API_URL": self.url, **({"HEARTH_API_KEY": key} if key else {})}
        program = [sys.executable, "-B"] if name.endswith(".py") else ["sh"]
        done = subprocess.run([*program, os.path.join(EXAMPLES, name), *arguments], input=stdin, env=environment,
                              capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        return done.returncode, done.stdout, done.stderr

    def run_status(self, run):
        return self.request("GET", f"/v1/runs/{run}")[2]["data"]["status"]


class Examples(Clients):
    def test_python(self):
        """chat.py streams a turn and shows its tools; a second start goes on with the session"""
        status, out, err = self.run_example("chat.py", "run: echo first >>notes")
        self.assertEqual(status, 0, err)
        self.assertIn("scripted model: ", out)
        self.assertIn('> bash {"command": "echo first >>notes"}\n  completed: ', err)
        session = re.search("^session (ses-.*)$", err, re.M)[1]
        status, out, err = self.run_example("chat.py", "--session", session, stdin="run: cat notes\n\nand then\n")
        self.assertEqual(status, 0, err)
        self.assertIn("first", out)
        self.assertIn("you said: and then", out)
        self.assertEqual(err.count(f"session {session}\n"), 2)

    def test_python_is_refused(self):
        """chat.py says why it was refused"""
        status, _, err = self.run_example("chat.py", "--agent", "nobody", "hello")
        self.assertEqual(status, 1)
        self.assertIn("404 agent_not_found: there is no agent nobody", err)
        self.connect().call("key.create")
        status, _, err = self.run_example("chat.py", "hello", key="sk_live_wrong")
        self.assertEqual(status, 1)
        self.assertIn("401 invalid_api_key: ", err)

    def test_shell(self):
        """curl.sh streams a turn, goes on with the session by its header, and shows what was said"""
        key = self.connect().call("key.create")["key"]
        status, out, err = self.run_example("curl.sh", "coder", key=key)
        self.assertEqual((status, err), (0, ""), out)
        head, _, tail = out.partition("# session ")
        session, second, messages = tail.splitlines()
        self.assertEqual(head.rstrip().splitlines()[-1], "data: [DONE]")
        self.assertEqual(json.loads(second)["sessionId"], session)
        rows = json.loads(messages)["data"]["messages"]
        self.assertEqual([row["message"]["role"] for row in rows], ["user", "assistant", "tool", "assistant"] * 2)
        self.assertEqual(self.run_example("curl.sh", "coder")[0], 22)  # curl's own: without a key


class Stream(Clients):
    scenario = {"steps": [{"text": "I wait.", "tool_calls": [
        call("bash", command="touch begun; until [ -e go ]; do sleep 0.01; done; echo went")]}, {"text": "Done."}]}

    def open_curl(self):
        body = {"model": "coder", "stream": True, "stream_options": {"include_usage": True},
                "messages": [{"role": "user", "content": "x"}]}
        command = [shutil.which("curl"), "-sS", "-N", "-i", f"{self.url}/chat/completions", "-H",
                   "Content-Type: application/json", "-d", json.dumps(body)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self._stop, process)
        return process

    @staticmethod
    def read_until(stream, text):
        seen = ""
        while text not in seen:
            line = stream.readline()
            assert line, f"it ended before {text}: {seen}"
            seen += line
        return seen

    def test_curl(self):
        """curl -N has each frame while the tool still runs, and the rest once it has ended"""
        curl = self.open_curl()
        head = self.read_until(curl.stdout, '"state":"calling"')
        self.assertIn("HTTP/1.1 200 OK", head)
        self.assertIn("Content-Type: text/event-stream", head)
        self.assertIn('"content":"I wait."', head)
        self.write_file("go", b"")
        rest, _ = curl.communicate(timeout=PATIENCE_S)
        self.assertEqual(curl.returncode, 0)
        frames = [json.loads(line[6:]) for line in rest.splitlines() if line.startswith("data: {")]
        self.assertEqual(frames[0]["choices"][0]["tool_call"]["state"], "completed")
        self.assertGreater(frames[-1]["usage"]["completion_tokens"], 0)
        self.assertTrue(rest.endswith("data: [DONE]\n\n"))

    def test_curl_goes(self):
        """the run of a client that is killed goes on to its end"""
        curl = self.open_curl()
        run = re.search("x-run-id: (.*)", self.read_until(curl.stdout, '"state":"calling"'))[1]
        curl.kill()
        curl.wait()
        self.assertEqual(self.run_status(run), "running")
        self.write_file("go", b"")
        until(lambda: self.run_status(run) == "completed", "the run is completed")


    def test_end(self):
        """the end of agentd waits for nobody: idle connections close, streams are told"""
        idle = [Connection(os.path.join(self.directory, "api.sock")) for _ in range(3)]
        for connection in idle:
            self.addCleanup(connection.close)
            connection.request("GET", "/v1/health")
            connection.getresponse().read()
        curl = self.open_curl()
        self.read_until(curl.stdout, '"state":"calling"')
        self.agentd.send_signal(signal.SIGTERM)
        self.assertEqual(self.agentd.wait(PATIENCE_S), 0)
        rest, _ = curl.communicate(timeout=PATIENCE_S)
        self.assertIn('"finish_reason":"error"', rest)
        self.assertIn("data: [DONE]", rest)
        self.assertNotIn("still connected", self.read_log())


class Wire(Clients):
    """What the standard library's own client reads, byte for byte."""
    TEXT = "Grüße 🙂 \u2028\u2029 \r\n data: [DONE]\n\nend"
    scenario = {"steps": [{"text": TEXT, "chunk": 1, "thinking": "hm"}]}

    def test_events(self):
        """a stream is server-sent events: a line of data each, that no text of a model breaks"""
        body = {"model": "coder", "stream": True, "messages": [{"role": "user", "content": "x"}]}
        request = urllib.request.Request(f"{self.url}/chat/completions", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            text = response.read().decode()
        events = text.removesuffix("\n\n").split("\n\n")
        self.assertEqual(events.pop(), "data: [DONE]")
        frames = [json.loads(event.removeprefix("data: ")) for event in events if not event.startswith(":")]
        choices = [frame["choices"][0] for frame in frames]
        self.assertEqual("".join(choice["delta"].get("content", "") for choice in choices), self.TEXT)
        self.assertEqual("".join(choice.get("thinking", "") for choice in choices), "hm")
        self.assertEqual({frame["id"] for frame in frames}, {frames[0]["id"]})
        self.assertEqual([choice["finish_reason"] for choice in choices],
                         [None] * (len(choices) - 1) + ["stop"])


class Review(Clients):
    """review_webhook.py before an agent that answers with what it was asked to check out."""
    agents = [{**CODER, "name": "reviewer"}]

    def setUp(self):
        super().setUp()
        self.sessions = os.path.join(self.directory, "sessions.json")
        environment = {**os.environ, "HEARTH_API_URL": self.url, "WEBHOOK_SECRET": SECRET}
        self.hook = subprocess.Popen(
            [sys.executable, "-B", os.path.join(EXAMPLES, "review_webhook.py"), "--port", "0", "--agent", "reviewer",
             "--sessions", self.sessions],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(self._stop, self.hook)
        self.address = self.hook.stdout.readline().split()[-1]
        self.lines = queue.Queue()
        reader = threading.Thread(target=lambda: [self.lines.put(line) for line in self.hook.stdout])
        reader.start()
        self.addCleanup(reader.join)
        self.addCleanup(self.hook.kill)

    def send(self, number, sha, action="opened", event="pull_request", secret=SECRET, body=None):
        """The status."""
        body = body or json.dumps({
            "action": action, "repository": {"full_name": "a/b", "clone_url": "https://git.example/a/b.git"},
            "pull_request": {"number": number, "title": "run: echo pwned", "head": {"sha": sha},
                             "base": {"sha": "base"}}}).encode()
        signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        request = urllib.request.Request(
            self.address, body, {"X-GitHub-Event": event, "X-Hub-Signature-256": signature})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
                return response.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def read_review(self):
        """The name and the text of the next one that is done."""
        text = ""
        while not text.endswith("\n---\n"):
            text += self.lines.get(timeout=PATIENCE_S)
        head, _, rest = text.partition("\n")
        self.assertTrue(head.endswith(": completed"), text)
        return head.removeprefix("--- ").removesuffix(": completed"), rest

    def test_reviews(self):
        """each pull request is reviewed in a session of its own, and its later pushes in the same"""
        self.assertEqual(self.send(1, "first"), 202)
        self.assertEqual(self.send(2, "second"), 202)
        reviews = dict(self.read_review() for _ in range(2))
        self.assertEqual(sorted(reviews), ["a/b#1", "a/b#2"])
        self.assertIn("check out first", reviews["a/b#1"])
        self.assertNotIn("pwned", "".join(reviews.values()))
        self.assertEqual(self.send(1, "third", action="synchronize"), 202)
        self.assertIn("check out third", self.read_review()[1])
        with open(self.sessions, encoding="utf-8") as file:
            sessions = json.load(file)
        counts = {row["id"]: row["messages"] for row in self.request("GET", "/v1/chat/sessions")[2]["data"]["sessions"]}
        self.assertEqual(counts, {sessions["a/b#1"]: 4, sessions["a/b#2"]: 2})

    def test_session_is_gone(self):
        """a review whose session was removed begins in another one"""
        self.send(1, "first")
        self.read_review()
        for row in self.request("GET", "/v1/chat/sessions")[2]["data"]["sessions"]:
            self.assertEqual(self.request("DELETE", f"/v1/chat/sessions/{row['id']}")[0], 200)
        self.send(1, "second")
        self.assertIn("check out second", self.read_review()[1])

    def test_what_is_refused(self):
        """what is not signed is refused, and what is no push to a pull request starts no review"""
        self.assertEqual(self.send(1, "x", secret="another"), 401)
        self.assertEqual(self.send(1, "x", action="closed"), 200)
        self.assertEqual(self.send(1, "x", event="ping"), 200)
        for body in (b"{", b"[]", b'{"action":"opened"}', base64.b64encode(os.urandom(64))):
            self.assertEqual(self.send(1, "x", body=body), 400, body)
        self.assertEqual(self.request("GET", "/v1/chat/sessions")[2]["data"]["sessions"], [])


assert shutil.which("curl"), "these tests want curl to be installed"
tap.main()

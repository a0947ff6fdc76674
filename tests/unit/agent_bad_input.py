"""Bad input to agents: odd strings wherever a string goes, and models that say too much, or what they must not.

Each has a result that is stated here: never a 500, and never the end of agentd.
"""

import json
import os
import time
import urllib.parse

import tap
from agent_world import AgentWorld, CODER, Connection
from naughty_strings import is_text, size, STRINGS

NAME_MAX = 64
TITLE_MAX = 1024
CALLS_MAX = 128  # of one reply
MESSAGES_MAX = 10000


def user(text):
    return {"role": "user", "content": text}


def call(name, arguments):
    return {"name": name, "arguments": arguments}


def is_name(string):
    """Of an agent, which names files."""
    return (0 < size(string) <= NAME_MAX and string[0] not in ".- " and string[-1] != " " and
            not any(ord(char) < 32 or 127 <= ord(char) < 160 or char in "/\\" for char in string))


class BadInput(AgentWorld):
    connection = None

    def ask(self, method, path, body=None):
        """(status, JSON), over one connection; agentd's own limit of requests a second is waited for, as it says."""
        if not self.connection:
            self.connection = Connection(os.path.join(self.directory, "api.sock"))
            self.addCleanup(self.connection.close)
        while True:
            data = None if body is None else json.dumps(body)
            self.connection.request(method, path, data, {"Content-Type": "application/json"})
            with self.connection.getresponse() as reply:
                text = reply.read().decode()
            if reply.status != 429:
                break
            time.sleep(int(reply.headers["Retry-After"]))
        self.assertLess(reply.status, 500, text)
        answer = json.loads(text)
        if reply.status >= 400:
            error = answer["error"]
            self.assertTrue(error["message"] if isinstance(error, dict) else error, "an error that says nothing")
        return reply.status, answer

    def check(self, expected, string, answered):
        status, answer = answered
        self.assertEqual(status, expected, f"{string[:80]!r}: {answer}")
        return answer


class Strings(BadInput):
    def test_messages(self):
        """any text that is said to an agent reaches the model and the session as it was"""
        session = None
        said = []
        for string in STRINGS:
            body = {"model": "coder", "messages": [user(string)], **({"sessionId": session} if session else {})}
            answered = self.ask("POST", "/v1/chat/completions", body)
            if not is_text(string):
                self.check(400, string, answered)
                continue
            answer = self.check(200, string, answered)
            self.assertEqual(answer["choices"][0]["message"]["content"], "scripted model: you said: " + string)
            session = answer["sessionId"]
            said.append(string)
        _, answer = self.ask("GET", f"/v1/chat/sessions/{session}/messages?limit=1000")
        rows = [row["message"] for row in answer["data"]["messages"]]
        self.assertEqual([row["content"] for row in rows if row["role"] == "user"], said)

    def test_agents(self):
        """an agent that there is not is not found, whatever it is called"""
        for string in STRINGS:
            is_fit = is_text(string) and 0 < size(string) <= NAME_MAX
            self.check(200 if string == "coder" else 404 if is_fit else 400, string, self.ask(
                "POST", "/v1/chat/completions", {"agent": string, "messages": [user("x")]}))

    def test_paths(self):
        """as a part of a path each is found, not found, or refused"""
        paths = ("/v1/models/{}", "/v1/agents/{}", "/v1/memory/agent/{}", "/v1/skills/{}/content",
                 "/v1/chat/sessions/{}/messages", "/v1/runs/{}")
        for i, string in enumerate(STRINGS):
            quoted = urllib.parse.quote(string.encode("utf-8", "surrogatepass"), safe="")
            status, answer = self.ask("GET", paths[i % len(paths)].format(quoted))
            self.assertIn(status, (200, 404) if string == "coder" else (400, 404, 414), f"{string[:80]!r}: {answer}")

    def test_sessions(self):
        """a session that there is not is not found; the two words for a new one begin one"""
        for string in STRINGS:
            is_fit = is_text(string) and size(string) <= NAME_MAX
            self.check(400 if not is_fit else 200 if string in ("", "new") else 404, string, self.ask(
                "POST", "/v1/chat/completions", {"model": "coder", "sessionId": string, "messages": [user("x")]}))

    def test_titles(self):
        """a session's title is what was given, or is refused"""
        path = "/v1/chat/sessions/" + self.chat("x")["sessionId"]
        for string in STRINGS:
            is_fit = is_text(string) and 0 < size(string) <= TITLE_MAX
            answer = self.check(200 if is_fit else 400, string, self.ask("PATCH", path, {"title": string}))
            if is_fit:
                self.assertEqual(answer["data"]["title"], string)

    def test_names(self):
        """an agent gets any name that can be a file's, and remembers under it; others are refused"""
        before = sorted(os.listdir(self.project))
        names = ["coder"]
        for string in STRINGS:
            is_fit = is_text(string) and is_name(string)
            self.check(400 if not is_fit else 409 if string == "coder" else 200, string, self.ask(
                "POST", "/v1/agents", {**CODER, "name": string}))
            if is_fit and string != "coder":
                names.append(string)
        self.assertEqual([agent["name"] for agent in self.ask("GET", "/v1/agents")[1]["data"]], names)
        for string in names[::5]:
            path = f"/v1/memory/agent/{urllib.parse.quote(string, safe='')}"
            self.check(200, string, self.ask("PUT", path, {"content": f"of {string}\n"}))
            answer = self.check(200, string, self.ask("GET", path))
            self.assertEqual(answer["data"]["content"], f"of {string}\n")
        self.assertEqual(sorted(os.listdir(self.project)), before)
        self.assertEqual(sorted(os.listdir(os.path.join(self.project, ".hearth", "memory"))),
                         sorted(name + ".md" for name in names[::5]))


class Sizes(BadInput):
    def test_many_messages(self):
        """as many messages as may be are told to the model; a hundred thousand are refused, and said to be too many"""
        status, answer = self.ask(
            "POST", "/v1/chat/completions", {"model": "coder", "messages": [user("x")] * MESSAGES_MAX})
        self.assertEqual(status, 200, str(answer)[:500])
        status, answer = self.ask("POST", "/v1/chat/completions", {"model": "coder", "messages": [user("x")] * 100000})
        self.assertEqual(status, 400)
        self.assertIn(f"messages: must be at most {MESSAGES_MAX} items", answer["error"]["message"])


class TooMuch(BadInput):
    """Models that say much at once: more than may be is an error of the model's, and the session goes on."""
    scenario = {"steps": [], "conversations": [
        {"match": "thousand", "steps": [
            {"tool_calls": [call("memory_get", {})] * 1000}, {"text": "done"}]},
        {"match": "many", "steps": [
            {"tool_calls": [call("memory_append", {"text": str(i)}) for i in range(CALLS_MAX)]}, {"text": "done"}]},
        {"match": "no name", "steps": [{"tool_calls": [call("", {})]}]},
        {"match": "long name", "steps": [{"tool_calls": [call("x" * 300, {})]}, {"text": "shorter"}]}]}

    def test_names(self):
        """a call without a name is the model's error; at one that is too long the model is asked again"""
        status, _, answer = self.request(
            "POST", "/v1/chat/completions", {"model": "coder", "messages": [user("no name")]})
        self.assertEqual((status, answer["error"]["code"]), (502, "upstream_error"))
        self.assertEqual(answer["error"]["message"], "test/model: the reply has a tool call without a name")
        self.assertEqual(self.chat("long name")["choices"][0]["message"]["content"], "shorter")

    def test_thousand_calls(self):
        """a thousand calls in one reply are none: the model's error is told, and the session goes on"""
        status, headers, answer = self.request(
            "POST", "/v1/chat/completions", {"model": "coder", "messages": [user("thousand")]})
        self.assertEqual((status, answer["error"]["code"]), (502, "upstream_error"))
        self.assertIn(str(CALLS_MAX), answer["error"]["message"])
        self.assertEqual(self.chat("hello", sessionId=headers["x-session-id"])["choices"][0]["finish_reason"], "stop")

    def test_many_calls(self):
        """as many calls as may be in one reply all run, in order"""
        self.chat("many")
        with open(os.path.join(self.project, ".hearth/memory/coder.md"), encoding="utf-8") as file:
            self.assertEqual(file.read().split(), [str(i) for i in range(CALLS_MAX)])


class Delta(BadInput):
    TEXT = "0123456789" * (1 << 20)
    scenario = {"steps": [], "conversations": [{"match": "delta", "steps": [{"text": TEXT, "chunk": 1 << 24}]}]}

    def test_large_delta(self):
        """ten megabytes in one delta are an answer, and stand in the session"""
        answer = self.chat("delta")
        self.assertEqual(answer["choices"][0]["message"]["content"], self.TEXT)
        _, _, rows = self.request("GET", f"/v1/chat/sessions/{answer['sessionId']}/messages")
        self.assertEqual(rows["data"]["messages"][-1]["message"]["content"], self.TEXT)

    def test_streamed_delta(self):
        """streamed, they arrive whole too"""
        frames = list(self.frames(self.open_chat("delta")))
        text = "".join(frame["choices"][0]["delta"].get("content", "") for frame in frames)
        self.assertEqual(text, self.TEXT)


class Arguments(BadInput):
    """What a model gives to tools: names that look like options, ways out, lines, what is no text."""

    @property
    def scenario(self):
        root = os.path.join(self.directory, "root")
        return {"steps": [{"tool_calls": [call(name, self.place(arguments, root))
                                          for name, arguments, _, _ in self.calls]}, {"text": "done"}]}

    @staticmethod
    def place(arguments, root):
        return arguments.replace("ROOT", root) if isinstance(arguments, str) else {
            key: value.replace("ROOT", root) if isinstance(value, str) else value for key, value in arguments.items()}

    # name, arguments, state, what the result has
    calls = [
        ("write", {"path": "ROOT/-rf", "content": "flags\n"}, "completed", "6 bytes"),
        ("read", {"path": "ROOT/-rf"}, "completed", "flags"),
        ("write", {"path": "ROOT/two\nlines", "content": "x\n"}, "completed", "2 bytes"),
        ("ls", {"path": "ROOT"}, "completed", "-rf"),
        ("grep", {"pattern": "-e", "path": "ROOT"}, "completed", ""),
        ("grep", {"pattern": "--help", "path": "ROOT"}, "completed", ""),
        ("grep", {"pattern": "(", "path": "ROOT"}, "error", "Error:"),
        ("glob", {"pattern": "-*", "path": "ROOT"}, "completed", "-rf"),
        ("glob", {"pattern": "../*", "path": "ROOT"}, None, ""),
        ("read", {"path": "ROOT/../../../../../../../../etc/no-such-file"}, "error", "Error:"),
        ("read", {"path": ""}, "error", "Error:"),
        ("read", {"path": "/"}, "error", "Error:"),
        ("read", {"path": "ROOT/" + "x" * 5000}, "error", "Error:"),
        ("read", '{"path": "ROOT/-rf\\u0000.txt"}', "error", "not a JSON object"),
        ("read", '{"path": "\\ud800"}', "error", "not a JSON object"),
        ("read", '{"path": "x"', "error", "not a JSON object"),
        ("read", '["x"]', "error", "not a JSON object"),
        ("read", "", "error", "path is required"),
        ("read", "{}" * 3, "error", "not a JSON object"),
        ("read", "[" * 100000, "error", "not a JSON object"),
        ("read", {"path": "x", "offset": -1}, "error", "offset"),
        ("read", {"path": "x", "limit": 1e300}, "error", "limit"),
        ("read", {"path": ["x"]}, "error", "path"),
        ("bash", {"command": "printf '%s' \"-n %s\""}, "completed", "-n %s"),
        ("bash", {"command": ""}, None, ""),
        ("bash", {"command": "true", "timeout": 0}, "error", "timeout"),
        ("bash", {"command": "x" * 200000}, None, ""),
        ("http_fetch", {"url": "file:///etc/passwd"}, "error", "Error:"),
        ("http_fetch", {"url": "-o/etc/x"}, "error", "Error:"),
        ("http_fetch", {"url": "http://x/\r\nHost: y"}, "error", "Error:"),
        ("fly", {}, "error", "there is no such thing"),
        ("read\n", {}, "error", "there is no such thing"),
        ("../read", {}, "error", "there is no such thing"),
        ("%n%s", {}, "error", "there is no such thing"),
    ]

    def test_arguments(self):
        """each odd call has its own result, in order, and the run goes on to its end"""
        frames = list(self.frames(self.open_chat("go")))
        results = [choice["tool_call"] for frame in frames for choice in frame["choices"]
                   if choice.get("tool_call", {}).get("state") in ("completed", "error")]
        self.assertEqual(len(results), len(self.calls), frames[-1])
        for (name, arguments, state, part), result in zip(self.calls, results):
            with self.subTest(name=name, arguments=str(arguments)[:80]):
                self.assertEqual(result["name"], name)
                self.assertIn(part, result["result"])
                if state:
                    self.assertEqual(result["state"], state, result["result"])
        self.assertEqual(frames[-1]["choices"][0]["finish_reason"], "stop")
        self.assertTrue(os.path.exists(os.path.join(self.root, "two\nlines")))


tap.main()

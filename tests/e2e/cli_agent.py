"""hearth chat, session and key before an agentd that only pretends."""

import json
import os
import signal
import subprocess
import threading
import unittest

import tap
from fake_agentd import NOT_FOUND, TOO_LARGE, Fault, FakeAgentd
from instance import SECONDS, hearth, start
from terminal import Terminal

HOSTILE = "a\x1b[2Jb\x07c\x9b1md\u202ee\x7ff"
HARMLESS = "a?[2Jb?c?1md?e?f"


def agents(request):
    return [{"name": "coder", "model": "xai/grok-4-fast"}, {"name": "second"}]


def answer(request):
    """An answer with a tool call that works and one that does not."""
    request.frame("")
    request.frame("I look.\n")
    request.tool("preparing")
    request.tool("calling", arguments={"command": "npm test\n  --all", "timeout": 5})
    request.tool("completed", result="fine", receipt={"wall_ms": 1234.5})
    request.tool("calling", "read", "c2", arguments={"path": "src/none.ts", "limit": 3})
    request.tool("error", "read", "c2", result="Error: there is no such file\nmore")
    request.frame("Done.")
    request.end()


class Chat(unittest.TestCase):
    def chat(self, *words, complete=answer, stdin=b"", **options):
        with FakeAgentd(chat_complete=complete, agent_list=agents) as self.agentd:
            return hearth("chat", *words, directory=self.agentd.directory, stdin=stdin, **options)

    def asked(self):
        return self.agentd.params("chat.complete")

    def test_text_and_tool_calls_as_they_come(self):
        """the answer is shown with a line for each tool call and one for its end"""
        result = self.chat("hello", "there")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.decode(), "I look.\n> bash npm test --all\n  ok 1.2 s\n> read src/none.ts\n"
                                                 "  error: there is no such file\nDone.\n")
        self.assertEqual(result.stderr, b"session ses-1: go on with hearth chat --session ses-1\n")

    def test_the_first_agent_is_asked(self):
        """without a name the project's first agent is asked, with one that one"""
        self.chat("hello", "there")
        self.assertEqual(self.asked(), [{"agent": "coder", "stream": True,
                                         "messages": [{"role": "user", "content": "hello there"}]}])
        self.chat("--agent", "second", "x")
        self.assertEqual([params["agent"] for params in self.asked()], ["second"])

    def test_a_session_goes_on(self):
        """a session that is named goes on, with its own agent"""
        self.chat("--session", "ses-7", "x")
        self.assertEqual(self.asked(), [{"sessionId": "ses-7", "stream": True,
                                         "messages": [{"role": "user", "content": "x"}]}])
        self.assertEqual(self.agentd.params("agent.list"), [])

    def test_standard_input_is_the_message(self):
        """without words, standard input that is no terminal is the message, whole"""
        self.chat(stdin="eins\n\nzwei ü\n".encode())
        self.assertEqual(self.asked()[0]["messages"][0]["content"], "eins\n\nzwei ü\n")
        for data, code in ((b"", b"EINVAL"), (b"\xff", b"EILSEQ"), (b"a\0b", b"EILSEQ"), (b"x" * (500 * 1024 + 1), b"EMSGSIZE")):
            result = self.chat(stdin=data)
            self.assertEqual(result.returncode, 1)
            self.assertIn(code, result.stderr)
            self.assertEqual(self.asked(), [])
        result = self.chat("")
        self.assertEqual((result.returncode, self.asked()), (1, []))
        self.assertIn(b"the message is empty (EINVAL)", result.stderr)

    def test_a_large_message_comes_whole(self):
        """a message of the greatest size comes whole, also when it must be escaped"""
        text = "\n" * (500 * 1024)
        self.chat(stdin=text.encode())
        self.assertEqual(self.asked()[0]["messages"][0]["content"], text)

    def test_nothing_steers_the_terminal(self):
        """control characters of models, tools and agentd do not reach the terminal"""

        def complete(request):
            request.frame(thinking=HOSTILE)
            request.frame(HOSTILE)
            request.tool("calling", HOSTILE, arguments={"command": HOSTILE})
            request.tool("error", result="Error: " + HOSTILE)
            request.tool("calling", call="c2", arguments=HOSTILE)
            request.tool("calling", call="c3", arguments={"other": HOSTILE})
            request.end("error", session=HOSTILE, error={"message": HOSTILE}, reason=HOSTILE)

        result = self.chat("x", complete=complete)
        shown = (result.stdout + result.stderr).decode()
        self.assertEqual([c for c in shown if c in "\x1b\x07\x9b\u202e\x7f"], [])
        self.assertGreaterEqual(shown.count(HARMLESS), 8, shown)

    def test_json_is_a_frame_a_line(self):
        """with --json each line is a frame, and nothing else is said"""
        result = self.chat("--json", "x")
        frames = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual(len(frames), 9)
        self.assertEqual(frames[3]["choices"][0]["tool_call"]["arguments"]["command"], "npm test\n  --all")
        self.assertEqual((frames[-1]["sessionId"], result.stderr), ("ses-1", b""))

    def test_frames_of_other_requests_are_not_shown(self):
        """frames of another request are not shown"""

        def complete(request):
            request.frame("not mine", request=99)
            request.frame("mine")
            request.end()

        self.assertEqual(self.chat("x", complete=complete).stdout, b"mine\n")

    def test_a_failed_run_is_1(self):
        """a run that fails is said with its reason: 1"""

        def complete(request):
            request.frame("so far")
            request.end("error", error={"message": "the model is not reached"})

        result = self.chat("x", complete=complete)
        self.assertEqual((result.returncode, result.stdout), (1, b"so far\n"))
        self.assertIn(b"hearth: the run failed: the model is not reached (EIO)\n", result.stderr)

    def test_refusals(self):
        """what agentd refuses has the exit code of its reason, and the instance that is not there too"""

        def complete(request):
            raise Fault(NOT_FOUND, "there is no such session")

        result = self.chat("--session", "none", "x", complete=complete)
        self.assertEqual(result.returncode, 3)
        self.assertIn(b"there is no such session (ENOENT)", result.stderr)
        self.assertNotIn(b"go on with", result.stderr)
        result = self.chat("--json", "--session", "none", "x", complete=complete)
        self.assertEqual(json.loads(result.stderr)["error"]["code"], "not_found")
        self.assertEqual(hearth("chat", "x", directory="/nonexistent").returncode, 3)
        self.assertEqual(hearth("chat", "--session", "", "x", directory="/nonexistent").returncode, 2)

    def test_a_project_without_agents(self):
        """a project without an agent is 3"""
        with FakeAgentd(agent_list=lambda request: []) as agentd:
            result = hearth("chat", "x", directory=agentd.directory)
        self.assertEqual(result.returncode, 3)
        self.assertIn(b"the project has no agent", result.stderr)

    def test_agentd_that_goes_away(self):
        """agentd that ends in the middle is a failure, after what it said"""

        def complete(request):
            request.frame("half")
            request.link.shutdown(2)

        result = self.chat("x", complete=complete)
        self.assertEqual((result.returncode, result.stdout), (1, b"half\n"))
        self.assertIn(b"agentd ended the connection", result.stderr)

    def test_what_ended_a_run_is_said(self):
        """a limit that stopped the run is said, and that a script answered"""
        result = self.chat("x", complete=lambda request: request.end(
            "length", reason="maxTurns is 3", scripted=True))
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"hearth: it stopped: maxTurns is 3\n", result.stderr)
        self.assertIn(b"a script answers here, not a model", result.stderr)


class NotUnderstood(unittest.TestCase):
    """What agentd cannot read, and what it cannot be told."""

    def test_an_answer_without_a_number(self):
        """an error of agentd that names no request is the failure of the one under way"""
        over = threading.Event()
        self.addCleanup(over.set)

        def fail(request):
            request.send(id=None, error={"code": -32700, "message": "what came is no JSON", "data": {}})
            over.wait(SECONDS)

        with FakeAgentd(chat_complete=fail, agent_list=agents, session_list=fail, sandbox_exec=fail) as agentd:
            for words, code in ((["chat", "x"], 1), (["session", "ls"], 1), (["exec", "3", "true"], 125)):
                result = hearth(*words, directory=agentd.directory)
                self.assertEqual(result.returncode, code)
                self.assertIn(b"agentd: what came is no JSON (EINVAL)", result.stderr)

    def test_what_is_not_utf8(self):
        """what is not UTF-8 is refused, not left out"""
        with FakeAgentd() as agentd:
            for words in (["exec", "3", "--", b"\xff", "echo", "hi"], ["exec", "3", "--env", b"A=\xff", "--", "true"],
                          ["exec", "3", "--cwd", b"/\xff", "--", "true"], ["session", "ls", "--agent", b"\xff"],
                          ["key", "create", "--name", b"\xff"], ["key", "revoke", b"\xff"],
                          ["session", "show", b"\xff"], ["chat", "--agent", b"\xff", "x"]):
                with self.subTest(words):
                    result = hearth(*words, directory=agentd.directory)
                    self.assertEqual(result.returncode, 125 if words[0] == "exec" else 1)
                    self.assertIn(b"(EILSEQ)", result.stderr)
            self.assertEqual(agentd.seen, [])

    def test_limits_steer_nothing(self):
        """what agentd says of limits that a command hit does not steer the terminal"""
        with FakeAgentd(sandbox_exec=lambda request: {"exit_code": 9, "limits": {"memory": HOSTILE}}) as agentd:
            result = hearth("exec", "3", "true", directory=agentd.directory)
        self.assertEqual((result.returncode, result.stderr.decode()),
                         (9, f"hearth: the command hit a limit: {HARMLESS}\n"))


class Cancel(unittest.TestCase):
    def begin(self, complete, run_cancel):
        self.agentd = FakeAgentd(chat_complete=complete, agent_list=agents, run_cancel=run_cancel)
        self.addCleanup(self.agentd.__exit__)
        self.process = start("chat", "x", directory=self.agentd.directory, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        self.addCleanup(self.process.stderr.close)
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.process.kill)
        self.assertEqual(self.process.stdout.readline(), b"begun\n")

    def test_an_interrupt_cancels_the_run(self):
        """Ctrl-C cancels the run under way by its id, and its end is waited for"""
        cancelled = threading.Event()

        def complete(request):
            request.frame("begun\n", sessionId="ses-1", runId="run-5")
            cancelled.wait(SECONDS)
            request.frame("last words")
            request.end("cancelled", run="run-5")

        self.begin(complete, lambda request: cancelled.set())
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=SECONDS)
        self.assertEqual((self.process.returncode, out), (1, b"last words\n"))
        self.assertIn(b"cancelling", err)
        self.assertEqual(self.agentd.params("run.cancel"), [{"id": "run-5"}])

    def test_a_run_whose_id_comes_late(self):
        """a run whose id is told after Ctrl-C is cancelled then"""
        interrupted, cancelled = threading.Event(), threading.Event()

        def complete(request):
            request.frame("begun\n")
            interrupted.wait(SECONDS)
            request.frame(sessionId="ses-1", runId="run-6")
            cancelled.wait(SECONDS)
            request.end("cancelled", run="run-6")

        self.begin(complete, lambda request: cancelled.set())
        self.process.send_signal(signal.SIGINT)
        self.assertIn(b"cancelling", self.process.stderr.readline())
        interrupted.set()
        self.assertEqual(self.process.wait(SECONDS), 1)
        self.assertEqual(self.agentd.params("run.cancel"), [{"id": "run-6"}])

    def test_a_second_interrupt_leaves(self):
        """a second Ctrl-C leaves, whatever the run does"""
        over = threading.Event()
        self.addCleanup(over.set)

        def complete(request):
            request.frame("begun\n", runId="run-5")
            over.wait(SECONDS)

        self.begin(complete, lambda request: None)
        self.process.send_signal(signal.SIGINT)
        self.assertIn(b"cancelling", self.process.stderr.readline())
        self.process.send_signal(signal.SIGINT)
        self.assertEqual(self.process.wait(SECONDS), 1)
        self.assertIn(b"interrupted (EINTR)", self.process.stderr.read())


class OnTerminal(unittest.TestCase):
    def open(self, complete=answer, **environment):
        before = {name: os.environ.get(name) for name in ("TERM", "NO_COLOR")}
        for name in before:
            os.environ.pop(name, None)
        os.environ.update({"TERM": "xterm", **environment})
        try:
            self.agentd = FakeAgentd(chat_complete=complete, agent_list=agents)
            self.addCleanup(self.agentd.__exit__)
            terminal = Terminal(self.agentd.directory, "chat")
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
        self.addCleanup(terminal.close)
        terminal.read_until(b"hearth> ")
        return terminal

    def test_a_conversation(self):
        """on a terminal each line is a turn of one session, until Ctrl-D"""
        terminal = self.open(lambda request: (request.frame("yes"), request.end())[2:])
        terminal.type(b"one\n")
        terminal.read_until(b"yes\r\nhearth> ")
        terminal.type(b"\n")
        terminal.read_until(b"hearth> ")
        terminal.type(b"two\n")
        terminal.read_until(b"yes\r\nhearth> ")
        terminal.type(b"\x04")
        terminal.read_until(b"session ses-1: go on with hearth chat --session ses-1\r\n")
        self.assertEqual(terminal.wait(), 0)
        self.assertEqual([(params["messages"][0]["content"], params.get("sessionId"))
                          for params in self.agentd.params("chat.complete")], [("one", None), ("two", "ses-1")])

    def test_an_interrupt_at_the_prompt_ends(self):
        """Ctrl-C while nothing is under way ends the conversation"""
        terminal = self.open()
        terminal.type(b"\x03")
        self.assertEqual(terminal.wait(), 0)

    def test_a_failure_does_not_end_a_conversation(self):
        """a turn that fails is said, and the next one can be typed"""

        def complete(request):
            raise Fault(NOT_FOUND, "there is no agent coder")

        terminal = self.open(complete)
        terminal.type(b"one\n")
        terminal.read_until(b"there is no agent coder (ENOENT)\r\nhearth> ")
        terminal.type(b"\x04")
        self.assertEqual(terminal.wait(), 0)

    def test_tool_calls_are_dimmed(self):
        """tool calls are dimmed on a terminal that can, not with NO_COLOR and not on a dumb one"""
        for environment, is_dimmed in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
            terminal = self.open(**environment)
            terminal.type(b"one\n")
            shown = terminal.read_until(b"Done.")
            self.assertEqual(b"\x1b[2m> bash npm test --all\x1b[0m" in shown, is_dimmed, shown)
            self.assertEqual(b"\x1b" in shown, is_dimmed)
            terminal.read_until(b"hearth> ")
            terminal.type(b"\x04")
            self.assertEqual(terminal.wait(), 0)


MESSAGES = [
    {"role": "user", "content": "write it"},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": "{\"command\": \"make\\nall\"}"}},
        {"id": "c2", "type": "function", "function": {"name": "bash", "arguments": "{not json"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "exit code: 0\nmore"},
    {"role": "tool", "tool_call_id": "c2", "content": "Error: not JSON\nmore"},
    {"role": "assistant", "content": "done\nand " + HOSTILE},
]
SESSION = {"id": "ses-1", "agent": "coder", "title": HOSTILE, "messages": 5, "created_ms": 1764000000000,
           "updated_ms": 1764000060000}


class Session(unittest.TestCase):
    page_max = 100  # messages of which an answer has room

    def get(self, request):
        if request.params["id"] != "ses-1":
            raise Fault(NOT_FOUND, "there is no such session")
        return SESSION

    def messages(self, request):
        first, limit = request.params["from"], request.params["limit"]
        if limit > self.page_max:
            raise Fault(TOO_LARGE, "the answer is too large")
        rows = [{"seq": seq, "message": message, "created_ms": 1} for seq, message in enumerate(MESSAGES, 1)]
        return {"messages": [row for row in rows if row["seq"] >= first][:limit], "total": len(rows)}

    def hearth(self, *words):
        with FakeAgentd(session_get=self.get, session_messages=self.messages, session_delete=self.get,
                        session_list=lambda request: {"sessions": [SESSION], "total": 3}) as self.agentd:
            return hearth("session", *words, directory=self.agentd.directory)

    def test_ls(self):
        """session ls shows the newest, as a table, as JSON and as ids"""
        result = self.hearth("ls")
        self.assertEqual(result.returncode, 0)
        head, row = result.stdout.decode().splitlines()
        self.assertEqual(head.split(), ["ID", "AGENT", "MESSAGES", "UPDATED", "TITLE"])
        self.assertRegex(row, r"^ses-1 +coder +5 2025-11-2\d \d\d:\d\d ")
        self.assertNotIn("\x1b", row)
        self.assertIn(b"the newest 1 of 3", result.stderr)
        self.assertEqual(self.agentd.params("session.list"), [{"limit": 20}])
        self.assertEqual(self.hearth("ls", "-q").stdout, b"ses-1\n")
        result = self.hearth("ls", "--json", "--agent", "coder", "--limit", "7")
        self.assertEqual(json.loads(result.stdout)["sessions"], [SESSION])
        self.assertEqual(self.agentd.params("session.list"), [{"agent": "coder", "limit": 7}])
        self.assertEqual(self.hearth("ls", "--limit", "0").returncode, 2)

    def test_show(self):
        """session show has the messages, and a line for each tool call and its result"""
        lines = self.hearth("show", "ses-1").stdout.decode().splitlines()
        self.assertRegex(lines[0], r"^session ses-1, agent coder, begun 2025-11-2\d \d\d:\d\d: ")
        self.assertTrue(lines[0].endswith(HARMLESS))
        self.assertEqual(lines[1:], ["", "user: write it", "> bash make all", "> bash {not json", "  exit code: 0 more",
                                     "  error: not JSON", "", "coder: done", "and " + HARMLESS])

    def test_show_in_pieces(self):
        """a session whose messages do not fit into one answer is read in pieces"""
        for self.page_max in (100, 4, 1):
            result = self.hearth("show", "--json", "ses-1")
            shown = json.loads(result.stdout)
            self.assertEqual(shown["session"], SESSION)
            self.assertEqual([row["message"] for row in shown["messages"]], MESSAGES)
        self.page_max = 0
        result = self.hearth("show", "ses-1")
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertIn(b"too large", result.stderr)

    def test_show_what_is_not_there(self):
        """a session that is not there is 3"""
        self.assertEqual(self.hearth("show", "ses-9").returncode, 3)

    def test_messages_that_do_not_go_on(self):
        """an agentd that gives the same messages for ever does not keep us"""
        self.messages = lambda request: {"messages": [{"seq": 1, "message": MESSAGES[0]}], "total": 1 << 40}
        result = self.hearth("show", "ses-1")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"do not go on", result.stderr)

    def test_rm(self):
        """session rm removes each, prints their ids, and ends with the first failure's code"""
        result = self.hearth("rm", "ses-9", "ses-1")
        self.assertEqual((result.returncode, result.stdout), (3, b"ses-1\n"))
        self.assertEqual(self.agentd.params("session.delete"), [{"id": "ses-9"}, {"id": "ses-1"}])
        self.assertEqual(json.loads(self.hearth("rm", "--json", "ses-1").stdout), {"removed": ["ses-1"]})

    def test_an_agentd_without_a_project(self):
        """an agentd that serves no project says so, with what to do"""
        with FakeAgentd() as agentd:
            result = hearth("session", "ls", directory=agentd.directory)
        self.assertEqual(result.returncode, 7)
        self.assertIn(b"hearth start", result.stderr)


class Key(unittest.TestCase):
    left = 1

    def hearth(self, *words):
        made = {"id": "key-1", "name": "ci", "key": "sk_live_abc"}
        row = {"id": "key-1", "name": "ci", "prefix": "sk_live_a", "created_ms": 1764000000000}
        with FakeAgentd(key_create=lambda request: made, key_list=lambda request: {"keys": [row]},
                        key_revoke=lambda request: {"left": self.left}) as self.agentd:
            return hearth("key", *words, directory=self.agentd.directory)

    def test_create(self):
        """key create prints the key alone on stdout, and says that it is shown once"""
        result = self.hearth("create", "--name", "ci")
        self.assertEqual((result.returncode, result.stdout), (0, b"sk_live_abc\n"))
        self.assertIn(b"not shown again", result.stderr)
        self.assertEqual(self.agentd.params("key.create"), [{"name": "ci"}])
        self.assertEqual(json.loads(self.hearth("create", "--test", "--json").stdout)["key"], "sk_live_abc")
        self.assertEqual(self.agentd.params("key.create"), [{"test": True}])

    def test_ls_and_revoke(self):
        """key ls lists them by their beginning, key revoke ends them"""
        head, row = self.hearth("ls").stdout.decode().splitlines()
        self.assertEqual(head.split(), ["ID", "NAME", "PREFIX", "CREATED"])
        self.assertEqual(row.split()[:3], ["key-1", "ci", "sk_live_a"])
        self.assertEqual(json.loads(self.hearth("ls", "--json").stdout)["keys"][0]["id"], "key-1")
        self.assertEqual(self.hearth("revoke", "key-1", "key-2").stdout, b"key-1\nkey-2\n")
        self.assertEqual(self.agentd.params("key.revoke"), [{"id": "key-1"}, {"id": "key-2"}])

    def test_revoke_the_last(self):
        """key revoke warns when no key is left, and only then"""
        self.assertEqual(self.hearth("revoke", "key-1").stderr, b"")
        self.left = 0
        for words in ("key-1",), ("-q", "key-1"), ("--json", "key-1"):
            result = self.hearth("revoke", *words)
            self.assertEqual(result.returncode, 0)
            self.assertRegex(result.stderr.decode(), "^hearth: no key is left: .*anybody on this host.*hearth key create")


if __name__ == "__main__":
    tap.main()

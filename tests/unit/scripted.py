"""hearth-scripted-model: what it says, in both dialects, with and without a scenario."""

import os
import socket
import stat

import tap
from scripted_world import ANTHROPIC, OPENAI, World

TOOL_RESULT = {"role": "tool", "tool_call_id": "c", "content": "file\n"}
CALL = {"role": "assistant", "content": None, "tool_calls": [
    {"id": "c", "type": "function", "function": {"name": "bash", "arguments": "{}"}}]}


class Program(World):
    def test_a_unix_socket(self):
        """it listens on a Unix socket, for its user and group only, and takes it away again"""
        path = os.path.join(self.directory, "model.sock")
        self.assertEqual(self.start(where=("--socket", path)), f"unix:{path}")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o660)
        self.assertEqual(self.text("hello"), "scripted model: you said: hello")
        self.doCleanups()
        self.assertFalse(os.path.exists(path))

    def test_a_descriptor(self):
        """it serves a listening socket that its parent has passed on"""
        for family, address in ((socket.AF_INET, ("127.0.0.1", 0)),
                                (socket.AF_UNIX, os.path.join(self.directory, "passed.sock"))):
            with socket.socket(family, socket.SOCK_STREAM) as listener:
                listener.bind(address)
                listener.listen()
                self.start(where=("--fd", str(listener.fileno())), pass_fds=[listener.fileno()])
                self.assertEqual(self.address, listener.getsockname())
            self.assertEqual(self.text("hello"), "scripted model: you said: hello")

    def test_wrong_options(self):
        """it refuses options that mean nothing, with 2, and a place that it cannot have, with 1"""
        for arguments in ((), ("--port", "0", "--socket", "x"), ("--port", "65536"),
                          ("--port", "x"), ("--fd", "1"), ("--port", "0", "more"), ("--what",)):
            code, out, err = self.run_program(*arguments)
            self.assertEqual((code, out), (2, ""), arguments)
            self.assertIn("hearth-scripted-model", err)
        code, _, err = self.run_program("--fd", "99")
        self.assertEqual(code, 1)
        self.assertIn("--fd 99: Bad file descriptor", err)
        with open(os.path.join(self.directory, "file"), "w", encoding="utf-8") as file:
            code, _, err = self.run_program("--fd", str(file.fileno()), pass_fds=[file.fileno()])
        self.assertEqual(code, 1)
        self.assertIn("Socket operation on non-socket", err)
        code, _, err = self.run_program("--socket", file.name)
        self.assertEqual(code, 1)
        self.assertIn(file.name, err)

    def test_help(self):
        """it shows how it is used, and its version"""
        code, out, err = self.run_program("--help")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("--socket PATH | --fd N | --port N [--scenario FILE]", out)
        code, out, _ = self.run_program("--version")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"^hearth-scripted-model \d")


class Alone(World):
    """Without a scenario."""

    def setUp(self):
        super().setUp()
        self.start()

    def test_it_repeats(self):
        """it says what it was told, and that it is scripted"""
        reply = self.ask("grüße", {"role": "assistant", "content": "a"}, "and 🔥?")
        answer = reply.json()
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.headers["x-hearth-scripted"], "1")
        self.assertEqual(reply.headers["content-type"], "application/json")
        self.assertEqual(answer["model"], "scripted/x")
        self.assertEqual(answer["object"], "chat.completion")
        choice = answer["choices"][0]
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertEqual(choice["message"], {
            "role": "assistant", "content": "scripted model: you said: and 🔥?"})
        usage = answer["usage"]
        self.assertGreater(usage["prompt_tokens"], 10)
        self.assertEqual(usage["completion_tokens"], 9)
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + 9)

    def test_parts(self):
        """the texts of a message in parts are one text, and what is no text is left out"""
        self.assertEqual(self.text({"role": "user", "content": [
            {"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "x"}},
            {"type": "text", "text": "\0b"}, 7, {"type": "text"}]}),
            "scripted model: you said: a\0b")
        self.assertEqual(self.text({"role": "system", "content": "s"}),
                         "scripted model: you said: ")

    def test_run_is_a_call(self):
        """"run: COMMAND" is a call of bash, and then it says what came of it"""
        answer = self.ask("run: ls -l \"a\"\\\r\n").json()["choices"][0]
        self.assertEqual(answer["finish_reason"], "tool_calls")
        self.assertIsNone(answer["message"]["content"])
        call = answer["message"]["tool_calls"][0]
        self.assertEqual(call["type"], "function")
        self.assertEqual(call["function"], {
            "name": "bash", "arguments": '{"command":"ls -l \\"a\\"\\\\"}'})
        self.assertEqual(self.text("run: ls", CALL, TOOL_RESULT), "scripted model: file\n")

    def test_run_lines_are_turns(self):
        """several lines "run: COMMAND" are one call after the other, and other lines are none"""
        said = ["run: a\nthen\nrun: b\n\nrun: c"]
        for command in "abc":
            answer = self.ask(*said).json()["choices"][0]["message"]
            self.assertEqual(answer["tool_calls"][0]["function"]["arguments"],
                             '{"command":"%s"}' % command)
            said += [CALL, {**TOOL_RESULT, "content": f"did {command}"}]
        self.assertEqual(self.text(*said), "scripted model: did c")
        said.append("run: d")
        self.assertEqual(self.ask(*said).json()["choices"][0]["finish_reason"], "tool_calls")
        self.assertEqual(self.text("please\nrun: a"), "scripted model: you said: please\nrun: a")

    def test_ids_differ(self):
        """no two calls have the same id"""
        ids = {self.ask("run: a").json()["choices"][0]["message"]["tool_calls"][0]["id"]
               for _ in range(3)}
        self.assertEqual(len(ids), 3)

    def test_anthropic(self):
        """Anthropic's dialect has text, calls and results in its own shape"""
        answer = self.ask("hi", path=ANTHROPIC).json()
        self.assertEqual((answer["type"], answer["role"]), ("message", "assistant"))
        self.assertEqual(answer["model"], "scripted/x")
        self.assertEqual(answer["content"],
                         [{"type": "text", "text": "scripted model: you said: hi"}])
        self.assertEqual(answer["stop_reason"], "end_turn")
        self.assertEqual(answer["usage"]["output_tokens"], 7)
        answer = self.ask("run: ls", path=ANTHROPIC).json()
        self.assertEqual(answer["stop_reason"], "tool_use")
        call = answer["content"][0]
        self.assertEqual((call["type"], call["name"], call["input"]),
                         ("tool_use", "bash", {"command": "ls"}))
        results = {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "0", "content": "first"},
            {"type": "tool_result", "tool_use_id": "1",
             "content": [{"type": "text", "text": "sec"}, {"type": "text", "text": "ond"}]}]}
        answer = self.ask("run: a\nrun: b", {"role": "assistant", "content": []}, results,
                          path=ANTHROPIC).json()
        self.assertEqual(answer["content"][0]["text"], "scripted model: second")
        results["content"].append({"type": "text", "text": "new"})
        answer = self.ask("run: a", results, path=ANTHROPIC).json()
        self.assertEqual(answer["content"][0]["text"], "scripted model: you said: new")

    def test_model_names(self):
        """a reply's model is scripted, whatever was asked for"""
        for asked, said in (("scripted/a", "scripted/a"), ("", "scripted/model"),
                            (7, "scripted/model"), ("a" * 129, "scripted/model"),
                            ("xai/grok", "scripted/xai/grok")):
            self.assertEqual(self.ask("x", model=asked).json()["model"], said)

    def test_models(self):
        """GET /v1/models lists itself"""
        answer = self.ask_raw("/v1/models", b"", method="GET").json()
        self.assertEqual([model["id"] for model in answer["data"]], ["scripted/model"])

    def test_bad_requests(self):
        """what is no request is refused with 400, and the reason in the dialect's shape"""
        for body, reason in ((b"", "a body is wanted"), (b"{", "not JSON"), (b"[]", "object"),
                             (b"\xff", "not JSON"), (b"7", "not JSON"),
                             (b"[" * 100000, "not JSON"), ({}, "messages"),
                             ({"messages": {}}, "messages"), ({"messages": []}, "not empty"),
                             ({"messages": [1]}, "messages[0].role"),
                             ({"messages": [{"role": "user"}, {"role": 1}]}, "messages[1].role")):
            for path in (OPENAI, ANTHROPIC):
                reply = self.ask_raw(path, body)
                self.assertEqual(reply.status, 400, str(body)[:40])
                answer = reply.json()
                self.assertEqual(answer["error"]["type"], "invalid_request_error")
                self.assertIn(reason, answer["error"]["message"])
                self.assertEqual(answer.get("type"), "error" if path == ANTHROPIC else None)
        for message in ({"role": "user"}, {"role": "user", "content": 7},
                        {"role": "user", "content": [[]]}, {"role": "x", "content": []}):
            self.assertEqual(self.text(message), "scripted model: you said: ")

    def test_other_paths(self):
        """other paths are 404 and other methods 405"""
        self.assertEqual(self.ask_raw("/v1/other", b"{}").status, 404)
        self.assertEqual(self.ask_raw("//v1/models", b"", method="GET").status, 404)
        reply = self.ask_raw(OPENAI, b"", method="GET")
        self.assertEqual((reply.status, reply.headers["allow"]), (405, "POST"))
        reply = self.ask_raw("/v1/models", b"{}")
        self.assertEqual((reply.status, reply.headers["allow"]), (405, "GET"))


class Scenario(World):
    def test_steps_in_order(self):
        """each request takes the next step, a step with repeat as often as that, then it is alone"""
        self.steps({"text": "one"}, {"text": "two", "repeat": 2}, {"text": ""})
        self.assertEqual([self.text("a") for _ in range(5)],
                         ["one", "two", "two", "", "scripted model: you said: a"])

    def test_calls(self):
        """a step has one or several calls, with arguments that need not be right"""
        self.steps({"text": "I look.", "tool_calls": [
            {"name": "read", "arguments": {"path": "ä", "limit": 1}},
            {"name": "bash", "arguments": "{\"command\": "}]}, )
        message = self.ask("a").json()["choices"][0]["message"]
        self.assertEqual(message["content"], "I look.")
        self.assertEqual([call["function"] for call in message["tool_calls"]], [
            {"name": "read", "arguments": '{"path":"ä","limit":1}'},
            {"name": "bash", "arguments": '{"command": '}])

    def test_a_longer_flow(self):
        """the example's flow is a turn for each of its steps"""
        path = os.path.join(os.environ.get("top_srcdir", "."), "examples/scenario.json")
        self.start(where=("--port", "0", "--scenario", path))
        said, names = ["make a greeting"], []
        while True:
            message = self.ask(*said).json()["choices"][0]["message"]
            said.append(message)
            if "tool_calls" not in message:
                break
            for call in message["tool_calls"]:
                names.append(call["function"]["name"])
                said.append({"role": "tool", "tool_call_id": call["id"], "content": "ok"})
        self.assertEqual(names, ["write", "write", "bash", "read", "edit", "bash"])
        self.assertIn("greet", said[-1]["content"])

    def test_conversations(self):
        """a group is for whoever's last message has its word, and counts for each first message"""
        self.start({"conversations": [
            {"match": "cat", "steps": [{"text": "cat 1"}, {"text": "cat 2"}]},
            {"match": "dog", "steps": [{"text": "dog 1"}, {"text": "dog 2"}]}],
            "steps": [{"text": "other 1"}, {"text": "other 2"}]})
        self.assertEqual(self.text("a cat"), "cat 1")
        self.assertEqual(self.text("another cat"), "cat 1")
        self.assertEqual(self.text("a dog"), "dog 1")
        self.assertEqual(self.text("a cow"), "other 1")
        self.assertEqual(self.text("a cat"), "cat 2")
        self.assertEqual(self.text("a cat", "and a dog"), "dog 1")
        self.assertEqual(self.text("a cat", CALL, TOOL_RESULT), "scripted model: file\n")
        self.assertEqual(self.text("no animal"), "other 2")
        self.assertEqual(self.text("a sheep"), "scripted model: you said: a sheep")

    def test_counters_are_limited(self):
        """of more conversations than are counted, the least recently used begins again"""
        self.start({"conversations": [{"match": "x", "steps": [
            {"text": "1"}, {"text": "2", "repeat": 10000}]}]})
        client = self.connect()
        for i in range(4097):
            client.sendall(self.request(OPENAI, {"messages": [{"role": "user", "content": f"x{i}"}]},
                                        headers=""))
            while not client.recv(65536).endswith(b"}}"):
                pass
        self.assertEqual([self.text("x4096"), self.text("x1"), self.text("x0")], ["2", "2", "1"])

    def test_errors(self):
        """a step with a status is that error, in the dialect's shape or with a body of its own"""
        self.steps({"status": 429, "retry_after": 3}, {"status": 529}, {"status": 401},
                   {"status": 500, "body": {"any": 1}}, {"status": 502, "body": "<html>"},
                   {"status": 204}, {"status": 404, "repeat": 2})
        reply = self.ask("a")
        self.assertEqual((reply.status, reply.headers["retry-after"]), (429, "3"))
        self.assertEqual(reply.json()["error"]["code"], "rate_limit_exceeded")
        reply = self.ask("a", path=ANTHROPIC, stream=True)
        self.assertEqual((reply.status, reply.json()["error"]["type"]), (529, "overloaded_error"))
        self.assertNotIn("retry-after", reply.headers)
        self.assertEqual(self.ask("a").json()["error"]["code"], "invalid_api_key")
        self.assertEqual(self.ask("a").json(), {"any": 1})
        reply = self.ask("a")
        self.assertEqual((reply.headers["content-type"], reply.body), ("text/plain", b"<html>"))
        self.assertEqual((self.ask("a").status, reply.headers["x-hearth-scripted"]), (204, "1"))
        self.assertEqual(self.ask("a").json()["error"]["code"], "model_not_found")
        self.assertEqual(self.ask("a", path=ANTHROPIC).json()["error"]["type"], "not_found_error")

    def test_finish_and_usage(self):
        """a step says why it ends and what it has cost"""
        self.steps(*({"text": "a", "finish": finish, "usage": {"prompt_tokens": 7}} for finish in (
            "stop", "length", "tool_calls", "content_filter") for _ in range(2)))
        for finish, reason in (("stop", "end_turn"), ("length", "max_tokens"),
                               ("tool_calls", "tool_use"), ("content_filter", "refusal")):
            answer = self.ask("a").json()
            self.assertEqual(answer["choices"][0]["finish_reason"], finish)
            self.assertEqual(answer["usage"], {
                "prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7})
            answer = self.ask("a", path=ANTHROPIC).json()
            self.assertEqual(answer["stop_reason"], reason)
            self.assertEqual(answer["usage"], {"input_tokens": 7, "output_tokens": 0})

    def test_bad_arguments_in_anthropics_dialect(self):
        """there, arguments that are no JSON are a string in a reply and as they are in a stream"""
        self.steps({"tool_calls": [{"name": "a", "arguments": "{bad"}], "repeat": 2})
        answer = self.ask("a", path=ANTHROPIC).json()
        self.assertEqual(answer["content"][0]["input"], "{bad")
        deltas = [data["delta"]["partial_json"] for name, data in
                  self.ask("a", path=ANTHROPIC, stream=True).events()
                  if name == "content_block_delta"]
        self.assertEqual("".join(deltas), "{bad")


class WrongScenario(World):
    def test_they_are_refused(self):
        """a scenario with an error is refused at the start: file, line, what is wanted"""
        step = '{"steps": [\n{"text": "a"},\n{"text": "b",\n %s}]}'
        for text, reason in (
                ("", "line 1: "), ("{", "line 1: "), ('{"steps": [\n\n{]}', "line 3: "),
                ("\ufeff{}", "line 1: "), ("[]", 'line 1: {"steps": [...]} is wanted'),
                ("{}", 'line 1: {"steps": [...]} is wanted'),
                ('\n{"step": []}', "line 2: step: unknown member; a scenario has steps and"),
                ('{"steps": {}}', "line 1: steps: an array of at most 10000 steps"),
                ('{"steps": [7]}', "line 1: steps[0]: an object is wanted"),
                ('{"steps": [\n{}]}', "line 2: steps[0]: one of text, tool_calls and status"),
                ('{"steps": [\n{"text": "a",\n"text": "b"}]}', "duplicate object key"),
                (step % '"chonk": 1', 'line 4: steps[1].chonk: unknown member; is "chunk" meant?'),
                (step % '"x": 1', "line 4: steps[1].x: unknown member\n"),
                (step % '"chunk": 0', "line 4: steps[1].chunk: a whole number is wanted, 1 to"),
                (step % '"delay_ms": -1', "line 4: steps[1].delay_ms: a whole number"),
                (step % '"repeat": 1.5', "line 4: steps[1].repeat: a whole number"),
                (step % '"crlf": 1', "line 4: steps[1].crlf: true or false is wanted"),
                (step % '"thinking": null', "line 4: steps[1].thinking: a string is wanted"),
                (step % '"finish": "x"', 'line 4: steps[1].finish: "stop", "length",'),
                (step % '"retry_after": 1', "line 4: steps[1].retry_after: only a step with a"),
                (step % '"status": 500', "line 3: steps[1].text: a step with a status has no"),
                (step % '"tool_calls": []', "line 4: steps[1].tool_calls: an array of 1 to 4096"),
                (step % '"tool_calls": [\n{"name": 7}]',
                 "line 5: steps[1].tool_calls[0].name: the tool's name is wanted"),
                (step % '"tool_calls": [{"name": "a",\n"arguments": []}]',
                 "line 5: steps[1].tool_calls[0].arguments: an object is wanted"),
                (step % '"tool_calls": [{"id": "a"}]', 'unknown member "id"'),
                (step % '"usage": {\n"total": 1}', "line 5: steps[1].usage.total: unknown member"),
                ('{"steps": [{"status": 199}]}', "a whole number is wanted, 200 to 599"),
                ('{"steps": [{"status": 500, "body": []}]}', "steps[0].body: an object is wanted"),
                ('{"conversations": [{"match": "a"}]}', "line 1: conversations[0]: {"),
                ('{"conversations": [\n{"match": "",\n"steps": []}]}',
                 "line 2: conversations[0].match: a part of the last user message"),
                ('{"conversations": [{"match": "}\\"]",\n"steps": [\n{"text": 1}]}]}',
                 "line 3: conversations[0].steps[0].text: a string is wanted")):
            path = self.write_scenario(text)
            code, out, err = self.run_program("--port", "0", "--scenario", path)
            self.assertEqual((code, out), (2, ""), text)
            self.assertTrue(err.startswith(f"hearth-scripted-model: {path}: line "), err)
            self.assertIn(reason, err)

    def test_files_that_are_none(self):
        """a file that is missing or no file is refused too, and a relative path is one"""
        code, _, err = self.run_program("--port", "0", "--scenario", "missing.json")
        self.assertEqual(code, 2)
        self.assertIn("missing.json: No such file", err)
        code, _, err = self.run_program("--port", "0", "--scenario", self.directory)
        self.assertEqual(code, 2)
        self.assertIn("Is a directory", err)
        self.write_scenario({"steps": []})
        program = os.path.abspath(os.environ.get("top_builddir", ".")) + "/hearth-scripted-model"
        self.start(where=("--port", "0", "--scenario", "scenario.json"), cwd=self.directory,
                   executable=program)
        self.assertEqual(self.text("a"), "scripted model: you said: a")


tap.main()

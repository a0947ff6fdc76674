"""Runs that cannot begin, go on or be recorded: what their clients are told, and that agentd and the session go on."""

import contextlib
import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import threading

import tap
from agent_world import AgentWorld, CODER, Connection
from rpc_client import PATIENCE_S, RpcError, until

EMPTY, NO_TEMPLATE, LIMIT = 3, 2, 5  # refusals
MANY = 100  # more than a sandbox is asked for: while the model writes, and again when it is needed
CLIENTS_MAX, SPARE_FDS = 512, 64  # what agentd keeps of its descriptors
PENDING_MAX = 4096  # operations that wait for the store
EVENTS_KEPT = 4096


def call(name, **arguments):
    return {"name": name, "arguments": arguments}


class Errors(AgentWorld):
    def failed(self, message, status, code, **members):
        """A chat that fails so: (message, headers)."""
        answered, headers, body = self.request("POST", "/v1/chat/completions", {
            "model": "coder", "messages": [{"role": "user", "content": message}], **members})
        self.assertEqual((answered, body.get("error", {}).get("code")), (status, code), body)
        return body["error"]["message"], headers

    def cancel(self, response):
        run = response.headers["x-run-id"]
        self.assertEqual(self.request("POST", f"/v1/runs/{run}/cancel")[0], 200)
        return run

    def finish(self, response):
        """The last choice that is streamed."""
        return list(self.frames(response))[-1]["choices"][0]

    def until_file(self, name):
        until(lambda: os.path.exists(os.path.join(self.root, name)), f"{name} is there")

    def new_supervisor(self):
        self.supervisor.kill()
        self.assertEqual(self.agentd.wait(PATIENCE_S), 1, self.read_log())
        self.supervisor.wait(PATIENCE_S)
        self.supervisor = self._start("tests/fake/fake_supervisor", self.directory,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect("ready 0")
        self.agentd = self.start_agentd()
        until(self._answers, "agentd answers")

    def wait_for_end(self, run):
        def row():
            answer = self.request("GET", f"/v1/runs/{run}")[2]["data"]
            return answer["status"] != "running" and answer
        return until(row, "the run ends")

    def read_events(self, run, cursor):
        connection = Connection(os.path.join(self.directory, "api.sock"))
        self.addCleanup(connection.close)
        connection.request("GET", f"/v1/runs/{run}/events?cursor={cursor}")
        return connection.getresponse()


class Pool(Errors):
    def test_refused(self):
        """without a sandbox a run waits as long as there is hope, then fails with 503 and when to ask again"""
        self.command(f"deny 1 {EMPTY} 10")
        session = self.chat("run: echo hi")["sessionId"]
        self.command(f"deny {MANY} {EMPTY} 10")
        message, headers = self.failed("run: echo hi", 503, "pool_exhausted", sessionId=session)
        self.assertEqual((message, headers["Retry-After"]), ("no sandbox: empty", "1"))
        self.assertEqual(headers["x-should-retry"], "false", "the session has the message already")
        self.command(f"deny {MANY} {LIMIT} 1")
        choice = self.finish(self.open_chat("run: echo hi"))
        self.assertEqual((choice["finish_reason"], choice["error"]["message"]), ("error", "no sandbox: limit"))
        for refusal, name in (NO_TEMPLATE, "no_template"), (LIMIT, "limit"):
            self.command(f"deny {MANY} {refusal} 0")
            self.assertEqual(self.failed("run: echo hi", 500, "internal_error")[0], f"no sandbox: {name}")
        self.command("deny 0 0 0")
        self.assertIn("hi", self.chat("run: echo hi", sessionId=session)["choices"][0]["message"]["content"])
        rows = self.request("GET", f"/v1/chat/sessions/{session}/messages")[2]["data"]["messages"]
        self.assertIn("Error: the run ended before this call did", [row["message"]["content"] for row in rows])

    def test_cancelled(self):
        """a run that waits for a sandbox, or for its next try, is cancelled at once"""
        for command, event in ("ignore 1", "never 0"), (f"deny 1 {EMPTY} 60000", "denied 0"):
            self.command(command)
            response = self.open_chat(f"run: echo {command}")
            self.expect(event)
            self.cancel(response)
            self.assertEqual(self.finish(response)["finish_reason"], "cancelled")

    def test_stopped(self):
        """a run that waits for a sandbox when agentd or the supervisor ends is told so, and goes on afterwards"""
        for end in lambda: self.restart_agentd(signal.SIGTERM), self.new_supervisor:
            self.command("ignore 1")
            response = self.open_chat("run: echo hi")
            run = response.headers["x-run-id"]
            self.expect("never 0")
            end()
            choice = self.finish(response)
            self.assertEqual(choice["finish_reason"], "error")
            self.assertIn("the run goes on when it is back", choice["error"]["message"])
            self.assertEqual(self.wait_for_end(run)["status"], "completed")


class Asking(Errors):
    scenario = {"steps": [], "conversations": [
        {"match": "wait", "steps": [{"delay_ms": 60000, "text": "x", "repeat": 100}]}]}  # resumed runs ask too

    def plain(self, message):
        """A chat that is not streamed, under way."""
        connection = Connection(os.path.join(self.directory, "api.sock"))
        self.addCleanup(connection.close)
        body = {"model": "coder", "messages": [{"role": "user", "content": message}]}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        return connection

    def test_stopped(self):
        """while the model is asked: a plain answer is 503 when agentd ends, or the supervisor; a stream has begun by then"""
        for end in lambda: self.restart_agentd(signal.SIGTERM), self.new_supervisor:
            plain = self.plain("wait plainly")
            stream = self.open_chat("wait streamed")  # its headers come after a second of silence
            end()
            answer = plain.getresponse()
            self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "1"))
            self.assertEqual(answer.headers["x-should-retry"], "false", "the run goes on by itself")
            self.assertEqual(json.loads(answer.read())["error"]["code"], "stopping")
            self.assertEqual(self.finish(stream)["finish_reason"], "error")

    def test_cancelled(self):
        """while the model is asked a run is cancelled; a reader of its events sees the end, from whichever event on"""
        response = self.open_chat("wait")
        run = response.headers["x-run-id"]
        readers = [self.read_events(run, cursor) for cursor in (0, 2, 1000)]
        self.cancel(response)
        self.assertEqual(self.finish(response)["finish_reason"], "cancelled")
        texts = [reader.read().decode() for reader in readers]
        self.assertIn('"status":"cancelled"', texts[0])
        self.assertEqual(texts[2], "")
        self.assertEqual(self.wait_for_end(run)["status"], "cancelled")


class Upstream(Errors):
    scenario = {"steps": [{"status": 400}]}

    def test_failed(self):
        """a run that the model's provider has failed is not to be asked for again: its session has the message"""
        _, headers = self.failed("hello", 502, "upstream_error")
        self.assertEqual(headers["x-should-retry"], "false")
        rows = self.request("GET", f"/v1/chat/sessions/{headers['x-session-id']}/messages")[2]["data"]["messages"]
        self.assertEqual([row["message"]["content"] for row in rows], ["hello"])


class NoModel(Errors):
    agents = [{name: value for name, value in CODER.items() if name != "model"}]

    def test_no_model(self):
        """an agent without a model is refused with what to do, before there is a session"""
        message, headers = self.failed("hello", 400, "invalid_request")
        self.assertIn('give it "model": "provider/model"', message)
        self.assertNotIn("x-session-id", headers)
        self.assertEqual(self.request("GET", "/v1/chat/sessions")[2]["data"]["total"], 0)


class Partial(Errors):
    scenario = {"steps": [{"text": "I have deleted the file and now ", "chunk": 4, "stall_after": 900}, {"text": "done"}]}

    def lose_end(self, run):
        """As if agentd had been killed between what was said and the run's end."""
        self.agentd.send_signal(signal.SIGTERM)
        self.agentd.wait(PATIENCE_S)
        with contextlib.closing(sqlite3.connect(os.path.join(self.project, ".hearth/state/sessions.db"))) as store:
            store.execute("UPDATE run SET status = 'running' WHERE id = ?", (run,))
            store.commit()
        self.agentd = self.start_agentd()
        until(self._answers, "agentd answers")

    def test_cancelled(self):
        """what was streamed before a cancel is in the session, for the next run too; the run does not go on after a crash"""
        response = self.open_chat("go")
        said = ""
        for frame in self.frames(response):
            choice = frame["choices"][0]
            said += choice["delta"].get("content") or ""
            if said and choice["finish_reason"] is None:
                self.cancel(response)
        self.assertEqual(choice["finish_reason"], "cancelled")
        session = response.headers["x-session-id"]
        self.chat("go on", sessionId=session)
        self.lose_end(response.headers["x-run-id"])
        rows = self.request("GET", f"/v1/chat/sessions/{session}/messages")[2]["data"]["messages"]
        self.assertEqual([(row["message"]["role"], row["message"]["content"]) for row in rows],
                         [("user", "go"), ("assistant", said), ("user", "go on"), ("assistant", "done")])
        self.assertEqual(self.wait_for_end(response.headers["x-run-id"])["status"], "cancelled")


class Nul(Errors):
    def test_nul(self):
        """a NUL that a tool puts out is none in what is told and stored"""
        body = self.chat(r"run: printf 'a\0b\n'")
        rows = self.request("GET", f"/v1/chat/sessions/{body['sessionId']}/messages")[2]["data"]["messages"]
        self.assertIn("a\ufffdb\n", rows[2]["message"]["content"])
        self.assertNotIn("\0", json.dumps(rows, ensure_ascii=False))


class Busy(Errors):
    agents = [{**CODER, "maxConcurrency": 1}, {**CODER, "name": "other"}]
    scenario = {"steps": [], "conversations": [
        {"match": "wait", "steps": [{"tool_calls": [call("bash", command="touch begun; sleep 60")]}]}]}

    def test_busy(self):
        """an agent with its maxConcurrency is 429, a session with a run under way 409, for a chat and for its removal"""
        response = self.open_chat("wait")
        session = response.headers["x-session-id"]
        self.until_file("begun")
        message, headers = self.failed("x", 429, "rate_limit_exceeded")
        self.assertIn("maxConcurrency", message)
        self.assertNotIn("x-should-retry", headers, "nothing was stored")
        self.assertEqual(headers["Retry-After"], "1")
        self.assertIn("under way", self.failed("x", 409, "conflict", sessionId=session)[0])
        self.assertEqual(self.request("DELETE", f"/v1/chat/sessions/{session}")[0], 409)
        self.assertIn("hello", self.chat("hello", agent="other")["choices"][0]["message"]["content"])
        self.cancel(response)
        self.finish(response)
        self.chat("x")


class Descriptors(Errors):
    scenario = {"steps": [], "conversations": [
        {"match": "wait", "steps": [{"tool_calls": [call("bash", command="touch begun; sleep 60")]}]}]}

    def _start(self, program, *arguments, **options):
        if program == "hearth-agentd":
            limit = CLIENTS_MAX + SPARE_FDS + 1
            options["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        return super()._start(program, *arguments, **options)

    def test_limit(self):
        """a run is 503 when agentd's descriptors are all in use for sandboxes, and told when to ask again"""
        response = self.open_chat("wait")
        self.until_file("begun")
        message, headers = self.failed("run: echo hi", 503, "pool_exhausted")
        self.assertIn("RLIMIT_NOFILE", message)
        self.assertEqual(headers["Retry-After"], "1")
        self.cancel(response)
        self.finish(response)


class Disk(Errors):
    scenario = {"steps": [], "conversations": [
        {"match": "wait", "steps": [{"tool_calls": [
            call("bash", command="touch begun; until [ -e go ]; do sleep 0.01; done")]}, {"text": "done"}]}]}

    def test_full(self):
        """a store that cannot be written fails what is to be recorded, and nothing else; with room it goes on"""
        session = self.chat("hello")["sessionId"]
        response = self.open_chat("wait")
        self.until_file("begun")
        admin = self.connect()
        self.limit_files(4096)
        self.write_file("go", b"")
        choice = self.finish(response)
        self.assertEqual(choice["finish_reason"], "error")
        self.assertIn("be recorded", choice["error"]["message"])
        self.assertIn("cannot be recorded", self.failed("x", 500, "internal_error", sessionId=session)[0])
        self.assertEqual(self.request("PATCH", f"/v1/chat/sessions/{session}", {"title": "x"})[0], 500)
        for method, params in ("key.create", {}), ("key.revoke", {"id": "no"}), ("session.delete", {"id": session}):
            with self.assertRaises(RpcError) as caught:
                admin.call(method, **params)
            self.assertIn(caught.exception.type, ("internal_error", "not_found"))
        self.assertEqual(self.request("GET", f"/v1/chat/sessions/{session}")[2]["data"]["messages"], 2)
        self.limit_files("unlimited")
        self.assertEqual(self.chat("again", sessionId=session)["choices"][0]["finish_reason"], "stop")


class Flood(Errors):
    """More is asked of the store than may wait: each request is told to come again."""
    SESSIONS = 500
    scenario = {"steps": [], "conversations": [
        {"match": "wait", "steps": [{"tool_calls": [
            call("bash", command="touch begun; until [ -e go ]; do sleep 0.01; done"), call("bash", command="true")]},
            {"text": "done"}]}]}

    def fill_store(self):
        """With sessions that take time to look through."""
        self.chat("first")
        self.agentd.send_signal(signal.SIGTERM)
        self.agentd.wait(PATIENCE_S)
        path = os.path.join(self.project, ".hearth/state/sessions.db")
        with contextlib.closing(sqlite3.connect(path)) as store:
            store.executemany("INSERT INTO session (id, agent, created_ms, updated_ms) VALUES (?, 'coder', 0, 0)",
                              ((f"s{i}",) for i in range(self.SESSIONS)))
            store.commit()
        self.agentd = self.start_agentd()
        until(self._answers, "agentd answers")

    def flood(self, end):
        """As many requests as a connection may have wait all the time."""
        last_id = 0
        answered = 1000
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(PATIENCE_S)
            peer.connect(self.path)
            while not end.is_set():
                peer.sendall(b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"session.list","params":{"agent":"nobody"}}\n'
                                      % i for i in range(last_id, last_id + answered)))
                last_id += answered
                answered = peer.recv(1 << 20).count(b"\n")

    @contextlib.contextmanager
    def full(self):
        end = threading.Event()
        threads = [threading.Thread(target=self.flood, args=[end]) for _ in range(PENDING_MAX // 1000 + 2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            end.set()
            for thread in threads:
                thread.join()

    def is_busy(self, client, method, params):
        try:
            client.call(method, **params)
        except RpcError as error:
            return error.type == "busy"
        return False

    def test_full(self):
        """what finds the store's queue full is told to come again; a run that cannot be recorded ends, and says so"""
        self.fill_store()
        client = self.connect()
        response = self.open_chat("wait")
        self.until_file("begun")
        chat = {"model": "coder", "messages": [{"role": "user", "content": "x"}]}
        with self.full():
            for method, params in (("session.list", {}), ("session.get", {"id": "s1"}), ("session.messages", {"id": "s1"}),
                                   ("session.patch", {"id": "s1", "title": "x"}), ("session.delete", {"id": "no"}),
                                   ("run.get", {"id": "no"}), ("run.events", {"id": "no"}), ("key.list", {}),
                                   ("key.create", {}), ("key.revoke", {"id": "no"}), ("chat.complete", chat),
                                   ("chat.complete", {**chat, "sessionId": "s1"})):
                until(lambda: self.is_busy(client, method, params), method)
            self.write_file("go", b"")
            choice = self.finish(response)
        self.assertEqual(choice["finish_reason"], "error")
        self.assertIn("recorded", choice["error"]["message"])
        until(lambda: not self.is_busy(client, "session.get", {"id": "s1"}), "there is room again")


class Long(Errors):
    scenario = {"steps": [], "conversations": [{"match": "events", "steps": [
        {"tool_calls": [call("fly")] * 100, "repeat": EVENTS_KEPT // 200 + 1},
        {"tool_calls": [call("bash", command="touch begun; sleep 60")]}]}]}

    def test_events(self):
        """the events of a run that told more than it keeps in memory are read from the store, then from the run"""
        response = self.open_chat("events")
        self.until_file("begun")
        run = response.headers["x-run-id"]
        reader = self.read_events(run, 0)
        self.cancel(response)
        events = [json.loads(line[6:]) for line in reader.read().decode().splitlines() if line.startswith("data: ")]
        self.assertEqual([event["seq"] for event in events], list(range(1, len(events) + 1)))
        self.assertGreater(len(events), EVENTS_KEPT)
        self.assertEqual(events[-1]["type"], "end")


class Cut(Errors):
    agents = [{**CODER, "maxTurns": 100}]
    scenario = {"steps": [{"text": "first half, ", "chunk": 4, "cut_after": 700}, {"text": "second half"},
                          {"text": "first half, ", "chunk": 4, "cut_after": 700}, {"text": "second half"},
                          {"text": "long", "finish": "length"}, {"text": "bad", "finish": "content_filter"}]}

    def test_cut(self):
        """a reply that breaks off in the middle is gone on with; the model's own limits are said as finish and reason"""
        body = self.chat("go")
        text = body["choices"][0]["message"]["content"]
        rows = self.request("GET", f"/v1/chat/sessions/{body['sessionId']}/messages")[2]["data"]["messages"]
        self.assertEqual(len(rows), 3)
        self.assertEqual(text, "".join(row["message"]["content"] for row in rows[1:]))
        self.assertRegex(text, "^firs.*second half$")
        # Of an earlier reply, and of one that the client itself began, nothing stands in it.
        begun = [{"role": "user", "content": "go"}, {"role": "assistant", "content": "begun"}]
        body = self.request("POST", "/v1/chat/completions", {"model": "coder", "messages": begun})[2]
        self.assertEqual(body["choices"][0]["message"]["content"], text)
        body = self.chat("go")
        self.assertEqual((body["choices"][0]["finish_reason"], body["reason"]),
                         ("length", "the model's own limit of a reply is reached"))
        self.assertEqual(self.chat("go")["choices"][0]["finish_reason"], "content_filter")


class Keys(Errors):
    def test_start(self):
        """from the first moment of a start no request without a key is served, when there are keys"""
        self.connect().call("key.create")
        for _ in range(8):
            self.agentd.send_signal(signal.SIGTERM)
            self.agentd.wait(PATIENCE_S)
            self.agentd = self.start_agentd()
            status = until(self.ask_without_key, "it answers")
            self.assertEqual(status, 401)
        until(self._answers, "agentd answers")

    def ask_without_key(self):
        with contextlib.suppress(OSError):
            return self.request("GET", "/v1/models")[0]
        return None


tap.main()

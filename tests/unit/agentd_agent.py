"""Runs of an agent: what a client of the HTTP API gets, what the model is told, what is kept."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess

import tap
from agent_world import AgentWorld, CODER, Connection
from rpc_client import PATIENCE_S, RpcError, until


REASON_OOM, LIMIT_HIT_MEMORY = 5, 1


def call(name, arguments):
    return {"tool_calls": [{"name": name, "arguments": arguments}]}


class Text(AgentWorld):
    def test_text_takes_no_sandbox(self):
        """an answer of text only takes no sandbox"""
        body = self.chat("hello")
        self.assertIn("hello", body["choices"][0]["message"]["content"])
        self.assertEqual(body["choices"][0]["finish_reason"], "stop")
        self.assertEqual(self.leases(), 0)

    def test_models_are_agents(self):
        """the agents are the models of an OpenAI client"""
        status, _, body = self.request("GET", "/v1/models")
        self.assertEqual((status, [model["id"] for model in body["data"]]), (200, ["coder"]))
        status, _, body = self.request("GET", "/v1/models/nobody")
        self.assertEqual((status, body["error"]["code"]), (404, "agent_not_found"))

    def test_files_are_read_again(self):
        """agents that change are served as they are now; with an error the old ones stay, and the log says why"""
        self.write_project(".hearth/agents.json", json.dumps([CODER, {**CODER, "name": "second"}]))
        until(lambda: len(self.request("GET", "/v1/models")[2]["data"]) == 2, "the second one is there")
        self.write_project(".hearth/agents.json", "[{")
        until(lambda: self.request("GET", "/v1/models") and "goes on as it was read before" in self.read_log(),
              "the error is logged")
        self.assertEqual(len(self.request("GET", "/v1/models")[2]["data"]), 2)

    def test_who_answers(self):
        """an agent that there is not is refused; a session that there is not, too"""
        message = [{"role": "user", "content": "x"}]
        status, _, body = self.request("POST", "/v1/chat/completions", {"model": "gpt-4", "messages": message})
        self.assertEqual((status, body["error"]["code"]), (404, "agent_not_found"))
        status, _, body = self.request(
            "POST", "/v1/chat/completions", {"model": "coder", "sessionId": "ses-no", "messages": message})
        self.assertEqual((status, body["error"]["code"]), (404, "session_not_found"))

    def test_bad_messages(self):
        """messages that are none say where and why"""
        for messages, where in (([{"role": "clown", "content": "x"}], "messages[0].role"),
                                ([{"role": "user"}], "messages[0].content"),
                                ([{"role": "user", "content": [{"type": "image_url"}]}], "messages[0].content[0]"),
                                ([{"role": "tool", "content": "x"}], "messages[0].tool_call_id"),
                                ([], "messages")):
            status, _, body = self.request("POST", "/v1/chat/completions", {"model": "coder", "messages": messages})
            self.assertEqual(status, 400, body)
            self.assertIn(where, body["error"]["message"])

    def test_session_goes_on(self):
        """a session goes on, with all that was said, by its id alone, also after agentd was killed"""
        first = self.chat("one")
        self.restart_agentd()
        again = self.chat("two", sessionId=first["sessionId"])
        self.assertEqual(again["sessionId"], first["sessionId"])
        status, _, body = self.request("GET", f"/v1/chat/sessions/{first['sessionId']}/messages")
        self.assertEqual(status, 200)
        self.assertEqual([row["message"]["role"] for row in body["data"]["messages"]],
                         ["user", "assistant", "user", "assistant"])

    def test_session_is_removed(self):
        """a session is listed, gets a title, and is removed with what was said"""
        session = self.chat("one\n" + "long " * 100)["sessionId"]
        self.assertEqual(self.request("GET", f"/v1/chat/sessions/{session}")[2]["data"]["title"], "one")
        status, _, body = self.request("PATCH", f"/v1/chat/sessions/{session}", {"title": "x\u202ey"})
        self.assertEqual((status, body["data"]["title"]), (200, "x\u202ey"))
        _, _, body = self.request("GET", "/v1/chat/sessions")
        self.assertEqual([row["id"] for row in body["data"]["sessions"]], [session])
        self.assertEqual(self.request("DELETE", f"/v1/chat/sessions/{session}")[0], 200)
        self.assertEqual(self.request("GET", f"/v1/chat/sessions/{session}")[0], 404)


class Workspace(AgentWorld):
    def remove(self, session):
        status, _, body = self.request("DELETE", f"/v1/chat/sessions/{session}")
        self.assertEqual(status, 200, body)

    def test_it_goes_with_its_session(self):
        """a session's workspace is removed with it, whichever way it is removed"""
        for remove in (self.remove, lambda session: self.connect().call("session.delete", id=session)):
            session = self.chat("run: echo hi")["sessionId"]
            remove(session)
            self.expect(f"removed {session}")

    def test_it_is_in_use(self):
        """while a sandbox still has it the answer is the same, and it is removed later"""
        session = self.chat("run: echo hi")["sessionId"]
        self.command("hold 2")
        self.remove(session)
        for event in "held", "held", "removed":
            self.expect(f"{event} {session}")
        self.assertNotIn("stays", self.read_log())

    def test_it_stays(self):
        """what cannot be removed is named in the log: at once when there is no use in asking again, or at the end"""
        for command, why in (("refuse 1", "no such luck"), ("hold 6", "the workspace is in use"),
                             ("hold 1000", "agentd stops")):
            session = self.chat("hello")["sessionId"]
            self.command(command)
            self.remove(session)
            self.expect(f"held {session}")
            if why == "agentd stops":
                self.agentd.send_signal(signal.SIGTERM)
            said = f"workspace {session} stays until agentd starts again, its session has gone: {why}"
            until(lambda: said in self.read_log(), "it is said")

    def test_it_is_removed_later(self):
        """a workspace that was not removed when agentd was killed is removed at its next start, once"""
        session = self.chat("hello")["sessionId"]
        self.command("hold 1000")
        self.remove(session)
        self.expect(f"held {session}")
        self.command("hold 0")
        self.restart_agentd()
        self.expect(f"removed {session}")
        self.chat("run: echo hi")  # the supervisor and the store are asked in turn
        self.restart_agentd()
        self.chat("run: echo hi")
        self.command("count")
        lines = [""]
        while not lines[-1].startswith("total "):
            lines.append(self.supervisor.stdout.readline())
        self.assertEqual([line for line in lines if line.startswith("removed")], [])

    def test_no_session_no_workspace(self):
        """where no session was removed, no workspace is"""
        self.assertEqual(self.request("DELETE", "/v1/chat/sessions/ses-no")[0], 404)
        session = self.chat("hello")["sessionId"]
        self.remove(session)
        self.assertEqual(self.supervisor_says(), f"removed {session}")

    def supervisor_says(self):
        return self.supervisor.stdout.readline().strip()


class Tools(AgentWorld):
    def test_command_in_stream(self):
        """a tool call is seen in the stream beside the delta, its result too, and the text comes last"""
        response = self.open_chat("run: echo hi", stream_options={"include_usage": True})
        frames = list(self.frames(response))
        deltas = [choice["delta"] for frame in frames for choice in frame["choices"]]
        self.assertEqual(deltas[0]["role"], "assistant")
        self.assertFalse([delta for delta in deltas if "tool_calls" in delta])
        states = [choice["tool_call"] for frame in frames for choice in frame["choices"] if "tool_call" in choice]
        self.assertEqual([state["state"] for state in states], ["preparing", "calling", "completed"])
        self.assertEqual(states[1]["arguments"], {"command": "echo hi"})
        self.assertIn("hi", states[2]["result"])
        self.assertIn("hi", "".join(delta.get("content", "") for delta in deltas))
        self.assertGreater(frames[-1]["usage"]["total_tokens"], 0)
        self.assertTrue(frames[-2]["sessionId"])
        self.assertEqual(frames[-2]["choices"][0]["finish_reason"], "stop")
        self.assertEqual(self.leases(), 1)

    def test_directory_and_second_call(self):
        """the working directory of a session lasts from one call to the next"""
        def lasts():
            session = self.chat("run: mkdir -p deep/er && cd deep/er")["sessionId"]
            body = self.chat("run: pwd", sessionId=session)
            return "deep/er" in body["choices"][0]["message"]["content"]
        # Guests without a jail have one /tmp: another test's command may end at the same moment, and overwrite the note.
        until(lasts, "the second call is where the first one went")
        self.assertEqual(self.leases() % 2, 0)

    def test_events_are_replayed(self):
        """the events of a run that has ended are read again, from any of them on"""
        body = self.chat("run: echo hi")
        status, _, row = self.request("GET", f"/v1/runs/{body['runId']}")
        self.assertEqual((status, row["data"]["status"]), (200, "completed"))
        everything = self.read_events(body["runId"], 0)
        self.assertEqual([event["seq"] for event in everything], list(range(1, len(everything) + 1)))
        self.assertEqual(everything[-1]["type"], "end")
        self.assertEqual(self.read_events(body["runId"], 3), everything[3:])

    def read_events(self, run, cursor):
        connection = Connection(os.path.join(self.directory, "api.sock"))
        self.addCleanup(connection.close)
        connection.request("GET", f"/v1/runs/{run}/events?cursor={cursor}")
        response = connection.getresponse()
        return [json.loads(line[6:]) for line in response.read().decode().splitlines() if line.startswith("data: ")]


class Refusing(AgentWorld):
    def refused(self, message):
        """Why each call of a run is, none of which begins."""
        calls = [choice["tool_call"] for frame in self.frames(self.open_chat(message)) for choice in frame["choices"]
                 if "tool_call" in choice]
        self.assertEqual({call["state"] for call in calls}, {"preparing", "error"})
        return [call["result"] for call in calls if call["state"] == "error"]


class Refused(Refusing):
    agents = [{**CODER, "allowedTools": ["read", "memory_*"]}]
    scenario = {"steps": [call("bash", {"command": "echo no"}), call("fly", {}), {"text": "done"},
                          call("read", "{not json"), call("read", {"pth": "x"}), {"text": "done"}]}

    def expect_refused(self, *parts):
        results = self.refused("go")
        self.assertEqual(len(results), len(parts))
        for result, part in zip(results, parts):
            self.assertTrue(result.startswith("Error:"), result)
            self.assertIn(part, result)

    def test_calls_that_may_not_be(self):
        """a tool that is not allowed or not known is refused to the model and takes no sandbox; one called wrongly is not run"""
        self.expect_refused("may not call", "no such thing")
        self.assertEqual(self.leases(), 0)
        self.expect_refused("not a JSON object", "path is required")


class Astray(Refusing):
    agents = [{**CODER, "allowedPaths": ["/workspace/src"]}]
    scenario = {"steps": [call("read", {"path": "/etc/hostname"}), call("ls", {}), call("write", {"path": "src/../x", "content": ""}),
                          {"text": "done"}]}

    def test_paths_that_are_not_allowed(self):
        """a tool of files goes nowhere but below allowedPaths, and the model is told where that is"""
        results = self.refused("go")
        self.assertEqual([result.endswith("allowedPaths are /workspace/src") for result in results], [True] * 3, results)


class Early(AgentWorld):
    scenario = {"steps": [{**call("bash", {"command": "true " + "x" * 20000}), "stall_after": 5000}]}

    def test_sandbox_while_the_call_is_written(self):
        """a sandbox is there as soon as the model has named a tool that needs one, and goes back when no call comes of it"""
        response = self.open_chat("go")
        self.expect("leased 1")
        self.assertEqual(self.request("POST", f"/v1/runs/{response.headers['x-run-id']}/cancel")[0], 200)
        self.assertEqual(list(self.frames(response))[-1]["choices"][0]["finish_reason"], "cancelled")
        self.expect("released 1")
        self.assertEqual(self.leases(), 1)


class Memory(AgentWorld):
    scenario = {"steps": [call("memory_save", {"content": "likes tea"}), call("memory_append", {"text": "and cake"}),
                          {"text": "done"}]}

    def test_memory_is_a_file(self):
        """what an agent remembers stands in its file, and takes no sandbox"""
        self.chat("go")
        with open(os.path.join(self.project, ".hearth/memory/coder.md"), encoding="utf-8") as file:
            self.assertEqual(file.read().split(), ["likes", "tea", "and", "cake"])
        self.assertEqual(self.leases(), 0)


class Lost(AgentWorld):
    scenario = {"steps": [call("bash", {"command": "touch begun; sleep 60"}), call("bash", {"command": "echo again"}),
                          {"text": "done"}]}

    def test_another_sandbox(self):
        """a sandbox that ends under a command does not end the run: the model is told why, the next call gets another"""
        response = self.open_chat("go")
        until(lambda: os.path.exists(os.path.join(self.root, "begun")), "the command runs")
        self.command(f"end 1 {REASON_OOM} {LIMIT_HIT_MEMORY} {256 << 20}")
        results = [choice["tool_call"] for frame in self.frames(response) for choice in frame["choices"]
                   if choice.get("tool_call", {}).get("state") in ("completed", "error")]
        self.assertIn("out of memory", results[0]["result"])
        self.assertIn("again", results[1]["result"])
        self.assertEqual(self.leases(), 2)


class Parallel(AgentWorld):
    scenario = {"steps": [call("bash", {"command": "true"}), {"tool_calls": [
        {"name": "bash", "arguments": {"command": "until test -e second; do sleep 0.01; done; echo one", "timeout": 20000}},
        {"name": "bash", "arguments": {"command": "touch second; echo two"}}]}, {"text": "done"}]}

    def test_parallel_calls(self):
        """calls of one turn run at once where parallel_tool_calls says so"""
        session = self.chat("go", parallel_tool_calls=True)["sessionId"]
        rows = self.request("GET", f"/v1/chat/sessions/{session}/messages")[2]["data"]["messages"]
        results = {row["message"]["tool_call_id"]: row["message"]["content"] for row in rows
                   if row["message"]["role"] == "tool"}
        calls = rows[3]["message"]["tool_calls"]
        self.assertEqual([word in results[call["id"]] for word, call in zip(("one", "two"), calls)], [True, True])


class Counted(AgentWorld):
    def test_metrics(self):
        """turns, tokens, tools and requests of the API are counted"""
        self.chat("run: echo hi")
        connection = Connection(os.path.join(self.directory, "metrics.sock"))
        self.addCleanup(connection.close)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        for line in ('hearth_turns_total{agent="coder",finish="tools"} 1', 'hearth_turns_total{agent="coder",finish="stop"} 1',
                     'hearth_tool_calls_total{tool="bash",result="ok"} 1', "hearth_llm_request_duration_seconds_count 2",
                     'hearth_http_requests_total{route="/chat/completions",code="200"} 1'):
            self.assertIn(line + "\n", text)


class SlowReaders(AgentWorld):
    length = 6 << 20  # beyond what is held for a client that does not read
    scenario = {"steps": [{"text": "x" * length, "chunk": 65536}]}

    def events(self, rows):
        self.assertEqual([row["seq"] for row in rows], list(range(1, len(rows) + 1)))
        self.assertEqual(sum(len(row["data"]["text"]) for row in rows if row["type"] == "text"), self.length)
        self.assertEqual(rows[-1]["type"], "end")

    def test_events_wait_for_their_reader(self):
        """who reads a run's events slowly gets all of them, by HTTP and by JSON-RPC"""
        run = self.chat("go")["runId"]
        connection = Connection(os.path.join(self.directory, "api.sock"))
        self.addCleanup(connection.close)
        connection.request("GET", f"/v1/runs/{run}/events")
        client = self.connect()
        request = client.send("run.events", id=run)
        self.assertEqual(self.request("GET", "/health")[0], 200)  # both streams have begun, and are full
        lines = connection.getresponse().read().decode().splitlines()
        self.events([json.loads(line[6:]) for line in lines if line.startswith("data: ")])
        client.wait(request)
        self.events([message["params"]["data"] for message in client.notifications
                     if message["method"] == "stream.frame"])


class Turns(AgentWorld):
    agents = [{**CODER, "maxTurns": 2}]
    scenario = {"steps": [{**call("bash", {"command": "true"}), "repeat": 9}]}

    def test_max_turns(self):
        """maxTurns ends a run as length, and the reason is said"""
        body = self.chat("go")
        self.assertEqual(body["choices"][0]["finish_reason"], "length")
        self.assertIn("maxTurns", body["reason"])


class Upstream(AgentWorld):
    scenario = {"steps": [{"status": 401}, {"text": "half of a sentence", "cut_after": 300}, {"text": "whole"}]}

    def test_failures_are_told(self):
        """a key that is refused is an upstream error; a reply that breaks off is gone on with"""
        status, _, body = self.request("POST", "/v1/chat/completions",
                                       {"model": "coder", "messages": [{"role": "user", "content": "x"}]})
        self.assertEqual((status, body["error"]["code"]), (502, "upstream_error"))
        body = self.chat("again")
        self.assertIn("whole", body["choices"][0]["message"]["content"])


class NoModel(AgentWorld):
    has_model = False

    def test_key_is_missing(self):
        """without a key and without a script there is no answer but what to set"""
        status, _, body = self.request("POST", "/v1/chat/completions",
                                       {"model": "coder", "messages": [{"role": "user", "content": "x"}]})
        self.assertEqual((status, body["error"]["code"]), (502, "upstream_error"))


class Configured(AgentWorld):
    agents = [{**CODER, "model": "local/any"}]
    has_model = False

    def start_agentd(self):
        if not self.model:
            self.model = self._start("hearth-scripted-model", "--port", "0", stdout=subprocess.PIPE, text=True)
            url = self.model.stdout.readline().split()[1]
            with open(os.path.join(self.directory, "agentd.conf"), "w", encoding="utf-8") as file:
                file.write(f'[provider "local"]\nbase_url = {url}\n[models]\ntries = 1\n')
        return super().start_agentd()

    def test_provider_of_ones_own(self):
        """a provider of agentd.conf is asked at its address"""
        self.assertIn("hello", self.chat("hello")["choices"][0]["message"]["content"])

    def test_wrong_configuration(self):
        """a configuration that is wrong is refused with file, line and what is wanted"""
        with open(os.path.join(self.directory, "agentd.conf"), "w", encoding="utf-8") as file:
            file.write('[provider "local"]\nbase_uri = x\n')
        self.agentd.kill()
        self.agentd.wait()
        status, text = self.run_agentd("--dir", self.directory, "--project", self.project)
        self.agentd_exit_code = -signal.SIGKILL
        self.assertEqual(status, 1)
        self.assertIn("agentd.conf:2", text)
        self.assertIn("base_url", text)


class Interrupted(AgentWorld):
    scenario = {"steps": [call("bash", {"command": "echo x >>count; touch begun; sleep 60"}),
                          call("bash", {"command": "wc -l <count"}), {"text": "done"}]}

    def test_goes_on_after_a_crash(self):
        """agentd is killed while a command runs: the run goes on by itself, the command is not run again"""
        self.open_chat("go")
        until(lambda: os.path.exists(os.path.join(self.root, "begun")), "the command runs")
        self.restart_agentd(signal.SIGKILL)
        session = self.request("GET", "/v1/chat/sessions")[2]["data"]["sessions"][0]["id"]

        def is_done():
            rows = self.request("GET", f"/v1/chat/sessions/{session}/messages")[2]["data"]["messages"]
            return rows[-1]["message"].get("content") == "done" and rows
        rows = until(is_done, "the run is done")
        results = [row["message"]["content"] for row in rows if row["message"]["role"] == "tool"]
        self.assertIn("unknown", results[0])
        self.assertIn("1", results[1])

    def test_cancel(self):
        """a run is cancelled: its command ends, and the conversation can go on"""
        response = self.open_chat("go")
        until(lambda: os.path.exists(os.path.join(self.root, "begun")), "the command runs")
        run = response.headers["x-run-id"]
        self.assertEqual(self.request("POST", f"/v1/runs/{run}/cancel")[0], 200)
        frames = list(self.frames(response))
        self.assertEqual(frames[-1]["choices"][0]["finish_reason"], "cancelled")
        self.assertEqual(self.request("POST", f"/v1/runs/{run}/cancel")[0], 409)
        self.assertEqual(self.request("POST", "/v1/runs/run-no/cancel")[0], 404)


class DamagedKeys(AgentWorld):
    agentd_exit_code = 1

    def test_keys_that_cannot_be_read(self):
        """where the keys cannot be read nobody is let in: agentd ends, and says why"""
        self.connect().call("key.create", name="me")
        self.agentd.send_signal(signal.SIGTERM)
        self.agentd.wait()
        with sqlite3.connect(os.path.join(self.project, ".hearth/state/sessions.db")) as store:
            store.execute("UPDATE key SET hash = replace(hash, substr(hash, 1, 1), 'x')")
        store.close()
        if self.identity:
            subprocess.run(["chown", "-R", "65534:65534", self.project], check=True)
        self.agentd = self.start_agentd()
        self.agentd.wait(PATIENCE_S)
        self.assertIn("API keys: the hash of", self.read_log())


class Keys(AgentWorld):
    def test_too_many(self):
        """beyond 1024 keys none is made, and what to do is said"""
        self.agentd.send_signal(signal.SIGTERM)
        self.agentd.wait(PATIENCE_S)
        with contextlib.closing(sqlite3.connect(os.path.join(self.project, ".hearth/state/sessions.db"))) as store:
            store.executemany("INSERT INTO key VALUES (?, '', '', ?, 0)", ((f"k{i}", f"{i:064x}") for i in range(1024)))
            store.commit()
        self.agentd = self.start_agentd()
        until(self._answers, "agentd answers")
        admin = self.connect()
        with self.assertRaises(RpcError) as caught:
            admin.call("key.create")
        self.assertEqual((caught.exception.type, len(admin.call("key.list")["keys"])), ("conflict", 1024))
        self.assertIn("revoke some", str(caught.exception))
        admin.call("key.revoke", id="k7")
        admin.call("key.create")

    def test_keys(self):
        """a key is made, needed from then on, and of no use once it is revoked"""
        admin = self.connect()
        key = admin.call("key.create", name="me")
        message = {"model": "coder", "messages": [{"role": "user", "content": "x"}]}
        self.assertEqual(self.request("POST", "/v1/chat/completions", message)[0], 401)
        bearer = {"Authorization": f"Bearer {key['key']}"}
        self.assertEqual(self.request("POST", "/v1/chat/completions", message, bearer)[0], 200)
        listed = admin.call("key.list")["keys"]
        self.assertEqual([row["id"] for row in listed], [key["id"]])
        self.assertNotIn("hash", listed[0])
        self.restart_agentd()
        self.assertEqual(self.request("GET", "/v1/models")[0], 401, "keys outlive agentd")
        admin = self.connect()
        other = admin.call("key.create", name="other")
        self.assertEqual(admin.call("key.revoke", id=key["id"]), {"left": 1})
        self.assertEqual(self.request("POST", "/v1/chat/completions", message, bearer)[0], 401)
        other_bearer = {"Authorization": f"Bearer {other['key']}"}
        self.assertEqual(self.request("POST", "/v1/chat/completions", message, other_bearer)[0], 200)
        self.assertRaises(RpcError, admin.call, "key.revoke", id=key["id"])
        self.assertEqual(admin.call("key.revoke", id=other["id"]), {"left": 0})


tap.main()

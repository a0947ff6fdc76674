"""Every route of the API, by HTTP and by JSON-RPC: what it answers, and what to a name or id that there is not."""

import json
import os

import tap
from agent_world import AgentWorld, CODER, Connection
from agentd_world import NOBODY, World
from rpc_client import RpcError, until

GREET = "---\nname: greet\ndescription: how to greet\ntools: [read]\ntags: [a, b]\n---\n" + "Say hello. " * 400
BIG = "0123456789abcdef" * (3 << 17)  # 6 MiB


def call(name, **arguments):
    return {"name": name, "arguments": arguments}


class Routes(AgentWorld):
    def get(self, path, status=200):
        return self.ask("GET", path, status=status)

    def chat_refused(self, body):
        """(message, param)"""
        status, _, answer = self.request("POST", "/v1/chat/completions", {"model": "coder", **body})
        self.assertEqual((status, answer["error"].get("code")), (400, "invalid_request"), answer)
        return answer["error"]["message"], answer["error"]["param"]

    def ask(self, method, path, body=None, status=200):
        """The data, or (code, message, headers) of an error."""
        answered, headers, answer = self.request(method, path, body)
        self.assertEqual(answered, status, answer)
        if status == 200:
            return answer["data"] if "ok" in answer else answer
        error = answer if "ok" in answer else answer["error"]
        return error["code"], answer["error"] if "ok" in answer else error["message"], headers


class Found(Routes):
    def test_agents(self):
        """agents are made, shown, changed and removed, and what there is not, is said to be so"""
        self.ask("POST", "/v1/agents", {**CODER, "name": "other"})
        self.assertEqual(self.ask("POST", "/v1/agents", {**CODER, "name": "other"}, 409)[0], "conflict")
        self.assertEqual(self.ask("POST", "/v1/agents", {**CODER, "name": "../x"}, 400)[0], "invalid_request")
        self.assertEqual(self.get("/v1/models/other")["owned_by"], "hearth")
        self.ask("PATCH", "/v1/agents/other", {"role": "cook", "maxTurns": None})
        self.assertEqual(self.get("/v1/agents/other")["role"], "cook")
        self.ask("DELETE", "/v1/agents/other")
        for method, path, body in (("GET", "/v1/agents/other", None), ("PATCH", "/v1/agents/other", {"role": "x"}),
                                   ("DELETE", "/v1/agents/other", None), ("GET", "/v1/models/other", None),
                                   ("GET", "/v1/memory/agent/other", None),
                                   ("PUT", "/v1/memory/agent/other", {"content": "x"})):
            code, message, _ = self.ask(method, path, body, 404)
            self.assertEqual(code, "agent_not_found")
            self.assertIn("other", message)

    def test_skills(self):
        """skills are made, listed, shown, told to the model, and removed"""
        usage = self.chat("hello")["usage"]["prompt_tokens"]
        self.ask("POST", "/v1/skills/create", {"name": "greet", "content": GREET})
        self.assertEqual(self.ask("POST", "/v1/skills/create", {"name": "greet", "content": GREET}, 409)[0], "conflict")
        self.assertEqual(self.get("/v1/skills"), [
            {"name": "greet", "description": "how to greet", "tools": ["read"], "tags": ["a", "b"]}])
        self.assertEqual(self.get("/v1/skills/greet/content"), {"name": "greet", "content": GREET})
        self.ask("PATCH", "/v1/agents/coder", {"skills": ["greet", "gone"]})
        self.ask("PUT", "/v1/memory", {"content": "Shared. " * 500})
        self.ask("PUT", "/v1/memory/agent/coder", {"content": "Own. " * 500})
        body = self.request("POST", "/v1/chat/completions", {"model": "coder", "temperature": 0.5, "messages": [
            {"role": "developer", "content": [{"type": "text", "text": "System. " * 500}]},
            {"role": "user", "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]}],
            "max_completion_tokens": 100, "top_p": None})[2]
        self.assertIn("you said: hello", body["choices"][0]["message"]["content"])
        more = body["usage"]["prompt_tokens"] - usage
        self.assertGreater(more, (len(GREET) + 3 * 500 * len("Own. ")) // 4)
        self.ask("DELETE", "/v1/skills/greet")
        for method, path in (("DELETE", "/v1/skills/greet"), ("GET", "/v1/skills/greet/content")):
            self.assertEqual(self.ask(method, path, status=404)[0], "not_found")

    def test_folder(self):
        """a folder that must not be written is denied; what a body must not hold is too large or invalid"""
        self.assertFalse(self.get("/v1/memory")["exists"])
        self.assertEqual(self.ask("PUT", "/v1/memory", {"content": "x" * (1 << 20)}, 413)[0], "too_large")
        self.assertEqual(self.ask("PUT", "/v1/memory", {"content": "x", "more": 1}, 400)[0], "invalid_request")
        folder = os.path.join(self.project, ".hearth")
        os.chmod(folder, 0o555)
        self.assertEqual(self.ask("PUT", "/v1/memory", {"content": "x"}, 403)[0], "denied")
        os.chmod(folder, 0o755)
        os.chmod(os.path.join(folder, "agents.json"), 0)
        self.assertEqual(self.get("/v1/agents/coder")["name"], "coder")
        os.chmod(os.path.join(folder, "agents.json"), 0o644)

    def test_status(self):
        """it says that it lives, whether a run would get a sandbox, and what can be asked"""
        self.assertEqual(self.get("/v1/livez"), {"status": "ok"})
        self.assertEqual(self.get("/v1/health")["agents"], 1)
        self.assertEqual(self.get("/v1/readyz"), {"status": "ok"})
        self.assertIn("/chat/completions", json.dumps(self.get("/v1/openapi.json")))
        self.command("ready 0")
        code, message, headers = self.get("/v1/readyz", 503)
        self.assertEqual((code, headers["Retry-After"]), ("stopping", "1"))
        self.assertIn("no pool has a sandbox ready", message)
        self.assertEqual(self.connect().call("agentd.health")["status"], "ok")

    def test_sessions_and_runs(self):
        """sessions and runs that there are not, and runs that are over, are said to be so on every route"""
        for method, path, body in (("GET", "/v1/chat/sessions/no", None), ("PATCH", "/v1/chat/sessions/no",
                                   {"title": "x"}), ("DELETE", "/v1/chat/sessions/no", None)):
            self.assertEqual(self.ask(method, path, body, 404)[0], "session_not_found")
        self.assertEqual(self.ask("GET", "/v1/chat/sessions/no/messages", status=404)[0], "session_not_found")
        for path in "/v1/runs/no", "/v1/runs/no/events", "/v1/runs/no/events?cursor=7":
            self.assertEqual(self.get(path, 404)[0], "run_not_found")
        body = self.chat("hello")
        for run, status, code in ("no", 404, "run_not_found"), (body["runId"], 409, "conflict"):
            self.assertEqual(self.ask("POST", f"/v1/runs/{run}/cancel", status=status)[0], code)
        self.assertEqual(self.ask("GET", "/v1/chat/sessions?limit=0", status=400)[0], "invalid_request")
        self.assertEqual(self.get("/v1/chat/sessions?agent=nobody")["sessions"], [])
        _, _, nothing = self.request("GET", f"/v1/runs/{body['runId']}/events?cursor=9999")
        self.assertIsNone(nothing)

    def test_refused_messages(self):
        """what an agent's clients cannot say is refused with its place; what they say on other agents' behalf is kept"""
        session = self.chat("hello")["sessionId"]
        call_of = {"id": "1", "function": {"name": "x", "arguments": "{}"}}
        bad = {"id": 1, "function": {"name": "x", "arguments": "{}"}}
        for more, part in (({"messages": [{"role": "assistant", "tool_calls": [bad]}]}, "tool_calls[0]"),
                           ({"functions": [{}]}, "functions"), ({"tools": [{}]}, "tools"),
                           ({"sessionId": session, "messages": [{"role": "assistant", "content": "x"}]},
                            "the last one must be the user's")):
            body = {"model": "coder", "messages": [{"role": "user", "content": "x"}], **more}
            self.assertIn(part, self.ask("POST", "/v1/chat/completions", body, 400)[1])
        body = {"model": "coder", "messages": [
            {"role": "user", "content": "a"}, {"role": "assistant", "content": None, "tool_calls": [call_of]},
            {"role": "tool", "tool_call_id": "1", "content": "b"}, {"role": "user", "content": "c"}]}
        self.assertIn("you said: c", self.ask("POST", "/v1/chat/completions", body)["choices"][0]["message"]["content"])

    def test_conversations(self):
        """what no provider takes begins no session: no user, calls without results, results without calls"""
        user = {"role": "user", "content": "x"}
        calls = [{"id": name, "function": {"name": "f", "arguments": "{}"}} for name in ("c1", "c2")]
        asks = {"role": "assistant", "content": None, "tool_calls": calls}
        one, two = ({"role": "tool", "tool_call_id": name, "content": "y"} for name in ("c1", "c2"))
        for messages, part in (([{"role": "system", "content": "x"}], "the user's"),
                               ([{"role": "assistant", "content": "x"}], "the user's"),
                               ([user, one], "c1 is none"), ([user, asks, one, two, two], "c2 is none"),
                               ([user, asks], "c1 has none"), ([user, asks, one, user], "c2 has none"),
                               ([user, asks, one, user, two], "c2 has none"),
                               ([user, asks, one, asks, two, one], "c2 has none")):
            message, param = self.chat_refused({"messages": messages})
            self.assertIn(part, message)
            self.assertEqual(param, "messages")
        self.assertEqual(self.get("/v1/chat/sessions")["total"], 0)
        twice = {**asks, "tool_calls": calls[:1] * 2}  # which models do write
        for messages in ([user, asks, two, one, user], [user, twice, one, one], [user, asks, one, two],
                         [user, {"role": "assistant", "content": None}, user], [user, {"role": "assistant"}]):
            self.ask("POST", "/v1/chat/completions", {"model": "coder", "messages": messages})

    def test_params(self):
        """a refusal names the member at fault"""
        for members, name in (({"temperature": 5}, "temperature"), ({"n": 2}, "n"), ({"max_tokens": 0}, "max_tokens"),
                              ({"tools": [{}]}, "tools"), ({"functions": [{}]}, "functions"), ({"stop": {"a": 1}}, "stop"),
                              ({"stop": ["x"] * 5}, "stop"), ({"stop": [1]}, "stop"),
                              ({"messages": [{"role": "clown"}]}, "messages")):
            body = {"messages": [{"role": "user", "content": "x"}], **members}
            self.assertEqual(self.chat_refused(body)[1], name)
        self.assertEqual(self.chat_refused({})[1], "messages")
        for stop in "x", ["a", "b", "c", "d"]:
            self.chat("hello", stop=stop)


class Sandboxes(Routes):
    scenario = {"steps": [{"tool_calls": [call("bash", command="touch begun; sleep 60")]},
                          {"delay_ms": 300, "tool_calls": [call("bash", command="pwd")]}, {"text": "done"}]}

    def test_sandboxes(self):
        """runs' sandboxes are listed and taken away, busy or idle, and the run goes on in another; no client's are"""
        own = self.connect().acquire()
        frames = self.frames(self.open_chat("go"))
        until(lambda: os.path.exists(os.path.join(self.root, "begun")), "the command runs")
        listed = self.get("/v1/sandboxes")
        self.assertEqual((listed["total"], [row["id"] for row in listed["sandboxes"]]), (3, [1000000, 1, 2]))
        for sandbox in own["id"], 4711:
            self.assertEqual(self.ask("DELETE", f"/v1/sandboxes/{sandbox}", status=404)[0], "not_found")
        self.assertEqual(self.ask("DELETE", "/v1/sandboxes/x", status=400)[0], "invalid_request")
        self.assertEqual(self.ask("POST", "/v1/sandboxes/clear-idle"), {"cleared": 0})
        self.ask("DELETE", "/v1/sandboxes/2")
        results = [choice["tool_call"] for frame in frames for choice in frame["choices"]
                   if choice.get("tool_call", {}).get("state") in ("completed", "error")]
        self.assertEqual([result["state"] for result in results], ["error", "completed"])
        self.assertIn("sandbox 2 has ended: released", results[0]["result"])
        self.assertEqual(self.leases(), 3)


class Head(Routes):
    scenario = {"steps": [{"delay_ms": 60000, "text": "never"}]}

    def test_head(self):
        """HEAD of the events of a run that works is answered at once, and its connection is free again"""
        response = self.open_chat("go")
        run = response.headers["x-run-id"]
        connection = Connection(os.path.join(self.directory, "api.sock"))
        self.addCleanup(connection.close)
        for method, path in (("HEAD", f"/v1/runs/{run}/events"), ("HEAD", f"/v1/runs/{run}/events?cursor=99"),
                             ("GET", "/v1/health")):
            connection.request(method, path)
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200)
            answer.read()
        self.ask("POST", f"/v1/runs/{run}/cancel")
        self.assertEqual(list(self.frames(response))[-1]["choices"][0]["finish_reason"], "cancelled")


class Idle(Routes):
    scenario = {"steps": [{"tool_calls": [call("bash", command="true")]}, {"delay_ms": 60000, "text": "never"}]}

    def test_idle(self):
        """a sandbox in which nothing runs is taken away while the model thinks; then the model is not waited for"""
        response = self.open_chat("go")
        frames = self.frames(response)
        until(lambda: next(frames)["choices"][0].get("tool_call", {}).get("state") == "completed", "the call is done")
        self.assertEqual(self.ask("POST", "/v1/sandboxes/clear-idle"), {"cleared": 1})
        self.assertEqual(self.ask("POST", "/v1/sandboxes/clear-idle"), {"cleared": 0})
        self.ask("POST", f"/v1/runs/{response.headers['x-run-id']}/cancel")
        self.assertEqual(list(frames)[-1]["choices"][0]["finish_reason"], "cancelled")


class Rpc(AgentWorld):
    scenario = {"steps": [], "conversations": [{"match": "wait", "steps": [{"text": "x", "stall_after": 1, "repeat": 9}]}]}

    def refused(self, method, kind, **params):
        with self.assertRaises(RpcError) as caught:
            self.connect().call(method, **params)
        self.assertEqual(caught.exception.type, kind, caught.exception)
        return caught.exception

    def chat_params(self, text, **more):
        return {"model": "coder", "messages": [{"role": "user", "content": text}], **more}

    def test_faults(self):
        """what there is not has one type of error, with the code that HTTP has"""
        for method, params, code in (
                ("agent.get", {"name": "no"}, "agent_not_found"), ("skill.get", {"name": "no"}, "not_found"),
                ("memory.agent.get", {"name": "no"}, "agent_not_found"), ("session.get", {"id": "no"},
                                                                         "session_not_found"),
                ("session.messages", {"id": "no"}, "session_not_found"), ("run.get", {"id": "no"}, "run_not_found"),
                ("run.events", {"id": "no"}, "run_not_found"), ("key.revoke", {"id": "no"}, "not_found"),
                ("chat.complete", self.chat_params("x", model="no"), "agent_not_found"),
                ("session.delete", {"id": "no"}, "session_not_found")):
            self.assertEqual(self.refused(method, "not_found", **params).data["code"], code)
        self.assertEqual(self.refused("run.cancel", "not_found", id="no").data["param"], "id")
        self.refused("run.get", "invalid_arguments")
        self.refused("chat.complete", "invalid_arguments", messages=[{"role": "x", "content": "x"}])
        self.refused("agent.create", "conflict", **CODER)

    def test_stream(self):
        """a chat is streamed as notifications, and what it told is told again by its run's events"""
        client = self.connect()
        request = client.send("chat.complete", **self.chat_params("hello", stream=True))
        self.assertEqual(client.wait(request), {})
        frames = [message["params"] for message in client.notifications]
        self.assertEqual({frame["request"] for frame in frames}, {request})
        text = "".join(frame["data"]["choices"][0]["delta"].get("content", "") for frame in frames)
        self.assertIn("you said: hello", text)
        client.notifications.clear()
        client.call("run.events", id=frames[0]["data"]["runId"], cursor=1)
        self.assertEqual([message["params"]["seq"] for message in client.notifications],
                         list(range(2, len(client.notifications) + 2)))
        self.assertEqual(client.notifications[-1]["params"]["event"], "end")
        self.assertIn("hello", client.call("chat.complete", **self.chat_params("hello"))["choices"][0]["message"][
            "content"])

    def test_client_goes(self):
        """a client that goes, in a stream, in a plain call, or from events, leaves the run to go on until it is cancelled"""
        runs = []
        for stream in True, False:
            client = self.connect()
            client.send("chat.complete", **self.chat_params("wait", stream=stream))
            session = until(lambda: [row["id"] for row in self.connect().call("session.list")["sessions"]
                                     if row["id"] not in runs], "the run begins")[0]
            runs.append(session)
            if not stream:
                self.refused("session.delete", "conflict", id=session)
            client.close()
        admin = self.connect()
        until(lambda: admin.call("agentd.health")["runs"] == 2, "both go on")


class Clients(Routes):
    """What clients of OpenAI's API do."""
    scenario = Rpc.scenario

    def ask_plainly(self, text, **members):
        """The connection, with the answer still to come."""
        connection = Connection(os.path.join(self.directory, "api.sock"))
        self.addCleanup(connection.close)
        body = {"model": "coder", "messages": [{"role": "user", "content": text}], **members}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        return connection

    def test_goes_at_once(self):
        """who asks in its session and goes at once, while that is looked up, has its run, and leaves nothing else"""
        sessions = [self.chat("hello")["sessionId"] for _ in range(10)]
        for session in sessions:
            self.ask_plainly("again", sessionId=session).close()
            self.ask_plainly("again", sessionId=session, stream=True).close()
        until(lambda: all(self.get(f"/v1/chat/sessions/{session}")["messages"] >= 4 for session in sessions), "all ran")
        until(lambda: self.connect().call("agentd.health")["runs"] == 0, "none is left")

    def test_title(self):
        """a session is named after the first line that its user wrote, not after what stands blank before it"""
        session = self.chat("\n \n  hello\nworld")["sessionId"]
        self.assertEqual(self.get(f"/v1/chat/sessions/{session}")["title"], "hello")

    def test_cancelled(self):
        """a call whose run is cancelled is answered with 409, and with the word that it is not to be asked again"""
        connection = self.ask_plainly("wait")
        session = until(lambda: self.get("/v1/chat/sessions")["sessions"], "the run begins")[0]["id"]
        run = until(lambda: self.get(f"/v1/chat/sessions/{session}/messages")["messages"], "it is recorded")[0]["run"]
        self.ask("POST", f"/v1/runs/{run}/cancel")
        answer = connection.getresponse()
        self.assertEqual((answer.status, answer.getheader("x-should-retry")), (409, "false"))

    def test_members(self):
        """a member may be null, and a number that is out of range is told before any model is asked"""
        none = dict.fromkeys(("n", "temperature", "top_p", "stop", "seed", "max_tokens", "stream", "stream_options"))
        self.chat("hello", **none)
        session = self.chat("hello", agent="coder", model=None)["sessionId"]
        body = {"agent": None, "model": None, "sessionId": None, "messages": [{"role": "user", "content": "x"}]}
        status, headers, answer = self.request("POST", "/v1/chat/completions", body, {"x-session-id": session})
        self.assertEqual((status, headers.get("x-session-id")), (200, session), answer)
        self.ask("POST", "/v1/chat/completions", {"model": "coder", "temperature": 2.5, "messages": [
            {"role": "user", "content": "hello"}]}, 400)


class Unread(Routes):
    """A reader who stops."""
    scenario = {"steps": [], "conversations": [
        {"match": "much", "steps": [{"text": BIG, "chunk": 1 << 19, "tool_calls": [call("memory_get")], "repeat": 3},
                                    {"text": "done"}]},
        {"match": "large", "steps": [{"text": BIG[:2 << 20], "chunk": 1 << 24}]}]}

    def stream(self, client, text):
        return client.send("chat.complete", model="coder", stream=True, messages=[{"role": "user", "content": text}])

    def test_frame_is_too_large(self):
        """a frame that is too large for a line ends its stream, not the client's connection"""
        client = self.connect()
        with self.assertRaises(RpcError) as caught:
            client.wait(self.stream(client, "large"))
        self.assertEqual(caught.exception.type, "too_large")
        self.assertEqual(client.call("agentd.health")["status"], "ok")

    def test_reader_stops(self):
        """a client of JSON-RPC that does not read what its agent says is told so in the end; the run goes on to its own"""
        client = self.connect()
        request = self.stream(client, "much")
        session = until(lambda: self.get("/v1/chat/sessions")["sessions"], "it begins")[0]["id"]
        first = client.read_message()
        run = first["params"]["data"]["runId"]
        until(lambda: self.get(f"/v1/runs/{run}")["status"] == "completed", "the run ends")
        with self.assertRaises(RpcError) as caught:
            client.wait(request)
        self.assertEqual(caught.exception.type, "busy")
        self.assertGreater(self.get(f"/v1/chat/sessions/{session}")["messages"], 7)


class NoProject(World):
    def test_needs_a_project(self):
        """without a project each of its methods says that it needs one"""
        for method in "agent.list", "chat.complete", "key.create", "run.get":
            with self.assertRaises(RpcError) as caught:
                self.connect().call(method)
            self.assertIn("needs a project", caught.exception.message)


class Admin(AgentWorld):
    def connect_as(self, uid):
        os.chmod(self.directory, 0o711)
        os.setegid(NOBODY)
        os.seteuid(uid)
        try:
            return self.connect()
        finally:
            os.seteuid(0)
            os.setegid(0)

    if os.geteuid() == 0:  # else there is nobody else to be
        def test_admin(self):
            """keys are for root and agentd's own user; another user's program gets no key, sees none, revokes none"""
            admin = self.connect()
            key = admin.call("key.create", name="x", test=True)
            self.assertTrue(key["key"].startswith("sk_test_"))
            other = self.connect_as(NOBODY - 1)
            for method, params in (("key.create", {}), ("key.list", {}), ("key.revoke", {"id": key["id"]})):
                with self.assertRaises(RpcError) as caught:
                    other.call(method, **params)
                self.assertEqual(caught.exception.type, "denied")
            self.assertEqual([agent["name"] for agent in other.call("agent.list")], ["coder"])
            self.assertEqual(len(self.connect_as(NOBODY).call("key.list")["keys"]), 1)


tap.main()

"""A conversation that has grown too long for its model: summed up, kept whole in the store, and gone on with."""

import json
import os
import threading

import tap
from agent_world import AgentWorld, CODER, Connection
from rpc_client import until

COMPACT_BYTES = 400 << 10
QUESTION = "Sum up the conversation"
TOO_LONG = {"status": 400, "body": {"error": {"message": "This model's maximum context length is 8192 tokens."}}}


def talk(turns, size):
    return [{"role": role, "content": role[0] * size} for _ in range(turns) for role in ("user", "assistant")]


class Summary(AgentWorld):
    def ask(self, messages, **members):
        """(text, body)"""
        status, _, body = self.request("POST", "/v1/chat/completions", {
            "model": "coder", "messages": [*messages, {"role": "user", "content": "last"}], **members})
        self.assertEqual(status, 200, body)
        return body["choices"][0]["message"]["content"], body

    def events(self, body, kind):
        connection = Connection(os.path.join(self.directory, "api.sock"))
        self.addCleanup(connection.close)
        connection.request("GET", f"/v1/runs/{body['runId']}/events")
        lines = connection.getresponse().read().decode().splitlines()
        events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
        return [event["data"] for event in events if event["type"] == kind]

    def stored(self, session):
        return self.request("GET", f"/v1/chat/sessions/{session}")[2]["data"]["messages"]


class Told(Summary):
    scenario = {"steps": [], "conversations": [{"match": QUESTION, "steps": [{"text": "THE SUMMARY", "repeat": 9}]}]}

    def test_summary(self):
        """the oldest turns are summed up once; the session goes on with the summary, and nothing that was said is lost"""
        messages = talk(100, 3000)
        text, body = self.ask(messages)
        self.assertIn("you said: last", text)
        compact, = self.events(body, "compact")
        self.assertEqual(compact["summary"], "THE SUMMARY")
        self.assertGreater(compact["messages"], 60)
        session = body["sessionId"]
        self.assertEqual(self.stored(session), len(messages) + 2)
        for how in lambda: None, self.restart_agentd:
            how()
            _, body = self.ask([], sessionId=session)
            self.assertEqual(self.events(body, "compact"), [])
            self.assertLess(body["usage"]["prompt_tokens"], COMPACT_BYTES // 8 + 5000)
        self.assertEqual(self.stored(session), len(messages) + 6)

    def test_again(self):
        """what has grown too long once more is summed up with the summary that there is"""
        _, body = self.ask(talk(100, 3000))
        first, = self.events(body, "compact")
        session = body["sessionId"]
        second = []
        while not second:
            said = {"role": "user", "content": "more " * 20000}
            _, body = self.ask([said], sessionId=session)
            second = self.events(body, "compact")
        self.assertGreater(second[0]["messages"], first["messages"])
        _, body = self.ask([], sessionId=session)
        self.assertEqual(self.events(body, "compact"), [])

    def test_usage(self):
        """what the summary cost is part of the run's usage, in the answer and in the store"""
        _, body = self.ask(talk(100, 3000))
        self.assertGreater(body["usage"]["prompt_tokens"], COMPACT_BYTES // 4)
        run = self.request("GET", f"/v1/runs/{body['runId']}")[2]["data"]
        self.assertEqual(run["prompt_tokens"], body["usage"]["prompt_tokens"])
        self.assertEqual(run["completion_tokens"], body["usage"]["completion_tokens"])


class Refused(Summary):
    scenario = {"steps": [], "conversations": [{"match": QUESTION, "steps": [{"status": 422, "repeat": 9}]}]}

    def test_no_summary(self):
        """where the model gives no summary the oldest turns are left out, and the run goes on"""
        text, body = self.ask(talk(100, 3000))
        self.assertIn("you said: last", text)
        compact, = self.events(body, "compact")
        self.assertEqual(compact["messages"], 0)
        self.assertIn("422", compact["error"])
        self.assertLess(body["usage"]["prompt_tokens"], COMPACT_BYTES // 4 + 5000)


class Large(Summary):
    scenario = {"steps": [], "conversations": [{"match": QUESTION, "steps": [{"text": "\u00e9" * 30000}, {"text": "x"}]}]}

    def test_large(self):
        """of a summary that is no summary the beginning counts"""
        _, body = self.ask(talk(100, 3000))
        compact, = self.events(body, "compact")
        self.assertEqual(compact["summary"], "\u00e9" * (16 << 10))


class Cancelled(Summary):
    scenario = {"steps": [], "conversations": [{"match": QUESTION, "steps": [{"delay_ms": 60000, "text": "x"}]}]}

    def test_cancel(self):
        """a run is cancelled while it is summed up"""
        connection = Connection(os.path.join(self.directory, "api.sock"))
        self.addCleanup(connection.close)
        body = {"model": "coder", "stream": True, "messages": [*talk(100, 3000), {"role": "user", "content": "x"}]}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        run = response.headers["x-run-id"]
        self.assertEqual(self.request("POST", f"/v1/runs/{run}/cancel")[0], 200)
        self.assertEqual(list(self.frames(response))[-1]["choices"][0]["finish_reason"], "cancelled")
        until(lambda: self.request("GET", f"/v1/runs/{run}")[2]["data"]["status"] == "cancelled", "it has ended")


class Unknown(Summary):
    agents = [{**CODER, "model": "nobody/x"}]
    has_model = False

    def test_nobody_is_asked(self):
        """where nobody can be asked for a summary that is an event, and the run's own error is told"""
        status, _, body = self.request("POST", "/v1/chat/completions", {
            "model": "coder", "messages": [*talk(100, 3000), {"role": "user", "content": "x"}]})
        self.assertEqual((status, body["error"]["code"]), (502, "upstream_error"))
        session = self.request("GET", "/v1/chat/sessions")[2]["data"]["sessions"][0]["id"]
        run = self.request("GET", f"/v1/chat/sessions/{session}/messages")[2]["data"]["messages"][0]["run"]
        compact, = self.events({"runId": run}, "compact")
        self.assertIn("nobody", compact["error"])


class Unwritten(Summary):
    scenario = {"steps": [], "conversations": [
        {"match": QUESTION, "steps": [{"delay_ms": 1000, "text": "THE SUMMARY", "repeat": 9}]}]}

    def test_full_disk(self):
        """a summary that cannot be recorded ends the run, and says so; the session has what was said, and goes on"""
        answers = []
        asker = threading.Thread(target=lambda: answers.append(self.request("POST", "/v1/chat/completions", {
            "model": "coder", "messages": [*talk(100, 3000), {"role": "user", "content": "x"}]})))
        asker.start()
        until(lambda: self.request("GET", "/v1/chat/sessions")[2]["data"]["sessions"], "the run has begun")
        self.limit_files(4096)
        asker.join()
        self.assertEqual(answers[0][0], 500, answers)
        self.assertIn("cannot be recorded", answers[0][2]["error"]["message"])
        self.limit_files("unlimited")
        session = self.request("GET", "/v1/chat/sessions")[2]["data"]["sessions"][0]
        self.assertEqual(session["messages"], 201)
        text, _ = self.ask([], sessionId=session["id"])
        self.assertIn("you said: last", text)


class Small(Summary):
    """A model that says itself that it takes less."""
    scenario = {"steps": [{**TOO_LONG, "repeat": 2}, {"text": "fits"}, {**TOO_LONG, "repeat": 99}],
                "conversations": [{"match": QUESTION, "steps": [{"text": "THE SUMMARY", "repeat": 99}]}]}

    def test_too_long(self):
        """a model that says that it was given too much is given less until it takes it; else its error is told"""
        text, body = self.ask(talk(50, 2000))
        self.assertEqual(text, "fits")
        self.assertEqual([compact.get("summary") for compact in self.events(body, "compact")], ["THE SUMMARY"] * 2)
        status, _, body = self.request("POST", "/v1/chat/completions", {
            "model": "coder", "messages": [*talk(50, 2000), {"role": "user", "content": "x"}]})
        self.assertEqual(status, 502)
        self.assertIn("too much for this model", body["error"]["message"])


class BigResult(Summary):
    scenario = {"steps": [{"tool_calls": [{"name": "bash", "arguments": {"command": "seq 40000 > big"}}]},
                          {"tool_calls": [{"name": "read", "arguments": {"path": "big", "limit": 40000}}] * 3},
                          {**TOO_LONG, "repeat": 3}, {"text": "fits"}, {**TOO_LONG, "repeat": 3}, {"text": "fits again"}]}

    def test_too_long(self):
        """results that are too long for the model lose their middle, however new they are, and the session goes on"""
        text, body = self.ask([])
        self.assertEqual(text, "fits")
        self.assertLess(body["usage"]["prompt_tokens"], (COMPACT_BYTES >> 3) // 4 + 10000)
        text, body = self.ask([], sessionId=body["sessionId"])
        self.assertEqual(text, "fits again")
        self.assertLess(body["usage"]["prompt_tokens"], (COMPACT_BYTES >> 3) // 4 + 10000)


class Tiny(Summary):
    scenario = {"steps": [TOO_LONG, {"text": "fits"}], "conversations": [
        {"match": QUESTION, "steps": [{**TOO_LONG, "repeat": 99}]}]}

    def test_question_too_long(self):
        """what is too long to be summed up is shortened further, and in the end left out"""
        text, body = self.ask(talk(50, 2000))
        self.assertEqual(text, "fits")
        compact, = self.events(body, "compact")
        self.assertIn("too much for this model", compact["error"])


tap.main()

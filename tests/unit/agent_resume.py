"""Runs whose rows in the store were changed while agentd was down: each ends with a reason, or goes on as it may."""

import contextlib
import os
import signal
import sqlite3

import tap
from agent_world import AgentWorld, CODER
from rpc_client import PATIENCE_S, until


def call(name, **arguments):
    return {"name": name, "arguments": arguments}


class Changed(AgentWorld):
    def change(self, *statements):
        """agentd is killed, its store changed, and it is started again."""
        self.agentd.kill()
        self.agentd.wait(PATIENCE_S)
        path = os.path.join(self.project, ".hearth/state/sessions.db")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as store:
            for statement in statements:
                store.execute(statement)
            store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if self.identity:
            for name in os.listdir(os.path.dirname(path)):
                os.chown(os.path.join(os.path.dirname(path), name), self.identity["user"], self.identity["group"])
        self.agentd = self.start_agentd()
        until(self._answers, "agentd answers")

    def row(self, run):
        return self.request("GET", f"/v1/runs/{run}")[2]["data"]

    def wait_for_end(self, run):
        def row():
            answer = self.row(run)
            return answer["status"] != "running" and answer
        return until(row, "the run ends")

    def messages(self, session):
        rows = self.request("GET", f"/v1/chat/sessions/{session}/messages")[2]["data"]["messages"]
        return [row["message"] for row in rows]

    def begin(self, message):
        """(run, session) of a run whose command goes on."""
        response = self.open_chat(message)
        until(lambda: os.path.exists(os.path.join(self.root, "begun")), "the command runs")
        os.unlink(os.path.join(self.root, "begun"))
        return response.headers["x-run-id"], response.headers["x-session-id"]


class Ended(Changed):
    """Runs that ended, made to look as if agentd had died right before that."""
    agents = [CODER, {**CODER, "name": "other"}]
    scenario = {"steps": [{"text": "one"}, {"text": "two", "finish": "length"}, {"text": "three", "finish":
                "content_filter"}, {"text": "four"}, {"text": "five"}, {"text": "and more"}]}

    def test_last_turn(self):
        """a run whose last reply is on disk ends as that says; one whose reply broke off is gone on with"""
        runs = [self.chat("x") for _ in range(4)]
        cut = self.chat("x")
        self.change("UPDATE run SET status = 'running'",
                    f"UPDATE run SET finish = 'odd' WHERE id = '{runs[3]['runId']}'",
                    f"UPDATE run SET finish = NULL WHERE id = '{cut['runId']}'")
        finishes = [self.wait_for_end(run["runId"])["finish"] for run in runs]
        self.assertEqual(finishes, ["stop", "length", "content_filter", "stop"])
        self.assertEqual(self.wait_for_end(cut["runId"])["status"], "completed")
        self.assertEqual([message["content"] for message in self.messages(cut["sessionId"])], ["x", "five", "and more"])

    def test_what_is_gone(self):
        """without its agent, its session, or a directory that can be, a run fails, and says so"""
        agent, session, cwd, text = (self.chat("x") for _ in range(4))
        self.change("UPDATE run SET status = 'running', finish = NULL",
                    f"UPDATE run SET agent = 'gone' WHERE id = '{agent['runId']}'",
                    f"DELETE FROM session WHERE id = '{session['sessionId']}'",
                    f"UPDATE session SET cwd = '/{'x' * 5000}' WHERE id = '{cwd['sessionId']}'",
                    f"UPDATE message SET message = '[1' WHERE session = '{text['sessionId']}'")
        for run, why in ((agent, "its agent is not in the project"), (session, "no session"), (cwd, "too long"),
                         (text, "damaged")):
            row = self.wait_for_end(run["runId"])
            self.assertEqual((row["status"], row["finish"]), ("failed", "error"), row)
            self.assertIn(why, row["error"]["message"])
        self.assertEqual(self.request("GET", "/v1/health")[0], 200)


class Calls(Changed):
    BASH = call("bash", command="touch begun; sleep 60")
    scenario = {"steps": [], "conversations": [
        {"match": "go", "steps": [{"tool_calls": [call("memory_get"), BASH, call("memory_get")]}, {"text": "done", "repeat": 9}]}]}

    def test_rows_that_do_not_fit(self):
        """calls that do not fit what the model asked for, or whose result is gone, end the run with that reason"""
        for statement in ("DELETE FROM call WHERE run = '{run}' AND position = 2",
                          "DELETE FROM message WHERE session = '{session}' AND role = 'tool'",
                          "UPDATE message SET message = '{{\"role\":\"assistant\",\"tool_calls\":[{{}},{{}},{{}}]}}'"
                          " WHERE session = '{session}' AND role = 'assistant'",
                          "UPDATE message SET message = '{{\"role\":\"assistant\",\"content\":\"x\"}}'"
                          " WHERE session = '{session}' AND role = 'assistant'"):
            with self.subTest(statement):
                run, session = self.begin("go: " + statement)
                self.change(statement.format(run=run, session=session))
                row = self.wait_for_end(run)
                self.assertEqual((row["status"], row["finish"]), ("failed", "error"), row)
                self.assertIn("do not fit", row["error"]["message"])

    def test_not_taken_up(self):
        """of a run that cannot go on, each call gets a result, without which no model takes the conversation any more"""
        run, session = self.begin("go")
        self.change(f"UPDATE run SET agent = 'gone' WHERE id = '{run}'")
        self.assertEqual(self.wait_for_end(run)["status"], "failed")
        messages = self.messages(session)
        self.assertEqual([message.get("tool_call_id") for message in messages[2:]],
                         [asked["id"] for asked in messages[1]["tool_calls"]])
        self.assertEqual([message["content"].startswith("Error: the run ended before") for message in messages[2:]],
                         [False, True, True])
        self.assertEqual(self.chat("go on", sessionId=session)["choices"][0]["message"]["role"], "assistant")

    def test_stopped_again(self):
        """agentd that is told to end while it takes a run up leaves it for the next start"""
        run, session = self.begin("go")
        self.agentd.kill()
        self.agentd.wait(PATIENCE_S)
        for starts in range(2, 5):
            self.agentd = self.start_agentd()
            until(lambda: self.read_log().count('"ready"') == starts, "it is up")
            self.agentd.send_signal(signal.SIGTERM)
            self.assertEqual(self.agentd.wait(PATIENCE_S), 0, self.read_log())
        self.agentd = self.start_agentd()
        until(self._answers, "agentd answers")
        self.assertEqual(self.wait_for_end(run)["status"], "completed")
        self.assertEqual(self.messages(session)[-1]["content"], "done")


tap.main()

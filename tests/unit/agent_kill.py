"""Runs of an agent go on whatever dies at whatever moment: no reply is lost, no command is run twice.

Rounds: a run of twenty turns, and at a random moment agentd is killed, or told to end, or loses its supervisor;
it is started again, and sometimes killed again while it takes the run up. The run must end by itself; then the
conversation, the file that its commands wrote, and the events are compared with what stood in the store at each kill.

HEARTH_SEED=N repeats the rounds that printed "seed N"; HEARTH_KILLS says how many kills, HEARTH_SOAK=1 is 500 of them.
"""

import collections
import concurrent.futures
import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

import tap
from agent_world import AgentWorld, Connection
from rpc_client import PATIENCE_S, until

SOAK = os.environ.get("HEARTH_SOAK") == "1"
KILLS = int(os.environ.get("HEARTH_KILLS") or (500 if SOAK else 12))
SEED = int(os.environ.get("HEARTH_SEED") or (int.from_bytes(os.urandom(4), "big") if SOAK else 1))
TURNS = 20
USAGE = {"prompt_tokens": 10, "completion_tokens": 3}
LATEST_AFTER_START = 0.15  # s: by then it has taken up what it had to


def bash(name, path):
    return {"name": "bash", "arguments": {"command": f"echo {name} >>{path}; echo said {name}"}}


def step(turn, path):
    """Each line that a command writes is one of its own."""
    calls = [bash(f"{turn}a", path)]
    if turn % 5 == 0:
        calls.append(bash(f"{turn}b", path))
    elif turn % 5 == 2:
        calls.append({"name": "read", "arguments": {"path": path}})
    elif turn % 5 == 4:
        calls = [{"name": "grep", "arguments": {"pattern": "a$", "path": path}}]
    return {"text": f"step {turn}", "tool_calls": calls, "usage": USAGE}


def drain(get_response):
    """What had come when the other side died."""
    data = b""
    with contextlib.suppress(OSError, http.client.HTTPException):
        response = get_response()
        while piece := response.read1(1 << 16):
            data += piece
    return data


def parse_events(data):
    """The whole ones."""
    frames = data.decode(errors="ignore").split("\n\n")[:-1]
    return [json.loads(line[6:]) for frame in frames for line in frame.splitlines() if line.startswith("data: ")]


class Killed(AgentWorld):
    def start_agentd(self):
        self.lines = os.path.join(self.directory, "root", "lines")
        self.scenario = {"conversations": [{"match": "round", "steps": [
            *(step(turn, self.lines) for turn in range(1, TURNS + 1)), {"text": "done", "usage": USAGE}]}]}
        return super().start_agentd()

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.readers = concurrent.futures.ThreadPoolExecutor()
        self.addCleanup(self.readers.shutdown)
        self.kills = collections.Counter()
        self.is_parallel = False

    # A life, and its end

    @contextlib.contextmanager
    def open_store(self):
        """A copy of it, as the dead agentd has left it."""
        with tempfile.TemporaryDirectory() as copy:
            shutil.copytree(os.path.join(self.project, ".hearth/state"), copy, dirs_exist_ok=True)
            with contextlib.closing(sqlite3.connect(os.path.join(copy, "sessions.db"))) as store:
                yield store

    def look_into_store(self, session):
        """The messages of a session, and the calls of which nobody will know how they ended."""
        with self.open_store() as store:
            messages = store.execute("SELECT message FROM message WHERE session = ? ORDER BY seq", [session])
            messages = [json.loads(text) for text, in messages]
            calls = store.execute("SELECT call.id FROM call JOIN run ON run.id = run WHERE session = ?"
                                  " AND name = 'bash' AND state = 'running'", [session])
            return messages, {call for call, in calls}

    def last_run_in_store(self):
        with self.open_store() as store:
            return store.execute("SELECT session, id FROM run ORDER BY rowid DESC LIMIT 1").fetchone()

    def end_agentd(self):
        """In one of the ways in which it ends before a run does."""
        how = self.random.choices(("kill", "terminate", "supervisor", "both"), (6, 1, 2, 1))[0]
        self.kills[how] += 1
        if how in ("supervisor", "both"):
            self.supervisor.kill()
        if how in ("kill", "both"):
            self.agentd.kill()
        elif how == "terminate":
            self.agentd.send_signal(signal.SIGTERM)
        code = self.agentd.wait(PATIENCE_S)
        self.assertEqual(code, {"terminate": 0, "supervisor": 1}.get(how, -signal.SIGKILL), self.read_log())
        if how in ("supervisor", "both"):
            self.supervisor.wait(PATIENCE_S)
            self.supervisor = self._start("tests/fake/fake_supervisor", self.directory,
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.expect("ready 0")

    def begin_run(self, number, is_followed):
        """Somebody reads its stream, and, when it is followed, what it answers as events."""
        chat = Connection(os.path.join(self.directory, "api.sock"))
        self.addCleanup(chat.close)
        body = {"model": "coder", "stream": True, "messages": [{"role": "user", "content": f"round {number}"}],
                "parallel_tool_calls": self.is_parallel}
        chat.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        if not is_followed:
            self.readers.submit(drain, chat.getresponse)
            return None
        response = chat.getresponse()
        self.readers.submit(drain, lambda: response)
        return self.readers.submit(drain, self.open_events(response.headers["x-run-id"], 0))

    def open_events(self, run, cursor):
        connection = Connection(os.path.join(self.directory, "api.sock"))
        self.addCleanup(connection.close)
        connection.request("GET", f"/v1/runs/{run}/events?cursor={cursor}")
        return connection.getresponse

    def read_events(self, run, cursor):
        return parse_events(drain(self.open_events(run, cursor)))

    def wait_for_end(self, run):
        def row():
            answer = self.request("GET", f"/v1/runs/{run}")[2]["data"]
            return answer["status"] != "running" and answer
        return until(row, "the run ends by itself")

    def read_messages(self, session):
        rows = self.request("GET", f"/v1/chat/sessions/{session}/messages?limit=1000")[2]["data"]["messages"]
        self.assertEqual([row["seq"] for row in rows], list(range(1, len(rows) + 1)))
        return [row["message"] for row in rows]

    # What must hold

    def check_conversation(self, messages):
        """Each reply once, each of its calls answered once, in order. Returns (call, answer) of all, and the turns."""
        answered, steps = [], []
        self.assertEqual(messages[0]["role"], "user")
        at = 1
        while at < len(messages):
            reply = messages[at]
            self.assertEqual(reply["role"], "assistant")
            steps.append(reply["content"])
            calls = reply.get("tool_calls", [])
            answers = messages[at + 1:at + 1 + len(calls)]
            if self.is_parallel:  # then in the order in which they end
                answers.sort(key=lambda answer: answer["tool_call_id"])
            self.assertEqual([answer.get("tool_call_id") for answer in answers], [call["id"] for call in calls])
            answered += zip(calls, (answer["content"] for answer in answers))
            at += 1 + len(calls)
        numbers = [int(text.removeprefix("step ")) for text in steps[:-1]]
        self.assertEqual(numbers, sorted(set(numbers)), "each reply once, in order")
        return answered, numbers

    def check_file(self, answered, running):
        """A command whose outcome is known was run once; of the others nobody knows, but never twice."""
        with open(self.lines, encoding="utf-8") as file:
            lines = collections.Counter(file.read().split())
        told = set()
        for call, answer in answered:
            if call["function"]["name"] != "bash":
                self.assertNotIn("Error", answer)
                continue
            name = json.loads(call["function"]["arguments"])["command"].split()[1]
            told.add(name)
            is_unknown = "outcome of this call is unknown" in answer
            self.assertEqual(is_unknown, call["id"] in running, answer)
            if is_unknown:
                self.assertLessEqual(lines[name], 1)
            else:
                self.assertEqual(lines[name], 1, answer)
                self.assertIn(f"said {name}", answer)
        self.assertEqual(set(lines) - told, set(), "a command was run before its reply was recorded")

    def check_events(self, run, seen):
        events = self.read_events(run, 0)
        self.assertEqual([event["seq"] for event in events], list(range(1, len(events) + 1)))
        self.assertEqual([event["type"] for event in events].count("end"), 1)
        self.assertEqual(events[-1]["type"], "end")
        self.assertEqual(events[:len(seen)], seen, "a number that was told is another event's")
        cursor = int(self.random.random() * (len(events) + 1))
        self.assertEqual(self.read_events(run, cursor), events[cursor:])

    # The rounds

    def live_and_die(self, number, longest):
        """A run, killed once or more. False: before it had begun."""
        self.is_parallel = self.random.random() < 0.3
        events = self.begin_run(number, self.random.random() < 0.5)
        time.sleep(self.random.uniform(0, longest))
        self.end_agentd()
        seen = parse_events(events.result()) if events else []
        session, run = self.last_run_in_store()
        if run == self.last_run:
            self.agentd = self.start_agentd()
            until(self._answers, "agentd answers")
            return False
        kept, running = self.look_into_store(session)
        self.agentd = self.start_agentd()
        while self.random.random() < 0.4:  # again, while it takes the run up
            time.sleep(self.random.uniform(0, LATEST_AFTER_START))
            self.agentd.kill()
            self.agentd.wait(PATIENCE_S)
            self.kills["again"] += 1
            now, calls = self.look_into_store(session)
            running |= calls
            self.assertEqual(now[:len(kept)], kept)
            kept = now
            self.agentd = self.start_agentd()
        until(self._answers, "agentd answers")
        self.last_run = run
        self.check_round(session, run, kept, running, seen)
        return True

    def check_round(self, session, run, kept, running, seen):
        row = self.wait_for_end(run)
        self.assertEqual((row["status"], row["finish"]), ("completed", "stop"), row)
        messages = self.read_messages(session)
        self.assertEqual(messages[:len(kept)], kept, "what was recorded")
        answered, numbers = self.check_conversation(messages)
        self.assertEqual(row["turn"], len(numbers) + 1)
        if messages[-1]["content"] == "done":  # else its last reply was lost, and the script has no other
            self.assertEqual({name: row[name] for name in USAGE}, {n: c * row["turn"] for n, c in USAGE.items()})
        self.check_file(answered, running)
        self.check_events(run, seen)
        self.unknown += len(running)

    def test_killed_at_any_moment(self):
        """a run of twenty turns goes on by itself whenever agentd or the supervisor dies, and nothing is done twice"""
        print(f"# seed {SEED}, {KILLS} kills", flush=True)
        began = time.monotonic()
        self.last_run = self.chat("round 0")["runId"]
        longest = time.monotonic() - began
        self.unknown, number, early = 0, 0, 0
        while self.kills.total() - early < KILLS:
            number += 1
            self.write_file("lines", b"")
            if not self.live_and_die(number, longest):
                early += 1
        print(f"# {dict(self.kills)}, {early} before the run had begun; {self.unknown} calls of unknown outcome")


tap.main()

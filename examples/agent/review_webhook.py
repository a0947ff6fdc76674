#!/usr/bin/env python3
"""A review for each pull request: take a webhook, let an agent of Hearth review, print what it says.

    review_webhook.py [--port N] [--agent NAME] [--sessions FILE]

    WEBHOOK_SECRET (needed), HEARTH_API_URL (http://127.0.0.1:3890/v1), HEARTH_API_KEY

The webhook is GitHub's: the event pull_request, as JSON, signed with the secret. Each pull request has a session of
its own: the review of a later push goes on where the one before ended, with the clone that is there. Reviews of
different ones run at the same time. A review is a run: it does not end with this program, nor with a connection, and
is followed by its events. Only Python's standard library. Nothing is posted: finish() is the place for it.
"""

import argparse
import hashlib
import hmac
import http.client
import http.server
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request

URL = os.environ.get("HEARTH_API_URL", "http://127.0.0.1:3890/v1")
KEY = os.environ.get("HEARTH_API_KEY", "none")
SECRET = os.environ.get("WEBHOOK_SECRET", "").encode()
BODY_MAX = 25 << 20  # GitHub sends no more
SILENCE_S = 60  # a stream that lives says ": ping" every 15 seconds
WAIT_S = 2  # before something is tried again
ACTIONS = ("opened", "reopened", "synchronize")
PRINTING = threading.Lock()

# Title and text of a pull request are a stranger's: the agent gets only what names it, and reads the rest as files.
TASK = """Review pull request {number} of {url}.
In /workspace: clone {url} if it is not there, fetch refs/pull/{number}/head, check out {sha}
and look at what it changes against {base}.
Run its tests. Then say what is wrong, file and line each, the worst first; say so plainly when nothing is."""


def open_url(path, body=None):
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    data = None if body is None else json.dumps(body).encode()
    return urllib.request.urlopen(urllib.request.Request(URL + path, data, headers), timeout=SILENCE_S)


class Reviews:
    """The sessions, by the name of the pull request ("owner/name#1"), kept in a file."""

    def __init__(self, path, agent):
        self.path, self.agent = path, agent
        self.lock = threading.Lock()
        self.turns = {}  # a lock for each pull request: its reviews take turns
        self.sessions = {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.sessions = json.load(file)

    def remember(self, name, session):
        with self.lock:
            self.sessions[name] = session
            with open(self.path + ".new", "w", encoding="utf-8") as file:
                json.dump(self.sessions, file)
            os.replace(self.path + ".new", self.path)

    def review(self, name, task):
        with self.lock:
            turn = self.turns.setdefault(name, threading.Lock())
        with turn:
            try:
                session, run = self.start(name, task)
                self.remember(name, session)
                finish(name, *follow(run))
            except urllib.error.HTTPError as error:
                finish(name, "failed", f"{error.code}: {error.read().decode(errors='replace')}")
            except (OSError, http.client.HTTPException) as error:
                finish(name, "failed", str(error))

    def start(self, name, task):
        """(session, run). Its stream is left at once: a run goes on without a reader."""
        body = {"agent": self.agent, "stream": True, "messages": [{"role": "user", "content": task}]}
        if name in self.sessions:
            body["sessionId"] = self.sessions[name]
        while True:
            try:
                with open_url("/chat/completions", body) as response:
                    return response.headers["x-session-id"], response.headers["x-run-id"]
            except urllib.error.HTTPError as error:
                if error.code == 404 and body.pop("sessionId", None):
                    continue  # somebody has removed the session: begin again
                if error.code not in (409, 429, 503):  # a run of it is under way; or not just now
                    raise
                time.sleep(int(error.headers.get("Retry-After", WAIT_S)))


def follow(run):
    """(status, text) of a run at its end. A connection that breaks is made again, and begins behind the last event."""
    cursor, text = 0, ""
    while True:
        try:
            with open_url(f"/runs/{run}/events?cursor={cursor}") as response:
                for line in response:
                    if not line.startswith(b"data:"):
                        continue
                    event = json.loads(line[5:])
                    cursor = event["seq"]
                    if event["type"] == "text":
                        text += event["data"]["text"]
                    elif event["type"] == "tool_call":
                        text = ""  # what is said before a tool is no result
                    elif event["type"] == "end":
                        return event["data"]["status"], text or event["data"]["error"]
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                raise
        time.sleep(WAIT_S)


def finish(name, status, text):
    """A review is done: here it would be posted. Those that end at the same time are printed one after the other."""
    with PRINTING:
        print(f"--- {name}: {status}\n{text}\n---", flush=True)


def name_of(event):
    return f"{event['repository']['full_name']}#{int(event['pull_request']['number'])}"


def task_of(event):
    pull = event["pull_request"]
    return TASK.format(number=int(pull["number"]), url=event["repository"]["clone_url"],
                       sha=pull["head"]["sha"], base=pull["base"]["sha"])


def is_signed(body, signature):
    wanted = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), signature.encode())


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = SILENCE_S

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > BODY_MAX:
            return self.answer(413, "a body of a known and smaller size is wanted")
        body = self.rfile.read(int(length))
        if not is_signed(body, self.headers.get("X-Hub-Signature-256", "")):
            return self.answer(401, "the signature is not of this body and secret")
        if self.headers.get("X-GitHub-Event") != "pull_request":
            return self.answer(200, "no pull request")
        try:
            event = json.loads(body)
            if event["action"] not in ACTIONS:
                return self.answer(200, "nothing to review")
            name, task = name_of(event), task_of(event)
        except (ValueError, KeyError, TypeError):
            return self.answer(400, "not the event of a pull request")
        # The sender waits seconds, a review takes minutes.
        threading.Thread(target=self.server.reviews.review, args=(name, task), daemon=True).start()
        return self.answer(202, f"review of {name}")

    def answer(self, status, text):
        body = json.dumps({"message": text}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--agent", default="coder")
    parser.add_argument("--sessions", default="review-sessions.json")
    options = parser.parse_args()
    if not SECRET:
        sys.exit("WEBHOOK_SECRET is not set: without it anybody could have reviews made")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.reviews = Reviews(options.sessions, options.agent)
    print(f"waiting for pull requests on http://127.0.0.1:{server.server_address[1]}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

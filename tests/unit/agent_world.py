"""agentd with a project and a scripted model, before a fake supervisor: what a client of its API sees. No root."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess

from agentd_world import BUILD, World
from rpc_client import PATIENCE_S, until

CODER = {"name": "coder", "role": "software engineer", "model": "test/model", "allowedTools": ["*"],
         "systemPrompt": "Be brief."}


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(self.path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class AgentWorld(World):
    """Each test has a project of its own; scenario (None: the model repeats what it is told) is the script."""

    agents = [CODER]
    scenario = None
    has_model = True
    has_port = False  # also on 127.0.0.1, at self.url

    def setUp(self):
        self.model = None
        self.port = free_port() if self.has_port else None
        self.url = f"http://127.0.0.1:{self.port}/v1"
        super().setUp()

    def start_agentd(self):
        self.project = os.path.join(self.directory, "project")
        if not os.path.exists(self.project):
            self.make_project()
        arguments = ["--dir", self.directory, "--project", self.project]
        if self.has_port:
            arguments += ["--api-port", str(self.port)]
        if self.has_model:
            arguments += ["--scripted", self.start_model()]
        with open(self.log, "ab") as log:
            return self._start("hearth-agentd", *arguments, stderr=log)

    def make_project(self):
        self.write_project(".hearth/agents.json", json.dumps(self.agents))

    def write_project(self, name, text):
        path = os.path.join(self.project, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        if self.identity:
            subprocess.run(["chown", "-R", "65534:65534", self.project], check=True)
        return path

    def start_model(self):
        path = os.path.join(self.directory, "model.sock")
        if self.model:
            return path
        arguments = ["--socket", path]
        if self.scenario is not None:
            script = os.path.join(self.directory, "scenario.json")
            with open(script, "w", encoding="utf-8") as file:
                json.dump(self.scenario, file)
            arguments += ["--scenario", script]
        self.model = self._start("hearth-scripted-model", *arguments, stdout=subprocess.PIPE, text=True)
        self.assertIn("ready", self.model.stdout.readline())
        return path

    def _answers(self):
        """Its sockets appear one after the other, and listen before the project has been read."""
        if not super()._answers():
            return False
        connection = Connection(os.path.join(self.directory, "api.sock"))
        try:
            connection.request("GET", "/v1/livez")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def restart_agentd(self, how=signal.SIGKILL):
        self.agentd.send_signal(how)
        self.agentd.wait(PATIENCE_S)
        self.agentd = self.start_agentd()
        until(self._answers, "agentd answers")

    def request(self, method, path, body=None, headers=None):
        """(status, headers, JSON)"""
        connection = Connection(os.path.join(self.directory, "api.sock"))
        self.addCleanup(connection.close)
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        reply = connection.getresponse()
        text = reply.read()
        return reply.status, dict(reply.getheaders()), json.loads(text) if text else None

    def open_chat(self, message, **members):
        """The response, whose frames are still to be read."""
        connection = Connection(os.path.join(self.directory, "api.sock"))
        self.addCleanup(connection.close)
        body = {"model": "coder", "stream": True, "messages": [{"role": "user", "content": message}], **members}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        return connection.getresponse()

    @staticmethod
    def frames(response):
        """Each frame, until [DONE]."""
        for line in response:
            text = line.decode().strip()
            if text == "data: [DONE]":
                return
            if text.startswith("data: "):
                yield json.loads(text[6:])

    def chat(self, message, **members):
        status, headers, body = self.request(
            "POST", "/v1/chat/completions",
            {"model": "coder", "messages": [{"role": "user", "content": message}], **members})
        self.assertEqual(status, 200, body)
        return body

    def leases(self):
        """How many sandboxes have been leased since the start: what the supervisor has said of it."""
        self.command("count")
        while True:
            line = self.supervisor.stdout.readline().strip()
            if line.startswith("total "):
                return int(line.split()[1])

    def limit_files(self, size):
        """Of agentd, from a process of the same user."""
        subprocess.run(["prlimit", f"--pid={self.agentd.pid}", f"--fsize={size}:"], check=True, **self.identity)

    def copy_example(self, name):
        shutil.copy(os.path.join(os.environ.get("top_srcdir", "."), "examples", name), self.directory)
        return os.path.join(self.directory, name)


__all__ = ["AgentWorld", "BUILD", "CODER", "Connection"]

"""agentd with a project that cannot be served: it ends with 1 and says what is wrong, with the name that is to be mended."""

import json
import os
import signal
import socket

import tap
from agent_world import AgentWorld, CODER
from rpc_client import PATIENCE_S

PATH_MAX = 4096
SOCKET_PATH_MAX = 108
PROVIDERS_MAX = 32
NAMES_MAX = 16


class Start(AgentWorld):
    def setUp(self):
        super().setUp()
        self.agentd.send_signal(signal.SIGTERM)
        self.assertEqual(self.agentd.wait(PATIENCE_S), 0, self.read_log())

    def refused(self, *parts, options=(), directory=None):
        """It does not start, and says each of these."""
        status, text = self.run_agentd("--dir", directory or self.directory, "--project", self.project, *options)
        self.assertEqual(status, 1, text)
        for part in parts:
            self.assertIn(part, text)

    def configure(self, text):
        with open(os.path.join(self.directory, "agentd.conf"), "w", encoding="utf-8") as file:
            file.write(text)

    def replace(self, name, text):
        """A file where a folder or socket should be."""
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path


class Options(Start):
    def test_paths(self):
        """a scripted model, a project and a port that it cannot have are named"""
        self.refused("scripted model /no/such/model.sock", "No such file", options=["--scripted", "/no/such/model.sock"])
        long = os.path.join(self.directory, "x" * SOCKET_PATH_MAX)
        self.refused("scripted model", "too long", options=["--scripted", long])
        self.refused("project /no/such", "No such file", options=["--project", "/no/such"])
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            self.refused(f"API: listen on 127.0.0.1:{port}", "in use", options=["--api-port", port])
            self.refused(f"metrics: listen on 127.0.0.1:{port}", "in use", options=["--metrics-port", port])
        os.unlink(os.path.join(self.directory, "api.sock"))
        self.replace("api.sock", "")
        self.refused("api.sock")

    def test_directory(self):
        """an instance whose directory has too long a name for its files is refused"""
        name = self.directory
        name += "/." * ((PATH_MAX - 1 - len("/agentd.conf") + 2 - len(name)) // 2)
        self.refused("too long", directory=name)


class Configuration(Start):
    def test_values(self):
        """a value that may not be is refused, with its line where it has one"""
        hosts = ", ".join(f"h{i}" for i in range(NAMES_MAX + 1))
        for text, parts in (
                (f"[api]\nhosts = {hosts}\n", ("[api] hosts: more than 16",)),
                (f"[api]\norigins = {hosts}\n", ("[api] origins: more than 16",)),
                ("[models]\ntries = 0\n", ("agentd.conf:2", "tries")),
                ("[models]\nstall = 1ms\n", ("agentd.conf:2", "stall")),
                ('[provider "Not a name"]\n', ("agentd.conf:1", "Not a name")),
                ('[provider "mine"]\ndialect = latin\n', ("agentd.conf:2", "openai")),
                ('[provider "mine"]\nconcurrency = 2\n', ("mine", "base_url")),
                ('[provider "mine"]\nbase_url = ftp://x\n', ("mine", "https://")),
                ("".join(f'[provider "p{i}"]\nbase_url = http://x\n' for i in range(PROVIDERS_MAX + 1)),
                 ("more than 32 providers",)),
                ("[search]\nprovider = altavista\n", ("[search]", "searxng")),
                ("[search]\nprovider = searxng\n", ("[search]", "url")),
                ("[search]\nprovider = searxng\nurl = ftp://x\n", ("[search]", "http"))):
            with self.subTest(text[:60]):
                self.configure(text)
                self.refused(*parts)


class Project(Start):
    def test_errors(self):
        """a project with an error is not served, and the error is shown with its file"""
        self.write_project(".hearth/agents.json", json.dumps([CODER, CODER]))
        self.refused("agents.json", "coder", "the project has errors: hearth agent validate shows them")
        status, text = self.run_agentd("--check", self.project)
        self.assertEqual(status, 1, text)
        self.assertIn("agents.json", text)
        status, text = self.run_agentd("--check", self.project, "--json")
        self.assertEqual((status, json.loads(text)["ok"]), (1, False))
        status, text = self.run_agentd("--check", "/no/such")
        self.assertEqual(status, 1)
        self.assertIn("/no/such", text)
        self.write_project(".hearth/agents.json", json.dumps([CODER]))
        self.assertEqual(self.run_agentd("--check", self.project)[0], 0)

    def test_state(self):
        """a folder of state that cannot be made, opened or read is named"""
        folder = os.path.join(self.project, ".hearth")
        state = os.path.join(folder, "state")
        with open(os.path.join(state, "sessions.db"), "w", encoding="utf-8") as file:
            file.write("not a database" * 1000)
        self.refused("sessions.db", "not a database")
        os.unlink(os.path.join(state, "sessions.db"))
        os.rmdir(state)
        os.chmod(folder, 0o555)
        self.refused("make .hearth/state", "user hearth must be able to")
        os.chmod(folder, 0o755)
        with open(state, "w", encoding="utf-8"):
            self.refused("open .hearth/state", "Not a directory")
        os.unlink(state)


tap.main()

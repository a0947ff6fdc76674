"""The real agentd before a fake supervisor whose sandboxes are guests without a jail. No root."""

import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from rpc_client import Client, PATIENCE_S, until

BUILD = os.environ.get("top_builddir", ".")
NOBODY = 65534


class World(unittest.TestCase):
    """A fresh instance for each test; agentd must end well, and take everything with it."""

    agentd_exit_code = 0  # of its end in tear_down

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="hearth-agentd-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        # As root it would become user hearth, who may not exist where this runs.
        self.identity = {}
        if os.geteuid() == 0:
            os.chown(self.directory, NOBODY, NOBODY)
            self.identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self.supervisor = self._start(
            "tests/fake/fake_supervisor", self.directory,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect("ready 0")
        self.log = os.path.join(self.directory, "agentd.log")
        self.agentd = self.start_agentd()
        self.root = os.path.join(self.directory, "root")
        self.path = os.path.join(self.directory, "agentd.sock")
        until(self._answers, "agentd answers")

    def start_agentd(self):
        with open(self.log, "ab") as log:
            return self._start("hearth-agentd", "--dir", self.directory, stderr=log)

    def run_agentd(self, *arguments):
        """One that ends by itself: (exit status, stdout and stderr)."""
        done = subprocess.run([os.path.join(BUILD, "hearth-agentd"), *arguments], timeout=PATIENCE_S,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, **self.identity)
        return done.returncode, done.stdout

    def _start(self, program, *arguments, **options):
        process = subprocess.Popen(
            [os.path.join(BUILD, program), *arguments], **self.identity, **options)
        self.addCleanup(self._stop, process)
        return process

    @staticmethod
    def _stop(process):
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()

    def _answers(self):
        if self.agentd.poll() is not None:
            self.fail(self.read_log())
        try:
            self.connect().close()
        except OSError:
            return False
        return True

    def tearDown(self):
        if self.agentd.poll() is None:
            self.agentd.send_signal(signal.SIGTERM)
        self.assertEqual(self.agentd.wait(PATIENCE_S), self.agentd_exit_code, self.read_log())
        self.assertEqual(self.strays(), [], "a guest or a command is left")

    def strays(self):
        """Processes that work in this instance's directory; guests end with their channel."""
        def look():
            return not self._find_strays()
        try:
            until(look, "no strays")
        except AssertionError:
            return self._find_strays()
        return []

    def _find_strays(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/cwd").startswith(self.directory):
                    found.append(pid)
            except OSError:
                continue
        return found

    def connect(self):
        client = Client(self.path)
        self.addCleanup(client.close)
        return client

    def read_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def expect(self, event):
        """Read what the supervisor says until it says this."""
        while True:
            line = self.supervisor.stdout.readline()
            if not line:
                self.fail(f"the fake supervisor ended before: {event}")
            if line.strip() == event:
                return

    def command(self, line):
        self.supervisor.stdin.write(line + "\n")
        self.supervisor.stdin.flush()

    def write_file(self, name, content):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        if self.identity:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", self.root], check=True)
        return path

    def fd_count(self):
        try:
            return len(os.listdir(f"/proc/{self.agentd.pid}/fd"))
        except PermissionError:
            self.skipTest("only root may count the fds of a process that is not dumpable")

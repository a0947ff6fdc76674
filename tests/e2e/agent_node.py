"""agentd as clients of OpenAI's package for Node see it: that package, in the Node of the image base.

agentd is the real one, its supervisor and its model are not. The package comes from npm, once for each build
directory. Node runs in the image's tree, which nobody writes to: in a mount namespace of its own, as nobody.
"""

import atexit
import base64
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

import tap

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "unit"))
from agent_world import AgentWorld, BUILD, CODER  # noqa: E402
from rpc_client import PATIENCE_S, until  # noqa: E402

BASE = "/var/lib/hearth/images/base/root"
EXAMPLES = os.path.join(HERE, "..", "..", "examples", "agent")
CACHE = os.path.join(BUILD, "tests", "cache")
PACKAGE = "openai-6.49.0"
SHA512 = ("aYCc0C6L864eR6WSYIwQGyXriw/nIyZx0ObvhzOEVuk0zoBDpynjSbrionWI7q65"
          "B5H8jJX0DXR9snEzM6bfPg==")
SILENCE_S = 330
SOAK = os.environ.get("HEARTH_SOAK")

# $1: the image's tree, $2: what becomes /workspace, then the command.
INSIDE = """
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount --bind "$2" "$1/workspace"
mount --rbind /dev "$1/dev"
mount --bind /etc/resolv.conf "$1/etc/resolv.conf"
mount -t tmpfs none "$1/tmp"
cd /
root=$1
shift 2
exec chroot --userspec=nobody:nogroup "$root" env -C /workspace HOME=/tmp "$@"
"""


def in_base(directory, *command):
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", INSIDE, "sh", BASE, directory, *command]


def digest_of(path):
    with open(path, "rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()


def fetch_package():
    """By npm, which knows this host's registry, proxy and authorities, and tries again. Its path."""
    path = os.path.join(CACHE, PACKAGE + ".tgz")
    if os.path.exists(path) and digest_of(path) == SHA512:
        return path
    os.makedirs(CACHE, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as directory:
        shutil.chown(directory, "nobody")
        command = ["npm", "pack", "--silent", "--no-update-notifier", PACKAGE.replace("-", "@")]
        done = subprocess.run(in_base(directory, *command), capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        fetched = os.path.join(directory, PACKAGE + ".tgz")
        assert digest_of(fetched) == SHA512, f"{PACKAGE}: another package than it was: {digest_of(fetched)}"
        os.replace(fetched, path)
    return path


@functools.cache
def make_workspace():
    """The package, the cases and the examples, once for all tests."""
    directory = tempfile.mkdtemp(prefix="hearth-node-")
    atexit.register(shutil.rmtree, directory)
    os.chmod(directory, 0o755)
    with tarfile.open(fetch_package()) as archive:
        programs = [member for member in archive if member.name.endswith((".js", ".mjs", ".json"))]
        archive.extractall(directory, programs, filter="data")
    os.mkdir(os.path.join(directory, "node_modules"))
    os.rename(os.path.join(directory, "package"), os.path.join(directory, "node_modules", "openai"))
    for path in (os.path.join(HERE, "agent_node.mjs"), os.path.join(EXAMPLES, "chat.ts"),
                 os.path.join(EXAMPLES, "chat_openai.ts")):
        shutil.copy(path, directory)
    return directory


def hold(name):
    """Steps of a run that waits for the file `go`."""
    command = "until [ -e go ]; do sleep 0.01; done"
    return {"match": name, "steps": [{"tool_calls": [{"name": "bash", "arguments": {"command": command}}]}]}


class Node(AgentWorld):
    has_port = True
    agents = [CODER, {**CODER, "name": "single", "maxConcurrency": 1}]
    scenario = {"steps": [], "conversations": [
        hold("hold"), {"match": "no key", "steps": [{"status": 401, "repeat": 2}]},
        {"match": "silence", "steps": [
            {"tool_calls": [{"name": "bash", "arguments": {"command": f"sleep {SILENCE_S}", "timeout": 500000}}],
             "repeat": 3},
            {"text": "slept", "repeat": 3}]}]}

    @classmethod
    def setUpClass(cls):
        cls.workspace = make_workspace()

    def start_node(self, *arguments, key=None):
        environment = {**os.environ, "HEARTH_API_URL": self.url, **({"HEARTH_API_KEY": key} if key else {})}
        process = subprocess.Popen(in_base(self.workspace, "node", *arguments), env=environment, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(self._stop, process)
        return process

    def finish(self, process, patience_s=PATIENCE_S):
        """(stdout, stderr)"""
        out, err = process.communicate(timeout=patience_s)
        self.assertEqual(process.returncode, 0, out + err)
        return out, err

    def case(self, name, **options):
        self.finish(self.start_node("agent_node.mjs", name, **options))


class Package(Node):
    def test_plain(self):
        """a completion has all that OpenAI's has, and its session"""
        self.case("plain")

    def test_stream(self):
        """a stream is iterated to its end, with a usage only where it was asked for"""
        self.case("stream")
        self.case("usage")

    def test_tools(self):
        """what a tool does stands beside the delta, untouched, and never as a call for the client"""
        self.case("tools")
        self.case("accumulator")

    def test_sessions(self):
        """a session goes on by a member of the body and by a header"""
        self.case("sessions")

    def test_models(self):
        """the agents are listed and found as models"""
        self.case("models")

    def test_errors(self):
        """each refusal is the package's error of that kind, with a code and a reason"""
        self.case("errors")

    def test_retries(self):
        """a run that failed is not asked for again, though the package would"""
        self.case("retries")

    def test_key(self):
        """a wrong key is an authentication error, the right one is none"""
        self.case("key", key=self.connect().call("key.create")["key"])

    def test_busy(self):
        """a busy agent says when to ask again, and the package does"""
        process = self.start_node("agent_node.mjs", "busy")
        self.assertEqual(process.stdout.readline(), "busy\n")
        self.write_file("go", b"")
        self.finish(process)

    def test_abort(self):
        """a stream that its reader leaves is a run that goes on, and its session after it"""
        process = self.start_node("agent_node.mjs", "abort")
        run = process.stdout.readline().strip()
        self.write_file("go", b"")
        until(lambda: self.request("GET", f"/v1/runs/{run}")[2]["data"]["status"] == "completed", "it is completed")
        self.finish(process)


class Examples(Node):
    def test_chat(self):
        """chat.ts and chat_openai.ts stream a turn, show its tools, and go on with the session"""
        for name in ("chat.ts", "chat_openai.ts"):
            with self.subTest(name):
                out, err = self.finish(self.start_node(name, "run: echo first >>notes"))
                self.assertIn("scripted model: ", out)
                self.assertIn("> bash", err)
                session = err.split()[-1]
                out, err = self.finish(self.start_node(name, "--session", session, "run: cat notes"))
                self.assertIn("first", out)
                self.assertEqual(err.split()[-1], session)

    def test_refused(self):
        """they say why they were refused"""
        for name in ("chat.ts", "chat_openai.ts"):
            with self.subTest(name):
                process = self.start_node(name, "--agent", "nobody", "hello")
                _, err = process.communicate(timeout=PATIENCE_S)
                self.assertEqual(process.returncode, 1)
                self.assertIn("there is no agent nobody", err)


class Silence(Node):
    """For make soak alone: it takes as long as Node's own patience, and agentd's pings have no option."""
    if SOAK:
        def test_silence(self):
            """Node's fetch has its answer after more than five minutes without a word, streamed or not"""
            self.finish(self.start_node("agent_node.mjs", "silence"), SILENCE_S + PATIENCE_S)


tap.main()

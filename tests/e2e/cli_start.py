"""hearth start, up and down with daemons that only pretend: what is started how, what is said, and that it all ends."""

import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import unittest

import tap
from fake_agentd import FakeAgentd
from rpc_client import until

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(os.environ.get("top_builddir", "."), "tests", "fake", "hearth")
SECONDS = 60  # for anything that could hang

SUPERVISOR = """
import fcntl, json, os, signal, sys
sys.path[:0] = [{here!r}, {tests!r}]
from fake_supervisor import FakeSupervisor, POOLS, done, header, pool_row



def fail(message):
    for level, text in (("error", message), ("info", "of no interest")):
        print(json.dumps({{"level": level, "message": text, "program": "x"}}), file=sys.stderr)
    sys.exit(1)


directory = sys.argv[sys.argv.index("--dir") + 1]
lock = open(os.path.join(directory, "lock"), "a")
try:
    fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    fail("another one serves it")
if "--recover" in sys.argv:
    if os.path.exists(os.path.join(directory, "irrecoverable")):
        fail('something "stays"')
    sys.exit(0)
signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM}})
keys = sorted(name for name in os.environ if name.endswith("_API_KEY"))
with open(os.path.join(directory, "supervisor.json"), "w") as file:
    json.dump({{"pid": os.getpid(), "keys": keys}}, file)


def serve(link, data):
    kind, request = header(data)
    if kind == POOLS:
        link.send(pool_row(request))
    link.send(done(request))


with FakeSupervisor(serve, directory):
    signal.sigwait({{signal.SIGTERM}})
"""
LISTENER = """
import socket, sys
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1])
    listener.listen()
    print(flush=True)
    sys.stdin.read()
"""
# It ends when it is asked the first time, as one does that cannot have what it opens after its socket.
AGENTD_THAT_ENDS = f"""#!{sys.executable}
import os, socket, sys
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[2] + "/agentd.sock")
    listener.listen()
    while not listener.accept()[0].recv(1):
        pass
print('{{"level":"error","message":"API: listen on 127.0.0.1:3890: Address already in use"}}', file=sys.stderr)
print('{{"level":"info","message":"no API key"}}', file=sys.stderr, flush=True)
os._exit(1)
"""
MODEL = """#!/bin/sh
echo "model $(id -un) $* $([ -S /proc/self/fd/3 ] && echo listener)$XAI_API_KEY"
echo "ready unix:$HEARTH_DIR"
exec sleep 1000
"""


def write(path, text, mode=0o755):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


class Start(unittest.TestCase):
    def setUp(self):
        self.path = tempfile.mkdtemp(prefix="hearth-e2e.")
        self.addCleanup(shutil.rmtree, self.path)
        os.chmod(self.path, 0o755)
        self.directory, self.project = os.path.join(self.path, "run"), os.path.join(self.path, "project")
        for name in ("bin", "sbin", "libexec/hearth", "run", "project"):
            os.makedirs(os.path.join(self.path, name))
        self.program = shutil.copy(PROGRAM, os.path.join(self.path, "bin"))
        python = f"#!{sys.executable}\n"
        write(os.path.join(self.path, "sbin/hearth-supervisor"),
              python + SUPERVISOR.format(here=HERE, tests=os.path.dirname(HERE)))
        write(os.path.join(self.path, "sbin/hearth-agentd"),
              python + f"import sys\nsys.path[:0] = [{HERE!r}]\nimport fake_agentd, signal\n"
              "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})\nfake_agentd.main()\n")
        write(os.path.join(self.path, "libexec/hearth/hearth-scripted-model"), MODEL)
        write(os.path.join(self.path, "libexec/hearth/hearth-image"), "#!/bin/sh\n")
        self.hearth("init", self.project)

    def environment(self, **more):
        clean = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        return {**clean, "HEARTH_DIR": self.directory, **more}

    def hearth(self, *words, **environment):
        return subprocess.run([self.program, *words], env=self.environment(**environment), capture_output=True,
                              timeout=SECONDS, check=False)

    def start(self, *words, **environment):
        """Begin it, until it says that it serves: what it said."""
        self.process = subprocess.Popen(
            [self.program, "start", "--image", "tiny", "--project", self.project, *words],
            env=self.environment(**environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.process.stderr.close)
        self.addCleanup(self.process.kill)
        said = ""
        while not said.endswith("Ctrl-C ends it\n") and not said.startswith("{"):
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(f"it ended: {said}{self.process.stderr.read()}")
            said += line
        return said

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=SECONDS)
        self.assertEqual((self.process.returncode, err), (0, ""))
        return out

    def file(self, name):
        return os.path.join(self.directory, name)

    def read(self, name):
        with open(self.file(name), encoding="utf-8") as file:
            return json.load(file) if name.endswith(".json") else file.read()

    def listener(self, name, kind=socket.SOCK_STREAM):
        """The pid of who listens there."""
        with socket.socket(socket.AF_UNIX, kind) as link:
            link.connect(self.file(name))
            return int.from_bytes(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little")

    def assert_nothing_is_left(self):
        self.assertEqual([name for name in os.listdir(self.directory) if name.endswith(".sock")], [])
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    self.assertNotIn(self.path.encode(), file.read())
            except (FileNotFoundError, ProcessLookupError):
                pass

    def test_without_a_key(self):
        """without a key a script answers, which is said with the variable to set; Ctrl-C ends it all"""
        said = self.start("--port", "4567")
        self.assertIn(f"hearth: API on http://127.0.0.1:4567/v1 (agents: coder, ?[31mred) for {self.project}\n", said)
        self.assertIn("answers come from a script, not from a model: set XAI_API_KEY", said)
        self.assertIn("the sandboxes have no network", said)
        self.assertIn("hearth: there is no API key: anybody on this host may use the API; hearth key create makes one\n", said)
        self.assertIn("curl -N http://127.0.0.1:4567/v1/chat/completions ", said)
        self.assertIn('{"agent":"coder","stream":true,', said)
        self.assertEqual(self.read("agentd.json"), {"keys": [], "argv": [
            "--dir", self.directory, "--project", self.project, "--api-port", "4567", "--scripted",
            self.file("model.sock")]})
        until(lambda: "model " in self.read("model.log"), "the script starts")
        self.assertIn("model hearth --fd 3 listener\n", self.read("model.log"))
        for name in ("model.log", "agentd.log"):
            self.assertIn("joins the daemons of ", self.read(name))
        self.assertNotIn("joins", self.read("supervisor.log"))
        self.assertEqual(self.read("hearth.conf"), "# Written by hearth start.\n[pool \"tiny\"]\nimage = tiny\n"
                         "net = none\nmin = 4\nmax = 16\n")
        self.assertEqual(self.end(), "hearth: stopped\n")
        self.assert_nothing_is_left()

    def test_agentd_may_use_the_folder(self):
        """the project's files are shared with agentd, and its state is agentd's alone"""
        path = os.path.join(self.project, ".hearth")
        write(os.path.join(path, "memory", "coder.md"), "mine", 0o600)
        self.start()
        user = pwd.getpwnam("hearth")
        st = os.stat(os.path.join(path, "state"))
        self.assertEqual((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)), (user.pw_uid, user.pw_gid, 0o700))
        st = os.stat(os.path.join(path, "memory", "coder.md"))
        self.assertEqual((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)), (0, user.pw_gid, 0o660))
        st = os.stat(self.file("model.sock"))
        self.assertEqual((st.st_gid, stat.S_IMODE(st.st_mode)), (user.pw_gid, 0o660))
        self.end()

    def test_with_a_key(self):
        """with a key in the environment there is no script, and nobody but agentd is given the key"""
        write(self.file("has-keys"), "")
        said = self.start("--net", "default", XAI_API_KEY="secret", GROQ_API_KEY="other")
        self.assertNotIn("script", said)
        self.assertNotIn("no API key", said)
        self.assertNotIn("no network", said)
        note = self.read("agentd.json")
        self.assertEqual((note["keys"], "--scripted" in note["argv"]), (["GROQ_API_KEY", "XAI_API_KEY"], False))
        self.assertEqual(self.read("supervisor.json")["keys"], [])
        self.assertFalse(os.path.exists(self.file("model.log")))
        self.end(signal.SIGTERM)
        self.assert_nothing_is_left()

    def test_a_script_of_ones_own(self):
        """--script FILE answers, also when there is a key: nobody is given it then"""
        path = os.path.join(self.path, "scenario.json")
        write(path, "{}", 0o644)
        self.start("--script", path, XAI_API_KEY="secret")
        until(lambda: "model " in self.read("model.log"), "the script starts")
        self.assertIn(f"model hearth --fd 3 --scenario {path} listener\n", self.read("model.log"))
        self.assertEqual(self.read("agentd.json")["keys"], [])
        self.end()
        result = self.hearth("start", "--project", self.project, "--image", "tiny", "--script", path + ".none")
        self.assertEqual((result.returncode, len(result.stderr.splitlines())), (3, 1))
        self.assertIn(b"scenario.json.none", result.stderr)
        self.assert_nothing_is_left()

    def test_json(self):
        """with --json it says where it serves in one object"""
        said = json.loads(self.start("--json"))
        self.assertEqual(said, {"url": "http://127.0.0.1:3890/v1", "agents": ["coder", "\x1b[31mred"],
                                "project": self.project, "directory": self.directory, "scripted": True})
        self.assertEqual(self.end(), "")

    def test_a_supervisor_that_runs_is_used(self):
        """a supervisor that runs there already is used, and outlives it"""
        supervisor = subprocess.Popen([os.path.join(self.path, "sbin/hearth-supervisor"), "--dir", self.directory])
        self.addCleanup(supervisor.wait)
        self.addCleanup(supervisor.kill)
        until(lambda: os.path.exists(self.file("control.sock")), "the supervisor listens")
        self.assertIn("of the supervisor that runs in", self.start())
        self.end()
        self.assertEqual(self.listener("control.sock", socket.SOCK_SEQPACKET), supervisor.pid)
        self.assertEqual([name for name in os.listdir(self.directory) if name.endswith(".sock")], ["control.sock"])
        self.assertFalse(os.path.exists(self.file("hearth.conf")))

    def test_an_agentd_that_runs_is_in_the_way(self):
        """an agentd that serves there already is left alone, and it is said what to do"""
        with FakeAgentd(self.directory) as agentd:
            result = self.hearth("start", "--project", self.project)
            self.assertEqual(self.listener("agentd.sock"), os.getpid())
            self.assertEqual(agentd.seen, [])
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"an agentd serves there already (EEXIST): stop it with hearth down", result.stderr)

    def test_an_agentd_that_ends(self):
        """when agentd ends by itself its last words are said, all else is ended, and the status is 1"""
        self.start()
        os.kill(self.listener("agentd.sock"), signal.SIGUSR1)
        _, err = self.process.communicate(timeout=SECONDS)
        self.assertEqual(self.process.returncode, 1)
        self.assertIn("hearth: hearth-agentd ended: the store is full (ECHILD)", err)
        self.assert_nothing_is_left()

    def test_an_agentd_that_does_not_start(self):
        """when agentd does not start, its words are said and all is taken back"""
        write(os.path.join(self.path, "sbin/hearth-agentd"), "#!/bin/sh\necho port 3890 is taken >&2\nexit 1\n")
        result = self.hearth("start", "--image", "tiny", "--project", self.project)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"hearth-agentd ended: port 3890 is taken", result.stderr)
        self.assert_nothing_is_left()

    def test_an_agentd_that_ends_at_once(self):
        """when agentd ends while it is asked, its words of level error are said, not that the line is dead"""
        write(os.path.join(self.path, "sbin/hearth-agentd"), AGENTD_THAT_ENDS)
        result = self.hearth("start", "--image", "tiny", "--project", self.project)
        self.assertEqual((result.returncode, len(result.stderr.splitlines())), (1, 1), result.stderr)
        self.assertIn(b"hearth-agentd ended: API: listen on 127.0.0.1:3890: Address already in use", result.stderr)
        self.assert_nothing_is_left()

    def test_an_agentd_that_is_killed(self):
        """when agentd is killed, the signal is said, not what it logged last"""
        self.start()
        os.kill(self.listener("agentd.sock"), signal.SIGKILL)
        _, err = self.process.communicate(timeout=SECONDS)
        self.assertEqual(self.process.returncode, 1)
        self.assertIn("hearth: hearth-agentd ended: killed by signal 9 (ECHILD)", err)
        self.assert_nothing_is_left()

    def test_a_script_that_is_none(self):
        """a script that cannot be read is said before anything is said to serve"""
        write(os.path.join(self.path, "libexec/hearth/hearth-scripted-model"),
              "#!/bin/sh\nsleep 1\necho 'hearth-scripted-model: no JSON' >&2\nexit 2\n")
        result = self.hearth("start", "--image", "tiny", "--project", self.project)
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertIn(b"hearth-scripted-model ended: hearth-scripted-model: no JSON", result.stderr)
        self.assert_nothing_is_left()

    def test_an_agentd_without_a_project(self):
        """an agentd that knows no agents is a failure, said once, and all is taken back"""
        fake = os.path.join(self.path, "sbin/hearth-agentd")
        with open(fake, encoding="utf-8") as file:
            text = file.read()
        write(fake, text.replace("fake_agentd.main()", "fake_agentd.FakeAgentd(sys.argv[2])\nsignal.sigwait({15})"))
        result = self.hearth("start", "--image", "tiny", "--project", self.project)
        self.assertEqual((result.returncode, len(result.stderr.splitlines())), (7, 1))
        self.assertIn(b"there is no method agent.list", result.stderr)
        self.assert_nothing_is_left()

    def test_a_project_that_cannot_be_served(self):
        """no folder, one that is a link, and one that agentd cannot enter are said with what to do; nothing starts"""
        bare = os.path.join(self.path, "bare")
        os.mkdir(bare)
        for words, code, text in (([], 3, b"hearth init"), (["--project", bare], 3, b"hearth init"),
                                  (["--project", bare + ".none"], 3, b"bare.none")):
            result = subprocess.run([self.program, "start", *words], env=self.environment(), cwd=bare,
                                    capture_output=True, check=False)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(text, result.stderr)
        os.symlink(os.path.join(self.project, ".hearth"), os.path.join(bare, ".hearth"))
        result = self.hearth("start", "--project", bare)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"it is no folder", result.stderr)
        os.chmod(self.project, 0o700)
        result = self.hearth("start", "--project", self.project)
        self.assertEqual(result.returncode, 4)
        self.assertIn(b"chmod o+x", result.stderr)
        self.assertEqual(os.listdir(self.directory), [])
        os.chown(self.project, 0, pwd.getpwnam("hearth").pw_gid)
        os.chmod(self.project, 0o710)
        self.start()
        self.end()

    def up(self, *words, image="tiny"):
        self.addCleanup(self.hearth, "down")
        return self.hearth("up", "--image", image, "--pool", "2", *words)

    def test_up_while_another_starts(self):
        """an up that finds an instance running when its image is built leaves that and its hearth.conf alone"""
        write(os.path.join(self.path, "libexec/hearth/hearth-image"),
              f'#!/bin/sh\n[ "$3" != slow ] || exec {self.program} up --image tiny --pool 2\n')
        result = self.up(image="slow")
        self.assertEqual(result.returncode, 1)
        pid = self.listener("control.sock", socket.SOCK_SEQPACKET)
        self.assertIn(f"it runs already (pid {pid}) (EEXIST): stop it with hearth down".encode(), result.stderr)
        self.assertIn('[pool "tiny"]', self.read("hearth.conf"))
        self.assertEqual(self.hearth("down", "--json").stdout, b'{"stopped": 2}\n')
        self.assert_nothing_is_left()

    def test_up_while_another_is_about_to(self):
        """who starts an instance keeps others from it, before there is a supervisor too"""
        supervisor = os.path.join(self.path, "sbin/hearth-supervisor")
        os.rename(supervisor, supervisor + ".real")
        write(supervisor, f'#!/bin/sh\n[ "$3" = --recover ] || {self.program} up --image tiny --pool 2 '
              f'2>{self.path}/second\nexec {supervisor}.real "$@"\n')
        self.assertEqual(self.up().returncode, 0)
        with open(os.path.join(self.path, "second"), encoding="utf-8") as file:
            self.assertIn("somebody else starts it (EBUSY)", file.read())

    def test_a_supervisor_that_is_beaten(self):
        """when somebody else's supervisor was faster, ours is said to have ended, and the other one stays"""
        supervisor = os.path.join(self.path, "sbin/hearth-supervisor")
        os.rename(supervisor, supervisor + ".real")
        write(supervisor, f'#!/bin/sh\n[ "$3" = --recover ] || {supervisor}.real "$@" &\n'
              f'while [ "$3" != --recover ] && ! [ -S {self.file("control.sock")} ]; do sleep 0.01; done\n'
              f'exec {supervisor}.real "$@"\n')
        for words in (("up", "--pool", "2"), ("start", "--project", self.project)):
            self.addCleanup(self.hearth, "down")
            result = self.hearth(*words, "--image", "tiny")
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"hearth-supervisor ended: another one serves it", result.stderr)
            self.assertEqual(self.listener("control.sock", socket.SOCK_SEQPACKET), self.read("supervisor.json")["pid"])
            self.assertEqual(self.hearth("down", "--json").stdout, b'{"stopped": 1}\n')
        self.assert_nothing_is_left()

    def test_a_directory_of_others(self):
        """where others may put a socket, or a link to one, nobody is signalled and nothing is started"""
        path = os.path.join(self.path, "victim.sock")
        victim = subprocess.Popen([sys.executable, "-c", LISTENER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(victim.communicate)
        victim.stdout.readline()
        for name in ("agentd.sock", "control.sock"):
            os.symlink(path, self.file(name))
        for owner, mode in ((65534, 0o755), (0, 0o777), (0, 0o775)):
            os.chown(self.directory, owner, owner)
            os.chmod(self.directory, mode)
            for words in (("down",), ("up", "--image", "tiny", "--pool", "2"), ("start", "--project", self.project)):
                result = self.hearth(*words)
                self.assertEqual(result.returncode, 4, result.stderr)
                self.assertIn(b"others than root may change it", result.stderr)
        os.chmod(self.directory, 0o755)
        result = self.hearth("down")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"agentd.sock: it is no socket", result.stderr)
        self.assertIsNone(victim.poll())
        self.assertEqual(sorted(os.listdir(self.directory)), ["agentd.sock", "control.sock"])

    def test_down_without_a_socket(self):
        """down ends a supervisor whose socket was removed"""
        self.assertEqual(self.up().returncode, 0)
        os.unlink(self.file("control.sock"))
        result = self.hearth("down", "--json")
        self.assertEqual((result.returncode, result.stdout), (0, b'{"stopped": 2}\n'), result.stderr)
        self.assert_nothing_is_left()

    def test_down_where_nothing_ever_ran(self):
        """down makes nothing in a directory that is no instance"""
        result = self.hearth("down")
        self.assertEqual((result.returncode, result.stdout), (0, b"hearth: nothing runs there\n"))
        self.assertEqual(os.listdir(self.directory), [])

    def test_a_recovery_that_fails(self):
        """what cannot be removed is said in the supervisor's words, without its log's form"""
        self.assertEqual(self.up().returncode, 0)
        write(self.file("irrecoverable"), "")
        result = self.hearth("down")
        os.unlink(self.file("irrecoverable"))
        self.assertEqual((result.returncode, result.stderr), (1, b'hearth: something "stays" (ECHILD)\n'))

    def test_failures_are_one_object(self):
        """with --json a failure is one object, with the reasons of the image and of what could not be taken back"""
        write(os.path.join(self.path, "libexec/hearth/hearth-image"), '#!/bin/sh\n[ "$3" = tiny ] || '
              """{ echo '{"error": {"message": "no \\"recipe\\"", "code": 3}}' >&2; exit 3; }\n""")
        result = self.up("--json", image="nosuch")
        error = json.loads(result.stderr)["error"]
        self.assertEqual((result.returncode, error["errno"]), (3, "ENOENT"))
        self.assertRegex(error["message"], r'^image nosuch: .*: no "recipe"$')
        write(os.path.join(self.path, "sbin/hearth-agentd"), "#!/bin/sh\necho port 3890 is taken >&2\nexit 1\n")
        write(self.file("irrecoverable"), "")
        result = self.up("--json")
        os.unlink(self.file("irrecoverable"))
        self.assertRegex(json.loads(result.stderr)["error"]["message"],
                         r'^hearth-agentd ended: port 3890 is taken; stop what was started: something "stays"$')

    def test_wrong_command_lines(self):
        """wrong options are refused before anything is done, and others than root too"""
        for words in (["--port", "0"], ["--port", "65536"], ["--pool", "0"], ["--image", "../x"], ["--net", "all"],
                      ["--except", "10.0.0.0/8"], ["now"]):
            self.assertEqual(self.hearth("start", *words).returncode, 2, words)
        result = subprocess.run(["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", self.program,
                                 "start", "--project", self.project], capture_output=True, check=False)
        self.assertEqual(result.returncode, 4)
        self.assertIn(b"run it as root", result.stderr)


if __name__ == "__main__":
    tap.main()

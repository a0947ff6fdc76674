"""Whatever is killed at whatever moment, the next start leaves nothing of the last run behind.

Rounds: start an instance, lease and release until a random moment, SIGKILL one of its processes;
then start it again (sometimes it is killed again while it recovers), see that it serves and that
every process of the last run is dead, stop it, and see that no process, cgroup, uid range or socket
is left. Beside it a second instance holds one lease all the time and must not notice anything.

HEARTH_SEED=N repeats the run that printed "seed N"; HEARTH_SOAK=1 takes 200 moments for each kind
of process instead of 6.
"""

import array
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

import tap

SOAK = os.environ.get("HEARTH_SOAK") == "1"
MOMENTS = 200 if SOAK else 6  # for each kind of process
SEED = int(os.environ.get("HEARTH_SEED") or (int.from_bytes(os.urandom(4), "big") if SOAK else 1))
LATEST_MOMENT = 0.12  # s after the start: what comes later is like what came before
PATIENCE = 30  # s, for what must happen
STORE = pathlib.Path("/var/lib/hearth/images")
RANGES = pathlib.Path("/run/hearth-uid-ranges")
CONFIG = '[pool "tiny"]\nmin = 4\nmax = 12\n'

# proto/control.h
VERSION, ACQUIRE, RELEASE, TOUCH, POOLS = 1, 1, 2, 3, 5
LEASED, DONE, REFUSED, POOL_ROW, LEASE_ENDED = 32, 33, 34, 36, 37


def wait_until(what, condition):
    """Until condition() is true; the loop only looks, it never hopes."""
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {PATIENCE} s")
        time.sleep(0.002)


def instance_id(directory):
    value = 0xCBF29CE484222325
    for byte in os.fsencode(os.path.realpath(directory)):
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value >> 24:010x}"


def process_parents():
    """{pid: (ppid, start time)} of every process."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                text = pathlib.Path("/proc", entry, "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            fields = text.rpartition(") ")[2].split()
            if fields[0] not in "ZX":
                found[int(entry)] = (int(fields[1]), int(fields[19]))
    return found


def descendants(root):
    """[(pid, start time, depth)] below root, root included."""
    parents = process_parents()
    found = [(root, parents[root][1], 0)] if root in parents else []
    for pid, _, depth in found:
        found += [(p, s, depth + 1) for p, (parent, s) in parents.items() if parent == pid]
    return found


class Client:
    """A connection to control.sock, one request at a time."""

    def __init__(self, directory):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(PATIENCE)
        self.channels = []
        here = os.open(directory, os.O_PATH)
        try:
            self.socket.connect(f"/proc/self/fd/{here}/control.sock")
        except OSError:
            self.socket.close()
            raise
        finally:
            os.close(here)

    def close(self):
        self.socket.close()
        for fd in self.channels:
            os.close(fd)
        self.channels = []

    def ask(self, kind, body=b""):
        """The answer to this request: (type, packet). EOFError when the connection ends."""
        size = 16 + len(body)
        self.socket.send(struct.pack("<HHIII", VERSION, kind, size, 1, 0) + body)
        while True:
            packet, control, _, _ = self.socket.recvmsg(1024, socket.CMSG_SPACE(64))
            for _, _, data in control:
                fds = array.array("i")
                fds.frombytes(data)
                self.channels += fds
            if not packet:
                raise EOFError
            if struct.unpack_from("<I", packet, 8)[0] == 1:
                return struct.unpack_from("<H", packet, 2)[0], packet

    def acquire(self):
        """The lease's handle, or None when it is refused. It may have ended by then."""
        kind, packet = self.ask(ACQUIRE, bytes(64) + struct.pack("<4I", 0, 0, 0, 0))
        return packet[16:32] if kind == LEASED else None

    def ready(self):
        """Ready sandboxes of the first pool."""
        kind, packet = self.ask(POOLS)
        assert kind == POOL_ROW
        while self.socket.recv(1024)[2] != DONE:
            pass
        return struct.unpack_from("<I", packet, 16 + 96 + 12)[0]


class Instance:
    """A directory and the supervisor that serves it."""

    def __init__(self, tree):
        self.tree = tree
        self.directory = tempfile.mkdtemp(prefix="hearth-kill.")
        self.id = instance_id(self.directory)
        self.processes = []
        pathlib.Path(self.directory, "hearth.conf").write_text(CONFIG)

    def run(self, program, *arguments):
        with open(pathlib.Path(self.directory, "log"), "ab") as log:
            process = subprocess.Popen(
                [self.tree / "sbin" / program, "--dir", self.directory, *arguments],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def start(self):
        self.supervisor = self.run("hearth-supervisor")

    def log(self):
        return pathlib.Path(self.directory, "log").read_text(errors="replace")[-4000:]

    def connect(self):
        """A client, or None while nobody listens."""
        try:
            return Client(self.directory)
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    def serves(self):
        if self.supervisor.poll() is not None:
            raise AssertionError(f"the supervisor ended: {self.log()}")
        try:
            client = self.connect()
            if not client:
                return False
            try:
                return client.ready() >= 4
            finally:
                client.close()
        except (EOFError, ConnectionError):
            return False

    def wait_until_it_serves(self):
        wait_until("serving", self.serves)

    def stop(self):
        self.supervisor.terminate()
        status = self.supervisor.wait(PATIENCE)
        if status != 0:
            raise AssertionError(f"exit status {status}: {self.log()}")

    def left(self):
        """Names of everything of this instance that exists on the host."""
        found = [f"cgroup {p}" for p in pathlib.Path("/sys/fs/cgroup").glob(f"*/hearth-{self.id}")]
        found += [f"cgroup {p}" for p in pathlib.Path("/sys/fs/cgroup").glob(f"hearth-{self.id}")]
        found += [f"uid range {line}" for line in self.ranges()]
        if pathlib.Path(self.directory, "control.sock").exists():
            found.append("control.sock")
        return found

    def ranges(self):
        lines = RANGES.read_text().splitlines() if RANGES.exists() else []
        return [line for line in lines if line.split()[2] == self.id]

    def remove(self):
        """Whatever happened, take everything away. Also its own fault when it cannot."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.run("hearth-supervisor", "--recover").wait(PATIENCE)
        shutil.rmtree(self.directory)


def make_tree():
    """The programs as they stand when they are installed: they find each other."""
    build = pathlib.Path(os.environ.get("top_builddir", "."))
    tree = pathlib.Path(tempfile.mkdtemp(prefix="hearth-tree."))
    (tree / "sbin").mkdir()
    (tree / "libexec/hearth").mkdir(parents=True)
    shutil.copy(build / "hearth-supervisor", tree / "sbin")
    shutil.copy(build / "hearth-agentd", tree / "sbin")
    shutil.copy(build / "nsjail-lite/hearth-builder", tree / "libexec/hearth")
    tree.chmod(0o755)
    return tree


class Kill(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"# seed {SEED}, {MOMENTS} moments for each kind of process", flush=True)
        if not (STORE / "tiny/manifest.json").exists():
            raise AssertionError(f"no image tiny in {STORE}: hearth image build tiny")
        cls.tree = make_tree()
        cls.addClassCleanup(shutil.rmtree, cls.tree)
        cls.other = Instance(cls.tree)
        cls.addClassCleanup(cls.other.remove)
        cls.other.start()
        cls.other.wait_until_it_serves()
        cls.other_client = cls.other.connect()
        cls.addClassCleanup(cls.other_client.close)
        cls.other_lease = cls.other_client.acquire()
        cls.other.wait_until_it_serves()
        cls.other_processes = cls.stable_processes_of_other()

    @classmethod
    def stable_processes_of_other(cls):
        return sorted((pid, start) for pid, start, _ in descendants(cls.other.supervisor.pid))

    def setUp(self):
        self.random = random.Random(f"{SEED} {self.id()}")
        self.instance = Instance(self.tree)
        self.addCleanup(self.instance.remove)

    def work_until(self, moment):
        """Lease and release until then, as far as the supervisor lets us."""
        client, held = None, []
        try:
            while time.monotonic() < moment:
                client = client or self.instance.connect()
                if not client:
                    continue
                held += filter(None, [client.acquire()])
                if len(held) > 4 or held and self.random.random() < 0.5:
                    client.ask(RELEASE, held.pop(0))
        except (EOFError, ConnectionError):
            pass
        finally:
            if client:
                client.close()

    def start_and_work(self):
        began = time.monotonic()
        self.instance.start()
        self.work_until(began + self.random.uniform(0, LATEST_MOMENT))

    def victim(self, depth):
        """A builder (1) or a guest (2); None when there is none at this moment."""
        pids = [p for p, _, d in descendants(self.instance.supervisor.pid) if d == depth]
        return self.random.choice(pids) if pids else None

    def kill(self, pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended by itself a moment before

    def check_the_other_instance(self):
        self.assertEqual(self.other_client.ask(TOUCH, self.other_lease)[0], DONE)
        self.assertEqual(self.stable_processes_of_other(), self.other_processes)

    def check_the_next_start(self, before):
        self.instance.wait_until_it_serves()
        alive = process_parents()
        left = [p for p, start, _ in before if p in alive and alive[p][1] == start]
        self.assertEqual(left, [], "processes of the last run")
        self.assertEqual(len(self.instance.ranges()), 1)
        self.stop_and_check()

    def stop_and_check(self):
        self.instance.stop()
        self.assertEqual(self.instance.left(), [])
        self.check_the_other_instance()

    def kill_supervisor(self):
        before = descendants(self.instance.supervisor.pid)
        self.instance.supervisor.kill()
        self.instance.supervisor.wait()
        return before

    def test_supervisor(self):
        """nothing is left after the supervisor was killed at a random moment"""
        for _ in range(MOMENTS):
            self.start_and_work()
            before = self.kill_supervisor()
            while self.random.random() < 0.3:  # again, in the middle of the recovery
                self.start_and_work()
                before += self.kill_supervisor()
            self.instance.start()
            self.check_the_next_start(before)

    def kill_below(self, depth):
        for _ in range(MOMENTS):
            self.start_and_work()
            pid = self.victim(depth)
            if not pid:
                self.instance.wait_until_it_serves()
                pid = self.victim(depth)
            self.kill(pid)
            self.work_until(time.monotonic() + self.random.uniform(0, LATEST_MOMENT))
            if self.random.random() < 0.5:
                before = self.kill_supervisor()
                self.instance.start()
                self.check_the_next_start(before)
            else:
                self.instance.wait_until_it_serves()
                self.stop_and_check()

    def test_builder(self):
        """nothing is left after a builder was killed at a random moment, and the supervisor goes on"""
        self.kill_below(1)

    def test_guest(self):
        """nothing is left after a guest was killed at a random moment, and the supervisor goes on"""
        self.kill_below(2)

    def test_agentd(self):
        """nothing is left after agentd was killed at a random moment, and the supervisor goes on"""
        pwd.getpwnam("hearth")  # ./setup makes it; agentd does not start without
        for _ in range(MOMENTS):
            self.instance.start()
            self.instance.wait_until_it_serves()
            agentd = self.instance.run("hearth-agentd")
            self.work_until(time.monotonic() + self.random.uniform(0, LATEST_MOMENT))
            agentd.kill()
            agentd.wait()
            self.instance.wait_until_it_serves()
            self.stop_and_check()


if __name__ == "__main__":
    tap.main()

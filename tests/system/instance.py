"""A supervisor for system tests: its programs in a tree of their own, its directory, its clients."""

import array
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time

PATIENCE = 30  # s, for what must happen
STORE = pathlib.Path("/var/lib/hearth/images")
RANGES = pathlib.Path("/run/hearth-uid-ranges")
FORWARDING = pathlib.Path("/run/hearth-forwarding")
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
        kind, packet = self.ask(ACQUIRE, bytes(240))
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

    def __init__(self, tree, config=CONFIG):
        self.tree = tree
        self.directory = tempfile.mkdtemp(prefix="hearth-kill.")
        self.id = instance_id(self.directory)
        self.processes = []
        self.under = ()  # the words of a command that runs what looks at its networks
        self.least_ready = int(re.search(r"min = (\d+)", config)[1]) if "min" in config else 1
        pathlib.Path(self.directory, "hearth.conf").write_text(config)

    def run(self, program, *arguments):
        with open(pathlib.Path(self.directory, "log"), "ab") as log:
            process = subprocess.Popen(
                [*self.under, self.tree / "sbin" / program, "--dir", self.directory, *arguments],
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
                return client.ready() >= self.least_ready
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
        found += [line for line in self.lines("nft", "list", "tables") if line.endswith(f"hearth-{self.id}")]
        found += self.lines("ip", "-o", "-4", "address", "show", "dev", "lo", "label", f"lo:{self.id}")
        if FORWARDING.exists() and self.id in FORWARDING.read_text().split():
            found.append("forwarding")
        if pathlib.Path(self.directory, "control.sock").exists():
            found.append("control.sock")
        return found

    def lines(self, *command):
        return subprocess.run([*self.under, *command], check=True, capture_output=True, text=True).stdout.splitlines()

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


def require_tiny():
    if not (STORE / "tiny/manifest.json").exists():
        raise AssertionError(f"no image tiny in {STORE}: hearth image build tiny")


def make_tree():
    """The programs as they stand when they are installed: they find each other."""
    build = pathlib.Path(os.environ.get("top_builddir", "."))
    tree = pathlib.Path(tempfile.mkdtemp(prefix="hearth-tree."))
    (tree / "sbin").mkdir()
    (tree / "libexec/hearth").mkdir(parents=True)
    shutil.copy(build / "hearth-supervisor", tree / "sbin")
    shutil.copy(build / "hearth-agentd", tree / "sbin")
    for program in "nsjail-lite/hearth-builder", "hearth-network", "hearth-dns":
        shutil.copy(build / program, tree / "libexec/hearth")
    tree.chmod(0o755)
    return tree

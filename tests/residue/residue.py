"""What one tenant leaves, the next one in the same slot does not find: R01 to R34, over 1,000 leases.

A pool of one slot, so that each lease gets the ids, the namespaces and the numbers of the one before.
Each lease looks for what the last one has left, leaves a few kinds of things itself, and looks for
them itself, which must find them: that is the positive control of the look. What the sandbox refuses
to leave is left and found by the same program on the host, in namespaces of its own.
"""

import collections
import os
import pathlib
import shutil
import subprocess
import unittest

import late
import lease
import probe_image
import tap
from system import instance

LEASES = 10000 if "HEARTH_SOAK" in os.environ else 1000
RACES = LEASES // 4
KINDS_PER_LEASE = 6
HEAVY_EVERY = 40  # leases; half a gigabyte is touched
OUTSIDE_EVERY = 3  # leases; all processes of the host are looked at
VERIFY_EVERY = 250
RANGE = 65536
HOG_LEASES = LEASES // 25
CONFIG = """
[pool "one"]
image = probe
min = 1
max = 1
memory = 1G
pids = 64

[pool "small"]
image = probe
min = 1
max = 1
memory = 64M
pids = 64
"""
SMALL_MEMORY = 64 << 20
SPIN_NS = 50_000_000  # less than leave_counts() takes

KINDS = {
    "R01": "a file in every place that can be written to",
    "R02": "a deleted file that somebody holds open",
    "R03": "a changed file of the image",
    "R04": "a removed file and a directory made anew",
    "R05": "a setuid file",
    "R06": "a file capability",
    "R07": "an extended attribute",
    "R08": "numbers of inodes",
    "R09": "a running process",
    "R10": "a daemon in a session of its own",
    "R11": "a stopped process",
    "R12": "a traced process and one that cannot be interrupted",
    "R13": "a zombie",
    "R14": "System V shared memory",
    "R15": "System V semaphores",
    "R16": "a System V message queue",
    "R17": "a POSIX message queue",
    "R18": "POSIX shared memory",
    "R20": "an abstract socket",
    "R21": "listening ports",
    "R22": "connections in TIME_WAIT",
    "R23c": "counters of the loopback",
    "R24": "a packet under way",
    "R26": "files that shells, loaders and daemons start with",
    "R29": "a terminal",
    "R31": "locks, a lease and a watch on files of the image",
}
# Left and looked at by one process: what a process hands down, what lies in its memory.
KINDS_OF_A_PROCESS = {
    "R28": "limits, umask, priority, directory, environment and signals",
    "R32": "memory, and holes of files",
}
# Refused inside.
KINDS_OF_THE_HOST = {
    "R19": "keys",
    "R23": "settings, routes and neighbours",
    "R24n": "packet filters",
    "R25": "host and domain name",
}
SEEN_FROM_OUTSIDE = {
    "R27": "counters of the cgroup",
    "R30": "the image, byte for byte",
    "R33": "a process or cgroup under the ids of the slot",
}
AT_THE_END = {
    "R34": "output and handles of a lease that is over",
    "race": "output of a command that ran while its lease was released",
}


def parse(output):
    """{word: [(kind, text)]} of the probe's lines."""
    lines = collections.defaultdict(list)
    for line in output.decode(errors="replace").splitlines():
        word, _, rest = line.partition(" ")
        kind, _, text = rest.partition(" ")
        lines[word].append((kind, text))
    return lines


def processes_of(base):
    """{pid: name of its cgroup} of every process of the host under the ids from base on."""
    found = {}
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            uid = int(status.read_text().partition("\nUid:\t")[2].split()[0])
            if base <= uid < base + RANGE:
                cgroups = (status.parent / "cgroup").read_text().splitlines()
                names = {line.rpartition("/")[2] for line in cgroups if "/hearth-" in line}
                found[int(status.parent.name)] = names.pop() if names else ""
        except (FileNotFoundError, ProcessLookupError, IndexError):
            continue
    return found


def cgroup_directories(name, instance_id):
    root = pathlib.Path("/sys/fs/cgroup")
    return [p for top in (root, *root.iterdir())
            if (p := top / f"hearth-{instance_id}" / name).is_dir()]


def counters(directories):
    """What the kernel has counted in a sandbox's cgroups, under names of our own."""
    files = {
        "memory.failcnt": "memory refused", "memory.max_usage_in_bytes": "memory peak",
        "memory.peak": "memory peak", "cpuacct.usage": "cpu"}
    keys = {("memory.oom_control", "oom_kill"): "oom kills", ("memory.events", "max"): "memory refused",
            ("memory.events", "oom_kill"): "oom kills", ("pids.events", "max"): "pids refused"}
    found = {}
    for directory in directories:
        for file, name in files.items():
            if (directory / file).exists():
                found[name] = int((directory / file).read_text())
        for (file, key), name in keys.items():
            if (directory / file).exists():
                words = (directory / file).read_text().split()
                if key in words:
                    found[name] = int(words[words.index(key) + 1])
    return found


class Campaign:
    """All leases, and what was found: counts and failures by kind."""

    def __init__(self):
        self.attempts = collections.Counter()
        self.controls = collections.Counter()
        self.failures = collections.defaultdict(list)
        self.last = None  # what the lease before left: (range, kinds, name of its cgroup)

    def failed(self, kind, text):
        self.failures[kind].append(text)

    def look(self, kind, finding, text=""):
        """A later tenant has looked."""
        self.attempts[kind] += 1
        if finding:
            self.failed(kind, f"found: {text}")

    def control(self, kind, finding):
        self.controls[kind] += 1
        if not finding:
            self.failed(kind, "its owner does not find it either: the look proves nothing")

    def judge_look(self, kinds, lines):
        found = dict(lines["found"])
        looked = {kind for kind, _ in lines["looked"]}
        for kind in kinds:
            if kind not in looked:
                self.failed(kind, "not looked at")
            self.look(kind, kind in found, found.get(kind, ""))

    def judge_control(self, kinds, lines, is_refused=False):
        for kind, text in lines["refused"]:
            if not is_refused:
                self.failed(kind, f"could not be left: {text}")
        found = dict(lines["found"])
        for kind in kinds:
            self.control(kind, kind in found)

    def kinds_of(self, number):
        names = list(KINDS)
        first = number * KINDS_PER_LEASE
        return [names[(first + i) % len(names)] for i in range(KINDS_PER_LEASE)]

    def look_at_range(self, now):
        """The ids are in use again: nothing of before has them."""
        base, _, cgroup = self.last
        if now != base:
            self.failed("R33", f"range {now} after {base}: another slot, so nothing is proven")
        if cgroup:
            old = [pid for pid, name in processes_of(base).items() if name == cgroup]
            left = cgroup_directories(cgroup, self.instance_id)
            self.look("R33", old or left, f"{old} {left}")

    def cgroup_of(self, base):
        """Of the sandbox that has these ids now. A process that is just ending may be in none."""
        names = set(processes_of(base).values()) - {""}
        if len(names) != 1:
            raise AssertionError(f"the ids from {base} on are in use in {names}")
        self.control("R33", cgroup_directories(*names, self.instance_id))
        return names.pop()

    def one_lease(self, number):
        sandbox = self.connection.acquire("one")
        kinds = self.kinds_of(number)
        of_process = ["R28", "R32"] if number % HEAVY_EVERY == 0 else ["R28"]
        refused = list(KINDS_OF_THE_HOST)
        try:
            if self.last:
                before = self.last[1]
                lines = parse(sandbox.run_ok("residue-probe", "look", *before).out)
                self.judge_look(before, lines)
                self.look_at_range(int(lines["range"][0][0]))
            left = parse(sandbox.run_ok("residue-probe", "leave", *kinds, *refused).out)
            self.judge_refusals(refused, left)
            self.judge_control(kinds, {**left, **parse(
                sandbox.run_ok("residue-probe", "look", *kinds).out)}, is_refused=True)
            for kind, text in left["refused"]:
                if kind in kinds:
                    self.failed(kind, f"could not be left: {text}")
            self.judge_control(of_process, parse(
                sandbox.run_ok("residue-probe", "both", *of_process).out))
            base = int(left["range"][0][0])
            cgroup = self.cgroup_of(base) if number % OUTSIDE_EVERY == 0 else None
            self.last = (base, kinds + of_process + refused, cgroup)
            self.connection.release(sandbox)
        finally:
            sandbox.close()

    def judge_refusals(self, kinds, lines):
        refused = {kind for kind, _ in lines["refused"]}
        for kind in kinds:
            if kind not in refused:
                self.failed(kind, "the sandbox let it be left")

    def controls_on_the_host(self, program):
        """What is refused inside works in fresh namespaces of the host, and is found there."""
        for kind in KINDS_OF_THE_HOST:
            run = subprocess.run(["unshare", "--net", "--uts", "--mount", program, "both", kind],
                                 timeout=instance.PATIENCE, capture_output=True, check=True)
            self.judge_control([kind], parse(run.stdout))

    def verify(self, world, is_control=False):
        """The image, as its files and the page cache have it now."""
        store = world.store
        if is_control:
            store = world.path / "changed"
            shutil.copytree(world.store, store, symlinks=True)
            with open(store / "probe/root/bin/busybox", "r+b") as file:
                file.seek(4096)
                byte = file.read(1)
                file.seek(4096)
                file.write(bytes([byte[0] ^ 1]))
        run = world.hearth("image", "verify", "--store", store, "probe", check=False)
        if is_control:
            self.control("R30", run.returncode != 0 and "busybox" in run.stderr)
        else:
            self.look("R30", run.returncode != 0, run.stderr)

    def hog(self):
        """A lease that drives every counter up, and the next, whose counters begin at zero."""
        for number in range(HOG_LEASES):
            sandbox = self.connection.acquire("small")
            try:
                base = int(parse(sandbox.run_ok("residue-probe", "look", "R20").out)["range"][0][0])
                directories = cgroup_directories(self.cgroup_of(base), self.instance_id)
                now = counters(directories)
                if number:
                    is_fresh = (now["memory peak"] < SMALL_MEMORY / 2 and now.get("cpu", 0) < SPIN_NS and
                                not any(now[n] for n in now if n not in ("memory peak", "cpu")))
                    self.look("R27", not is_fresh, str(now))
                sandbox.run_ok("residue-probe", "leave", "R27")
                sandbox.run("residue-probe", "leave", "R27m")
                now = counters(directories)
                self.control("R27", now["memory peak"] > SMALL_MEMORY / 2 and
                             now["memory refused"] and now["pids refused"] and
                             now.get("cpu", SPIN_NS + 1) > SPIN_NS)
                self.connection.release(sandbox)
            finally:
                sandbox.close()

    def run(self, world):
        made = world.start(CONFIG)
        self.instance_id = made.id
        self.connection = lease.Control(made.directory)
        try:
            self.controls_on_the_host(world.programs / "tests/residue/residue-probe")
            self.verify(world, is_control=True)
            for number in range(LEASES - HOG_LEASES):
                self.one_lease(number)
                if number % VERIFY_EVERY == 0:
                    self.verify(world)
            self.hog()
            self.verify(world)
        finally:
            self.connection.close()


class Residue(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        instance.require_tiny()
        cls.world = probe_image.World("tests/residue/residue-probe")
        cls.addClassCleanup(cls.world.close)
        cls.campaign = Campaign()
        cls.campaign.run(cls.world)
        late.run(cls.campaign, cls.world, RACES)

    @classmethod
    def tearDownClass(cls):
        c = cls.campaign
        print(f"# residue: {c.attempts.total()} attempts, {c.controls.total()} controls, "
              f"{len(c.failures)} failed, 0 skipped")

    def judge(self, kind):
        c = self.campaign
        print(f"# {kind}: {c.attempts[kind]} looks, {c.controls[kind]} controls")
        self.assertEqual(c.failures[kind][:3], [])
        del c.failures[kind]
        self.assertGreater(c.attempts[kind], 0)
        self.assertGreater(c.controls[kind], 0)


def add_tests():
    kinds = {**KINDS, **KINDS_OF_A_PROCESS, **KINDS_OF_THE_HOST, **SEEN_FROM_OUTSIDE, **AT_THE_END}
    for kind, what in kinds.items():
        def test(self, kind=kind):
            self.judge(kind)
        test.__doc__ = f"{kind} nothing is found of {what}"
        setattr(Residue, f"test_{kind}", test)


if __name__ == "__main__":
    add_tests()
    tap.main()

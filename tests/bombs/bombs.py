"""Sandboxes that take all they can get: B01 to B24, and as many as fit at once (B30).

Each bomb goes off in a fresh sandbox of a pool with narrow limits, beside a neighbour in a sandbox of its
own whose commands are measured all the while (bombs-meter). Afterwards the caller has a typed answer,
PID 1 still runs commands or the lease ended with its reason, and the release ends everything. The positive
control is the same bomb in a pool with wider limits, where it gets further than the narrow ones would let
it; or, where no limit is in its way, the proof that it does what it says.
"""

import os
import pathlib
import select
import subprocess
import time
import unittest

import lease
import probe_image
import rows
import tap
from rows import Outcome
from system import instance

SWARM = 100 if "HEARTH_SOAK" in os.environ else 40
SWARM_LEAST = 12  # one of each kind, however small the host
SWARM_MILLISECONDS = 3000
BOMB_MILLISECONDS = 20000  # more than any bomb takes that ends by itself
MEASURE_SECONDS = 2.5  # of a neighbour: a thousand commands, so that one in a hundred is more than one
QUIET_SECONDS = 10.0  # of one without bombs, against which all are held
CONFIG = f"""
[pool "narrow"]
image = probe
min = 1
max = 2
memory = {rows.MEMORY}M
pids = {rows.PIDS}
disk = {rows.DISK}M
inodes = {rows.INODES}
open_files = {rows.FILES}
cpus = {rows.CPUS}

[pool "wide"]
image = probe
min = 1
max = 2
memory = 512M
pids = 512
disk = 200M
inodes = 30000
open_files = 1024

[pool "quiet"]
image = probe
min = 1
max = 1
memory = 64M
pids = 64

[pool "swarm"]
image = probe
min = 0
max = {SWARM}
memory = 48M
pids = 64
"""
FREE_MEMORY_KIB = 512 << 10  # floors of the host, whatever goes on
SHARE_MAX = 0.5  # of its processes, and of its open files
SANDBOX_SLACK = 64 << 20  # that a sandbox may cost beyond its limit


def available_kib():
    text = pathlib.Path("/proc/meminfo").read_text()
    return int(text.partition("MemAvailable:")[2].split()[0])


def below_the_floor():
    """What the host has too little of, or ''."""
    tasks = int(pathlib.Path("/proc/loadavg").read_text().split()[3].partition("/")[2])
    tasks_max = int(pathlib.Path("/proc/sys/kernel/pid_max").read_text())
    files, _, files_max = map(int, pathlib.Path("/proc/sys/fs/file-nr").read_text().split())
    if available_kib() < FREE_MEMORY_KIB:
        return f"{available_kib()} KiB of memory are free"
    if tasks > tasks_max * SHARE_MAX or files > files_max * SHARE_MAX:
        return f"{tasks} processes of {tasks_max}, {files} files of {files_max}"
    return ""


def socket_bytes():
    """In buffers of tcp and udp, of the whole host."""
    text = pathlib.Path("/proc/net/sockstat").read_text()
    return sum(int(line.split()[-1]) for line in text.splitlines()
               if line.startswith(("TCP:", "UDP:"))) * os.sysconf("SC_PAGESIZE")


def stand_back():
    """Whoever lights the bombs and reads their output is no sandbox: it leaves the host to those."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    group = pathlib.Path("/proc/self/autogroup")
    if group.exists() and group.read_text():  # else the scheduler has no group for our session
        group.write_text("19")
        unittest.addModuleCleanup(group.write_text, "0")


class Meter:
    """The neighbour."""

    def __init__(self, world, directory):
        self.process = subprocess.Popen([world.programs / "tests/bombs/bombs-meter", directory, "quiet"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                                        start_new_session=True)

    def read(self):
        """(n, p50, p99, max) since the last time; microseconds."""
        self.process.stdin.write(b"\n")
        if not select.select([self.process.stdout], [], [], instance.PATIENCE)[0]:
            raise AssertionError("the neighbour is stuck")
        words = self.process.stdout.readline().split()
        if len(words) != 4:
            raise AssertionError(f"the neighbour ended: {self.process.wait(instance.PATIENCE)}")
        return [int(w) for w in words]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait(instance.PATIENCE) != 0:
            raise AssertionError("the neighbour failed")


class Bombs(unittest.TestCase):
    attempts = controls = failed = 0
    worst_ratio = worst_reap_ms = 0.0

    @classmethod
    def setUpClass(cls):
        cls.world = probe_image.World("tests/bombs/bomb")
        cls.addClassCleanup(cls.world.close)
        cls.made = cls.world.start(CONFIG)
        cls.connection = lease.Control(cls.made.directory)
        cls.addClassCleanup(cls.connection.close)
        cls.meter = Meter(cls.world, cls.made.directory)
        cls.addClassCleanup(cls.meter.close)
        cls.quiet = cls.measure_quiet("before")
        stand_back()

    @classmethod
    def measure_quiet(cls, when):
        cls.meter.read()
        time.sleep(QUIET_SECONDS)
        n, p50, p99, longest = cls.meter.read()
        print(f"# quiet neighbour, {when} all bombs: n {n}, p50 {p50} us, p99 {p99} us")
        return n, p50, p99, longest

    @classmethod
    def tearDownClass(cls):
        cls.measure_quiet("after")
        print(f"# worst p99 of the neighbour: {cls.worst_ratio:.2f} times the quiet one; "
              f"worst kill and reap: {cls.worst_reap_ms:.1f} ms")
        print(f"# bombs: {cls.attempts} attempts, {cls.controls} controls, {cls.failed} failed, 0 skipped")

    def run(self, result=None):
        wrong = len(result.failures) + len(result.errors)
        super().run(result)
        Bombs.failed += len(result.failures) + len(result.errors) > wrong
        return result

    def attempt(self):
        Bombs.attempts += 1

    def control(self):
        Bombs.controls += 1

    def watch(self, sandboxes, calls):
        """Until all these have ended; the host keeps its floors meanwhile."""
        until = time.monotonic() + instance.PATIENCE
        while not all(call.is_done() for call in calls):
            self.assertLess(time.monotonic(), until, "no reply")
            self.assertEqual(below_the_floor(), "")
            live = [s for s in sandboxes if not s.lost]
            for sandbox in select.select(live, [], [], 0.1)[0]:
                sandbox.receive()

    def end(self, sandbox):
        """Release, unless it has ended; the limits of its receipt, and the milliseconds until it is dead."""
        began = time.monotonic()
        if sandbox.sandbox not in self.connection.ended:
            try:
                self.connection.release(sandbox)
            except lease.Refused as refused:  # it has ended in the same moment
                self.assertEqual(refused.refusal, lease.STALE)
        _, limits = self.connection.wait_receipt(sandbox)
        sandbox.close()
        return limits, (time.monotonic() - began) * 1000

    def repeat(self, sandbox, words, options, until):
        """One bomb again and again until then, or until the sandbox has ended; its first call."""
        first = again = None
        while not again or time.monotonic() < until and not sandbox.lost:
            again = sandbox.start(*words, **{"timeout_ms": BOMB_MILLISECONDS, **options})
            self.watch([sandbox], [again])
            first = first or again
        return first

    def go_off(self, pool, words, options, measure_seconds=0.0):
        """One bomb in a fresh sandbox, then in the next if it ends, while the neighbour is measured: the first
        Outcome, the neighbour's figures, the time to reap."""
        self.meter.read()
        until = time.monotonic() + measure_seconds
        sandbox = self.connection.acquire(pool)
        call = self.repeat(sandbox, words, options, until)
        figures = self.meter.read() if time.monotonic() >= until else None
        after = sandbox.run("true")
        is_alive = after.end == lease.END_DONE and after.status == 0
        ended = None if is_alive else self.connection.wait_ended(sandbox)
        limits, reap_ms = self.end(sandbox)
        while not figures:
            sandbox = self.connection.acquire(pool)
            self.repeat(sandbox, words, options, until)
            if time.monotonic() >= until:
                figures = self.meter.read()
            self.end(sandbox)
        return Outcome(call, is_alive, ended, limits), figures, reap_ms

    def note(self, what, figures, reap_ms):
        n, p50, p99, _ = figures
        ratio = p99 / self.quiet[2]
        print(f"# {what}: neighbour n {n}, p50 {p50} us, p99 {p99} us, {ratio:.2f} times the quiet one; "
              f"kill and reap {reap_ms:.1f} ms")
        Bombs.worst_ratio = max(Bombs.worst_ratio, ratio)
        Bombs.worst_reap_ms = max(Bombs.worst_reap_ms, reap_ms)

    def one(self, bomb):
        outcome, figures, reap_ms = self.go_off(
            "narrow", bomb.words, bomb.options, measure_seconds=MEASURE_SECONDS)
        self.note(bomb.name, figures, reap_ms)
        self.attempt()
        self.assertEqual(bomb.narrow(outcome), "")
        outcome, _, reap_ms = self.go_off("wide", bomb.wide_words, bomb.options)
        print(f"# {bomb.name}: kill and reap in the wide pool {reap_ms:.1f} ms")
        Bombs.worst_reap_ms = max(Bombs.worst_reap_ms, reap_ms)
        self.control()
        self.assertEqual(bomb.wide(outcome), "")

    def test_B22(self):
        """B22 a daemon that keeps the output open holds back no reply"""
        sandbox = self.connection.acquire("narrow")
        call = sandbox.run("sh", "-c", "sleep 1000 & echo done")
        self.attempt()
        self.assertEqual((call.end, call.status, call.out), (lease.END_DONE, 0, b"done\n"))
        self.control()
        found = sandbox.run_ok("sh", "-c", "grep -al '^sleep.1000' /proc/[0-9]*/cmdline")
        self.assertNotEqual(found.out, b"")
        self.end(sandbox)

    def test_B23(self):
        """B23 a command that never reads its input stops whoever feeds it, and nobody else"""
        sandbox = self.connection.acquire("narrow")
        call = sandbox.start("sleep", "1000", flags=lease.EXEC_STDIN)
        reader = sandbox.start("sh", "-c", "cat >/dev/null; echo read", flags=lease.EXEC_STDIN)
        for each in call, reader:
            for _ in range(lease.INPUT_CREDIT // lease.CHUNK_MAX):
                sandbox.feed(each, bytes(lease.CHUNK_MAX))
        sandbox.feed(reader, b"", is_end=True)
        self.control()
        sandbox.wait(reader)
        self.assertEqual(reader.out, b"read\n")
        self.assertGreater(reader.credit, 0)
        self.attempt()
        self.assertLessEqual(call.credit, 65536)  # what the pipe took
        sandbox.cancel(call)
        self.assertEqual(sandbox.wait(call).end, lease.END_CANCELLED)
        sandbox.run_ok("true")
        self.end(sandbox)

    def shared(self, what, hold, words, least):
        """One sandbox holds all it gets; another, whose limits are its own, gets some too."""
        before = socket_bytes()
        hoarder, other = self.connection.acquire("narrow"), self.connection.acquire("wide")
        try:
            self.control()
            call = other.run(*words.split())
            self.assertEqual(rows.completes(least)(Outcome(call, True, None, 0)), "")
            held = hoarder.start(*hold.split())
            while not (held.out or held.is_done()):
                hoarder.receive()
            self.assertGreater(Outcome(held, True, None, 0).did()[0], 0, "nothing is held")
            grown = socket_bytes() - before
            self.attempt()
            call = other.run(*words.split())
            self.assertEqual(rows.completes(least)(Outcome(call, True, None, 0)), "",
                             f"while another sandbox holds {held.out}")
            self.assertLess(grown, (rows.MEMORY << 20) + SANDBOX_SLACK, f"{what} beyond the memory limit")
        finally:
            self.end(hoarder)
            self.end(other)

    def acquire_swarm(self):
        """As many as the host grants."""
        sandboxes = []
        try:
            for _ in range(SWARM):
                sandboxes.append(self.connection.acquire("swarm", lease.ON_EMPTY_BUILD))
        except lease.Refused as refused:
            print(f"# B30: {refused}")
        self.assertGreaterEqual(len(sandboxes), SWARM_LEAST)
        return sandboxes

    def swarm(self, sandboxes):
        words = [rows.SWARM_WORDS[i % len(rows.SWARM_WORDS)].split() for i in range(len(sandboxes))]
        calls = [s.start(*w, timeout_ms=SWARM_MILLISECONDS, output_max=rows.OUTPUT_MAX)
                 for s, w in zip(sandboxes, words)]
        self.meter.read()
        self.watch(sandboxes, calls)
        figures = self.meter.read()
        answered = [c for c in calls if c.end in (lease.END_DONE, lease.END_TIMEOUT)]
        for sandbox, call in zip(sandboxes, calls):
            if call not in answered:
                self.assertEqual(self.connection.wait_ended(sandbox)[0], lease.OOM)
        return figures, answered

    def test_B30(self):
        """B30 as many as fit at once: each has its answer, the neighbour works on, the host has its floors"""
        sandboxes = self.acquire_swarm()
        figures, answered = self.swarm(sandboxes)
        self.attempt()
        self.assertEqual(below_the_floor(), "")
        self.control()
        self.assertTrue(any(call.limits for call in answered), "no bomb came to a limit")
        began = time.monotonic()
        for sandbox in sandboxes:
            self.end(sandbox)
        count = len(sandboxes)
        print(f"# B30: {count} sandboxes, {len(answered)} answered, {count - len(answered)} ended out of "
              f"memory; all gone after {(time.monotonic() - began) * 1000:.0f} ms")
        n, p50, p99, _ = figures
        print(f"# B30: neighbour n {n}, p50 {p50} us, p99 {p99} us, {p99 / self.quiet[2]:.2f} times the quiet one")


def add_tests():
    for number, bomb in enumerate(rows.BOMBS):
        def test(self, bomb=bomb):
            self.one(bomb)
        test.__doc__ = f"{bomb.name}: a typed answer, the sandbox usable or ended with its reason"
        setattr(Bombs, f"test_A{number:02}", test)
    for number, row in enumerate(rows.SHARED):
        def test_shared(self, row=row):
            self.shared(*row)
        test_shared.__doc__ = f"B10 {row[0]}: a sandbox that holds all it gets leaves others theirs"
        setattr(Bombs, f"test_B10_{number}", test_shared)


if __name__ == "__main__":
    add_tests()
    tap.main()

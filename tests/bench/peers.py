#!/usr/bin/env python3
"""Time whole client processes of Hearth and of other sandboxes in one rotation: the inner half of peers.sh.

    peers.py --bin DIR --work DIR --id NAME [--runs N] [--json]

DIR of --work has been prepared by peers.sh: tree (a root with busybox and a static true) and instance
(a running instance with a pool of tiny). NAME begins the name of every container and cgroup.

A run is spawn to reaped exit of the client, its output to /dev/null. Each round measures every program
with every pause, in an order of chance, a few runs in succession; the first of them is not counted. Before
each such block the machine is left alone for a moment, so that what one program leaves to the kernel
(namespaces to take down, a pool to fill) is not paid by the next. The isolation in the table is looked at
from inside, but for the limits, which are what was asked for.
"""

import argparse
import ctypes
import json
import math
import os
import platform
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

PAUSES_MS = (0, 50)
BLOCK = 5  # counted runs in succession
SETTLE_S = 0.2  # a network namespace is gone some 40 ms after its last process
RUN_LIMIT_S = 20
RUNS_MIN, RUNS_MAX = 5, 10000
TRUE = ["/bin/true"]
NAMESPACES = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
LOOK = ["/bin/sh", "-c", f"""
	b=/bin/busybox
	for n in {' '.join(NAMESPACES)}; do echo "$n $($b readlink /proc/self/ns/$n)"; done
	$b grep ^Seccomp: /proc/self/status
	$b awk '$5 == "/" {{ print "root", $6, $0 }}' /proc/self/mountinfo
"""]
MEMORY_BYTES, PIDS = 256 << 20, 64
# Fewer rules than any runtime's default: what compiles and loads a filter here has an easy one.
DENIED = """add_key bpf delete_module finit_module init_module kexec_load keyctl mount move_mount open_tree
	perf_event_open pivot_root ptrace quotactl reboot request_key setns swapoff swapon umount2 unshare
	userfaultfd""".split()
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


class CannotRun(Exception):
    """One program does not run here; the text is its own."""


@dataclass
class Program:
    name: str
    words: list  # the client; COMMAND stands for what runs inside, {id} and {what} are filled in
    limits: str = "none"
    is_host: bool = False  # no sandbox at all
    in_view: bool = True  # sees the mounts of the private view, see View
    before: list = None  # not timed, before each run: makes what the run starts
    after: list = None
    look_words: list = None  # a sibling that shows the isolation, where words cannot
    share: int = 1  # of BLOCK, for those that take long
    cannot: str = None
    isolation: dict = field(default_factory=dict)
    times_ms: dict = field(default_factory=lambda: {pause: [] for pause in PAUSES_MS})

    def block(self):
        return max(1, BLOCK // self.share)


class View:
    """Two mount namespaces: the host's, and a private one in which the peers run.

    crun refuses a hybrid cgroup layout whose v2 side has controllers; in the private one that side is
    covered. So is /run, where runtimes leave directories. Nothing changes for the host.
    """

    V2_SIDE = "/sys/fs/cgroup/unified"

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.host = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        self.call("unshare", CLONE_NEWNS)
        self.call("mount", b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
        for place in ["/run"] + [self.V2_SIDE] * self.has_v2_controllers():
            self.call("mount", b"none", place.encode(), b"tmpfs", ctypes.c_ulong(0), None)
        self.private = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)

    def call(self, name, *arguments):
        if getattr(self.libc, name)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")

    def has_v2_controllers(self):
        try:
            with open(f"{self.V2_SIDE}/cgroup.controllers", encoding="ascii") as file:
                return file.read().strip() != ""
        except OSError:
            return False

    def enter(self, is_private):
        self.call("setns", self.private if is_private else self.host, CLONE_NEWNS)


def end_child(pid):
    """One that was cut short may have something to remove first."""
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGTERM)
    if not select.select([pidfd], [], [], 2)[0]:
        os.kill(pid, signal.SIGKILL)
    os.close(pidfd)
    os.waitpid(pid, 0)


class Runner:
    """Spawns programs, one at a time."""

    def __init__(self, work, identity):
        self.view = View()
        self.errors = f"{work}/errors"
        self.output = f"{work}/output"
        self.states = {runtime: f"{work}/{runtime}" for runtime in ("crun", "runc")}
        self.identity = identity
        self.count = 0

    def next_id(self):
        self.count += 1
        return f"{self.identity}-{self.count}"

    def finish(self):
        """Remove the containers of runs that were cut short."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for runtime, state in self.states.items():
            for container in os.listdir(state) if os.path.isdir(state) else ():
                self.clean([runtime, "--root", state, "delete", "--force", container])

    def fill(self, words, identity, command, what):
        filled = []
        for word in words:
            filled += command if word == "COMMAND" else [word.format(id=identity, what=what)]
        return filled

    def first_error(self):
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file if line.strip()]
        return lines[0][:200] if lines else ""

    def spawn(self, argv, is_private, output="/dev/null"):
        """Milliseconds from spawn to the reaped exit. Raises CannotRun unless it exits with 0."""
        path = shutil.which(argv[0])
        if not path:
            raise CannotRun("not installed")
        write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                   (os.POSIX_SPAWN_OPEN, 1, output, write, 0o600),
                   (os.POSIX_SPAWN_OPEN, 2, self.errors, write, 0o600)]
        self.view.enter(is_private)
        signal.alarm(RUN_LIMIT_S)
        pid = None
        try:
            started = time.perf_counter_ns()
            pid = os.posix_spawn(path, argv, os.environ, file_actions=actions)
            status = os.waitpid(pid, 0)[1]
            ended = time.perf_counter_ns()
            pid = None
        except TimeoutError:
            raise CannotRun(f"no end after {RUN_LIMIT_S} s") from None
        finally:
            signal.alarm(0)
            if pid:
                end_child(pid)
        if status:
            raise CannotRun(self.first_error() or f"status {os.waitstatus_to_exitcode(status)}")
        return (ended - started) / 1e6

    def block(self, program, pause_ms, count):
        """count runs in succession after one that is not counted; milliseconds of each."""
        identities = [self.next_id() for _ in range(count + 1)]
        times = []
        try:
            for identity in identities if program.before else ():
                self.spawn(self.fill(program.before, identity, TRUE, "true"), program.in_view)
            time.sleep(SETTLE_S)
            for identity in identities:
                argv = self.fill(program.words, identity, TRUE, "true")
                time.sleep(pause_ms / 1000)
                times.append(self.spawn(argv, program.in_view))
        finally:
            for identity in identities if program.after else ():
                self.clean(self.fill(program.after, identity, TRUE, "true"))
        return times[1:]

    def clean(self, argv):
        try:
            self.spawn(argv, True)
        except CannotRun:
            pass  # it was not made, or has been removed

    def look(self, program):
        words = program.look_words or program.words
        self.spawn(self.fill(words, self.next_id(), LOOK, "look"), program.in_view, self.output)
        with open(self.output, encoding="utf-8") as file:
            return file.read()


def isolation_of(text):
    """What LOOK saw, beside what this process has."""
    inside, root, seccomp = [], "chroot", False
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name in NAMESPACES and value and value != os.readlink(f"/proc/self/ns/{name}"):
            inside.append(name)
        elif line.startswith("Seccomp:"):
            seccomp = line.split()[1] == "2"
        elif name == "root":
            is_read_only = "ro" in value.split()[0].split(",")
            root = "read-only" if is_read_only else "overlay" if " - overlay " in value else "writable"
    return {"namespaces": inside, "seccomp": seccomp, "root": root}


def write_bundle(directory, tree, command, has_limits):
    capabilities = ["CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"]
    mapping = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    linux = {
        "namespaces": [{"type": kind} for kind in
                       ("user", "mount", "pid", "network", "ipc", "uts", "cgroup")],
        "uidMappings": mapping,
        "gidMappings": mapping,
        "maskedPaths": ["/proc/kcore", "/proc/keys"],
        "readonlyPaths": ["/proc/sys"],
    }
    if has_limits:
        linux["resources"] = {"memory": {"limit": MEMORY_BYTES}, "pids": {"limit": PIDS}}
        linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": DENIED, "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0}, "cwd": "/", "args": command, "env": ["PATH=/bin"],
            "noNewPrivileges": True,
            "capabilities": {kind: capabilities for kind in ("bounding", "effective", "permitted")}},
        "root": {"path": tree, "readonly": True},
        "hostname": "sandbox",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev"]}],
        "linux": linux,
    }
    os.makedirs(directory)
    with open(f"{directory}/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file)


def runtime_programs(runtime, work):
    """crun and runc take the same words. A cgroup without a path of its own has the container's name."""
    client = [runtime, "--root", f"{work}/{runtime}"]
    run = [*client, "run", "--bundle"]
    limited = [*run, f"{work}/limits-{{what}}", "{id}"]
    limits = "memory, pids"
    return [
        Program(f"{runtime} run", [*run, f"{work}/bare-{{what}}", "{id}"]),
        Program(f"{runtime} run, all on", limited, limits),
        Program(f"{runtime} start, created before", [*client, "start", "{id}"], limits, look_words=limited,
                before=[*client, "create", "--bundle", f"{work}/limits-true", "{id}"],
                after=[*client, "delete", "--force", "{id}"]),
    ]


def all_programs(binaries, work):
    tree = f"{work}/tree"
    for what, command in (("true", TRUE), ("look", LOOK)):
        write_bundle(f"{work}/bare-{what}", tree, command, False)
        write_bundle(f"{work}/limits-{what}", tree, command, True)
    return [
        Program("host: static true", [f"{tree}/bin/true"], is_host=True),
        Program("host: /bin/true", TRUE, is_host=True),
        Program("hearth run", [f"{binaries}/hearth", "run", "--dir", f"{work}/instance", "--image", "tiny", "--",
                               "COMMAND"], "memory, pids", in_view=False),
        Program("nsjail-lite", [f"{binaries}/nsjail-lite", "--image", "tiny", "--memory", "256M", "--pids", "64",
                                "--", "COMMAND"], "memory, pids", in_view=False),
        Program("unshare", ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--net", "--ipc", "--uts",
                            "--cgroup", "--fork", "--kill-child", "--mount-proc", "--root", tree, "COMMAND"]),
        Program("bwrap", ["bwrap", "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session",
                          "--ro-bind", tree, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "COMMAND"]),
        *runtime_programs("crun", work),
        *runtime_programs("runc", work),
        Program("systemd-nspawn", ["systemd-nspawn", "-q", "--register=no", "--keep-unit", "--machine={id}",
                                   "--directory", tree, "--read-only", "--private-network",
                                   "--private-users=100000:65536", "--private-users-ownership=off",
                                   "--console=pipe", "COMMAND"], share=4),
    ]


def try_each(runner, programs):
    """Before anything is counted: does it run here, and what does it isolate?"""
    for program in programs:
        try:
            if not program.is_host:
                program.isolation = isolation_of(runner.look(program))
            runner.block(program, 0, 1)
        except CannotRun as reason:
            program.cannot = str(reason)


def measure(runner, programs, runs, dice):
    rounds = math.ceil(runs / BLOCK)
    for turn in range(rounds):
        cells = [(program, pause) for program in programs for pause in PAUSES_MS]
        dice.shuffle(cells)
        for program, pause in cells:
            if program.cannot:
                continue
            count = min(program.block(), runs - len(program.times_ms[pause]))
            try:
                program.times_ms[pause] += runner.block(program, pause, count)
            except CannotRun as reason:
                program.cannot = str(reason)
        if sys.stderr.isatty():
            print(f"\rround {turn + 1} of {rounds}", end="\n" if turn + 1 == rounds else "", file=sys.stderr)


def percentile(values, percent):
    """The nearest rank."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def median_of(programs, name, pause):
    for program in programs:
        if program.name == name and program.times_ms[pause]:
            return percentile(program.times_ms[pause], 50)
    return None


def ratio_of(programs, name, other, pause):
    ours, theirs = median_of(programs, name, pause), median_of(programs, other, pause)
    return ours / theirs if ours and theirs else None


def summary(programs, program, pause):
    times = program.times_ms[pause]
    if not times:
        return None
    return {"n": len(times), "p50_ms": round(percentile(times, 50), 3), "p99_ms": round(percentile(times, 99), 3),
            "to_hearth_run": ratio_of(programs, program.name, "hearth run", pause)}


def bars(programs):
    """What Hearth wants to hold: the ratio is to be below (or, the last, not above) the bound."""
    rows = []
    for name, other, bound in (("hearth run", "bwrap", 1.0), ("hearth run", "crun start, created before", 1.0),
                               ("nsjail-lite", "crun run, all on", 0.6)):
        for pause in PAUSES_MS:
            ratio = ratio_of(programs, name, other, pause)
            holds = None if ratio is None else ratio < bound or (bound < 1 and ratio == bound)
            rows.append({"program": name, "beside": other, "pause_ms": pause, "ratio": ratio, "bound": bound,
                         "holds": holds})
    return rows


def version_of(command):
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RUN_LIMIT_S).stdout
    except OSError:
        return None
    number = re.search(r"\d+(\.\d+)*\S*", text)
    return number.group().rstrip(")") if number else None


def environment(binaries):
    mode = "hybrid" if os.path.isdir(View.V2_SIDE) else \
        "v2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "v1"
    versions = {name: version_of([path, "--version"]) for name, path in (
        ("hearth", f"{binaries}/hearth"), ("unshare", "unshare"), ("bwrap", "bwrap"), ("crun", "crun"),
        ("runc", "runc"), ("systemd-nspawn", "systemd-nspawn"))}
    return {"kernel": platform.release(), "cpus": os.cpu_count(), "cgroups": mode, "versions": versions,
            "load_before": os.getloadavg()[0]}


def print_table(report):
    where = report["environment"]
    print(f"Linux {where['kernel']}, {where['cpus']} CPUs, cgroups {where['cgroups']}, load"
          f" {where['load_before']:.1f} before, {where['load_after']:.1f} after; seed {report['seed']}")
    print(", ".join(f"{name} {version}" for name, version in where["versions"].items() if version))
    print("\nSpawn to reaped exit of the client, ms; ratio: p50 to that of hearth run.\n")
    print(f"{'':27}" + "".join(f"{f'{pause} ms before each run':>30}" for pause in PAUSES_MS))
    print(f"{'program':27}" + f"{'n':>6}{'p50':>8}{'p99':>8}{'ratio':>8}" * len(PAUSES_MS))
    for row in report["programs"]:
        line = f"{row['name']:27}"
        for pause in PAUSES_MS:
            cell = row["pauses"][str(pause)]
            if not cell:
                line += f"{'-':>6}{'-':>8}{'-':>8}{'-':>8}"
                continue
            ratio = f"{cell['to_hearth_run']:.2f}" if cell["to_hearth_run"] else "-"
            line += f"{cell['n']:>6}{cell['p50_ms']:>8.2f}{cell['p99_ms']:>8.2f}{ratio:>8}"
        print(line)
    for row in report["programs"]:
        if row["cannot"]:
            print(f"{row['name']}: cannot run here: {row['cannot']}")


def print_isolation(report):
    print(f"\n{'isolation, from inside':27} {'namespaces':33} {'limits':14} {'seccomp':8} root")
    for row in report["programs"]:
        seen = row["isolation"]
        if not seen:
            continue
        names = "all seven" if len(seen["namespaces"]) == len(NAMESPACES) else " ".join(seen["namespaces"])
        print(f"{row['name']:27} {names:33} {row['limits']:14} {'yes' if seen['seccomp'] else 'no':8} {seen['root']}")


def print_bars(report):
    print()
    for bar in report["bars"]:
        sign = "<" if bar["bound"] == 1 else "<="
        text = "not measured" if bar["ratio"] is None else f"{bar['ratio']:.2f}: {'yes' if bar['holds'] else 'no'}"
        print(f"{bar['program']} / {bar['beside']} {sign} {bar['bound']:g}, {bar['pause_ms']} ms: {text}")


def runs_number(text):
    value = int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0
    if not RUNS_MIN <= value <= RUNS_MAX:
        raise argparse.ArgumentTypeError(f"'{text}': a whole number from {RUNS_MIN} to {RUNS_MAX} is wanted")
    return value


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, metavar="DIR", help="where hearth and nsjail-lite are")
    parser.add_argument("--work", required=True, metavar="DIR", help="what peers.sh has prepared")
    parser.add_argument("--id", required=True, metavar="NAME", help="begins the name of what is made")
    parser.add_argument("--runs", type=runs_number, default=100, metavar="N", help="of each program and pause")
    parser.add_argument("--json", action="store_true", help="print one object")
    return parser.parse_args()


def on_signal(number, _frame):
    if number == signal.SIGALRM:
        raise TimeoutError
    sys.exit(128 + number)


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGALRM, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    seed = random.randrange(1 << 32)
    runner = Runner(arguments.work, arguments.id)
    where = environment(arguments.bin)
    programs = all_programs(arguments.bin, arguments.work)
    try:
        try_each(runner, programs)
        measure(runner, programs, arguments.runs, random.Random(seed))
    finally:
        runner.finish()
    where["load_after"] = os.getloadavg()[0]
    report = {"environment": where, "seed": seed, "programs": [
        {"name": p.name, "command": p.words, "limits": p.limits, "isolation": p.isolation, "cannot": p.cannot,
         "pauses": {str(pause): summary(programs, p, pause) for pause in PAUSES_MS}} for p in programs],
        "bars": bars(programs)}
    if arguments.json:
        print(json.dumps(report))
        return
    print_table(report)
    print_isolation(report)
    print_bars(report)


if __name__ == "__main__":
    main()

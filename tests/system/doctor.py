"""hearth doctor: each check, on a host from which its feature has been taken away, and on this one."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

import tap
from instance import STORE, Instance, make_tree, require_tiny, wait_until

SECONDS = 60
BUILD = pathlib.Path(os.environ.get("top_builddir", "."))
KERNEL = pathlib.Path("/proc/sys/kernel")
CONFINED = ["sandbox", "host is hidden", "mounts are refused", "namespaces are refused", "init is safe"]
UNFILTERED = "seccomp/hearth-builder=0"  # it says that the filter was loaded, and none was
CAPABILITIES = {
    "CAP_SYS_ADMIN": 21, "CAP_SYS_CHROOT": 18, "CAP_SYS_PTRACE": 19, "CAP_SYS_NICE": 23, "CAP_SETUID": 7,
    "CAP_SETGID": 6, "CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5, "CAP_MKNOD": 27, "CAP_NET_ADMIN": 12,
    "CAP_NET_BIND_SERVICE": 10, "CAP_SYS_RESOURCE": 24}
# a bad value and a good one
SYSCTLS = {
    "kernel.unprivileged_bpf_disabled": ("0", "2"), "kernel.kptr_restrict": ("0", "1"),
    "kernel.dmesg_restrict": ("0", "1"), "kernel.yama.ptrace_scope": ("0", "1"),
    "kernel.io_uring_disabled": ("0", "2"), "kernel.core_pattern": ("|/bin/false %p", "core"),
    "kernel.pid_max": ("32768", "4194304"), "fs.protected_symlinks": ("0", "1"),
    "fs.protected_hardlinks": ("0", "1"), "fs.protected_fifos": ("0", "2"), "dev.tty.legacy_tiocsti": ("1", "0"),
    "vm.overcommit_memory": ("2", "0")}
TMPFS = "0x01021994"
MAY_LACK = {"image idmap", "io limit"}  # where the store is on an overlay, as in a container
NETWORKS = ["veth", "nftables", "connection tracking", "bandwidth limit", "socket end"]  # tried in one of their own
# Where a message begins: its length, type and flags.
NEW_LINK, NEW_QDISC, DESTROY, DUMP_CT = (
    f"sendto:1@{flags << 48 | kind << 32:#x}" for flags, kind in ((0x605, 16), (0x605, 36), (5, 21), (0x301, 0x101)))
LIMITS = ["memory limit", "pids limit", "cpu limit"]

# check: (rules, its verdict, what else changes with it). What needs a sandbox is then not tried.
TAKEN_AWAY = {
    "mount namespace": (["clone3:0@0x20000=EPERM"], "fail", {}),
    "pid namespace": (["clone3:0@0x20000000=EPERM"], "fail", {}),
    "ipc namespace": (["clone3:0@0x8000000=EPERM"], "fail", {}),
    "uts namespace": (["clone3:0@0x4000000=EPERM"], "fail", {}),
    "cgroup namespace": (["unshare:0&0x2000000=EPERM"], "fail", {}),
    "network namespace": (["unshare:0&0x40000000=EPERM"], "fail", dict.fromkeys(NETWORKS, "warn")),
    "user namespace": (["unshare:0&0x10000000=EPERM"], "fail",
                       {"id map": "fail", "image idmap": "warn", "tmpfs idmap": "warn"}),
    "id map": (["openat:1~uid_map=EPERM"], "fail", {"image idmap": "warn", "tmpfs idmap": "warn"}),
    "pidfd": (["pidfd_send_signal=ENOSYS"], "fail", {}),
    "close_range": (["close_range=ENOSYS"], "fail", {}),
    "openat2": (["openat2=ENOSYS"], "fail", {}),
    "tmpfs": (["fsopen:0~tmpfs=ENODEV"], "fail",
              {"disk limit": "fail", "overlay": "fail", "overlay by fd": "warn", "tmpfs idmap": "warn"}),
    "disk limit": (["fsconfig:2~size=0"], "fail", {}),
    "overlay": (["fsopen:0~overlay=ENODEV"], "fail", {"overlay by fd": "warn"}),
    "overlay by fd": (["fsconfig:2~lowerdir+=EINVAL"], "warn", {}),
    "memory limit": (["openat:1~memory.max=EACCES", "openat:1~memory.limit_in_bytes=EACCES"], "fail", {}),
    "pids limit": (["openat:1~pids.max=EACCES"], "fail", {}),
    "cpu limit": (["openat:1~cpu.max=EACCES", "openat:1~cpu.cfs_quota_us=EACCES"], "fail", {}),
    "io limit": (["openat:1~io.max=EACCES", "openat:1~blkio.throttle=EACCES"], "warn", {}),
    "cgroup birth": (["clone3:0@0x200000000=EINVAL"], "fail", {"cgroup kill": "warn", "cgroup freeze": "warn"}),
    "cgroup kill": (["openat:1~cgroup.kill=ENOENT"], "warn", {}),
    "cgroup freeze": (["openat:1~cgroup.freeze=ENOENT"], "warn", {}),
    "veth": ([f"{NEW_LINK}=ENODEV"], "warn", {}),
    "nftables": (["socket:0&16:2&12=EPERM"], "warn", {"connection tracking": "warn", "forwarding": "warn"}),
    "connection tracking": ([f"{DUMP_CT}=EINVAL"], "warn", {}),
    "forwarding": (["openat:1~ip_forward=EACCES"], "warn", {}),
    "bandwidth limit": ([f"{NEW_QDISC}=ENOENT"], "warn", {}),
    "socket end": ([f"{DESTROY}=EINVAL"], "warn", {}),
    "seccomp": (["seccomp=ENOSYS"], "fail", {"foreign calls": "fail"}),
    "foreign calls": (["seccomp=0"], "fail", {"seccomp": "fail"}),
    "sandbox": (["setns/hearth-builder=EPERM"], "fail", {}),
    "host is hidden": (["open:0~hearth-uid-ranges/hearth-doctor-p=0"], "fail", {}),
    "mounts are refused": ([UNFILTERED, "mount/hearth-doctor-p=0"], "fail", {}),
    "namespaces are refused": ([UNFILTERED, "unshare/hearth-doctor-p=0"], "fail", {}),
    "init is safe": (["ptrace/hearth-doctor-p=0"], "fail", {}),
}

# Runs a program on a host with these rules of nftables; without rules, with the filter table of iptables-legacy.
BEHIND_RULES = """
import ctypes, os, socket, sys
nft, libc = ctypes.CDLL("libnftables.so.1"), ctypes.CDLL(None)
nft.nft_ctx_new.restype = ctypes.c_void_p
if sys.argv[1] and nft.nft_run_cmd_from_buffer(ctypes.c_void_p(nft.nft_ctx_new(0)), sys.argv[1].encode()):
    sys.exit("the rules are wrong")
if not sys.argv[1]:
    info, size = ctypes.create_string_buffer(b"filter", 84), ctypes.c_uint(84)
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    if libc.getsockopt(raw.fileno(), 0, 64, info, ctypes.byref(size)):  # IPT_SO_GET_INFO makes it
        sys.exit("no iptables-legacy")
os.execv(sys.argv[2], sys.argv[2:])
"""
DROPS = {  # chain: rules by which it drops what is forwarded
    "inet filter forward": "policy drop; ct state established accept;",
    "inet firewalld filter_FORWARD": "ct state established accept; counter reject with icmpx admin-prohibited;",
    "ip filter FORWARD": 'iifname "br0" accept; counter drop;',
}
PASSES = {
    "inet filter forward": "policy accept; ct state invalid drop;",
    "inet host forward": 'policy drop; iifname "hth*" accept; oifname "hth*" accept;',
    "inet hearth-0123456789 forward": "policy drop;",
    "ip6 filter FORWARD": "policy drop;",
}


class Doctor(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        require_tiny()
        cls.tree = make_tree()
        cls.addClassCleanup(shutil.rmtree, cls.tree)
        shutil.copy(BUILD / "hearth-doctor", cls.tree / "libexec/hearth")
        shutil.copy(BUILD / "nsjail-lite/hearth-doctor-probe", cls.tree / "libexec/hearth")
        cls.scratch = pathlib.Path(tempfile.mkdtemp(prefix="hearth-doctor.", dir="/var/lib/hearth"))
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        cls.here = cls().examine()

    def program(self, *words):
        return [str(self.tree / "libexec/hearth/hearth-doctor"), "doctor", "--json", *words]

    def without(self, rules, program):
        return subprocess.run([str(BUILD / "tests/system/without"), *rules, "--", *program], check=False,
                              capture_output=True, timeout=SECONDS)

    def examine(self, rules=(), words=(), status=0):
        """{check: its row} on a host after these rules."""
        result = self.without(rules, self.program(*words))
        if result.returncode != status:
            raise AssertionError(f"status {result.returncode}: {result.stderr.decode()}{result.stdout.decode()}")
        return {row["check"]: row for row in json.loads(result.stdout)["checks"]}

    def changed(self, rows):
        return {name: row["verdict"] for name, row in rows.items() if row["verdict"] != self.here[name]["verdict"]}

    def assert_changed(self, rows, expected):
        """These and no others; what this host has not had from the beginning need not change."""
        here = {name for name, verdict in expected.items() if self.here[name]["verdict"] == verdict}
        self.assertEqual(self.changed(rows), {name: expected[name] for name in expected if name not in here})
        self.assertLessEqual(here, MAY_LACK)

    def assert_told(self, row, verdict):
        """A verdict comes with its cause and its fix."""
        self.assertEqual(row["verdict"], verdict, row)
        self.assertTrue(row["found"], row)
        self.assertTrue(row["fix"], row)

    def assert_taken_away(self, name):
        rules, verdict, others = TAKEN_AWAY[name]
        if name not in MAY_LACK:
            self.assertEqual(self.here[name]["verdict"], "pass", self.here[name])
        rows = self.examine(rules, status=7 if verdict == "fail" else 0)
        expected = {name: verdict, **others}
        if verdict == "fail":
            first = CONFINED.index(name) + 1 if name in CONFINED else 0
            expected |= {confined: "unknown" for confined in CONFINED[first:]}
        self.assert_changed(rows, expected)
        self.assert_told(rows[name], verdict)
        self.assertIn("errno", rows[name])

    def file(self, name, text):
        path = self.scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def sysctl(self, name, value):
        """The rules that make a sysctl read so, be it known to this kernel or not."""
        real = pathlib.Path("/proc/sys", *name.split("."))
        if real.exists():
            return ["-cover", str(real), self.file("sysctl", value + "\n")]
        copy = self.scratch / "kernel"
        shutil.rmtree(copy, ignore_errors=True)
        for other in SYSCTLS:
            path = pathlib.Path("/proc/sys", *other.split("."))
            if path.is_relative_to(KERNEL) and path.exists():
                self.file(copy / path.relative_to(KERNEL), path.read_text())
        self.file(copy / real.relative_to(KERNEL), value + "\n")
        return ["-cover", str(KERNEL), str(copy)]

    def test_each_check_has_its_test(self):
        """each check has a test that takes its feature away"""
        others = ["root", "uid ranges", "image idmap", "tmpfs idmap", "cgroups", "open files", "user", "image tiny",
                  "image base", "user.max_namespaces"]  # each has a function below
        self.assertEqual(sorted(self.here), sorted([*TAKEN_AWAY, *CAPABILITIES, *SYSCTLS, *others]))

    def test_this_host(self):
        """on this host no required check fails, and whatever does not pass has a cause and a fix"""
        for name, row in self.here.items():
            with self.subTest(name):
                if row["verdict"] == "pass":
                    self.assertNotIn("fix", row)
                else:
                    self.assertFalse(row["required"], row)
                    self.assert_told(row, "warn")

    def test_root(self):
        """who is not root is told to be, and that nothing is proven"""
        nobody = ["setpriv", "--reuid", "hearth", "--regid", "hearth", "--clear-groups"]
        result = subprocess.run([*nobody, *self.program()], check=False, capture_output=True, timeout=SECONDS)
        self.assertEqual(result.returncode, 1, result.stderr)
        answer = json.loads(result.stdout)
        self.assertFalse(answer["supported"])
        self.assertEqual(answer["failed"], 0)
        row = answer["checks"][0]
        self.assertEqual((row["check"], row["errno"], row["fix"]), ("root", "EPERM", "run as root"))
        self.assert_told(row, "unknown")
        rows = {row["check"]: row["verdict"] for row in answer["checks"] if row["required"]}
        self.assertEqual({name for name, verdict in rows.items() if verdict != "unknown"}, {"open files", "user"})

    def test_uid_ranges(self):
        """uid ranges: a file that makes no sense"""
        rows = self.examine(["-cover", "/run/hearth-uid-ranges", self.file("ranges", "nonsense\n")], status=7)
        self.assert_changed(rows, {"uid ranges": "fail", **dict.fromkeys(CONFINED, "unknown")})
        self.assert_told(rows["uid ranges"], "fail")

    def test_probe_of_the_host(self):
        """host is hidden: what is there is found by whoever may not read it"""
        probe = self.tree / "libexec/hearth/hearth-doctor-probe"
        with tempfile.NamedTemporaryFile(prefix="hearth-doctor.") as marker:  # 0600, as that of /run
            for path, status in (marker.name, 1), (marker.name + ".none", 0):
                found = subprocess.run([probe, "marker", path], check=False, user="nobody", group="nogroup",
                                       extra_groups=[], timeout=SECONDS)
                self.assertEqual(found.returncode, status, path)

    def test_image_idmap(self):
        """image idmap: the store's file system cannot"""
        magic = subprocess.run(["stat", "-f", "-c", "%t", STORE], check=True, capture_output=True, text=True).stdout
        rows = self.examine([f"mount_setattr:3@0x100000:0%0x{magic.strip()}=EINVAL"])
        self.assert_changed(rows, {"image idmap": "warn"})
        self.assert_told(rows["image idmap"], "warn")

    def test_tmpfs_idmap(self):
        """tmpfs idmap: an older kernel, on which sandboxes hold all the same if the store can be mapped"""
        holds = self.here["image idmap"]["verdict"] == "pass"
        rows = self.examine([f"mount_setattr:3@0x100000:0%{TMPFS}=EINVAL", "fsconfig:2~lowerdir+=EINVAL"],
                            status=0 if holds else 7)
        self.assert_changed(rows, {"tmpfs idmap": "warn", "overlay by fd": "warn",
                                   **({} if holds else {"sandbox": "fail", **dict.fromkeys(CONFINED[1:], "unknown")})})
        self.assert_told(rows["tmpfs idmap"], "warn")

    def test_no_idmap(self):
        """where nothing can be mapped no sandbox can be built"""
        rows = self.examine(["mount_setattr:3@0x100000=EINVAL"], status=7)
        self.assert_changed(rows, {"tmpfs idmap": "warn", "image idmap": "warn", "sandbox": "fail",
                                   **dict.fromkeys(CONFINED[1:], "unknown")})

    def test_cgroups(self):
        """cgroups: an empty directory where the hierarchies were; who lives cannot be seen then"""
        for name, others in ("alone", ""), ("beside", "16 45 another\n"):
            empty, run = self.scratch / f"{name}-empty", self.scratch / f"{name}-run"
            empty.mkdir()
            run.mkdir()
            (run / "hearth-uid-ranges").write_text(others)
            rows = self.examine(["-cover", "/sys/fs/cgroup", str(empty), "-cover", "/run", str(run)], status=7)
            self.assert_changed(rows, {"cgroups": "fail", **dict.fromkeys([*LIMITS, "cgroup birth"], "fail"),
                                       **dict.fromkeys(["io limit", "cgroup kill", "cgroup freeze"], "warn"),
                                       **({"uid ranges": "fail"} if others else {}),
                                       **dict.fromkeys(CONFINED, "unknown")})
            self.assert_told(rows["cgroups"], "fail")

    def test_absent_controller(self):
        """a limit that no hierarchy has is a warning: a start may go on without it"""
        v1 = pathlib.Path("/sys/fs/cgroup/memory")
        if v1.is_mount():
            rules = ["-umount", str(v1)]
        else:
            rules = ["-cover", "/sys/fs/cgroup/cgroup.controllers", self.file("controllers", "cpu io pids\n")]
        rows = self.examine(rules)
        self.assert_changed(rows, {"memory limit": "warn"})
        self.assert_told(rows["memory limit"], "warn")

    def test_open_files(self):
        """open files: few are a warning, less than a sandbox has a failure"""
        rows = self.examine(["-nofile", "5000"])
        self.assert_changed(rows, {"open files": "warn"})
        self.assertIn("4808 sandboxes", rows["open files"]["found"])
        self.assert_told(rows["open files"], "warn")
        # Only who may raise a hard limit could still give a sandbox its own.
        rows = self.examine(["-nofile", "1000", "-capability", str(CAPABILITIES["CAP_SYS_RESOURCE"])], status=7)
        self.assert_told(rows["open files"], "fail")

    def test_user(self):
        """user: there is none"""
        users = pathlib.Path("/etc/passwd").read_text().splitlines(keepends=True)
        others = "".join(line for line in users if not line.startswith("hearth:"))
        rows = self.examine(["-cover", "/etc/passwd", self.file("passwd", others)], status=7)
        self.assert_changed(rows, {"user": "fail", **dict.fromkeys(CONFINED, "unknown")})
        self.assertEqual(rows["user"]["fix"], "useradd --system --user-group hearth")

    def test_max_namespaces(self):
        """user.max_namespaces: the least of them is named"""
        few = ["-cover", "/proc/sys/user/max_net_namespaces", self.file("few", "10\n")]
        rows = self.examine(few)
        self.assert_changed(rows, {"user.max_namespaces": "warn"})
        self.assertEqual(rows["user.max_namespaces"]["fix"], "sysctl -w user.max_net_namespaces=16384")

    def behind(self, rules):
        """The row of forwarding on a host with these rules."""
        done = subprocess.run(["unshare", "-n", "python3", "-c", BEHIND_RULES, rules, *self.program()], check=False,
                              capture_output=True, timeout=SECONDS)
        if done.stderr == b"no iptables-legacy\n":
            return None
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {row["check"]: row for row in json.loads(done.stdout)["checks"]}
        self.assertLessEqual(set(self.changed(rows)), {"forwarding"})
        return rows["forwarding"]

    def behind_chain(self, chain, rules):
        family, table, name = chain.split()
        return self.behind(
            f"table {family} {table} {{\nchain {name} {{\ntype filter hook forward priority 0; {rules}\n}}\n}}\n")

    def test_a_firewall_that_drops(self):
        """forwarding: a firewall that drops it is named, with the rules that let sandboxes through"""
        for chain, rules in DROPS.items():
            with self.subTest(chain):
                row = self.behind_chain(chain, rules)
                self.assert_told(row, "warn")
                self.assertIn(f"chain {chain} of the host's firewall drops", row["found"])
                self.assertNotIn("errno", row)
                self.assertIn("iptables -I FORWARD -i hth+ -j ACCEPT" if chain == "ip filter FORWARD" else
                              f'nft insert rule {chain} iifname "hth*" accept', row["fix"])

    def test_a_firewall_that_lets_pass(self):
        """forwarding: what accepts, names the sandboxes' links, is Hearth's own or of IPv6 is no hindrance"""
        for chain, rules in PASSES.items():
            with self.subTest(chain):
                self.assertEqual(self.behind_chain(chain, rules)["verdict"], "pass")

    def test_rules_of_iptables_legacy(self):
        """forwarding: rules that are not read are said, and how to look at them, where a kernel has them at all"""
        row = self.behind("")
        if row:
            self.assert_told(row, "warn")
            self.assertIn("iptables-legacy -S FORWARD", row["fix"])
        else:
            self.assertFalse(pathlib.Path("/proc/net/ip_tables_names").exists())

    def test_a_check_that_hangs(self):
        """a check that hangs has failed, and ends"""
        rows = self.examine(["pidfd_open=hang"], status=7)
        self.assert_changed(rows, {"pidfd": "fail", **dict.fromkeys(CONFINED, "unknown")})
        self.assertEqual(rows["pidfd"]["errno"], "ETIMEDOUT")

    def test_a_killed_doctor(self):
        """what a killed doctor left is gone after the next one"""
        killed = subprocess.Popen([str(BUILD / "tests/system/without"), "openat:1~cgroup.kill=hang", "--", *self.program()],
                                  stdout=subprocess.DEVNULL)
        self.addCleanup(killed.wait)
        self.addCleanup(killed.kill)
        children = pathlib.Path(f"/proc/{killed.pid}/task/{killed.pid}/children")
        wait_until("a child", children.read_text)
        doctor = children.read_text().split()[0]

        def left():
            groups = pathlib.Path("/sys/fs/cgroup")
            name = f"hearth-nsjail-{doctor}-*"
            return [*groups.glob(name), *groups.glob(f"*/{name}")]

        # It makes them, and hangs when it takes them away again.
        wait_until("its cgroups", left)
        killed.kill()
        killed.wait()
        wait_until("its end", lambda: not pathlib.Path("/proc", doctor).exists())
        self.assertTrue(left())
        self.examine()
        self.assertEqual(left(), [])

    def test_ignored_children(self):
        """whoever ignores SIGCHLD, as some init processes do, gets the same verdicts"""
        result = subprocess.run(self.program(), check=False, capture_output=True, timeout=SECONDS,
                                preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertEqual(self.changed({row["check"]: row for row in json.loads(result.stdout)["checks"]}), {})

    def test_a_start_is_refused(self):
        """the supervisor refuses to start on a host that cannot, and says why and what to do"""
        with tempfile.TemporaryDirectory(prefix="hearth-doctor.") as directory:
            pathlib.Path(directory, "hearth.conf").write_text('[pool "tiny"]\nmin = 1\nmax = 2\n')
            result = self.without(["openat2=ENOSYS"], [str(self.tree / "sbin/hearth-supervisor"), "--dir", directory])
        log = [json.loads(line) for line in result.stderr.splitlines()]
        self.assertEqual(result.returncode, 1)
        failed = [line for line in log if line.get("event") == "doctor_failed"]
        self.assertEqual([line["check"] for line in failed], ["openat2"])
        self.assertTrue(failed[0]["why"] and failed[0]["fix"])
        self.assertIn("this host cannot run Hearth: openat2", log[-1]["message"])

    def test_a_start_with_ignored_children(self):
        """a supervisor whose starter ignores SIGCHLD serves"""
        instance = Instance(self.tree, '[pool "tiny"]\nmin = 1\nmax = 2\n')
        self.addCleanup(instance.remove)
        instance.supervisor = subprocess.Popen(
            ["env", "--ignore-signal=CHLD", self.tree / "sbin/hearth-supervisor", "--dir", instance.directory],
            stderr=subprocess.DEVNULL)
        instance.processes.append(instance.supervisor)
        (pathlib.Path(instance.directory) / "log").touch()
        instance.wait_until_it_serves()
        instance.stop()

    def test_a_start_says_what_is_missing(self):
        """the supervisor logs one line of what it found"""
        instance = Instance(self.tree, '[pool "tiny"]\nmin = 1\nmax = 2\n')
        self.addCleanup(instance.remove)
        instance.start()
        wait_until("serving", instance.serves)
        lines = [json.loads(line) for line in instance.log().splitlines() if '"doctor' in line]
        self.assertEqual([line["event"] for line in lines], ["doctor"])
        self.assertEqual(lines[0]["failed"], "0")
        warned = [name for name, row in self.here.items() if row["verdict"] == "warn"]
        self.assertEqual(lines[0]["warnings"], ", ".join(warned))
        instance.stop()


def add(name, description, function):
    def test(self):
        function(self)
    test.__doc__ = description
    setattr(Doctor, "test_" + name.replace(" ", "_").replace(".", "_"), test)


def capability(name):
    def run(self):
        row = self.examine(["-capability", str(CAPABILITIES[name])], status=7 if self.here[name]["required"] else 0)
        self.assert_told(row[name], "fail" if self.here[name]["required"] else "warn")
        self.assertEqual(row[name]["errno"], "EPERM")
    add(name, f"{name}: dropped", run)


def sysctl(name):
    def run(self):
        bad, good = SYSCTLS[name]
        rows = self.examine(self.sysctl(name, good))
        self.assertEqual(rows[name]["verdict"], "pass", rows[name])
        rows = self.examine(self.sysctl(name, bad))
        self.assert_told(rows[name], "warn")
        self.assertLessEqual(set(self.changed(rows)), {name})
    add(name, f"{name}: a good value passes, a bad one does not", run)


def image(name):
    def run(self):
        other = {"tiny": "base", "base": "tiny"}[name]
        store = self.scratch / f"without-{name}"
        (store / other).mkdir(parents=True)
        shutil.copy(STORE / "tiny/manifest.json", store / other)
        rows = self.examine(words=["--store", str(store)])
        self.assert_told(rows[f"image {name}"], "warn")
        self.assertEqual(rows[f"image {name}"]["fix"], f"hearth image build {name}")
        self.assertEqual(rows[f"image {other}"]["verdict"], "pass")
    add(f"image {name}", f"image {name}: not in the store", run)


for check in TAKEN_AWAY:
    add(check, f"{check}: taken away", lambda self, name=check: self.assert_taken_away(name))
for check in CAPABILITIES:
    capability(check)
for check in SYSCTLS:
    sysctl(check)
for check in ("tiny", "base"):
    image(check)

if __name__ == "__main__":
    tap.main()

"""GET /metrics of agentd: what it shows, to whom, and that Prometheus' own tool finds nothing to say against it."""

import grp
import http.client
import os
import re
import signal
import socket
import subprocess
import unittest

import rpc_client
import tap
from instance import PREFIX, SECONDS, Instance, hearth

CONFIG = "[pool \"tiny\"]\nimage = tiny\nmin = 2\nmax = 6\n"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=SECONDS)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self.path)


def get(connection, path="/metrics", method="GET"):
    """(status, content type, text)"""
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type"), response.read().decode()
    finally:
        connection.close()


def parse(text):
    """Every sample: name with its labels as they stand, value."""
    return {name: float(value) for name, value in
            re.findall(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)}


def cgroup_of(supervisor):
    """The directory of its instance in the v2 tree."""
    with open(f"/proc/{supervisor}/cgroup", encoding="ascii") as file:
        path = re.search("^0::(.*)/daemon$", file.read(), re.MULTILINE)[1]
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        mount = next(line.split()[4] for line in file if " - cgroup2 " in line)
    return mount + path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance.of(CONFIG)
        cls.addClassCleanup(cls.instance.close)

    def connection(self):
        return UnixConnection(self.instance.file("metrics.sock"))

    def scrape(self):
        status, kind, text = get(self.connection())
        self.assertEqual((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"))
        return text

    def samples(self):
        return parse(self.scrape())

    def test_promtool(self):
        """promtool check metrics is content, also with everything counted that can be"""
        self.assertEqual(self.instance.hearth("run", "--", "true").returncode, 0)
        with self.instance.agentd() as agentd:
            handle = agentd.acquire(hostname="box")
            agentd.execute(handle, "true")
            agentd.tool(handle, "bash", command="false")
        get(self.connection(), "/nope")
        done = subprocess.run(["promtool", "check", "metrics"], input=self.scrape().encode(), check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS)
        self.assertEqual((done.returncode, done.stdout), (0, b""))

    def test_curl(self):
        """curl gets it from the socket"""
        done = subprocess.run(["curl", "-sf", "--unix-socket", self.instance.file("metrics.sock"),
                               "http://localhost/metrics"], stdout=subprocess.PIPE, check=False, timeout=SECONDS)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"# TYPE hearth_acquire_duration_seconds histogram\n", done.stdout)

    def test_the_socket_is_for_group_hearth(self):
        """metrics.sock has mode 0660 and group hearth"""
        stat = os.stat(self.instance.file("metrics.sock"))
        self.assertEqual(stat.st_mode & 0o777, 0o660)
        self.assertEqual(stat.st_gid, grp.getgrnam("hearth").gr_gid)

    def test_a_lease_is_counted(self):
        """a lease moves the counters and gauges of its pool"""
        ready = 'hearth_acquire_duration_seconds_count{template="tiny",path="ready",result="ok"}'
        leased = 'hearth_pool_sandboxes{template="tiny",state="leased"}'
        destroyed = 'hearth_stage_duration_seconds_count{stage="destroy"}'
        rpc_client.until(lambda: self.instance.pool()["ready"] >= 2, "ready")
        before = self.samples()
        with self.instance.agentd() as agentd:
            agentd.acquire()
            during = self.samples()
            self.assertEqual(during[ready], before.get(ready, 0) + 1)
            self.assertEqual(during[leased], before[leased] + 1)
        rpc_client.until(lambda: self.samples()[leased] == before[leased], "the lease has ended")
        rpc_client.until(lambda: self.samples().get(destroyed, 0) > before.get(destroyed, 0), "destroyed")
        self.assertGreaterEqual(during['hearth_stage_duration_seconds_count{stage="clone"}'], 2)

    def test_commands_and_tools_are_counted(self):
        """commands of sandbox.exec are timed, tool calls counted by result"""
        good = 'hearth_tool_calls_total{tool="ls",result="ok"}'
        bad = 'hearth_tool_calls_total{tool="read",result="error"}'
        before = self.samples()
        with self.instance.agentd() as agentd:
            handle = agentd.acquire()
            agentd.execute(handle, "true")
            agentd.tool(handle, "ls", path="/")
            agentd.tool(handle, "read", path="/nonexistent")
        after = self.samples()
        self.assertEqual(after["hearth_exec_duration_seconds_count"],
                         before["hearth_exec_duration_seconds_count"] + 1)
        self.assertEqual(after[good], before.get(good, 0) + 1)
        self.assertEqual(after[bad], before.get(bad, 0) + 1)

    def test_buckets(self):
        """the buckets of an acquire are the documented ones, and cumulative"""
        self.assertEqual(self.instance.hearth("run", "--", "true").returncode, 0)
        rows = re.findall(r'^hearth_acquire_duration_seconds_bucket\{template="tiny",path="ready",result="ok",'
                          r'le="([^"]*)"\} (\d+)$', self.scrape(), re.MULTILINE)
        self.assertEqual([row[0] for row in rows],
                         "0.000025 0.00005 0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 "
                         "1 2.5 5 +Inf".split())
        counts = [int(row[1]) for row in rows]
        self.assertEqual(counts, sorted(counts))
        self.assertGreater(counts[-1], 0)

    def test_nothing_else_is_served(self):
        """another path is 404, another method 405"""
        self.assertEqual(get(self.connection(), "/")[0], 404)
        self.assertEqual(get(self.connection(), "/metrics", "POST")[0], 405)
        self.assertEqual(self.samples()['hearth_http_requests_total{route="/metrics",code="405"}'], 1)

    def test_connections_that_say_nothing_do_not_hold_it_up(self):
        """agentd goes on while connections say nothing, and closes them on exec"""
        idle = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(8)]
        try:
            for link in idle:
                link.connect(self.instance.file("metrics.sock"))
            self.assertIn("hearth_pool_target", self.scrape())
            _, pid = self.instance.daemons()
            for fd in os.listdir(f"/proc/{pid}/fdinfo"):
                try:
                    with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:
                        flags = int(file.read().split("flags:\t")[1].split()[0], 8)
                except FileNotFoundError:
                    continue  # closed since the listing
                if int(fd) > 2:
                    self.assertTrue(flags & os.O_CLOEXEC, f"fd {fd}")
        finally:
            for link in idle:
                link.close()


class Port(unittest.TestCase):
    AGENTD = os.path.join(PREFIX, "sbin", "hearth-agentd")

    def test_a_port_when_asked_for(self):
        """--metrics-port serves on 127.0.0.1, and only when it is given"""
        with Instance.of(CONFIG) as instance:
            port = free_port()
            with self.assertRaises(ConnectionRefusedError):
                get(http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS))
            _, pid = instance.daemons()
            os.kill(pid, signal.SIGTERM)
            rpc_client.until(lambda: not os.path.exists(f"/proc/{pid}"), "agentd has ended")
            with open(instance.file("agentd.log"), "ab") as log:
                agentd = subprocess.Popen([self.AGENTD, "--dir", instance.path, "--metrics-port", str(port)],
                                          stderr=log)
            try:
                def answers():
                    try:
                        return get(http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS))[0] == 200
                    except ConnectionRefusedError:
                        return False
                rpc_client.until(answers, "agentd serves metrics on its port")
                with open("/proc/net/tcp", encoding="ascii") as file:
                    local = [line.split()[1] for line in file if f":{port:04X} 00000000:0000 0A" in line]
                self.assertEqual(local, [f"0100007F:{port:04X}"])
            finally:
                agentd.terminate()
                agentd.wait(SECONDS)

    def test_orphans(self):
        """what still runs when a supervisor starts after a kill is ended and counted as an orphan"""
        with Instance.of(CONFIG) as instance:
            supervisor, agentd = instance.daemons()
            base = cgroup_of(supervisor)
            os.kill(supervisor, signal.SIGKILL)
            rpc_client.until(lambda: not os.path.exists(f"/proc/{agentd}"), "agentd has ended")
            # Sandboxes end with their builders, those with the supervisor: one that has not, is made here.
            os.mkdir(os.path.join(base, "b9-1"))
            orphan = subprocess.Popen(["sleep", "1000"])
            try:
                with open(os.path.join(base, "b9-1", "cgroup.procs"), "w", encoding="ascii") as file:
                    file.write(str(orphan.pid))
                instance.start_daemon("supervisor", "control.sock", socket.SOCK_SEQPACKET)
                self.assertEqual(orphan.wait(SECONDS), -signal.SIGKILL)
            finally:
                orphan.kill()
                orphan.wait()
            instance.start_daemon("agentd", "agentd.sock", socket.SOCK_STREAM)
            text = get(UnixConnection(instance.file("metrics.sock")))[2]
            self.assertEqual(parse(text)["hearth_orphans_reaped_total"], 1)

    def test_bad_ports_are_usage_errors(self):
        """--metrics-port takes a port"""
        for port in ("0", "65536", "-1", "x", ""):
            done = subprocess.run([self.AGENTD, "--dir", "/nonexistent", "--metrics-port", port], check=False,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=SECONDS)
            self.assertEqual(done.returncode, 2, port)

    def test_down_removes_the_socket(self):
        """hearth down removes metrics.sock"""
        with Instance(pool=1) as instance:
            self.assertTrue(os.path.exists(instance.file("metrics.sock")))
            self.assertEqual(hearth("down", directory=instance.path).returncode, 0)
            self.assertFalse(os.path.exists(instance.file("metrics.sock")))


if __name__ == "__main__":
    tap.main()

"""hearth against a supervisor and a guest that refuse, lie, fall silent and die."""

import json
import socket
import tempfile
import threading
import time
import unittest

import tap
from fake_supervisor import (ACQUIRE, CANCEL, EXEC, FakeSupervisor, INPUT, INSPECT, LEASED, LIST, NET, POOLS, READY,
                             RELEASE, STDERR, END_FAILED, acquire_fields, details, done, header, lease_ended, leased,
                             output, packet, pool_row, refused, reply, sandbox_row, send_with_fd, with_guest)
from instance import hearth

OWNER_GONE, IDLE, DEADLINE, OOM, GUEST_DIED, BUILDER_LOST, SHUTDOWN, KILLED = 2, 3, 4, 5, 6, 7, 8, 9


def next_packet(guest, kind):
    """The next packet of this type. None: the client has gone."""
    while data := guest.recv(1 << 18):
        if header(data)[0] == kind:
            return data
    return None


class Refusals(unittest.TestCase):
    REASONS = {1: "denied", 2: "no template", 3: "empty", 4: "waited too long", 5: "a limit", 6: "stale",
               7: "unsupported", 8: "builds fail", 9: "stopping"}

    def test_run_says_why_it_was_refused(self):
        """run says the supervisor's reason in one line, and exits 125"""
        for refusal, reason in self.REASONS.items():
            serve = lambda link, data, r=refusal, t=reason: link.send(refused(header(data)[1], r, t))
            with FakeSupervisor(serve) as supervisor:
                result = hearth("run", "--", "true", directory=supervisor.directory)
            self.assertEqual(result.returncode, 125)
            self.assertEqual(len(result.stderr.splitlines()), 1)
            self.assertIn(reason.encode(), result.stderr)

    def test_rows_that_are_refused(self):
        """pool ls and sandbox ls are denied with exit code 4"""
        with FakeSupervisor(lambda link, data: link.send(refused(header(data)[1], 1, "not for you"))) as supervisor:
            for words in (["pool", "ls"], ["sandbox", "ls"]):
                result = hearth(*words, directory=supervisor.directory)
                self.assertEqual(result.returncode, 4)
                self.assertIn(b"not for you", result.stderr)

    def test_a_min_beyond_the_max_in_force(self):
        """a min that is beyond the max in force, or the reverse, is wrong usage, and nothing is changed"""
        def serve(link, data):
            if header(data)[0] == POOLS:
                link.send(pool_row(header(data)[1], minimum=4))
            link.send(done(header(data)[1]))

        with FakeSupervisor(serve) as supervisor:
            for word, text in (("min=101", b"max=100"), ("max=3", b"min=4")):
                result = hearth("pool", "set", "tiny", word, directory=supervisor.directory)
                self.assertEqual(result.returncode, 2)
                self.assertIn(text, result.stderr)
            self.assertEqual(set(supervisor.seen), {POOLS})

    def test_an_empty_list(self):
        """no rows are an empty list"""
        with FakeSupervisor(lambda link, data: link.send(done(header(data)[1]))) as supervisor:
            result = hearth("sandbox", "ls", "--json", directory=supervisor.directory)
            self.assertEqual(json.loads(result.stdout), {"sandboxes": []})


class Lies(unittest.TestCase):
    def assert_run_fails(self, serve, text=b""):
        with FakeSupervisor(serve) as supervisor:
            result = hearth("run", "--", "true", directory=supervisor.directory)
        self.assertEqual(result.returncode, 125)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertIn(text, result.stderr)

    def test_a_wrong_version(self):
        """an answer of another protocol version is refused"""
        self.assert_run_fails(lambda link, data: link.send(packet(33, header(data)[1], version=9)))

    def test_a_short_answer(self):
        """an answer that is too short is refused"""
        self.assert_run_fails(lambda link, data: link.send(leased(header(data)[1])[:-8]))

    def test_a_lease_without_a_channel(self):
        """a lease without its channel is refused"""
        self.assert_run_fails(lambda link, data: link.send(leased(header(data)[1])))

    def test_another_type(self):
        """an answer of a type that nobody knows is refused"""
        self.assert_run_fails(lambda link, data: link.send(packet(99, header(data)[1])))

    def test_a_supervisor_that_goes(self):
        """a supervisor that goes instead of answering is said"""
        self.assert_run_fails(lambda link, data: link.close())

    def test_pools_that_end_early(self):
        """a supervisor that goes in the middle of its rows is said"""
        def serve(link, data):
            link.send(pool_row(header(data)[1]))
            link.shutdown(2)

        with FakeSupervisor(serve) as supervisor:
            result = hearth("pool", "ls", directory=supervisor.directory)
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertEqual(len(result.stderr.splitlines()), 1)


class Guests(unittest.TestCase):
    def run_with(self, guest, *words, **options):
        with FakeSupervisor(with_guest(guest)) as supervisor:
            result = hearth("run", *words, "--", "true", directory=supervisor.directory, **options)
            self.seen = supervisor.seen
        return result

    def test_it_releases_what_it_acquired(self):
        """run acquires once and releases once"""
        def guest(channel, control):
            channel.send(reply(header(next_packet(channel, EXEC))[1], status=3))

        result = self.run_with(guest)
        self.assertEqual(result.returncode, 3)
        self.assertEqual(self.seen[:1], [ACQUIRE])
        self.assertEqual(self.seen.count(ACQUIRE), 1)

    def test_output_before_the_reply_is_printed(self):
        """what came before the reply is written whole, to the right one of two files"""
        def guest(channel, control):
            request_id = header(next_packet(channel, EXEC))[1]
            for _ in range(100):
                channel.send(output(request_id, b"o" * 1000))
                channel.send(output(request_id, b"e", STDERR))
            channel.send(reply(request_id))

        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            result = self.run_with(guest, stdout=out, stderr=err)
            out.seek(0)
            err.seek(0)
            self.assertEqual((result.returncode, len(out.read()), err.read()), (0, 100000, b"e" * 100))

    def test_a_hostile_guest(self):
        """a guest that breaks the protocol is cut off, and that is said in one line"""
        for wrong in (b"x", packet(34, 1), packet(1, 1), packet(32, 1, b"\1\0\0\0\0\0\0\0" + b"x" * 40000)):
            def guest(channel, control, wrong=wrong):
                next_packet(channel, EXEC)
                channel.send(wrong)
                next_packet(channel, EXEC)

            result = self.run_with(guest)
            self.assertEqual(result.returncode, 125)
            self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_a_guest_that_runs_out_of_memory(self):
        """the limit of memory is named, with 137"""
        def guest(channel, control):
            next_packet(channel, EXEC)
            channel.close()
            control.send(lease_ended(OOM, 12345678))

        result = self.run_with(guest)
        self.assertEqual(result.returncode, 137)
        self.assertIn(b"12345678", result.stderr)
        self.assertIn(b"(ENOMEM)", result.stderr)

    def test_a_lease_that_ends(self):
        """a lease that ends says why: the deadline is a timeout, the rest our own failure"""
        for reason, status, text in ((DEADLINE, 124, b"its time is over"), (IDLE, 124, b"idle for too long"),
                                     (OWNER_GONE, 125, b"its owner has gone"),
                                     (BUILDER_LOST, 125, b"its builder was lost"),
                                     (SHUTDOWN, 125, b"the supervisor stops"),
                                     (GUEST_DIED, 125, b"its guest died"),
                                     (KILLED, 125, b"killed by an administrator")):
            def guest(channel, control, reason=reason):
                next_packet(channel, EXEC)
                control.send(lease_ended(reason))
                next_packet(channel, EXEC)

            result = self.run_with(guest)
            self.assertEqual(result.returncode, status)
            self.assertIn(text, result.stderr)
            self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_a_guest_that_vanishes_without_a_word(self):
        """a guest whose end nobody explains is said all the same"""
        def guest(channel, control):
            next_packet(channel, EXEC)
            channel.close()

        result = self.run_with(guest)
        self.assertEqual(result.returncode, 125)
        self.assertIn(b"the sandbox is gone", result.stderr)

    def test_a_supervisor_that_goes_while_a_command_runs(self):
        """a supervisor that goes takes the lease along, and that is said"""
        def guest(channel, control):
            next_packet(channel, EXEC)
            control.shutdown(2)
            next_packet(channel, EXEC)

        result = self.run_with(guest)
        self.assertEqual(result.returncode, 125)
        self.assertIn(b"supervisor", result.stderr)

    def test_a_command_that_cannot_start(self):
        """the guest's own words say why a command could not start"""
        def guest(channel, control):
            channel.send(reply(header(next_packet(channel, EXEC))[1], END_FAILED, 126, 13, "true: not allowed"))

        result = self.run_with(guest)
        self.assertEqual(result.returncode, 126)
        self.assertEqual(result.stderr, b"hearth: true: not allowed (EACCES)\n")

    def test_a_failure_without_words(self):
        """a failure without words is told by its number"""
        def guest(channel, control):
            channel.send(reply(header(next_packet(channel, EXEC))[1], END_FAILED, 0, 12))

        result = self.run_with(guest, "--json")
        self.assertEqual(result.returncode, 125)
        self.assertEqual(json.loads(result.stderr.splitlines()[0])["error"]["errno"], "ENOMEM")

    def test_input_stays_within_the_credit(self):
        """no more of a file is sent as input than the guest gave credit for"""
        seen = []

        def guest(channel, control):
            request_id = header(next_packet(channel, EXEC))[1]
            total = 0
            channel.settimeout(1)
            try:
                while data := next_packet(channel, INPUT):
                    total += len(data) - 24
            except TimeoutError:
                pass
            seen.append(total)
            channel.send(reply(request_id))

        with tempfile.TemporaryFile() as source:
            source.write(b"x" * 1000000)
            source.seek(0)
            result = self.run_with(guest, "-i", stdin=source)
        self.assertEqual(result.returncode, 0)
        self.assertEqual(seen, [262144])


class Leases(unittest.TestCase):
    """sandbox net and inspect, and what a lease has of its own."""

    def serve(self, link, data):
        kind, request_id = header(data)
        if kind == LIST:
            link.send(sandbox_row(request_id))
            link.send(sandbox_row(request_id, 8, READY))
            link.send(done(request_id))
        elif self.refusal:
            link.send(refused(request_id, *self.refusal))
        elif kind == NET:
            self.asked.append((data[16:24], data[24:32], data[32:].rstrip(b"\0")))
            link.send(done(request_id))
        else:
            link.send(self.answer(request_id))

    def setUp(self):
        self.refusal = None
        self.asked = []
        self.answer = details

    def hearth(self, *words):
        with FakeSupervisor(self.serve) as supervisor:
            self.supervisor = supervisor
            return hearth(*words, directory=supervisor.directory)

    def test_net_names_lease_and_profile(self):
        """sandbox net asks for this lease's profile, for people and for programs"""
        for profile in ("none", "default", "allow", "open"):
            result = self.hearth("sandbox", "net", "7", profile)
            self.assertEqual((result.returncode, result.stdout.decode(), result.stderr), (0, f"7: {profile}\n", b""))
            self.assertEqual(self.asked.pop(), (b"\7" + bytes(7), b"\5" + bytes(7), profile.encode()))
        result = self.hearth("sandbox", "net", "7", "open", "--json")
        self.assertEqual(json.loads(result.stdout), {"id": 7, "net": "open"})
        self.assertEqual(self.hearth("sandbox", "net", "-q", "7", "open").stdout, b"")

    def test_inspect_for_people(self):
        """sandbox inspect shows a name and a value a line, with units"""
        result = self.hearth("sandbox", "inspect", "7")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        for name, value in {
                "sandbox": "7", "epoch": str(1 << 60), "pool": "tiny", "state": "leased", "host name": "box",
                "workspace": "none", "memory at most": "256M", "CPUs at most": "1.5", "not enforced": "none",
                "network": "default", "connections at most": "1024", "new connections a second at most": "100",
                "names a second at most": "50", "bytes a second at most": "10M", "connections": "3",
                "bytes sent": "4K", "bytes received": "1234", "packets denied": "5", "names denied": "6"}.items():
            self.assertRegex(result.stdout.decode(), f"(?m)^{name} +{value}$")

    def test_inspect_without_caps(self):
        """a cap that is not there is none, and a set of limits is in words"""
        self.answer = lambda request: details(request, net="none", workspace="w", unenforced=33, caps=(0, 0, 0, 0))
        said = self.hearth("sandbox", "inspect", "7").stdout.decode()
        for line in ("connections at most +none", "bytes a second at most +none", "workspace +w",
                     "not enforced +memory, cpu"):
            self.assertRegex(said, f"(?m)^{line}$")

    def test_inspect_for_programs(self):
        """with --json it is one object, units in its keys"""
        result = self.hearth("sandbox", "inspect", "7", "--json")
        self.assertEqual(json.loads(result.stdout), {
            "id": 7, "epoch": str(1 << 60), "pool": "tiny", "state": "leased", "owner_pid": 123, "owner_uid": 0,
            "age_ms": 2000, "lease_age_ms": 1500, "hostname": "box", "workspace": None, "memory_bytes": 1 << 28,
            "disk_bytes": 1 << 27, "pids": 100, "cpu_milli": 1500, "unenforced": [], "net": "default",
            "connections_max": 1024, "new_per_second_max": 100, "names_per_second_max": 50,
            "bytes_per_second_max": 10 << 20, "connections": 3, "sent_bytes": 4096, "received_bytes": 1234,
            "denied_packets": 5, "denied_names": 6})

    def test_who_is_not_there(self):
        """a sandbox that is not there, or that nobody leases, is not found: 3"""
        for words in (["net", "9", "open"], ["inspect", "9"], ["net", "8", "open"], ["inspect", "8"]):
            result = self.hearth("sandbox", *words)
            self.assertEqual((result.returncode, result.stdout), (3, b""))
            text = "there is no sandbox 9" if words[1] == "9" else "sandbox 8 is ready, nobody leases it"
            self.assertIn(text.encode(), result.stderr)
            self.assertEqual(set(self.supervisor.seen), {LIST})

    def test_what_is_refused(self):
        """a refusal is said in the supervisor's words, and its kind is the exit code"""
        for refusal, status, text in ((1, 4, "leased to uid 0"), (6, 3, "sandbox 7 has ended by itself"),
                                      (7, 7, "there is no network")):
            self.refusal = (refusal, text)
            for words in (["net", "7", "open"], ["inspect", "7"]):
                result = self.hearth("sandbox", *words)
                self.assertEqual((result.returncode, result.stdout), (status, b""))
                self.assertIn(text.encode(), result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_wrong_words(self):
        """a wrong number or profile is a usage error, which names the profiles, and asks nobody"""
        for words in (["net", "7", "internet"], ["net", "7", ""], ["net", "x", "open"], ["net", "0", "open"],
                      ["net", "7"], ["net", "7", "open", "x"], ["inspect", "x"], ["inspect"], ["inspect", "7", "8"]):
            result = self.hearth("sandbox", *words)
            self.assertEqual((result.returncode, result.stdout), (2, b""))
            self.assertEqual(self.supervisor.seen, [])
        self.assertIn(b"the profiles are: none, default, allow, open",
                      self.hearth("sandbox", "net", "7", "internet").stderr)

    def test_a_lie(self):
        """an inspection that is another message is refused"""
        self.answer = done
        result = self.hearth("sandbox", "inspect", "7")
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertIn(b"broke the protocol", result.stderr)

    def test_run_asks_for_its_own_and_tells_it(self):
        """run asks for workspace, host name, limits and network, and its receipt has them"""
        asked = []

        def serve(link, data):
            kind, request_id = header(data)
            if kind != ACQUIRE:
                link.send(done(request_id))
                return
            asked.append(acquire_fields(data))
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            threading.Thread(target=guest, args=(ours,), daemon=True).start()
            send_with_fd(link, leased(request_id, rung=4, bind_ns=150000, net="open", workspace="w", hostname="box",
                                      workspace_bytes=1 << 30, is_soft=1), theirs.fileno())
            theirs.close()

        def guest(channel):
            channel.send(reply(header(next_packet(channel, EXEC))[1]))

        with FakeSupervisor(serve) as supervisor:
            result = hearth("run", "--json", "--net", "open", "--workspace", "w", "--hostname", "box", "--memory",
                            "64M", "--pids", "20", "--cpus", "0.5", "--", "true", directory=supervisor.directory)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(asked, [("", "open", "w", "box", 64 << 20, 20, 500)])
        said = json.loads(result.stderr)
        self.assertEqual((said["rung"], said["bind_us"], said["net"], said["hostname"], said["workspace"]),
                         ("bound", 150, "open", "box", {"id": "w", "limit_bytes": 1 << 30, "is_soft": True}))


class BenchMisses(unittest.TestCase):
    def serve(self, link, data):
        kind, request_id = header(data)
        if kind == POOLS:
            link.send(pool_row(request_id))
            link.send(done(request_id))
        elif kind == ACQUIRE:
            self.acquired += 1
            if self.acquired == 3:
                link.send(refused(request_id, 3, "the pool is empty"))
            else:
                send_with_fd(link, leased(request_id, sandbox=self.acquired,
                                          rung=2 if self.acquired == self.built else 1), 0)
        else:
            link.send(done(request_id))

    def setUp(self):
        self.acquired = 0
        self.built = 0

    def bench(self, *words):
        with FakeSupervisor(self.serve) as supervisor:
            return hearth("bench", "acquire", "-n", "6", *words, directory=supervisor.directory)

    def test_a_miss_fails_the_run(self):
        """a refusal because the pool is empty fails the run"""
        result = self.bench("--json")
        self.assertEqual((result.returncode, result.stdout), (5, b""))
        self.assertIn("sample 3 is a miss", json.loads(result.stderr)["error"]["message"])

    def test_a_built_sandbox_is_a_miss(self):
        """a sandbox that had to be built is a miss as well"""
        self.built = 2
        result = self.bench()
        self.assertEqual(result.returncode, 5)
        self.assertIn(b"sample 2 is a miss", result.stderr)

    def test_refill_counts_misses(self):
        """with --refill misses are counted, and the run goes on"""
        self.built = 2
        result = self.bench("--refill", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        bench = json.loads(result.stdout)
        self.assertEqual((bench["n"], bench["hits"], bench["misses"]), (6, 4, 2))

    def test_rounds_take_half(self):
        """a round takes at most half of the ready sandboxes, then gives them back"""
        kinds = []

        def serve(link, data):
            kinds.append(header(data)[0])
            self.acquired = max(self.acquired, 3)
            self.serve(link, data)

        with FakeSupervisor(serve) as supervisor:
            self.assertEqual(
                hearth("bench", "acquire", "-n", "5", directory=supervisor.directory).returncode, 0)
        held = most = 0
        for kind in kinds:
            held += (kind == ACQUIRE) - (kind == RELEASE)
            most = max(most, held)
        self.assertEqual((held, most), (0, 2))


if __name__ == "__main__":
    tap.main()

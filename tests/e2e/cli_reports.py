"""What hearth tells of limits, receipts and kills, against a supervisor and a guest that say what the test wants."""

import json
import unittest

import tap
from fake_supervisor import (ACQUIRE, CPU, DISK, EXEC, FakeSupervisor, KILL, LIST, MEMORY, OUTPUT_LIMIT, PIDS,
                             POOLS, READY, RELEASE, TIME, END_TIMEOUT, done, header, leased, packet, pool_row,
                             receipt, refused, reply, sandbox_row, send_with_fd, with_guest)
from instance import hearth

LIMIT, STALE, DENIED = 5, 6, 1


def answering(**answer):
    """A guest that answers its first command so."""

    def guest(channel, control):
        while data := channel.recv(1 << 18):
            if header(data)[0] == EXEC:
                channel.send(reply(header(data)[1], **answer))

    return guest


class Limits(unittest.TestCase):
    def run_with(self, guest, *words, supervisor=None):
        with FakeSupervisor(with_guest(guest, supervisor)) as fake:
            return hearth("run", *words, "--", "true", directory=fake.directory)

    def test_a_limit_that_was_hit_is_one_line(self):
        """each limit that the command hit is named with its value, in one line, and the status stays"""
        for limits, text in ((MEMORY, "out of memory, limit 256 MiB"), (PIDS, "too many processes, limit 100"),
                             (DISK, "disk full, limit 256 MiB and 1000 files"),
                             (CPU, "CPU quota of 1.5 used up"),
                             (MEMORY | PIDS, "out of memory, limit 256 MiB; too many processes, limit 100")):
            result = self.run_with(answering(status=137, limits_hit=limits))
            self.assertEqual(result.returncode, 137)
            self.assertEqual(result.stderr.decode(), f"hearth: the command hit a limit: {text}\n")

    def test_the_limits_of_the_command_line(self):
        """what the command line limits is named with what it says"""
        result = self.run_with(answering(limits_hit=OUTPUT_LIMIT), "--output-max", "4K")
        self.assertEqual(result.stderr, b"hearth: the command hit a limit: output cut at 4096 bytes\n")
        result = self.run_with(answering(end=END_TIMEOUT, status=124, limits_hit=TIME), "--timeout", "1500ms")
        self.assertEqual(result.returncode, 124)
        self.assertEqual(result.stderr, b"hearth: true: ended after 1500 ms, its --timeout (ETIMEDOUT)\n")

    def test_nothing_is_said_without_a_limit(self):
        """a command that hit no limit leaves stderr alone"""
        self.assertEqual(self.run_with(answering()).stderr, b"")

    def test_a_limit_that_is_not_enforced_is_a_warning(self):
        """what this host cannot enforce is said once, before the command's end"""

        def serve(link, data):
            if header(data)[0] != ACQUIRE:
                link.send(done(header(data)[1]))

        with_cpu = with_guest(answering(status=3), serve)
        with FakeSupervisor(lambda link, data: with_cpu(Unenforced(link), data)) as fake:
            result = hearth("run", "--", "true", directory=fake.directory)
            self.assertEqual(result.returncode, 3)
            self.assertEqual(result.stderr, b"hearth: warning: limits that this host cannot enforce: cpu\n")
            result = hearth("run", "--json", "--", "true", directory=fake.directory)
            self.assertEqual(json.loads(result.stderr)["unenforced"], ["cpu"])

    def test_the_receipt_of_the_lease_is_waited_for(self):
        """with --json the lease's receipt, which comes after its end, is printed with the command's"""

        def supervisor(link, data):
            link.send(done(header(data)[1]))
            link.send(receipt(limits_hit=CPU))

        result = self.run_with(answering(limits_hit=MEMORY), "--json", supervisor=supervisor)
        said = json.loads(result.stderr)
        self.assertEqual((said["read_bytes"], said["write_bytes"], said["major_faults"]), (512, 1024, 3))
        self.assertEqual((said["limits_hit"], said["limits"]),
                         (["memory"], {"memory": "out of memory, limit 256 MiB"}))
        self.assertEqual(said["lease"], {
            "reason": "released", "limits_hit": ["cpu"], "limits": {"cpu": "CPU quota of 1.5 used up"},
            "wall_ms": 5.0, "cpu_ms": 3.0, "memory_peak_bytes": 1 << 20, "read_bytes": 4096,
            "write_bytes": 8192, "pids_peak": 7, "oom_kills": 0})

    def test_a_receipt_that_does_not_come(self):
        """without the lease's receipt the command's is printed all the same"""
        said = json.loads(self.run_with(answering(status=4), "--json").stderr)
        self.assertEqual(said["exit_status"], 4)
        self.assertNotIn("lease", said)


class Unenforced:
    """A connection on which a lease says that the CPU quota is not enforced."""

    def __init__(self, link):
        self.link = link

    def __getattr__(self, name):
        return getattr(self.link, name)

    def sendmsg(self, buffers, ancillary):
        return self.link.sendmsg([leased(header(buffers[0])[1], unenforced=CPU)], ancillary)


class Kill(unittest.TestCase):
    def kill(self, *words, answer=None):
        killed = self.killed = []

        def serve(link, data):
            kind, request_id = header(data)
            if kind == LIST:
                link.send(sandbox_row(request_id, 7))
                link.send(sandbox_row(request_id, 8, READY))
                link.send(sandbox_row(request_id, 9))
                link.send(done(request_id))
            elif kind == KILL:
                killed.append(data[16:])
                link.send(answer(request_id) if answer else done(request_id))

        with FakeSupervisor(serve) as fake:
            return hearth("sandbox", "kill", *words, directory=fake.directory)

    def test_leases_are_killed_by_their_handle(self):
        """kill sends the handle of each, and prints the ids"""
        result = self.kill("7", "9")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"7\n9\n", b""))
        handle = lambda number: packet(KILL, 1, number.to_bytes(8, "little") + (5).to_bytes(8, "little"))[16:]
        self.assertEqual(self.killed, [handle(7), handle(9)])
        self.assertEqual(json.loads(self.kill("--json", "9").stdout), {"killed": [9]})

    def test_what_is_not_there_is_3(self):
        """an unknown sandbox, and one that nobody leases, is 3; the others are killed all the same"""
        result = self.kill("77", "7")
        self.assertEqual((result.returncode, result.stdout), (3, b"7\n"))
        self.assertIn(b"there is no sandbox 77", result.stderr)
        result = self.kill("8")
        self.assertEqual((result.returncode, self.killed), (3, []))
        self.assertIn(b"sandbox 8 is ready, nobody leases it", result.stderr)
        result = self.kill("7", answer=lambda request_id: refused(request_id, STALE, "no such lease"))
        self.assertEqual(result.returncode, 3)
        self.assertIn(b"has ended by itself", result.stderr)

    def test_somebody_elses_is_4(self):
        """a lease of somebody else is 4, with the supervisor's words"""
        result = self.kill("--json", "7", answer=lambda request_id: refused(request_id, DENIED, "7 is uid 5's"))
        self.assertEqual(result.returncode, 4)
        self.assertEqual(json.loads(result.stdout), {"killed": []})
        self.assertEqual(json.loads(result.stderr)["error"]["message"], "7 is uid 5's")

    def test_ids_are_numbers(self):
        """an id that is none is a wrong command line, and nothing is killed"""
        for words in (["7", "x"], ["0"], ["-7"], []):
            self.assertEqual(self.kill(*words).returncode, 2, words)
            self.assertEqual(self.killed, [])


class Bench(unittest.TestCase):
    """A pool of 40 of which 6 are granted at a time."""

    def serve(self, link, data):
        kind, request_id = header(data)
        if kind == POOLS:
            self.dying = 0  # whoever looks at the pool sees them gone
            link.send(pool_row(request_id, ready=40, **self.row))
            link.send(done(request_id))
        elif kind == ACQUIRE and self.held + self.dying >= self.granted:
            link.send(refused(request_id, LIMIT, "the host's memory is promised"))
        elif kind == ACQUIRE:
            self.held += 1
            self.most = max(self.most, self.held)
            send_with_fd(link, leased(request_id, sandbox=self.held), 0)
        else:
            self.held -= kind == RELEASE
            self.dying += kind == RELEASE
            link.send(done(request_id))
            link.send(receipt())

    def bench(self, *words, granted=6, **row):
        self.row = {"minimum": 40, **row}
        self.held = self.most = self.dying = 0
        self.granted = granted
        with FakeSupervisor(self.serve) as fake:
            return hearth("bench", "acquire", "-n", "50", *words, directory=fake.directory)

    def test_rounds_are_as_large_as_granted(self):
        """what is refused by a limit ends the round; it is no miss, and is said once"""
        result = self.bench("--json")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        bench = json.loads(result.stdout)
        self.assertEqual((bench["n"], bench["hits"], bench["misses"], bench["round"]), (50, 50, 0, 6))
        self.assertEqual((self.held, self.most), (0, 6))
        result = self.bench()
        self.assertEqual(result.stderr.decode(), "hearth: rounds of 6, because no more is granted at a time: "
                                                 "the host's memory is promised\n")

    def test_rounds_of_half_are_not_cut(self):
        """where enough is granted a round is half of the ready ones"""
        self.assertEqual(json.loads(self.bench("--json", granted=20).stdout)["round"], 20)

    def test_refill_waits_for_what_dies(self):
        """with --refill a refusal because released ones are not gone yet is no miss either"""
        bench = json.loads(self.bench("--json", "--refill").stdout)
        self.assertEqual((bench["n"], bench["misses"], bench["round"]), (50, 0, 1))

    def test_a_pool_that_others_starve(self):
        """where others have used up the budget, a pool that does not get full is measured as it is"""
        result = self.bench("--json", minimum=100, promised=(1 << 33) - 1)
        self.assertEqual(json.loads(result.stdout)["n"], 50)

    def test_nothing_granted_is_exhausted(self):
        """when not even one is granted the reason is said: exit code 5"""
        for words in ([], ["--refill"]):
            result = self.bench(*words, granted=0)
            self.assertEqual((result.returncode, result.stdout), (5, b""))
            self.assertIn(b"the host's memory is promised", result.stderr)


if __name__ == "__main__":
    tap.main()

"""Sandboxes that flood the network: B25 and B26, before network_world.World.

Each goes off in a sandbox of an instance with caps. These hold: the host's own tables and what leaves it show it; a
neighbour goes on to reach the Internet meanwhile, and everything serves afterwards. The control is the same flood in
an instance without caps, where it gets further.
"""

import pathlib
import re
import select
import time
import unittest

import network_guest
import probe_image
import tap
from network_world import PUBLIC, RESOLVER, World, wait_until

CONNECTIONS, NEW_PER_SECOND, NAMES_PER_SECOND, BANDWIDTH = 400, 200, 20, 2 << 20
NEW_AT_ONCE, NAMES_AT_ONCE = 2 * NEW_PER_SECOND, 10 * NAMES_PER_SECOND
OTHERS = 200  # connections of the host's table that are no bomb's: the neighbour's, and names asked for
BURST_BYTES = 2 << 20  # beyond the bandwidth, at once: a bucket and a queue
TRIES = 5  # of a neighbour: packets get lost where much is under way
NEIGHBOUR_PAUSE_S = 0.1  # between its rounds: within its own rate of names
FLOOD_MS = 2000
FORGOTTEN_S = 10  # the kernel keeps a flow of datagrams for 30
CONFIG = """
[network]
connections = {0}
connections_per_second = {1}
names_per_second = {2}
bandwidth = {3}

[egress]
resolvers = {4}

[pool "one"]
image = probe
min = 2
max = 4
net = default
memory = 256M
pids = 64
open_files = 8192
"""


def tracked_by_host():
    return int(pathlib.Path("/proc/sys/net/netfilter/nf_conntrack_count").read_text())


def bytes_out():
    """Of all that has left the host for the Internet."""
    text = pathlib.Path("/proc/net/dev").read_text()
    return int(re.search(r"outside:(.*)", text)[1].split()[8])


class Outcome:
    """What a flood has done, as the host sees it."""

    def __init__(self):
        self.most = 0  # connections tracked of the sandbox's address
        self.host_most = 0  # of everybody's, more than before
        self.seconds = 0.0
        self.bytes = 0
        self.neighbour = []
        self.result = ""
        self.details = {}

    def did(self):
        return int(re.search(r"^(?:did|answered) (-?\d+)", self.result, re.M)[1])


class Bombs(unittest.TestCase):
    attempts = controls = failed = 0

    @classmethod
    def setUpClass(cls):
        cls.world = World(sniff=False)
        cls.addClassCleanup(cls.world.close)
        images = probe_image.World("tests/bombs/bomb", "tests/network-probe")
        cls.addClassCleanup(images.close)
        caps = CONNECTIONS, NEW_PER_SECOND, NAMES_PER_SECOND, BANDWIDTH
        cls.capped = network_guest.Instance(images, CONFIG.format(*caps, RESOLVER))
        cls.addClassCleanup(cls.capped.close)
        cls.free = network_guest.Instance(images, CONFIG.format(0, 0, 0, 0, RESOLVER))
        cls.addClassCleanup(cls.free.close)
        cls.neighbour = cls.capped.guest()

    @classmethod
    def tearDownClass(cls):
        print(f"# bombs: {cls.attempts} attempts, {cls.controls} controls, {cls.failed} failed, 0 skipped")

    def run(self, result=None):
        wrong = len(result.failures) + len(result.errors)
        super().run(result)
        Bombs.failed += len(result.failures) + len(result.errors) > wrong
        return result

    def neighbour_reaches(self):
        """A name and the Internet, in some tries."""
        for words in ("dns", "-", "fine.example.org", "1"), ("tcp", PUBLIC, "80", "x"):
            if not any(self.neighbour.probe(*words).outcome == "worked" for _ in range(TRIES)):
                return False
        return True

    def go_off(self, instance, *words):
        guest = instance.guest()
        outcome = Outcome()
        before, tracked_before, began = bytes_out(), tracked_by_host(), time.monotonic()
        call = guest.sandbox.start(*words)
        while not call.is_done():
            outcome.neighbour.append(self.neighbour_reaches())
            select.select([guest.sandbox], [], [], NEIGHBOUR_PAUSE_S)
            guest.sandbox.drain()
            outcome.most = max(outcome.most, len(network_guest.connections_of(guest.address)))
            outcome.host_most = max(outcome.host_most, tracked_by_host() - tracked_before)
        outcome.seconds = time.monotonic() - began
        outcome.bytes = bytes_out() - before
        outcome.result = call.out.decode(errors="replace")
        outcome.details = guest.inspect()
        self.assertEqual(guest.shell("echo alive"), "alive\n")
        guest.end()
        # Those that a packet makes which comes late, too; they would go by themselves, but not so soon.
        wait_until("connections are forgotten", lambda: not network_guest.connections_of(guest.address), FORGOTTEN_S)
        print(f"# {' '.join(words)}: {outcome.did()} in {outcome.seconds:.1f} s, {outcome.most} tracked, "
              f"{outcome.host_most} more of all, {outcome.bytes} bytes, neighbour: {len(outcome.neighbour)} rounds, "
              f"denied: {outcome.details['denied_packets']} packets, {outcome.details['denied_names']} names")
        return outcome

    def capped_one(self, *words):
        Bombs.attempts += 1
        outcome = self.go_off(self.capped, *words)
        self.assertLessEqual(outcome.most, CONNECTIONS + 1)
        self.assertLess(outcome.host_most, CONNECTIONS + OTHERS)
        self.assertTrue(outcome.neighbour)
        self.assertTrue(all(outcome.neighbour), "the neighbour reached nothing")
        self.assertTrue(self.capped.serves())
        self.assertTrue(self.neighbour_reaches())
        return outcome

    def free_one(self, *words):
        Bombs.controls += 1
        return self.go_off(self.free, *words)

    def test_B25_connects(self):
        """B25 a flood of connections is held to their number and rate, and nobody else is hurt"""
        capped = self.capped_one("bomb", "connects", "3000")
        self.assertLessEqual(capped.did(), min(CONNECTIONS, NEW_AT_ONCE + NEW_PER_SECOND * capped.seconds))
        self.assertGreater(capped.details["denied_packets"], 0)
        free = self.free_one("bomb", "connects", "3000")
        self.assertGreater(free.did(), 2 * CONNECTIONS)

    def test_B25_syns(self):
        """B25 a flood of connections that nobody answers fills no table, and nobody else is hurt"""
        self.assertGreater(self.capped_one("bomb", "syns", "5000").details["denied_packets"], 0)
        self.assertGreater(self.free_one("bomb", "syns", "5000").most, 2 * CONNECTIONS)

    def test_B25_flows(self):
        """B25 datagrams to ever other ports fill no table, and nobody else is hurt"""
        self.assertGreater(self.capped_one("bomb", "flows", "20000").details["denied_packets"], 0)
        self.assertGreater(self.free_one("bomb", "flows", "20000").most, 2 * CONNECTIONS)

    def test_B25_packets(self):
        """B25 as many packets as it can send leave the host and the neighbour working"""
        capped = self.capped_one("bomb", "packets", str(FLOOD_MS))
        self.assertGreater(capped.did(), 0)
        free = self.free_one("bomb", "packets", str(FLOOD_MS))
        self.assertGreater(free.did(), 10000)
        print(f"# without caps {free.did() / free.seconds:.0f} packets a second")

    def test_B25_bytes(self):
        """B25 as many bytes as it can send are held to the bandwidth"""
        capped = self.capped_one("bomb", "bytes", str(FLOOD_MS))
        self.assertLess(capped.bytes, BURST_BYTES + BANDWIDTH * capped.seconds)
        free = self.free_one("bomb", "bytes", str(FLOOD_MS))
        self.assertGreater(free.bytes, 2 * (BURST_BYTES + BANDWIDTH * free.seconds))

    def asked(self, label):
        """Different names that the resolver outside was asked for."""
        return len(set(re.findall(rf"^dns (n\S+\.{label}\.example\.org)", self.world.outside.text(), re.M)))

    def test_B26_names(self):
        """B26 a flood of names is held to its rate, and nobody else is hurt"""
        capped = self.capped_one("network-probe", "ask-many", "capped.example.org", "20000")
        asked = self.asked("capped")
        self.assertLessEqual(asked, NAMES_AT_ONCE + NAMES_PER_SECOND * (capped.seconds + 1))
        self.assertGreater(asked, NAMES_PER_SECOND)
        self.free_one("network-probe", "ask-many", "free.example.org", "20000")
        self.assertGreater(self.asked("free"), 2 * asked)

    def test_B26_denials_are_counted(self):
        """B26 names beyond the rate are counted as denied"""
        guest = self.capped.guest()
        self.addCleanup(guest.end)
        before = self.neighbour.inspect()["denied_names"]
        Bombs.attempts += 1
        guest.probe("ask-many", "counted.example.org", "2000")
        wait_until("names are counted", lambda: guest.inspect()["denied_names"] > 1000)
        Bombs.controls += 1
        self.assertEqual(self.neighbour.inspect()["denied_names"], before, "the neighbour has asked for none")


if __name__ == "__main__":
    tap.main()

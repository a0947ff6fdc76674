"""What a tenant with a network leaves, the next one in the same slot does not find: R20 to R24 of a slot with a link.

A pool of one slot, before network_world.World. Each lease looks for what the last one has left; then it leaves every
kind and looks for it itself, which must find it: that is the control. What lies outside of the sandbox, in its slot's
namespace or in the host's tables, is looked at from there. Not looked for: how many packets the links of the namespace
have counted (/proc/net/dev and snmp), which go on as long as it is used again.
"""

import collections
import re
import unittest

import network_guest
import network_world
import probe_image
import tap
from network_world import LAN, OUTSIDE, PUBLIC, RESOLVER

LEASES = 6
NAMES_PER_SECOND = 6
NAMES_AT_ONCE = 10 * NAMES_PER_SECOND
ALLOWED = "a-8-8-4-20.example.org"
NARROW = "8.8.4.88"  # the host's way there takes small packets only
NARROW_MTU = 1000
LISTENING, LATE, LATE_NAME, SMALL_THEN_BIG = 5000, 6100, 6200, 6300  # ports
CONFIG = f"""
[network]
names_per_second = {NAMES_PER_SECOND}

[egress]
resolvers = {RESOLVER}
allow = {ALLOWED} slow-2.example.org {PUBLIC}

[pool "one"]
image = probe
min = 1
max = 1
net = default
memory = 128M
"""
BY_PROBE = ["R20", "R21", "R22", "R24"]  # residue-probe's: on the loopback

KINDS = {
    "R20": "an abstract socket",
    "R21": "listening ports of the loopback",
    "R21n": "a listening port of its address",
    "R22": "connections of the loopback in TIME_WAIT",
    "R22n": "connections to the Internet in TIME_WAIT",
    "R22c": "entries in the host's table of connections",
    "R23n": "neighbours, routes and settings of its namespace",
    "R23m": "metrics of TCP",
    "R23p": "sizes of packets that a way takes",
    "R24": "a packet of the loopback under way",
    "R24l": "packets from the Internet under way",
    "R24d": "an answer of DNS under way",
    "R24a": "addresses that its names have opened",
    "R24s": "elements of the host's sets",
    "R24k": "counts of packets, bytes and names",
    "R24r": "a used-up rate of names",
    "R24o": "its wider profile",
}


def state_of(guest):
    """Of the slot's namespace, but for what changes by itself."""
    text = guest.root_says("sh", "-c", "ip addr; ip rule; ip neigh; for i in -4 -6; do ip $i route show table all; done; "
                           "cd /proc/sys/net; grep -rs . ipv4 ipv6 core; true")
    return [line for line in text.splitlines() if not re.search(r"stat_refresh|random|conntrack_count", line)]


def elements_of(instance, address):
    """Names of the sets that have the address in an element."""
    found = set()
    for entry in instance.table():
        if "set" in entry and address in str(entry["set"].get("elem", "")):
            found.add(entry["set"]["name"])
    return found


class Tenant:
    """One lease: what it finds of the last, and what it leaves."""

    def __init__(self, suite):
        self.guest, self.instance, self.world = suite.instance.guest(), suite.instance, suite.world

    def reaches_lan(self):
        return self.guest.probe("tcp", LAN, "80", "x").outcome == "worked"

    def names_are_refused(self):
        """Some of so many as one may ask for at once."""
        output = self.guest.probe("ask-many", "x.example.org", str(NAMES_AT_ONCE)).output
        return int(re.search(r"answered (\d+)", output)[1]) < NAMES_AT_ONCE

    def has_opened(self):
        return "admitted" in elements_of(self.instance, self.guest.address)

    def by_probe(self):
        lines = self.guest.shell(f"residue-probe look {' '.join(BY_PROBE)}").splitlines()
        return {line.split()[1]: line for line in lines if line.startswith("found ")}

    def quiet_traces(self, fresh_state):
        """{kind: what is there of it}, by looking alone. First what counts packets, for looking makes some."""
        g = self.guest
        counts = g.inspect()
        found = {"R24k": [k for k in ("sent_bytes", "received_bytes", "denied_packets", "denied_names", "connections")
                          if counts[k]],
                 "R22c": network_guest.connections_of(g.address),
                 "R24s": elements_of(self.instance, g.address),
                 "R23n": sorted(set(state_of(g)) ^ set(fresh_state)),
                 "R23m": g.root_says("ip", "tcp_metrics", "show"),
                 "R23p": re.findall(r"mtu \d+", g.root_says("ip", "route", "get", NARROW)),
                 "R22n": [line for line in g.shell("cat /proc/net/tcp").splitlines()[1:]
                          if line.split()[3] == "06" and not line.split()[1].startswith("0100007F")]}
        found["R21n"] = g.probe("tcp", g.address, str(LISTENING), "x").outcome == "worked"
        return found

    def look(self, fresh_state):
        """Of all kinds, as the next one."""
        g = self.guest
        found = self.by_probe()
        late = g.start("late", str(LATE), PUBLIC, "9000", "300")
        late_name = g.start("late", str(LATE_NAME), g.gateway, "53", "2500")
        found.update(self.quiet_traces(fresh_state))
        found["R24l"], found["R24d"] = g.finish(late).heard(), g.finish(late_name).heard()
        found["R24a"] = self.has_opened()
        found["R24r"] = self.names_are_refused()
        found["R24o"] = self.reaches_lan()
        return found

    def leave(self, fresh_state):
        """Every kind; what the tenant itself finds of each."""
        g = self.guest
        g.shell(f"residue-probe leave {' '.join(BY_PROBE)}")
        g.stays("listening", "listen", str(LISTENING))
        g.probe("tcp", PUBLIC, "80", "x")
        self.reaches_lan()
        for size in 10, NARROW_MTU + 200:
            g.probe("udp", NARROW, "9", "x" * size, str(SMALL_THEN_BIG))
        g.root_says("ip", "neigh", "add", "8.8.4.1", "lladdr", "06:00:00:00:00:09", "dev", "eth0", "nud", "stale")
        return {**self.by_probe(), **self.quiet_traces(fresh_state)}

    def leave_profile(self, is_open):
        g = self.guest
        g.set_net("open" if is_open else "allow")
        if is_open:
            return {"R24o": self.reaches_lan()}
        g.probe("dns", "-", ALLOWED, "1")
        return {"R24a": self.has_opened()}

    def leave_packets(self):
        """Under way when it ends, so they come last. What it has heard itself, and who has used up his names."""
        g = self.guest
        found = {"R24d": g.probe("dns", "-", "slow-1.example.org", "1", str(LATE_NAME)).answers()}
        self.names_are_refused()
        found["R24r"] = self.names_are_refused()
        g.probe("udp", PUBLIC, "9000", "again 1000", str(LATE))
        found["R24l"] = g.probe("late", str(LATE), PUBLIC, "9000", "100").heard()
        return found

    def end(self, suite):
        """While its last name is asked for; names are used up, but for those that come back meanwhile."""
        g = self.guest
        asked = self.world.outside.text().count("dns slow-2.")
        g.start("dns", "-", "slow-2.example.org", "1", str(LATE_NAME))
        network_world.wait_until("a name is asked for", lambda: self.world.outside.text().count("dns slow-2.") > asked)
        g.start("ask-many", "y.example.org", str(3 * NAMES_AT_ONCE))
        suite.under_way = (self.world.outside.text().count("\nslow "), self.world.outside.text().count("\nlate "))
        g.end()


class Residue(unittest.TestCase):
    fresh_state = ()  # of the slot, when it was new
    under_way = None

    @classmethod
    def setUpClass(cls):
        cls.attempts, cls.controls = collections.Counter(), collections.Counter()
        cls.failures = collections.defaultdict(list)
        cls.world = network_world.World()
        cls.addClassCleanup(cls.world.close)
        network_world.ip(f"route add {NARROW} via {OUTSIDE} mtu lock {NARROW_MTU}")
        images = probe_image.World("tests/residue/residue-probe", "tests/network-probe")
        cls.addClassCleanup(images.close)
        cls.instance = network_guest.Instance(images, CONFIG)
        cls.addClassCleanup(cls.instance.close)
        address = None
        for number in range(LEASES):
            address = cls.one_lease(number, address)

    @classmethod
    def one_lease(cls, number, address):
        tenant = Tenant(cls)
        if address:
            cls.judge_look(tenant, address)
        else:
            cls.fresh_state = state_of(tenant.guest)
        left = tenant.leave(cls.fresh_state)
        packets = tenant.leave_packets()
        left.update(tenant.leave_profile(is_open=number % 2), **packets)
        for kind, found in left.items():
            cls.controls[kind] += 1
            if not found:
                cls.failures[kind].append(f"lease {number}: its owner does not find it either: the look proves nothing")
        tenant.end(cls)
        return tenant.guest.address

    @classmethod
    def judge_look(cls, tenant, address):
        found = tenant.look(cls.fresh_state)
        if tenant.guest.address != address:
            found["R22c"] = f"{tenant.guest.address} after {address}: another slot, so nothing is proven"
        text = cls.world.outside.text()
        for kind, word, before in zip(("R24d", "R24l"), ("slow", "late"), cls.under_way):
            if text.count(f"\n{word} ") <= before:
                cls.failures[kind].append("nothing was under way")
        for kind in KINDS:
            cls.attempts[kind] += 1
            if found.get(kind):
                cls.failures[kind].append(f"found: {found[kind]}")

    @classmethod
    def tearDownClass(cls):
        print(f"# residue: {cls.attempts.total()} attempts, {cls.controls.total()} controls, "
              f"{len(cls.failures)} failed, 0 skipped")

    def judge(self, kind):
        failures = self.failures[kind][:3]
        if not failures:
            del self.failures[kind]
        self.assertEqual(failures, [])
        self.assertGreater(self.attempts[kind], 0)
        self.assertGreater(self.controls[kind], 0)


def add_tests():
    for kind, what in KINDS.items():
        def test(self, kind=kind):
            self.judge(kind)
        test.__doc__ = f"{kind} nothing is found of {what}, in a slot with a network"
        setattr(Residue, f"test_{kind}", test)


if __name__ == "__main__":
    add_tests()
    tap.main()

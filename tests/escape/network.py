"""Attempts to get at what a sandbox with a network must not reach: E84 to E90, before network_world.World.

Each is made in sandboxes of the guarded profiles; its control is the same attempt where nothing is in the way:
on the host, in a sandbox of the profile open, or between machines of the world. Where a text is sent, no machine
may have seen it. What takes rights that nobody inside has is made by root in the sandbox's own network namespace,
behind the walls inside, so that the host alone is in the way.
"""

import pathlib
import re
import socket
import subprocess
import tempfile
import time
import unittest

import frames
import network_guest
import probe_image
import tap
from network_rows import ALL, ESP, EXCEPTED, GRE, IPIP, LOOSE_ROUTE, RECORD_ROUTE, REFUSED, ROWS, SIX_IN_FOUR, \
    TCP_REFUSED
from network_world import (ANY_UDP, HOST, HOST6, LAN, LAN_HOST, METADATA, OUTSIDE, OUTSIDE6, PATIENCE, PUBLIC, RESOLVER,
                           SERVICE_PORT, World, wait_until)

NAMES_PER_SECOND = 20
NAMES_AT_ONCE = 10 * NAMES_PER_SECOND
ALLOWED, ALLOWED_LIE = "a-8-8-4-20.example.org", "a-10-9-0-2.example.org"
CONFIG = f"""
[network]
connections_per_second = 0
names_per_second = {NAMES_PER_SECOND}

[egress]
resolvers = {RESOLVER}
except = {EXCEPTED}/32
allow = {ALLOWED} {ALLOWED_LIE}

[pool "one"]
image = probe
min = 4
max = 8
net = default
memory = 128M
"""
AT_ONCE = 12  # attempts of one sandbox
PORTS = 65535
A, TXT, AAAA, HTTPS, EVERYTHING = 1, 16, 28, 65, 255
TUNNELLED = 3000
STRANGER, STRANGER6 = "8.8.4.99", "2001:4860::77"  # addresses of nobody
ND_COUNTERS = {frames.SOLICIT_ROUTER: "Icmp6InRouterSolicits", frames.ADVERTISE_ROUTER: "Icmp6InRouterAdvertisements",
               frames.ADVERTISE_NEIGHBOUR: "Icmp6InNeighborAdvertisements"}
# What the hostile server says, and what of it may be told.
LIES = {
    "a-10-9-0-2": [], "a-169-254-169-254": [], "a-127-0-0-1": [], "a-192-168-1-1": [], "a-172-16-0-1": [],
    "a-100-64-0-1": [], "a-0-0-0-0": [], "a-224-0-0-1": [], "a-255-255-255-255": [], "a-198-18-0-1": [],
    "a-10-213-0-1": [], "alias-a-10-9-0-2": [], "alias-alias-a-127-0-0-1": [],
    "a-8-8-4-1-and-10-9-0-2": ["8.8.4.1"], "a-169-254-169-254-and-8-8-4-1": ["8.8.4.1"],
}


def setting(name, value):
    pathlib.Path("/proc/sys/net", name).write_text(str(value))


def says(*words):
    return subprocess.run(words, timeout=PATIENCE, check=True, capture_output=True, text=True).stdout


class Wire:
    """A link of the host, from its other end: a sandbox's, or that of another machine."""

    def __init__(self, host_link, pid):
        self.host_link, self.enter = host_link, ["nsenter", f"--net=/proc/{pid}/ns/net"]
        self.host = frames.mac(re.search(r"link/ether (\S+)", says("ip", "-o", "link", "show", host_link))[1])
        self.own = frames.mac(re.search(r"link/ether (\S+)", says(*self.enter, "ip", "-o", "link", "show", "eth0"))[1])

    def send(self, frame):
        result = network_guest.on_host("frame", "eth0", frame.hex(), enter=self.enter)
        if result.outcome != "worked":
            raise AssertionError(f"the frame was not sent: {result}")

    def counted(self, name):
        """How many of these the host's end has taken in."""
        text = pathlib.Path(f"/proc/net/dev_snmp6/{self.host_link}").read_text()
        found = re.search(rf"^{name}\s+(\d+)", text, re.M)
        return int(found[1]) if found else 0


class Network(unittest.TestCase):
    attempts = controls = failed = 0

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)
        cls.world.lan.ip(f"addr add {EXCEPTED}/24 dev eth0")
        images = probe_image.World("tests/network-probe")
        cls.addClassCleanup(images.close)
        cls.instance = network_guest.Instance(images, CONFIG)
        cls.addClassCleanup(cls.instance.close)
        cls.guests = {profile: cls.instance.guest(net=profile) for profile in ALL}
        cls.guest = cls.guests["default"]
        cls.neighbour = cls.instance.guest(net="open")
        cls.listening = cls.neighbour.stays("listening", "listen", "5000")
        cls.wire = Wire(cls.guest.link(), cls.guest.pid)
        cls.lan_wire, cls.outside_wire = (Wire(m.name, m.pid) for m in (cls.world.lan, cls.world.outside))
        cls.sources = {cls.wire: cls.guest.address, cls.lan_wire: LAN}  # the true ones
        # For controls: the host itself lets through what a careless host would.
        setting("ipv4/ping_group_range", "0 2147483647")
        for link in "all", "outside", "lan":
            setting(f"ipv4/conf/{link}/rp_filter", 0)
            setting(f"ipv4/conf/{link}/accept_redirects", 1)
            setting(f"ipv4/conf/{link}/accept_source_route", 1)
        cls.results = {}
        for first in range(0, len(ROWS), AT_ONCE):
            cls.run_rows(ROWS[first:first + AT_ONCE])
        cls.texts = cls.all_texts()

    @classmethod
    def tearDownClass(cls):
        print(f"# escape: {cls.attempts} attempts, {cls.controls} controls, {cls.failed} failed, 0 skipped")

    def run(self, result=None):
        wrong = len(result.failures) + len(result.errors)
        super().run(result)
        Network.failed += len(result.failures) + len(result.errors) > wrong
        return result

    # --- Rows ---------------------------------------------------------------------------------------

    @classmethod
    def fill(cls, row, token):
        names = {"token": token, "gateway": cls.guest.gateway, "neighbour": cls.neighbour.address}
        return [word.format(**names) for word in row.words]

    @classmethod
    def run_rows(cls, rows):
        """All at a time; results[row]: [(place, token, Result)], the control last."""
        begun = []
        for row in rows:
            for place in (*row.profiles, row.control):
                token = cls.world.token(row.family.lower())
                words = cls.fill(row, token)
                guest = {**cls.guests, "neighbour": cls.neighbour}.get(place)
                begun.append((row, place, token, guest, guest.start(*words) if guest else
                              network_guest.start_on_host(*words)))
        for row, place, token, guest, call in begun:
            result = guest.finish(call) if guest else network_guest.finish_on_host(call)
            cls.results.setdefault(row, []).append((place, token, result))

    @classmethod
    def all_texts(cls):
        """{name: what it has noted by now} of every machine, the neighbour included."""
        for machine in cls.world.machines:
            cls.world.catch_up(machine)
        cls.neighbour.shell("true")  # what it has said before that has come
        texts = {machine.name: machine.text() for machine in cls.world.machines}
        return {**texts, "neighbour": cls.listening.out.decode(errors="replace")}

    def judge(self, row):
        *attempts, (place, token, result) = self.results[row]
        Network.controls += 1
        if row.reached:
            self.assertTrue(any(token in self.texts[name] for name in row.reached), f"control, {place}: {result}")
        else:
            self.assertEqual(result.outcome, row.works, f"control, {place}: {result}")
        for place, token, result in attempts:
            Network.attempts += 1
            self.assertIn(result.outcome, row.refused, f"{place}: {result}")
            for machine, text in self.texts.items():
                self.assertNotIn(token, text, f"{place}: {machine} has seen it")

    # --- E84 ----------------------------------------------------------------------------------------

    def fetch(self, guest, *urls):
        """What wget prints of each."""
        calls = [guest.sandbox.start("timeout", "3", "wget", "-q", "-O", "-", f"http://{url}") for url in urls]
        return [guest.sandbox.wait(call).out.decode(errors="replace") for call in calls]

    def test_E84_name(self):
        """E84 metadata by a name of DNS is refused, control works"""
        name = f"a-{METADATA.replace('.', '-')}.example.org/latest"
        for profile in "default", "allow":
            Network.attempts += 1
            self.assertNotIn("reached", self.fetch(self.guests[profile], name)[0])
        Network.controls += 1
        self.assertEqual(self.fetch(self.guests["open"], name), [f"reached outside {METADATA}:80\n"])

    def test_E84_redirect(self):
        """E84 metadata by a redirect is refused, control works"""
        urls = [f"{PUBLIC}/to/{target}" for target in (f"{METADATA}/latest", f"{LAN}/", f"{HOST}:{SERVICE_PORT}/")]
        Network.attempts += len(urls)
        self.assertNotIn("reached", "".join(self.fetch(self.guest, *urls)))
        Network.controls += 2
        self.assertEqual(self.fetch(self.guest, f"{PUBLIC}/to/8.8.4.20/"), ["reached outside 8.8.4.20:80\n"])
        self.assertEqual(self.fetch(self.guests["open"], urls[0]), [f"reached outside {METADATA}:80\n"])

    def test_E84_profile_none(self):
        """E84 nothing is reached under the profile none, control works"""
        guest = self.instance.guest(net="none")
        self.addCleanup(guest.end)
        uses = [("tcp", PUBLIC, "80", "x"), ("udp", PUBLIC, "80", "x"), ("ping", PUBLIC), ("tcp", EXCEPTED, "80", "x"),
                ("dns", "-", "x.example.org", "1")]
        for each, outcomes in (guest, REFUSED | TCP_REFUSED), (self.guest, {"worked"}):
            calls = [each.start(*words) for words in uses]
            self.assertLessEqual({each.finish(call).outcome for call in calls}, outcomes)
        Network.attempts += len(uses)
        Network.controls += len(uses)

    # --- E85 ----------------------------------------------------------------------------------------

    def test_E85_every_port(self):
        """E85 every port of TCP of the host's addresses is closed, control works"""
        addresses = {"default": self.guest.gateway, "open": HOST}
        before = {profile: self.guests[profile].inspect()["denied_packets"] for profile in addresses}
        calls = {profile: self.guests[profile].start("scan", address) for profile, address in addresses.items()}
        on_host = network_guest.start_on_host("scan", HOST)
        for profile, call in calls.items():
            result = self.guests[profile].finish(call)
            Network.attempts += 1
            found = re.search(r"scanned: 0 open, (\d+) refused, 0 prohibited, (\d+) silent, 0 failed", result.output)
            self.assertTrue(found, f"{profile}: {result}")
            self.assertEqual(int(found[1]) + int(found[2]), PORTS)
            denied = self.guests[profile].inspect()["denied_packets"] - before[profile]
            self.assertGreaterEqual(denied, PORTS, "the host has not counted them")
        Network.controls += 1
        self.assertRegex(network_guest.finish_on_host(on_host).output,
                         rf"open {SERVICE_PORT}\n(.*\n)*scanned: \d+ open, 6\d{{4}} refused")

    def test_E85_udp_ports(self):
        """E85 ports of UDP of the host's addresses are closed, control works"""
        for profile, address in ("default", self.guest.gateway), ("open", HOST), ("allow", LAN_HOST):
            Network.attempts += 1
            result = self.guests[profile].probe("scan-udp", address)
            self.assertRegex(result.output, r"scanned: 0 open, 0 refused, \d+ prohibited, \d+ silent, 0 failed")
        Network.controls += 1
        self.assertRegex(network_guest.on_host("scan-udp", HOST).output,
                         rf"open {SERVICE_PORT}\n(.*\n)*scanned: \d+ open, \d\d refused")

    # --- E86 ----------------------------------------------------------------------------------------

    def test_E86_neighbours_answer(self):
        """E86 what a neighbour listens to hears nothing of other sandboxes or the host, control works"""
        token = self.world.token("e86")
        Network.attempts += 2
        self.assertNotEqual(network_guest.on_host("tcp", self.neighbour.address, "5000", token).outcome, "worked")
        self.assertNotEqual(network_guest.on_host("udp", self.neighbour.address, "5000", token).outcome, "worked")
        self.assertNotIn(token, self.all_texts()["neighbour"])
        Network.controls += 1
        self.neighbour.probe("udp", self.neighbour.address, "5000", token)
        self.assertIn(token, self.all_texts()["neighbour"])

    # --- E87 ----------------------------------------------------------------------------------------

    def token(self, name="x"):
        return self.world.token(name).encode()

    def catch_up(self):
        """Wait until the host has taken in what the sandbox sent before this."""
        fence = self.token("fence")
        frame = frames.udp4(self.wire.host, self.wire.own, self.guest.address, PUBLIC, ANY_UDP, fence)

        def has_come():
            self.wire.send(frame)
            self.world.catch_up(self.world.outside)
            return fence.decode() in self.world.outside.text()

        wait_until("a packet of the sandbox", has_come)

    def is_seen(self, token):
        texts = self.all_texts()
        return [name for name, text in texts.items() if token.decode() in text]

    def frames_that_are_dropped(self, make, control):
        """make(wire, token): a frame. From the sandbox's end no machine sees it, from the control's wire one does."""
        for place in self.wire, control:
            token = self.token("e87")
            frame = make(place, token)
            place.send(frame)
            if place is self.wire:
                Network.attempts += 2
                self.catch_up()
                self.assertEqual(self.is_seen(token), [])
                self.assertEqual(self.guest.probe("frame", "eth0", frame.hex()).outcome, "EAFNOSUPPORT")
            else:
                Network.controls += 1
                wait_until("control", lambda: self.is_seen(token))

    def test_E87_spoofed_source(self):
        """E87 packets from an address that is not one's own are dropped, control works"""
        def packet(source, token):
            return frames.udp4(self.wire.host, self.wire.own, source, PUBLIC, ANY_UDP, token)

        for source in (self.neighbour.address, "10.213.200.200", STRANGER, HOST, LAN, self.guest.gateway, "127.0.0.1",
                       "0.0.0.0"):
            with self.subTest(source):
                token = self.token("e87")
                Network.attempts += 1
                self.wire.send(packet(source, token))
                self.catch_up()
                self.assertEqual(self.is_seen(token), [])
        token = self.token("e87")
        Network.controls += 1
        self.wire.send(packet(self.guest.address, token))
        self.catch_up()
        self.assertEqual(self.is_seen(token), ["outside"])

    def test_E87_spoofed_source_6(self):
        """E87 packets of IP version 6 are dropped, control works"""
        setting("ipv6/conf/all/forwarding", 1)
        self.addCleanup(setting, "ipv6/conf/all/forwarding", 0)
        for target in HOST6, OUTSIDE6:
            for source in STRANGER6, "fd00::5":
                with self.subTest(f"{source} to {target}"):
                    self.frames_that_are_dropped(
                        lambda wire, token: frames.udp6(wire.host, wire.own, source, target, SERVICE_PORT, token),
                        self.lan_wire)

    def test_E87_dhcp(self):
        """E87 a DHCP server of the host is not asked, control works"""
        self.frames_that_are_dropped(lambda wire, token: frames.dhcp_discover(wire.own, token), self.lan_wire)

    def test_E87_arp(self):
        """E87 an answer of ARP changes none of the host's neighbours, control works"""
        def neighbours():
            return sorted(re.findall(r"^(\S+) dev (\S+) lladdr (\S+)", says("ip", "-4", "neigh"), re.M))

        network_guest.on_host("ping", LAN)
        network_guest.on_host("ping", OUTSIDE)
        before = neighbours()
        for claimed in self.neighbour.address, self.guest.gateway, self.guest.address, OUTSIDE, LAN, HOST:
            with self.subTest(claimed):
                Network.attempts += 1
                sender = frames.mac("06:66:66:66:66:66")
                self.wire.send(frames.arp(self.wire.host, sender, claimed, self.guest.gateway))
                self.wire.send(frames.arp(frames.BROADCAST, sender, claimed, claimed))
                self.catch_up()
                self.assertEqual(neighbours(), before)
        Network.controls += 1
        self.addCleanup(says, "ip", "neigh", "flush", "dev", "lan")
        setting("ipv4/neigh/lan/locktime", 0)  # else what is fresh is not changed
        self.lan_wire.send(frames.arp(self.lan_wire.host, frames.mac("06:66:66:66:66:66"), LAN, LAN_HOST))
        wait_until("control", lambda: neighbours() != before)

    def test_E87_neighbour_discovery(self):
        """E87 routers and neighbours that a sandbox invents are not heard of, control works"""
        for kind, name in ND_COUNTERS.items():
            with self.subTest(name):
                for wire in self.wire, self.lan_wire:
                    before, state = wire.counted(name), says("ip", "-6", "route") + says("ip", "-6", "neigh")
                    wire.send(frames.neighbour_discovery(frames.ALL_NODES, wire.own, kind, "fe80::66", "ff02::1"))
                    if wire is self.wire:
                        Network.attempts += 1
                        self.catch_up()
                        self.assertEqual(wire.counted(name), before)
                        self.assertEqual(says("ip", "-6", "route") + says("ip", "-6", "neigh"), state)
                    else:
                        Network.controls += 1
                        wait_until("control", lambda: wire.counted(name) == before + 1)

    # --- E88 ----------------------------------------------------------------------------------------

    def test_E88_abstract(self):
        """E88 an abstract socket of the host is refused, control works"""
        name = f"hth-{id(self)}"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("\0" + name)
            listener.listen()
            for profile, guest in self.guests.items():
                Network.attempts += 1
                self.assertEqual(guest.probe("unix", "@" + name).outcome, "ECONNREFUSED", profile)
            Network.controls += 1
            self.assertEqual(network_guest.on_host("unix", "@" + name).outcome, "worked")

    def test_E88_paths(self):
        """E88 sockets of the host's /run and of the instance are not there, control works"""
        with (tempfile.TemporaryDirectory(prefix="hearth-e88.", dir="/run") as directory,
              socket.socket(socket.AF_UNIX) as listener):
            listener.bind(f"{directory}/socket")
            listener.listen()
            for path in f"{directory}/socket", f"{self.instance.made.directory}/control.sock":
                Network.attempts += 1
                self.assertEqual(self.guest.probe("unix", path).outcome, "ENOENT", path)
            Network.controls += 1
            self.assertEqual(network_guest.on_host("unix", f"{directory}/socket").outcome, "worked")
        Network.attempts += 1
        self.assertEqual(self.guest.shell("find / -xdev -type s 2>/dev/null; find /run /tmp /var /dev -type s"), "")
        Network.controls += 1
        self.assertIn("control.sock", says("find", self.instance.made.directory, "-type", "s"))

    # --- E89 ----------------------------------------------------------------------------------------

    def ask(self, guest, name, kind=A):
        return guest.probe("dns", "-", name, str(kind))

    def truth(self, name, kind=A):
        """What the hostile server says to whoever may ask it."""
        return network_guest.on_host("dns", RESOLVER, name, str(kind)).answers()

    def test_E89_private_answers(self):
        """E89 private addresses are taken out of answers, control works"""
        for label, allowed in LIES.items():
            with self.subTest(label):
                name = f"{label}.example.org"
                Network.controls += 1
                self.assertGreater(len(self.truth(name)), len(allowed), "control")
                Network.attempts += 1
                self.assertEqual(self.ask(self.guest, name).answers(), allowed)
        Network.controls += 1
        excepted = f"a-{EXCEPTED.replace('.', '-')}.example.org"
        self.assertEqual(self.ask(self.guest, excepted).answers(), [EXCEPTED])

    def test_E89_rebinding(self):
        """E89 a name that is public first and private then stays harmless, control works"""
        name = "flip-1.example.org"
        self.assertEqual(self.ask(self.guest, name).answers(), [PUBLIC])
        Network.attempts += 1
        for _ in range(3):
            self.assertIn(self.ask(self.guest, name).answers(), ([], [PUBLIC]))
        Network.controls += 1
        self.assertEqual(self.truth(name), [LAN])

    def test_E89_other_types(self):
        """E89 no other type of record brings a private address, control works"""
        Network.controls += 1
        self.assertIn("fd00:ec2::254", self.truth("six-1.example.org", AAAA))
        for kind in AAAA, TXT, HTTPS, EVERYTHING:
            Network.attempts += 1
            self.assertEqual(self.ask(self.guest, "six-1.example.org", kind).answers(), [], kind)

    def test_E89_junk(self):
        """E89 answers that are none bring nothing and do no harm, control works"""
        labels = "junk", "other", "loop", "silent"
        calls = {label: self.guest.start("dns", "-", f"{label}-1.example.org", "1") for label in labels}
        for label, call in calls.items():
            Network.attempts += 1
            self.assertEqual(self.guest.finish(call).answers(), [], label)
        Network.controls += 1
        self.assertEqual(self.ask(self.guest, "fine.example.org").answers(), [PUBLIC])

    def test_E89_allowed_names(self):
        """E89 an allowed name opens its own address and no private one, control works"""
        guest = self.guests["allow"]
        Network.attempts += 4
        self.assertEqual(self.ask(guest, "x.example.org").answers(), [])
        self.assertEqual(self.ask(guest, ALLOWED_LIE).answers(), [])
        self.assertIn(guest.probe("tcp", LAN, "80", "x").outcome, TCP_REFUSED)
        self.assertIn(guest.probe("tcp", "8.8.4.20", "80", "x").outcome, TCP_REFUSED)
        Network.controls += 2
        self.assertEqual(self.ask(guest, ALLOWED).answers(), ["8.8.4.20"])
        self.assertEqual(guest.probe("tcp", "8.8.4.20", "80", "x").outcome, "worked")
        Network.attempts += 1
        self.assertIn(guest.probe("tcp", "8.8.4.21", "80", "x").outcome, TCP_REFUSED)

    def test_E89_tunnel(self):
        """E89 a tunnel of names is held to the rate, control works"""
        guest = self.instance.guest()
        self.addCleanup(guest.end)
        began = time.monotonic()
        guest.probe("ask-many", "inside.example.org", str(TUNNELLED))
        most = NAMES_AT_ONCE + NAMES_PER_SECOND * (time.monotonic() - began) + 1
        text = self.all_texts()["outside"]
        names = set(re.findall(r"^dns (n\S+\.inside\.example\.org)", text, re.M))
        Network.attempts += 1
        self.assertLessEqual(len(names), most)
        wait_until("denied names are counted", lambda: guest.inspect()["denied_names"] > 0)
        Network.controls += 2
        self.assertGreater(len(names), NAMES_PER_SECOND, "it lets nothing through")
        network_guest.on_host("ask-many", "host.example.org", str(TUNNELLED))
        self.assertGreater(self.all_texts()["outside"].count(".host.example.org"), most)

    # --- E90 ----------------------------------------------------------------------------------------

    def test_E90_protocols(self):
        """E90 packets in packets are dropped, control works"""
        for protocol in IPIP, SIX_IN_FOUR, GRE, ESP, socket.IPPROTO_SCTP:
            with self.subTest(protocol):
                inner = frames.ip4("10.9.0.7", LAN, socket.IPPROTO_UDP, bytes(8))
                self.frames_that_are_dropped(
                    lambda wire, token: frames.protocol4(wire.host, wire.own, self.sources[wire], PUBLIC, protocol,
                                                         inner + token), self.lan_wire)

    def test_E90_options(self):
        """E90 packets with options of IP are dropped, control works"""
        for options in RECORD_ROUTE, LOOSE_ROUTE:
            with self.subTest(options):
                self.frames_that_are_dropped(
                    lambda wire, token: frames.udp4(wire.host, wire.own, self.sources[wire], PUBLIC, ANY_UDP, token,
                                                    bytes.fromhex(options)), self.lan_wire)

    def test_E90_redirect(self):
        """E90 a redirect of ICMP changes no route of the host, control works"""
        target = "8.8.4.77"
        network_guest.on_host("udp", target, "9", "x")
        route = says("ip", "route", "get", target)
        for router in OUTSIDE, self.guest.address, self.guest.gateway:
            Network.attempts += 1
            self.wire.send(frames.redirect(self.wire.host, self.wire.own, router, HOST, target, self.guest.address))
            self.catch_up()
            self.assertEqual(says("ip", "route", "get", target), route)
        Network.controls += 1
        wire = self.outside_wire
        # The better gateway has to be known.
        says("ip", "neigh", "replace", "8.8.8.9", "lladdr", "06:00:00:00:00:09", "dev", "outside")
        wire.send(frames.redirect(wire.host, wire.own, OUTSIDE, HOST, target, "8.8.8.9"))
        wait_until("control", lambda: "via 8.8.8.9" in says("ip", "route", "get", target))


def add_tests():
    for number, row in enumerate(ROWS):
        def test(self, row=row):
            self.judge(row)
        test.__doc__ = f"{row.family} {row.what} is refused, control works"
        setattr(Network, f"test_{row.family}_{number:03}", test)


if __name__ == "__main__":
    add_tests()
    tap.main()

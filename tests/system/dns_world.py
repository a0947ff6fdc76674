"""hearth-dns in a network namespace of the test's own: its program, a resolver that lies on demand, packets.

Everything is on the loopback: hearth-dns answers at GATEWAY, asks RESOLVER, and sandboxes are other addresses
of 127/8, which need no set-up.
"""

import array
import ctypes
import fcntl
import ipaddress
import os
import pathlib
import select
import socket
import struct
import subprocess
import tempfile
import threading

from network_world import PATIENCE

BUILD = pathlib.Path(os.environ.get("top_builddir", "."))
UID = 65530
GATEWAY, RESOLVER, STRANGER = "127.0.0.1", "127.0.0.2", "127.0.0.3"
CLONE_NEWNET, SIOCSIFFLAGS, IFF_UP = 0x40000000, 0x8914, 1

# proto/dns.h
VERSION, START, SANDBOX, ADMITTED, ADMIT, DENIED = 1, 1, 2, 3, 32, 33
NONE, DEFAULT, ALLOW, OPEN = 1, 2, 3, 4
CIDRS_MAX, RESOLVERS_MAX = 64, 3

A, NS, CNAME, PTR, MX, TXT, AAAA, SRV, HTTPS, ANY = 1, 2, 5, 12, 15, 16, 28, 33, 65, 255
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
TO_QUESTION = b"\xc0\x0c"
QR, TC, RD, RA = 0x8000, 0x0200, 0x0100, 0x0080


def enter_network():
    """A network namespace of this process's own, loopback up."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


def number(address):
    return int(ipaddress.IPv4Address(address))


def wire(name):
    """A dotted name as in a packet; bytes are labels already."""
    if isinstance(name, bytes):
        return name
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def query(name, kind=A, ident=0x1234, flags=RD, klass=1, questions=1):
    return struct.pack(">6H", ident, flags, questions, 0, 0, 0) + wire(name) + struct.pack(">2H", kind, klass)


def record(name, kind, data, ttl=300, klass=1):
    return wire(name) + struct.pack(">2HIH", kind, klass, ttl, len(data)) + data


def a_records(name, addresses, ttl=300):
    return [record(name, A, ipaddress.IPv4Address(a).packed, ttl) for a in addresses]


def skip_name(packet, at):
    labels = []
    while packet[at] != 0:
        if packet[at] >= 0xc0:
            return skip_name(packet, struct.unpack(">H", packet[at:at + 2])[0] & 0x3fff)[0], at + 2
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
        at += 1 + packet[at]
    return ".".join(labels), at + 1


class Answer:
    """What a packet says; every byte of it has to be accounted for."""

    def __init__(self, packet):
        self.packet = packet
        self.ident, self.flags, questions, answers, authority, additional = struct.unpack(">6H", packet[:12])
        self.code = self.flags & 15
        self.name, at = skip_name(packet, 12)
        self.kind, klass = struct.unpack(">2H", packet[at:at + 4])
        at += 4
        self.records = []
        for _ in range(answers):
            name, at = skip_name(packet, at)
            kind, klass, ttl, length = struct.unpack(">2HIH", packet[at:at + 10])
            at += 10
            data = packet[at:at + length]
            value = skip_name(packet, at)[0] if kind == PTR else str(ipaddress.IPv4Address(data))
            self.records.append((name, kind, ttl, value))
            at += length
        assert (questions, authority, additional, at) == (1, 0, 0, len(packet)), packet

    @property
    def addresses(self):
        return [value for _, kind, _, value in self.records if kind == A]

    @property
    def ttls(self):
        return {ttl for _, _, ttl, _ in self.records}


class Resolver:
    """The host's resolver: `say[name]` is called with a Question for each query, and answers or not."""

    class Question:
        def __init__(self, resolver, packet, asker):
            self.resolver, self.packet, self.asker = resolver, packet, asker
            self.ident = struct.unpack(">H", packet[:2])[0]
            self.name, end = skip_name(packet, 12)  # in the case it was asked in
            self.section = packet[12:end + 4]
            self.kind = struct.unpack(">H", packet[end:end + 2])[0]

        def reply(self, records=(), code=NOERROR, ident=None, section=None, flags=0, source=None):
            ident = self.ident if ident is None else ident
            section = self.section if section is None else section
            header = struct.pack(">6H", ident, QR | RD | RA | flags | code, 1, len(records), 0, 0)
            (source or self.resolver.socket).sendto(header + section + b"".join(records), self.asker)

        def addresses(self, *addresses, ttl=300, **how):
            self.reply(a_records(TO_QUESTION, addresses, ttl), **how)

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((RESOLVER, 53))
        self.say, self.asked = {}, []
        self.end_read, self.end_write = os.pipe()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            ready, _, _ = select.select([self.socket, self.end_read], [], [])
            if self.end_read in ready:
                return
            question = self.Question(self, *self.socket.recvfrom(4096))
            self.asked.append((question.name.lower(), question.kind))
            act = self.say.get(question.name.lower())
            if act:
                act(question)

    def answers(self, name, *addresses, **how):
        self.say[name] = lambda question: question.addresses(*addresses, **how)

    def close(self):
        os.write(self.end_write, b".")
        self.thread.join()
        self.socket.close()
        os.close(self.end_read)
        os.close(self.end_write)


class Sandbox:
    """One address that asks."""

    def __init__(self, address):
        self.address = address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind((address, 0))
        self.socket.connect((GATEWAY, 53))

    def send(self, packet):
        self.socket.send(packet)

    def ask(self, name, kind=A, **how):
        self.send(query(name, kind, **how))

    def is_answered(self):
        return bool(select.select([self.socket], [], [], 0)[0])

    def answer(self):
        if not select.select([self.socket], [], [], PATIENCE)[0]:
            raise AssertionError(f"{self.address}: no answer within {PATIENCE} s")
        return Answer(self.socket.recv(4096))

    def lookup(self, name, kind=A, **how):
        self.ask(name, kind, **how)
        return self.answer()

    def close(self):
        self.socket.close()


class Forwarder:
    """hearth-dns, and hearth-network's end of its link."""

    def __init__(self, start=True, **config):
        self.log = tempfile.TemporaryFile(prefix="hearth-dns")
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = f'exec "$0" --uid {UID} 3<&{theirs.fileno()}'
        self.process = subprocess.Popen(["bash", "-c", command, BUILD / "hearth-dns"],
                                        pass_fds=[theirs.fileno()], stderr=self.log)
        theirs.close()
        self.link.settimeout(PATIENCE)
        if start:
            self.start(**config)

    def send(self, kind, body, ident=0, version=VERSION, fds=()):
        packet = struct.pack("=HHIII", version, kind, 16 + len(body), ident, 0) + body
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.link.sendmsg([packet], rights)

    def start(self, rate=0, excepted=(), resolvers=(RESOLVER,), domains=()):
        networks = [ipaddress.IPv4Network(n) for n in excepted]
        cidrs = b"".join(struct.pack("=II", int(n.network_address), n.prefixlen) for n in networks)
        addresses = struct.pack(f"={len(resolvers)}I", *map(number, resolvers))
        body = struct.pack("=IIIIQ", 0, 0, rate, 0, 0)
        body += struct.pack("=III", len(networks), len(resolvers), len(domains))
        body += addresses.ljust(4 * RESOLVERS_MAX, b"\0") + cidrs.ljust(8 * CIDRS_MAX, b"\0")
        body += b"".join(d.encode() + b"\0" for d in domains)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((GATEWAY, 53))
            self.send(START, body, fds=[s.fileno()])

    def set(self, sandbox, profile=DEFAULT, generation=1):
        self.send(SANDBOX, struct.pack("=IIQ", number(sandbox.address), profile, generation))

    def receive(self, kind):
        """The next packet of that type; others before it are dropped."""
        while True:
            packet = self.link.recv(65536)
            if not packet:
                raise AssertionError("the link has ended")
            version, found, size, ident, reserved = struct.unpack("=HHIII", packet[:16])
            assert (version, size, reserved) == (VERSION, len(packet), 0), packet
            if found == kind:
                return ident, packet[16:]

    def admit(self):
        """(id, address, ttl, generation, destinations) of the next ADMIT."""
        ident, body = self.receive(ADMIT)
        address, ttl, generation, count = struct.unpack("=IIQI", body[:20])
        destinations = struct.unpack("=16I", body[20:84])[:count]
        names = [str(ipaddress.IPv4Address(d)) for d in destinations]
        return ident, str(ipaddress.IPv4Address(address)), ttl, generation, names

    def admitted(self, ident, error=0):
        self.send(ADMITTED, struct.pack("=II", error, 0), ident)

    def denied(self):
        """(address, count, generation) of the next DENIED."""
        _, body = self.receive(DENIED)
        address, count, generation = struct.unpack("=IIQ", body)
        return str(ipaddress.IPv4Address(address)), count, generation

    def log_lines(self, word=""):
        self.log.seek(0)
        return [line for line in self.log.read().decode().splitlines() if word in line]

    def wait(self):
        return self.process.wait(PATIENCE)

    def close(self):
        self.link.close()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()

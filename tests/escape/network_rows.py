"""Attempts of E84 to E90 that are one use of the network each: what network-probe is told, and what comes of it.

Words in braces are filled in: {token} is a text that no machine may have seen afterwards.
"""

from network_world import (HOST, HOST6, LAN, LAN_HOST, METADATA, METADATA6, PUBLIC, RESOLVER,
                           SERVICE_PORT)

EXCEPTED = "10.9.0.9"  # of the LAN; [egress] except
OWN = {"ECONNREFUSED"}  # what one's own loopback says
REFUSED = {"silence", "EHOSTUNREACH"}  # the latter: the host says that it may not be, if it has not said so too often
TCP_REFUSED = {"silence", "ECONNREFUSED"}  # the host's reset; where the control connects, it is nobody else's
NO_IPV6 = {"ENETUNREACH", "EADDRNOTAVAIL", "EACCES"}
NOT_SENT = REFUSED | {"ENETUNREACH", "EACCES"}
GUARDED = "default", "allow"
ALL = "default", "allow", "open"
LOOSE_ROUTE, STRICT_ROUTE = "8307040808040a00", "8907040808080100"  # by 8.8.4.10, by 8.8.8.1
RECORD_ROUTE, TIMESTAMPS, ALERT = "0707040000000000", "4408050000000000", "94040000"
LONG = "." * 3000  # more than one packet holds
IPIP, SIX_IN_FOUR, GRE, ESP, ICMP = 4, 41, 47, 50, 1


class Row:
    """refused: outcomes that are accepted inside. control: where the same has to come through: "host", "open" (a
    sandbox of that profile), "neighbour". How that shows: machines of which one sees the token, else an outcome."""

    def __init__(self, family, what, words, refused=None, profiles=GUARDED, control="host", reached=(),
                 works="worked"):
        self.family, self.what, self.words = family, what, words.split()
        self.refused = refused or (TCP_REFUSED if self.words[0] == "tcp" else REFUSED)
        self.profiles, self.control = profiles, control
        self.reached, self.works = reached, works


def to_host(family, address, what, refused=None):
    return [Row(family, f"{what} by TCP", f"tcp {address} {SERVICE_PORT} {{token}}", refused, ALL),
            Row(family, f"{what} by UDP", f"udp {address} {SERVICE_PORT} {{token}}", refused, ALL)]


ROWS = [
    Row("E84", "metadata by address", f"tcp {METADATA} 80 {{token}}", control="open"),
    Row("E84", "metadata at another port", f"tcp {METADATA} 8775 {{token}}", control="open"),
    Row("E84", "metadata by UDP", f"udp {METADATA} 123 {{token}}", control="open"),
    Row("E84", "metadata by an address of IP version 6", f"tcp {METADATA6} 80 {{token}}", NO_IPV6, ALL),
    Row("E84", "metadata by an address in one of version 6", f"tcp ::ffff:{METADATA} 80 {{token}}", control="open"),
    Row("E84", "ping of the metadata server", f"ping {METADATA}", control="open"),
    Row("E84", "another cloud's metadata", "tcp 100.100.100.200 80 {token}", control="open"),
    Row("E84", "a third cloud's metadata", "tcp 192.0.0.192 80 {token}", control="open"),
    Row("E84", "a machine of the LAN", f"tcp {LAN} 22 {{token}}", control="open"),
    Row("E84", "a machine of the LAN by UDP", f"udp {LAN} 161 {{token}}", control="open"),
    Row("E84", "10/8", "tcp 10.77.0.1 443 {token}", control="open"),
    Row("E84", "172.16/12", "tcp 172.31.255.1 443 {token}", control="open"),
    Row("E84", "192.168/16", "tcp 192.168.1.1 443 {token}", control="open"),
    Row("E84", "100.64/10", "tcp 100.127.0.1 443 {token}", control="open"),
    Row("E84", "198.18/15", "tcp 198.19.0.1 443 {token}", control="open"),
    Row("E84", "240/4", "tcp 250.1.1.1 443 {token}", TCP_REFUSED | {"EINVAL"}, control="open"),
    Row("E84", "the neighbour of an excepted address", "tcp 10.9.0.2 80 {token}", control="open"),
    Row("E84", "mail", f"tcp {PUBLIC} 25 {{token}}", control="open"),
    Row("E84", "mail of users", f"tcp {PUBLIC} 587 {{token}}", control="open"),

    *to_host("E85", HOST, "the host's address outside"),
    *to_host("E85", LAN_HOST, "the host's address on the LAN"),
    *to_host("E85", "{gateway}", "the address of the forwarder of names"),
    *to_host("E85", f"::ffff:{HOST}", "the host's address in one of version 6"),
    *to_host("E85", HOST6, "the host's address of version 6", NO_IPV6),
    *to_host("E85", "127.0.0.1", "the host's loopback", OWN),
    *to_host("E85", "0.0.0.0", "the host by 0.0.0.0", OWN),
    *to_host("E85", "::", "the host by ::", OWN | NO_IPV6),
    *to_host("E85", "::1", "the host's loopback of version 6", OWN | NO_IPV6),
    *to_host("E85", "::ffff:127.0.0.1", "the host's loopback in one of version 6", OWN),
    Row("E85", "an address of the loopback's range", f"tcp 127.9.9.9 {SERVICE_PORT} {{token}}", OWN, ALL),
    Row("E85", "ping of the host", f"ping {HOST}", profiles=ALL),
    Row("E85", "ping of the forwarder", "ping {gateway}", profiles=ALL),

    Row("E86", "a neighbour by TCP", "tcp {neighbour} 5000 {token}", profiles=ALL, control="neighbour"),
    Row("E86", "a neighbour by UDP", "udp {neighbour} 5000 {token}", profiles=ALL, control="neighbour"),
    Row("E86", "a neighbour in an address of version 6", "tcp ::ffff:{neighbour} 5000 {token}", profiles=ALL,
        control="neighbour"),
    Row("E86", "ping of a neighbour", "ping {neighbour}", profiles=ALL, control="neighbour"),
    Row("E86", "broadcast to everybody", "udp 255.255.255.255 4000 {token}", NOT_SENT, ALL, reached=["outside"]),
    Row("E86", "broadcast to all sandboxes", "udp 10.213.255.255 4000 {token}", NOT_SENT, ALL, reached=["outside"]),
    Row("E86", "broadcast on the host's link", "udp 8.8.8.255 4000 {token}", NOT_SENT, ALL, reached=["outside"]),
    Row("E86", "broadcast on the LAN", "udp 10.9.0.255 4000 {token}", NOT_SENT, ALL, reached=["lan"]),
    Row("E86", "all machines of the link", "udp 224.0.0.1 4000 {token}", NOT_SENT, ALL, reached=["outside"]),
    Row("E86", "multicast DNS", "udp 224.0.0.251 5353 {token}", NOT_SENT, ALL, reached=["outside"]),
    Row("E86", "a group of the site", "udp 239.1.2.3 4000 {token}", NOT_SENT, ALL, reached=["outside"]),
    Row("E86", "discovery of devices", "udp 239.255.255.250 1900 {token}", NOT_SENT, ALL, reached=["outside"]),
    Row("E86", "all machines of the site, version 6", "udp ff05::1 4000 {token}", NOT_SENT | NO_IPV6, ALL,
        reached=["outside", "lan"]),
    Row("E86", "link-local", "tcp 169.254.1.1 80 {token}", control="open"),
    Row("E86", "link-local by UDP", "udp 169.254.7.7 80 {token}", control="open"),
    Row("E86", "no such sandbox", "tcp 10.213.200.200 80 {token}", profiles=ALL),

    Row("E89", "another resolver", f"dns {RESOLVER} x.example.org 1", control="open"),
    Row("E89", "another resolver by TCP", f"tcp {RESOLVER} 53 {{token}}", control="open", reached=["outside"]),
    Row("E89", "another resolver by TLS", f"tcp {RESOLVER} 853 {{token}}", control="open"),
    Row("E89", "another resolver by QUIC", f"udp {RESOLVER} 853 {{token}}", control="open"),
    Row("E89", "a resolver at an excepted address", f"dns {EXCEPTED} x.example.org 1", control="open"),

    Row("E90", "a loose source route", f"options {LOOSE_ROUTE} {LAN} 7001 {{token}}", REFUSED | {"EPERM"}, ALL,
        reached=["outside"]),
    Row("E90", "a strict source route", f"options {STRICT_ROUTE} {LAN} 7001 {{token}}",
        REFUSED | {"EPERM", "ENETUNREACH"}, ALL, reached=["outside"]),
    Row("E90", "a record of the route", f"options {RECORD_ROUTE} {PUBLIC} 7001 {{token}}", REFUSED | {"EPERM"}, ALL,
        reached=["outside"]),
    Row("E90", "time stamps of routers", f"options {TIMESTAMPS} {PUBLIC} 7001 {{token}}", REFUSED | {"EPERM"}, ALL,
        reached=["outside"]),
    Row("E90", "an alert to routers", f"options {ALERT} {PUBLIC} 7001 {{token}}", REFUSED | {"EPERM"}, ALL,
        reached=["outside"]),
    Row("E90", "a datagram in fragments", f"udp {PUBLIC} 7001 {{token}}{LONG}", profiles=ALL, control="host",
        reached=["outside"]),
    Row("E90", "IP in IP", f"raw {IPIP} {PUBLIC} {{token}}", {"EPERM"}, ALL, reached=["outside"]),
    Row("E90", "version 6 in IP", f"raw {SIX_IN_FOUR} {PUBLIC} {{token}}", {"EPERM"}, ALL, reached=["outside"]),
    Row("E90", "GRE", f"raw {GRE} {PUBLIC} {{token}}", {"EPERM"}, ALL, reached=["outside"]),
    Row("E90", "IPsec", f"raw {ESP} {PUBLIC} {{token}}", {"EPERM"}, ALL, reached=["outside"]),
    Row("E90", "ICMP of one's own making", f"raw {ICMP} {PUBLIC} {{token}}", {"EPERM"}, ALL, reached=["outside"]),
    Row("E90", "version 4 through NAT64", "tcp 64:ff9b::a09:2 80 {token}", NO_IPV6, ALL),
    Row("E90", "version 4 through 6to4", "tcp 2002:a09:2::1 80 {token}", NO_IPV6, ALL),
    Row("E90", "version 4 through an old form of version 6", "udp ::10.9.0.2 80 {token}", NO_IPV6, ALL,
        reached=["outside"]),
]

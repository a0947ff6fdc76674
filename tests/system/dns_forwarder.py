"""hearth-dns between sandboxes that must not get out and resolvers that lie: each rule, with what it lets pass."""

import os
import pathlib
import signal
import socket
import struct
import subprocess
import unittest

import tap
from dns_world import (A, AAAA, ADMITTED, ALLOW, ANY, BUILD, CNAME, DEFAULT, HTTPS, MX, NOERROR, NONE, NS,
                       NXDOMAIN, OPEN, PTR, QR, RA, RD, REFUSED, SANDBOX, SERVFAIL, SRV, START, STRANGER, TC, TXT, UID,
                       Forwarder, Resolver, Sandbox, a_records, enter_network, query, record, wire)
from network_world import wait_until

PUBLIC, OTHER = "93.184.216.34", "8.8.4.4"
ONE, TWO = "127.1.0.1", "127.1.0.2"


class World(unittest.TestCase):
    """A resolver, and two sandboxes of profile default; `config` is START's."""

    config = {}

    def setUp(self):
        self.resolver = Resolver()
        self.addCleanup(self.resolver.close)
        self.dns = Forwarder(**self.config)
        self.addCleanup(self.dns.close)
        self.one, self.two = Sandbox(ONE), Sandbox(TWO)
        self.addCleanup(self.one.close)
        self.addCleanup(self.two.close)
        self.dns.set(self.one)
        self.dns.set(self.two)
        self.resolver.answers("good.test", PUBLIC)

    def assert_denied(self, count):
        """So many of sandbox one are told, in however many messages."""
        told = 0
        while told < count:
            address, more, _ = self.dns.denied()
            self.assertEqual(address, ONE)
            told += more
        self.assertEqual(told, count)

    def assert_serves(self, sandbox=None):
        """The positive control, and that whatever was sent before has been read."""
        answer = (sandbox or self.two).lookup("good.test", ident=0x7777)
        self.assertEqual((answer.ident, answer.code, answer.addresses), (0x7777, NOERROR, [PUBLIC]))

    def assert_code(self, code, name, kind=A):
        answer = self.one.lookup(name, kind)
        self.assertEqual((answer.code, answer.records), (code, []), name)


class Answers(World):
    def test_an_address_is_asked_of_the_resolver_and_its_ttl_passed_on(self):
        self.resolver.answers("www.good.test", PUBLIC, OTHER, ttl=77)
        answer = self.one.lookup("wWw.gOOd.test", ident=0xabcd)
        self.assertEqual((answer.ident, answer.flags), (0xabcd, QR | RD | RA))
        self.assertEqual(answer.name, "wWw.gOOd.test")
        self.assertEqual(answer.records, [(answer.name, A, 77, PUBLIC), (answer.name, A, 77, OTHER)])

    def test_a_chain_of_cnames_is_answered_under_the_name_that_was_asked(self):
        chain = [record("a.test", CNAME, wire("b.test")), record("b.test", CNAME, wire("c.test"))]
        self.resolver.say["a.test"] = lambda q: q.reply(chain + a_records("c.test", [PUBLIC], ttl=60))
        self.assertEqual(self.one.lookup("a.test").records, [("a.test", A, 60, PUBLIC)])

    def test_a_long_answer_is_cut_to_what_a_packet_holds(self):
        many = [f"93.184.216.{i}" for i in range(1, 29)]
        name = ".".join(["x" * 63] * 3 + ["x" * 61])
        for asked, most in [("many.test", 16), (name, 15)]:
            self.resolver.answers(asked, *many)
            answer = self.one.lookup(asked)
            self.assertEqual((answer.code, answer.flags & TC), (NOERROR, 0))
            self.assertEqual(answer.addresses, many[:most])
            self.assertLessEqual(len(answer.packet), 512)

    def test_other_types_have_no_record_and_the_resolver_never_hears_of_them(self):
        for kind in [AAAA, SRV, HTTPS, TXT, MX, NS, CNAME, ANY, 0, 65535]:
            self.assert_code(NOERROR, "good.test", kind)
        self.assertEqual(self.resolver.asked, [])
        self.assert_serves(self.one)
        self.assertEqual(self.resolver.asked, [("good.test", A)])

    def test_a_name_that_is_no_host_name_does_not_exist_and_is_not_passed_on(self):
        labels = [b"\3a.b\4test\0", b"\5a\0bcd\4test\0", b"\4a\\bc\4test\0", b"\3a b\4test\0", b"\2\xc3\xa9\4test\0",
                  b"\0", b"\1\n\4test\0", b"\1*\4test\0"]
        for name in labels:
            self.one.send(query(name))
            answer = self.one.answer()
            self.assertEqual((answer.code, answer.records), (NXDOMAIN, []), name)
            self.assertIn(name, answer.packet)
        self.assertEqual(self.resolver.asked, [])
        self.assert_serves(self.one)

    def test_another_class_is_refused(self):
        self.assertEqual(self.one.lookup("version.bind", TXT, klass=3).code, REFUSED)
        self.assertEqual(self.one.lookup("good.test", A, klass=255).code, REFUSED)
        self.assert_serves(self.one)

    def test_without_recursion_desired_it_is_answered_all_the_same(self):
        self.assertEqual(self.one.lookup("good.test", flags=0).flags, QR | RA)


class Askers(World):
    def test_only_a_known_address_is_answered(self):
        stranger = Sandbox("127.1.0.9")
        self.addCleanup(stranger.close)
        stranger.ask("good.test")
        self.assert_serves()
        self.assertFalse(stranger.is_answered())
        self.dns.set(stranger)
        self.assert_serves(stranger)

    def test_profile_none_is_not_answered_and_may_change(self):
        self.dns.set(self.one, NONE)
        for kind in [A, AAAA, PTR]:
            self.one.ask("good.test", kind)
        self.assert_serves()
        self.assertFalse(self.one.is_answered())
        self.dns.set(self.one, DEFAULT)
        self.assert_serves(self.one)
        self.assertEqual(len(self.resolver.asked), 2)

    def test_packets_that_are_no_question_are_dropped(self):
        whole = query("good.test")
        bad = [whole[:n] for n in range(1, len(whole))]
        bad += [query("good.test", flags=f) for f in (QR | RD, 0x0800, 0x2800, 0x7800)]
        bad += [query("good.test", questions=n) for n in (0, 2, 65535)]
        bad += [query(n) for n in (b"\xc0\x0c", b"\x40" + b"x" * 64 + b"\0", b"\1a\xc0\x0c", b"\x3f" + b"x" * 62,
                                   b"\xff\xff", (b"\x3f" + b"x" * 63) * 4 + b"\0", b"\1a" * 128 + b"\0")]
        for packet in bad:
            self.one.send(packet)
        self.assert_serves(self.one)
        self.assertFalse(self.one.is_answered())
        self.assertEqual(self.resolver.asked, [("good.test", A)])

    def test_the_longest_name_and_what_follows_a_question_do_no_harm(self):
        name = ".".join(["x" * 63] * 3 + ["x" * 61])
        self.resolver.answers(name, PUBLIC)
        self.assertEqual(self.one.lookup(name).addresses, [PUBLIC])
        self.one.send(query("good.test") + b"\0\0\x29\x04\xd0\0\0\0\0\0\0" + b"\xff" * 800)
        self.assertEqual(self.one.answer().addresses, [PUBLIC])

    def test_an_answer_for_an_earlier_use_of_the_address_does_not_leave(self):
        held = []
        self.resolver.say["slow.test"] = held.append
        self.one.ask("slow.test")
        wait_until("the resolver is asked", lambda: held)
        self.dns.set(self.one, DEFAULT, generation=2)
        held[0].addresses(PUBLIC)
        self.assert_serves(self.one)  # an answer to slow.test would have been first
        self.assertFalse(self.one.is_answered())
        # and within one use it does leave
        self.one.ask("slow.test")
        wait_until("the resolver is asked", lambda: len(held) == 2)
        held[1].addresses(PUBLIC)
        self.assertEqual(self.one.answer().addresses, [PUBLIC])

    def test_an_answer_does_not_leave_when_the_profile_has_become_none(self):
        held = []
        self.resolver.say["slow.test"] = held.append
        self.one.ask("slow.test")
        wait_until("the resolver is asked", lambda: held)
        self.one.ask("slow.test")
        wait_until("the resolver is asked", lambda: len(held) == 2)
        self.dns.set(self.one, NONE)
        held[0].addresses(PUBLIC)
        held[1].reply(code=NXDOMAIN)
        self.assert_serves(self.two)
        self.dns.set(self.one, DEFAULT)
        self.assert_serves(self.one)  # an answer to slow.test would have been first


class Private(World):
    config = {"excepted": ["10.7.0.0/16"]}

    def test_private_answers_are_taken_out_and_counted_and_excepted_ones_pass(self):
        self.resolver.answers("metadata.test", "169.254.169.254")
        self.resolver.answers("local.test", "127.0.0.1", "192.168.1.1", "10.6.255.255", "0.0.0.0")
        self.resolver.answers("mixed.test", "10.0.0.1", PUBLIC, "172.16.0.1")
        self.resolver.answers("mirror.test", "10.7.0.1")
        self.assert_code(NOERROR, "metadata.test")
        self.assert_code(NOERROR, "local.test")
        self.assertEqual(self.one.lookup("mixed.test").addresses, [PUBLIC])
        self.assertEqual(self.one.lookup("mirror.test").addresses, ["10.7.0.1"])
        denied = 0
        while denied < 3:
            address, count, generation = self.dns.denied()
            denied += count
            self.assertEqual((address, generation), (ONE, 1))
        self.assertEqual(denied, 3)
        for name in ["metadata.test", "local.test", "mixed.test"]:
            self.assertEqual(len(self.dns.log_lines(f'"name":"{name}","why":"private address"')), 1)

    def test_a_name_that_changes_its_address_is_filtered_each_time(self):
        answers = [PUBLIC, "169.254.169.254", PUBLIC]
        self.resolver.say["rebind.test"] = lambda q: q.addresses(answers.pop(0), ttl=0)
        self.assertEqual([self.one.lookup("rebind.test").addresses for _ in range(3)], [[PUBLIC], [], [PUBLIC]])

    def test_profile_open_is_not_filtered(self):
        self.dns.set(self.one, OPEN)
        self.resolver.answers("metadata.test", "169.254.169.254", "10.0.0.1")
        self.assertEqual(self.one.lookup("metadata.test").addresses, ["169.254.169.254", "10.0.0.1"])
        self.dns.set(self.one, DEFAULT)
        self.assert_code(NOERROR, "metadata.test")

    def test_names_of_private_addresses_are_not_told(self):
        for name in ["1.1.168.192.in-addr.arpa", "254.169.254.169.in-addr.arpa", "1.0.0.127.in-addr.arpa",
                     "1.in-addr.arpa", "256.1.1.1.in-addr.arpa", "good.test", "1.0.0.0.ip6.arpa"]:
            self.assert_code(NXDOMAIN, name, PTR)
        self.assertEqual(self.resolver.asked, [])
        for name in ["34.216.184.93.in-addr.arpa", "1.0.7.10.in-addr.arpa"]:
            self.resolver.say[name] = lambda q: q.reply([record(q.name, PTR, wire("host.good.test"), ttl=9)])
            self.assertEqual(self.one.lookup(name, PTR).records, [(name, PTR, 9, "host.good.test")])

    def test_a_hostile_name_of_an_address_is_not_handed_on(self):
        name = "34.216.184.93.in-addr.arpa"
        for target in [b"\2\x1b[\4test\0", b"\1 \4test\0", b"\3a..\4test\0", b"\0"]:
            self.resolver.say[name] = lambda q: q.reply([record(q.name, PTR, target)])
            self.assert_code(SERVFAIL, name, PTR)
        self.resolver.say[name] = lambda q: q.reply(code=NXDOMAIN)
        self.assert_code(NXDOMAIN, name, PTR)


class Allow(World):
    config = {"domains": ["good.test", "*.npm.test"], "excepted": ["10.7.0.0/16"]}

    def setUp(self):
        super().setUp()
        self.dns.set(self.one, ALLOW, generation=5)

    def test_the_answer_leaves_only_when_its_addresses_are_admitted(self):
        self.resolver.answers("good.test", PUBLIC, "10.0.0.1", OTHER, "10.7.0.1")
        self.one.ask("Good.test")
        ident, *admit = self.dns.admit()
        self.assertEqual(admit, [ONE, 300, 5, [PUBLIC, OTHER, "10.7.0.1"]])
        self.assertEqual(self.two.lookup("good.test").addresses, [PUBLIC, OTHER, "10.7.0.1"])
        self.assertFalse(self.one.is_answered())
        self.dns.admitted(ident)
        self.assertEqual(self.one.answer().addresses, [PUBLIC, OTHER, "10.7.0.1"])

    def test_what_is_not_admitted_fails(self):
        self.one.ask("good.test")
        self.dns.admitted(self.dns.admit()[0], error=28)
        self.assertEqual(self.one.answer().code, SERVFAIL)

    def test_nobody_knows_an_address_longer_than_it_is_admitted(self):
        for ttl, admitted, told in [(0, 30, 0), (5, 30, 5), (30, 30, 30), (3600, 3600, 3600), (3601, 3600, 3600),
                                    (2**31 - 1, 3600, 3600), (2**31, 30, 0), (2**32 - 2, 30, 0)]:
            self.resolver.answers("good.test", PUBLIC, ttl=ttl)
            self.one.ask("good.test")
            ident, _, seconds, _, _ = self.dns.admit()
            self.assertEqual(seconds, admitted, ttl)
            self.dns.admitted(ident)
            self.assertEqual(self.one.answer().ttls, {told}, ttl)

    def test_other_names_are_refused_whatever_the_type_and_nobody_is_asked(self):
        for name in ["evil.test", "notgood.test", "www.good.test", "npm.test", "xnpm.test", "good.test.evil.test",
                     "test", "34.216.184.93.in-addr.arpa"]:
            for kind in [A, AAAA, PTR, TXT]:
                self.assert_code(REFUSED, name, kind)
        self.assertEqual(self.resolver.asked, [])
        self.resolver.answers("registry.npm.test", PUBLIC)
        self.one.ask("rEgistry.NPM.test")
        self.dns.admitted(self.dns.admit()[0])
        self.assertEqual(self.one.answer().addresses, [PUBLIC])
        self.assert_code(NOERROR, "good.test", AAAA)

    def test_an_address_that_changed_hands_gets_no_admitted_answer(self):
        self.one.ask("good.test")
        ident, *_ = self.dns.admit()
        self.dns.set(self.one, DEFAULT, generation=6)
        self.dns.admitted(ident)
        self.assert_serves(self.one)
        self.assertFalse(self.one.is_answered())

    def test_an_admitted_answer_does_not_leave_when_the_profile_has_become_none(self):
        for error in [0, 28]:
            self.one.ask("good.test")
            ident, *_ = self.dns.admit()
            self.dns.set(self.one, NONE, generation=5)
            self.dns.admitted(ident, error)
            self.dns.set(self.one, DEFAULT, generation=5)
            self.assert_serves(self.one)
            self.dns.set(self.one, ALLOW, generation=5)

    def test_the_profile_at_the_answer_counts(self):
        held = []
        self.resolver.say["evil.test"] = held.append
        self.dns.set(self.one, DEFAULT, generation=5)
        self.one.ask("evil.test")
        wait_until("the resolver is asked", lambda: held)
        self.dns.set(self.one, ALLOW, generation=5)
        held[0].addresses(PUBLIC)
        self.assertEqual(self.one.answer().code, REFUSED)

    def test_an_answer_of_private_addresses_is_not_admitted(self):
        self.resolver.answers("good.test", "10.0.0.1")
        self.assert_code(NOERROR, "good.test")
        self.resolver.say["good.test"] = lambda q: q.reply(code=NXDOMAIN)
        self.assert_code(NXDOMAIN, "good.test")

    def test_denials_are_logged_once_by_name_with_its_bytes_escaped(self):
        for _ in range(5):
            self.assert_code(REFUSED, "evil.test")
        self.one.send(query(b"\7a\"\n\x1b.\\b\4test\0"))
        self.assertEqual(self.one.answer().code, REFUSED)
        self.assert_denied(6)
        lines = self.dns.log_lines("name_denied")
        self.assertEqual(len(lines), 2, lines)
        self.assertIn(f'"sandbox":"{ONE}","profile":"allow","name":"evil.test","why":"not allowed"', lines[0])
        self.assertIn(r'"name":"a\"\\010\\027\\046\\092b.test"', lines[1])

    def test_a_sandbox_does_not_fill_the_log(self):
        for i in range(200):
            self.assert_code(REFUSED, f"evil{i}.test")
        self.assertLessEqual(len(self.dns.log_lines("name_denied")), 16)
        self.dns.set(self.two, ALLOW)
        self.two.lookup("evil.test")
        self.assertEqual(len(self.dns.log_lines(f'"sandbox":"{TWO}"')), 1)


class Limits(World):
    config = {"rate": 1}

    def test_who_asks_too_much_is_dropped_and_counted_and_nobody_else(self):
        total, answered = 150, []  # fewer than the socket holds
        for i in range(total):
            self.one.ask("good.test", AAAA, ident=i)
        self.one.send(b"rubbish")
        self.assert_serves(self.two)
        while self.one.is_answered():
            answered.append(self.one.answer().ident)
        self.assertEqual(answered[:10], list(range(10)))
        self.assert_denied(total + 1 - len(answered))
        self.assertEqual(len(self.dns.log_lines('"why":"too many a second"')), 1)
        self.dns.set(self.one, DEFAULT, generation=2)  # another use begins anew
        self.assert_serves(self.one)


class Flight(World):
    def test_a_sandbox_has_only_so_many_queries_under_way(self):
        held = []
        for i in range(80):
            self.resolver.say[f"slow{i}.test"] = held.append
            self.one.ask(f"slow{i}.test", ident=i)
        self.assert_denied(16)
        self.assert_serves(self.two)
        wait_until("the resolver is asked", lambda: len(held) == 64)
        held[0].addresses(PUBLIC)
        self.assertEqual(self.one.answer().ident, 0)
        self.assert_serves(self.one)  # there is room again

    def test_however_many_queries_wait_a_resolvers_answer_has_its_turn(self):
        held, total = [], 200  # fewer than the socket holds
        self.resolver.say["slow.test"] = held.append
        self.one.ask("slow.test", ident=total)
        wait_until("the resolver is asked", lambda: held)
        self.dns.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.dns.process.pid, os.WSTOPPED | os.WNOWAIT)
        for i in range(total):
            self.one.ask("good.test", AAAA, ident=i)
        held[0].addresses(PUBLIC)
        self.dns.process.send_signal(signal.SIGCONT)
        order = [self.one.answer().ident for _ in range(total + 1)]
        self.assertEqual(sorted(order), list(range(total + 1)))
        self.assertLess(order.index(total), total)


class Resolvers(World):
    def test_what_the_resolver_says_is_passed_on_or_fails(self):
        for code, expected in [(NXDOMAIN, NXDOMAIN), (NOERROR, NOERROR), (SERVFAIL, SERVFAIL), (REFUSED, SERVFAIL),
                               (1, SERVFAIL), (4, SERVFAIL), (9, SERVFAIL)]:
            self.resolver.say["code.test"] = lambda q, code=code: q.reply(code=code)
            self.assert_code(expected, "code.test")
        self.assert_serves(self.one)

    def test_a_cut_answer_fails(self):
        self.resolver.answers("cut.test", PUBLIC, flags=TC)
        self.assert_code(SERVFAIL, "cut.test")

    def test_an_answer_with_another_id_or_from_another_address_is_ignored(self):
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(stranger.close)
        stranger.bind((STRANGER, 53))

        def say(question):
            for i in range(1, 20):
                question.addresses(OTHER, ident=(question.ident + i) % 65536)
            question.addresses(OTHER, source=stranger)
            question.addresses(PUBLIC)

        self.resolver.say["forged.test"] = say
        self.assertEqual(self.one.lookup("forged.test").addresses, [PUBLIC])

    def test_an_answer_that_does_not_repeat_the_letters_is_not_believed(self):
        name = "a-name-of-many-letters.test"
        seen = []
        self.resolver.say[name] = lambda q: (seen.append(q.name), q.addresses(OTHER, section=query(name)[12:]))
        self.assert_code(SERVFAIL, name)
        self.assertNotEqual(seen[0], name)  # but for one in 2^24
        self.resolver.answers(name, PUBLIC)
        self.assertEqual(self.one.lookup(name).addresses, [PUBLIC])

    def test_hostile_bytes_of_a_resolver_fail_and_harm_nobody(self):
        loop = b"\xc0\x0c" * 20
        long_data = wire("a.test") + struct.pack(">2HIH", A, 1, 5, 65535) + b"abcd"
        sections = [[b"\xc0\x1b"], [b"\xff" * 400], [b"\0" * 3], [long_data], [record(loop, A, b"abcd")],
                    [record("a.test", A, b"abcd")[:-2]], [record("a.test", A, b"abc")], [record("a.test", A, b"")]]
        for section in sections:
            self.resolver.say["hostile.test"] = lambda q, section=section: q.reply(section)
            answer = self.one.lookup("hostile.test")
            self.assertIn(answer.code, [SERVFAIL, NOERROR], section)
            self.assertEqual(answer.records, [], section)
            self.assert_serves(self.one)

    def test_a_silent_resolver_fails_in_the_end(self):
        self.resolver.say["silent.test"] = lambda q: None
        self.assert_code(SERVFAIL, "silent.test")
        self.assertEqual(self.resolver.asked.count(("silent.test", A)), 2)
        self.assert_serves(self.one)


class Process(unittest.TestCase):
    def start(self, **config):
        dns = Forwarder(**config)
        self.addCleanup(dns.close)
        return dns

    def test_it_has_an_empty_root_and_no_privilege(self):
        dns = self.start()
        one = Sandbox(ONE)
        self.addCleanup(one.close)
        dns.set(one)
        self.assertEqual(one.lookup("good.test", AAAA).code, NOERROR)
        proc = pathlib.Path("/proc", str(dns.process.pid))
        status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
        self.assertEqual(status["Uid"].split(), [str(UID)] * 4)
        self.assertEqual(status["Gid"].split(), [str(UID)] * 4)
        self.assertEqual(status["Groups"].strip(), "")
        for name in ["CapInh", "CapPrm", "CapEff", "CapAmb"]:
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.assertEqual(os.listdir(proc / "root"), [])
        mounts = (proc / "mountinfo").read_text().splitlines()
        self.assertEqual(len(mounts), 1, mounts)
        self.assertIn(" / / ro,nosuid,nodev,noexec", mounts[0])
        with self.assertRaises(OSError):
            os.mkdir(proc / "root" / "x")
        self.assertNotEqual(os.readlink(proc / "ns/mnt"), os.readlink("/proc/self/ns/mnt"))
        limits = (proc / "limits").read_text()
        for word in ["Max processes             0 ", "Max core file size        0 ", "Max open files            32 "]:
            self.assertIn(word, limits)
        self.assertLessEqual(len(os.listdir(proc / "fd")), 12)

    def test_without_a_resolver_names_fail(self):
        dns = self.start(resolvers=())
        one = Sandbox(ONE)
        self.addCleanup(one.close)
        dns.set(one)
        self.assertEqual(one.lookup("good.test").code, SERVFAIL)
        self.assertEqual(one.lookup("34.216.184.93.in-addr.arpa", PTR).code, SERVFAIL)
        self.assertEqual(one.lookup("good.test", AAAA).code, NOERROR)

    def test_the_end_of_the_link_ends_it(self):
        for config in [{"start": False}, {}]:
            dns = self.start(**config)
            dns.link.close()
            self.assertEqual(dns.wait(), 0)
            self.assertEqual(dns.log_lines('"level":"error"'), [])

    def test_the_end_of_the_link_ends_it_with_queries_under_way_too(self):
        resolver = Resolver()
        self.addCleanup(resolver.close)
        dns = self.start(domains=["good.test"])
        one, two = Sandbox(ONE), Sandbox(TWO)
        self.addCleanup(one.close)
        self.addCleanup(two.close)
        dns.set(one)
        dns.set(two, ALLOW)
        resolver.answers("good.test", PUBLIC)
        one.ask("silent.test")
        two.ask("good.test")
        dns.admit()
        dns.link.close()
        self.assertEqual(dns.wait(), 0)

    def test_a_wrong_packet_ends_it_with_a_reason(self):
        sandbox = struct.pack("=IIQ", 0x7f010001, DEFAULT, 1)
        for what, start, packets in [
                ("SANDBOX: before START", False, [(SANDBOX, sandbox)]),
                ("SANDBOX: profile", True, [(SANDBOX, struct.pack("=IIQ", 1, 9, 1))]),
                ("dns: unknown type 99", True, [(99, b"")]),
                ("dns: version 7", True, [(SANDBOX, sandbox, 0, 7)]),
                ("ADMITTED: 5 was not asked for", True, [(ADMITTED, struct.pack("=II", 0, 0), 5)]),
                ("START: 0 fds", False, [(START, b"\0" * 560)])]:
            dns = self.start(start=start)
            for packet in packets:
                dns.send(*packet)
            self.assertEqual(dns.wait(), 1, what)
            self.assertEqual(len(dns.log_lines(f"link: {what}")), 1, dns.log_lines())

    def test_a_second_start_ends_it(self):
        dns = self.start()
        dns.start()
        self.assertEqual(dns.wait(), 1)
        self.assertEqual(len(dns.log_lines("START: a second one")), 1)

    def test_it_is_nobodys_command(self):
        for words in [[], ["--uid"], ["--uid", "0"], ["--uid", "x"], ["--uid", "4294967295"], ["--uid", "5", "more"],
                      ["--gid", "5"]]:
            done = subprocess.run([BUILD / "hearth-dns", *words], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, "usage" in done.stderr), (2, True), words)
        done = subprocess.run([BUILD / "hearth-dns", "--uid", str(UID)], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, "is no link" in done.stderr), (1, True), done.stderr)


if __name__ == "__main__":
    signal.alarm(500)
    enter_network()
    tap.main()

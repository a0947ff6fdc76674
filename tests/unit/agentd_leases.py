"""agentd: who gets, uses, loses and gives back a sandbox."""

import os
import signal
import unittest

import tap
from agentd_world import World
from rpc_client import Client, RpcError, until

EPOCH = "1700000000123456789"
REASON_OOM = 5
LIMIT_HIT_MEMORY = 1
OUT_OF_MEMORY = {"limits": {"memory": "out of memory, limit 256 MiB"}}
RECEIPT = {"reason": "released", "limits_hit": [], "limits": {}, "wall_ms": 5, "cpu_ms": 3,
           "memory_peak_bytes": 255 << 20, "read_bytes": 4096, "write_bytes": 8192, "pids_peak": 7,
           "oom_kills": 1}
REASONS = {  # of LEASE_ENDED: number, limit, what people read
    "owner_gone": (2, 0, "its owner has gone"),
    "idle": (3, 30000, "idle for 30 s"),
    "deadline": (4, 1500, "its time of 1500 ms is over"),
    "oom": (5, 256 << 20, "out of memory, limit 256 MiB"),
    "guest_died": (6, 0, "its guest died"),
    "builder_lost": (7, 0, "its builder was lost"),
    "shutdown": (8, 0, "the supervisor stops"),
    "killed": (9, 0, "killed by an administrator"),
}


class Leases(World):
    def setUp(self):
        super().setUp()
        self.client = self.connect()

    def refused(self, method, client=None, **params):
        with self.assertRaises(RpcError) as caught:
            (client or self.client).call(method, **params)
        return caught.exception

    def test_acquire_tells_everything_about_the_lease(self):
        """acquire answers handle, rung, limits and stages"""
        lease = self.client.call("sandbox.acquire", template="tiny")
        self.assertEqual((lease["id"], lease["epoch"]), (1, EPOCH))
        self.assertEqual((lease["template"], lease["rung"]), ("tiny", "ready"))
        self.assertEqual(lease["limits"], {"memory_bytes": 256 << 20, "disk_bytes": 512 << 20,
                                           "disk_inodes": 1000, "pids": 100, "cpu_milli": 1500,
                                           "open_files": 4096})
        self.assertEqual(lease["unenforced"], [])
        self.assertEqual((lease["wait_us"], lease["build_us"]), (2, 700))
        self.assertGreater(lease["acquire_us"], 0)
        self.assertEqual((lease["net"], lease["hostname"], lease["workspace"], lease["bind_us"]),
                         ("none", "sandbox", None, 0))

    def test_what_a_lease_has_of_its_own(self):
        """workspace, host name, network and limits are asked for and told again, and what binding them took"""
        lease = self.client.call("sandbox.acquire", net="allow", workspace="w-1", hostname="box", memory_bytes=64 << 20,
                                 pids=20, cpu_milli=500)
        self.assertEqual((lease["rung"], lease["bind_us"], lease["net"], lease["hostname"]),
                         ("bound", 150, "allow", "box"))
        self.assertEqual(lease["workspace"], {"id": "w-1", "limit_bytes": 1 << 30, "is_soft": True})
        self.assertEqual([lease["limits"][name] for name in ("memory_bytes", "pids", "cpu_milli")],
                         [64 << 20, 20, 500])

    def test_what_no_lease_may_have_of_its_own(self):
        """a name or a limit that no sandbox can have is refused before the supervisor is asked"""
        for name, wrong in {"workspace": ["../x", "X", ".x", "a/b", "x" * 64, 5], "hostname": ["Box", "a b", "x" * 64],
                            "net": ["No Net", "x" * 32], "memory_bytes": [0, -1, 1 << 45, "64M", 1.5],
                            "pids": [0, 1 << 23], "cpu_milli": [0, 1024001], "memory": [1]}.items():
            for value in wrong:
                with self.subTest(f"{name} {value}"):
                    error = self.refused("sandbox.acquire", **{name: value})
                    self.assertEqual(error.type, "invalid_arguments")
                    self.assertIn(name, error.message)
        self.assertEqual(self.client.call("sandbox.acquire")["id"], 1, "no other was leased")

    def test_release_is_answered_when_the_supervisor_has_it(self):
        """release gives the sandbox back, and its handle is stale from then on"""
        handle = self.client.acquire()
        self.assertEqual(self.client.call("sandbox.release", **handle)["receipt"], RECEIPT)
        self.expect("released 1")
        self.assertEqual(self.refused("sandbox.exec", **handle, argv=["true"]).type, "stale_handle")
        self.assertEqual(self.refused("sandbox.release", **handle).type, "stale_handle")

    def test_refusals_keep_their_kind(self):
        """what the supervisor refuses comes with its type, its text and when to retry"""
        error = self.refused("sandbox.acquire", template="none")
        self.assertEqual((error.type, error.message), ("no_template", "there is no pool none"))
        error = self.refused("sandbox.acquire", template="empty", on_empty="fail")
        self.assertEqual((error.type, error.data["retry_ms"]), ("pool_exhausted", 10))

    def test_another_epoch_is_stale(self):
        """a handle of an earlier life of the instance does not reach today's sandbox"""
        handle = self.client.acquire()
        for epoch in ("1700000000123456788", "0", "x", "99999999999999999999"):
            error = self.refused("sandbox.exec", id=handle["id"], epoch=epoch, argv=["true"])
            self.assertEqual(error.type, "stale_handle", epoch)
        result, _, _ = self.client.execute({"id": handle["id"]}, "true")
        self.assertEqual(result["exit_code"], 0)

    def test_a_disconnect_gives_its_leases_back(self):
        """a client that disconnects loses its sandboxes and what runs in them"""
        handle = self.client.acquire()
        self.client.acquire()
        request = self.client.send("sandbox.exec", **handle, command="echo on; exec sleep 1000")
        self.client.wait_notification("sandbox.output", lambda p: p["request"] == request)
        self.client.close()
        self.expect("released 1")
        self.expect("released 2")

    def test_a_lease_that_comes_too_late_goes_back(self):
        """a sandbox whose client left while it was acquired is given back"""
        for _ in range(20):
            client = self.connect()
            client.send("sandbox.acquire")
            client.close()
        watcher = self.connect()
        until(lambda: len(watcher.call("sandbox.list")["sandboxes"]) == 1, "all are given back")

    def test_a_request_without_an_answer_ends_with_agentd(self):
        """an acquire that waits is answered when agentd stops"""
        request = self.client.send("sandbox.acquire", template="never")
        self.expect("never 0")
        self.agentd.send_signal(signal.SIGTERM)
        with self.assertRaises(RpcError) as caught:
            self.client.wait(request)
        self.assertEqual(caught.exception.type, "stopping")
        self.assertTrue(self.client.is_closed())

    def test_the_same_user_and_root_may_use_it_too(self):
        """another connection of the same user may exec by the bare id, and release"""
        handle = self.client.acquire()
        other = self.connect()
        result, out, _ = other.execute({"id": handle["id"]}, "echo", "hello")
        self.assertEqual((result["exit_code"], out), (0, b"hello\n"))
        self.assertEqual(other.call("sandbox.release", id=handle["id"])["receipt"], RECEIPT)
        ended = self.client.wait_notification("sandbox.ended")
        self.assertEqual((ended["id"], ended["reason"]), (1, "released"))
        self.assertEqual(self.client.wait_notification("sandbox.receipt"), {**handle, **RECEIPT})

    @unittest.skipUnless(os.geteuid() == 0, "needs two users")
    def test_another_user_is_denied(self):
        """another user is told who leases the sandbox"""
        os.chmod(self.path, 0o666)
        os.chmod(self.directory, 0o755)
        owner, other = self.connect_as(1), self.connect_as(2)
        handle = owner.acquire()
        for method in ("sandbox.release", "sandbox.exec"):
            extra = {"argv": ["true"]} if method == "sandbox.exec" else {}
            error = self.refused(method, client=other, id=handle["id"], **extra)
            self.assertEqual(error.type, "denied")
            self.assertIn("uid 1", error.message)
        result, _, _ = self.client.execute({"id": handle["id"]}, "true")
        self.assertEqual(result["exit_code"], 0, "root may")

    def connect_as(self, uid):
        os.seteuid(uid)
        try:
            client = Client(self.path)
        finally:
            os.seteuid(0)
        self.addCleanup(client.close)
        return client

    def test_a_sandbox_of_somebody_else_is_not_ours(self):
        """of a sandbox that agentd does not lease it says who does"""
        error = self.refused("sandbox.exec", id=1000000, argv=["true"])
        self.assertEqual(error.type, "denied")
        self.assertIn("pid 1 of uid 4711", error.message)
        self.assertEqual(self.refused("sandbox.exec", id=777, argv=["true"]).type, "stale_handle")

    def test_the_list_says_whose_they_are(self):
        """list shows all sandboxes of the instance and which are mine"""
        handle = self.client.acquire()
        self.connect().acquire()
        answer = self.client.call("sandbox.list")
        rows = {row["id"]: row for row in answer["sandboxes"]}
        self.assertEqual((answer["total"], sorted(rows)), (3, [1, 2, 1000000]))
        self.assertEqual([rows[i]["mine"] for i in (1, 2, 1000000)], [True, False, False])
        self.assertEqual([rows[i]["by_agentd"] for i in (1, 2, 1000000)], [True, True, False])
        self.assertEqual(rows[1]["owner_pid"], os.getpid())
        self.assertEqual(rows[1]["epoch"], handle["epoch"])

    def test_pools_and_version(self):
        """pool.status and agentd.version answer"""
        pool = self.client.call("pool.status")["pools"][0]
        self.assertEqual((pool["template"], pool["min"], pool["ready"], pool["broken"]),
                         ("tiny", 2, 2, ""))
        self.assertEqual(self.client.call("agentd.version")["name"], "hearth-agentd")

    def test_lease_ended_answers_everything_with_the_reason(self):
        """whatever ends the sandbox, every open request and the owner learn why"""
        for sandbox, (reason, (number, limit, text)) in enumerate(REASONS.items(), 1):
            handle = self.client.acquire()
            requests = [self.client.send("sandbox.exec", **handle, argv=["sleep", "1000"])
                        for _ in range(3)]
            requests.append(self.client.send("tool.call", **handle, name="bash",
                                             arguments={"command": "sleep 1000"}))
            requests.append(self.client.send("sandbox.exec", **handle, argv=["sleep", "1000"], stdin="stream"))
            pieces = [self.client.send("sandbox.stdin", request=requests[-1], data="x" * (512 << 10))
                      for _ in range(3)]
            requests.append(pieces[-1])
            self.client.execute(handle, "true")
            self.command(f"end {sandbox} {number} 0 {limit}")
            for request in requests:
                with self.assertRaises(RpcError) as caught:
                    self.client.wait(request)
                error = caught.exception
                self.assertEqual((error.type, error.data["reason"], error.data["limit"]),
                                 ("sandbox_ended", reason, limit))
                self.assertTrue(error.message.endswith(": " + text), error.message)
            ended = self.client.wait_notification("sandbox.ended")
            self.assertEqual((ended["id"], ended["reason"]), (sandbox, reason))
            self.assertEqual(self.refused("sandbox.exec", **handle, argv=["true"]).type,
                             "stale_handle")

    def test_the_receipt_follows_the_end(self):
        """the end is told at once, with the limit, and what the sandbox used once it is dead"""
        handle = self.client.acquire()
        self.command(f"end 1 {REASON_OOM} {LIMIT_HIT_MEMORY} {256 << 20}")
        ended = self.client.wait_notification("sandbox.ended")
        self.assertEqual(ended, {**handle, "reason": "oom", "limits_hit": ["memory"], **OUT_OF_MEMORY,
                                 "limit": 256 << 20})
        self.command(f"receipt 1 {REASON_OOM} {LIMIT_HIT_MEMORY}")
        self.assertEqual(self.client.wait_notification("sandbox.receipt"),
                         {**handle, **RECEIPT, "reason": "oom", "limits_hit": ["memory"], **OUT_OF_MEMORY})

    def test_a_receipt_that_does_not_come(self):
        """a release is answered all the same, without a receipt; one that comes too late is dropped"""
        handle = self.client.acquire(template="slow")
        self.assertEqual(self.client.call("sandbox.release", **handle), {})
        self.command("receipt 1 1 0")
        self.command("receipt 777 1 0")
        self.assertEqual(self.client.call("agentd.version")["name"], "hearth-agentd")

    def test_a_receipt_for_nobody(self):
        """a client that has gone is told of nothing, and agentd stays well"""
        handle = self.client.acquire()
        self.client.execute(handle, "true")
        self.command("end 1 9 0 0")
        self.client.wait_notification("sandbox.ended")
        self.client.close()
        watcher = self.connect()
        watcher.call("agentd.version")
        self.command("receipt 1 9 0")
        self.assertEqual(watcher.call("agentd.version")["name"], "hearth-agentd")

    def test_limits_that_are_not_enforced(self):
        """acquire names the limits that this host cannot enforce, and the log does, once"""
        for _ in range(3):
            self.assertEqual(self.client.call("sandbox.acquire", template="weak")["unenforced"], ["cpu"])
        self.assertEqual(self.read_log().count("limits_unenforced"), 1)

    def test_a_dead_guest_waits_for_the_reason(self):
        """the channel's end alone is no answer: the supervisor's reason is waited for"""
        handle = self.client.acquire()
        request = self.client.send("sandbox.exec", **handle, argv=["cat"], stdin="stream")
        self.client.execute(handle, "true")
        self.command("kill 1")
        late = self.client.send("sandbox.exec", **handle, argv=["cat"], stdin="stream")  # or it may be done before
        self.command(f"end 1 {REASON_OOM} 0 0")
        for one in (request, late):
            with self.assertRaises(RpcError) as caught:
                self.client.wait(one)
            self.assertEqual(caught.exception.data.get("reason"), "oom")

    def test_a_dead_guest_without_a_reason_is_given_back(self):
        """when the supervisor does not say why, the sandbox is released as broken"""
        handle = self.client.acquire()
        request = self.client.send("sandbox.exec", **handle, argv=["cat"], stdin="stream")
        self.client.execute(handle, "true")
        self.command("kill 1")
        with self.assertRaises(RpcError) as caught:
            self.client.wait(request)
        self.assertEqual(caught.exception.data["reason"], "guest_broken")
        self.assertEqual(self.client.wait_notification("sandbox.ended")["reason"], "guest_broken")
        self.expect("released 1")

    def test_a_busy_lease_is_touched(self):
        """while a command runs in a lease with an idle limit, the supervisor is told again and again"""
        handle = self.client.acquire(template="idle")
        self.client.send("sandbox.exec", **handle, argv=["sleep", "1000"])
        for _ in range(3):
            self.expect("touched 1")

    def test_many_leases_come_and_go(self):
        """300 acquires at once, then a disconnect: all come back, and agentd's fds with them"""
        self.client.call("agentd.version")  # it is let in
        before = self.fd_count()
        requests = [self.client.send("sandbox.acquire") for _ in range(300)]
        ids = {self.client.wait(request)["id"] for request in requests}
        self.assertEqual(len(ids), 300)
        watcher = self.connect()
        self.client.close()
        until(lambda: len(watcher.call("sandbox.list")["sandboxes"]) == 1, "all are given back")
        self.assertEqual(self.fd_count(), before)


tap.main()

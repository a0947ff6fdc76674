"""Leases by the thousand, in soak by the million: memory and descriptors of the daemons do not grow."""

import os
import pathlib
import struct
import unittest

import lease
import rpc_client
import tap
from instance import Instance

IS_SOAK = "HEARTH_SOAK" in os.environ
LEASES = int(os.environ.get("HEARTH_SOAK_LEASES", 1_000_000)) if IS_SOAK else 3_000
WARM = LEASES // 10  # caches and arenas have their size by then
BATCH = 32
GROWTH_KIB = 1024


def numbers(field, pid):
    """Of /proc/PID/status, in KiB."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(field + ":")))


def children(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


class Soak(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance(pool=64)
        cls.addClassCleanup(cls.instance.close)
        cls.control = lease.Control(cls.instance.path)
        cls.addClassCleanup(cls.control.close)

    def take_and_give(self, count):
        """Each lease with one look at its sandbox's fd; the receipts are waited for."""
        while count > 0:
            body = struct.pack("<32s32s4I152x2I", b"", b"", lease.ON_EMPTY_WAIT, 0, 0, 0, min(count, BATCH), 0)
            answers = self.control.answers(self.control.send(lease.ACQUIRE, body))
            leases = [lease.Lease(packet, channel) for _, packet, channel in
                      (next(answers) for _ in range(min(count, BATCH)))]
            for one in leases:
                self.control.release(one)
                one.close()
            for one in leases:
                self.assertEqual(self.control.wait_receipt(one)[0], lease.RELEASED)
            self.control.receipts.clear()
            count -= len(leases)

    def sizes(self):
        """{process: (KiB, descriptors)} once the pool is full and at rest."""
        rpc_client.until(lambda: self.instance.pool()["ready"] == 64, "the pool is full")
        supervisor, agentd = self.instance.daemons()
        names = {f"supervisor {supervisor}": supervisor, f"agentd {agentd}": agentd}
        names.update({f"builder {pid}": pid for pid in children(supervisor)})
        return {name: (numbers("VmRSS", pid), len(os.listdir(f"/proc/{pid}/fd"))) for name, pid in names.items()}

    def test_nothing_grows(self):
        """neither memory nor descriptors grow with the leases"""
        self.take_and_give(WARM)
        before = self.sizes()
        self.take_and_give(LEASES - WARM)
        after = self.sizes()
        self.assertEqual(list(after), list(before))
        for name, (kib, fds) in after.items():
            print(f"# {name}: {before[name][0]} KiB and {before[name][1]} descriptors after {WARM} leases, "
                  f"{kib} and {fds} after {LEASES}")
            # Descriptors: what a builder has made ahead is there or not in this moment.
            self.assertLess(fds, before[name][1] + 16)
            self.assertLess(kib, before[name][0] + GROWTH_KIB)


if __name__ == "__main__":
    tap.main()

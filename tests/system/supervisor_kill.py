"""Whatever is killed at whatever moment, the next start leaves nothing of the last run behind.

Rounds: start an instance, lease and release until a random moment, SIGKILL one of its processes;
then start it again (sometimes it is killed again while it recovers), see that it serves and that
every process of the last run is dead, stop it, and see that no process, cgroup, uid range or socket
is left. Beside it a second instance holds one lease all the time and must not notice anything.

HEARTH_SEED=N repeats the run that printed "seed N"; HEARTH_SOAK=1 takes 200 moments for each kind
of process instead of 6.
"""

import os
import pwd
import random
import shutil
import signal
import time
import unittest

import tap
from instance import (DONE, RELEASE, TOUCH, Instance, descendants, make_tree, process_parents,
                      require_tiny)

SOAK = os.environ.get("HEARTH_SOAK") == "1"
MOMENTS = 200 if SOAK else 6  # for each kind of process
SEED = int(os.environ.get("HEARTH_SEED") or (int.from_bytes(os.urandom(4), "big") if SOAK else 1))
LATEST_MOMENT = 0.12  # s after the start: what comes later is like what came before


class Kill(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"# seed {SEED}, {MOMENTS} moments for each kind of process", flush=True)
        require_tiny()
        cls.tree = make_tree()
        cls.addClassCleanup(shutil.rmtree, cls.tree)
        cls.other = Instance(cls.tree)
        cls.addClassCleanup(cls.other.remove)
        cls.other.start()
        cls.other.wait_until_it_serves()
        cls.other_client = cls.other.connect()
        cls.addClassCleanup(cls.other_client.close)
        cls.other_lease = cls.other_client.acquire()
        cls.other.wait_until_it_serves()
        cls.other_processes = cls.stable_processes_of_other()

    @classmethod
    def stable_processes_of_other(cls):
        return sorted((pid, start) for pid, start, _ in descendants(cls.other.supervisor.pid))

    def setUp(self):
        self.random = random.Random(f"{SEED} {self.id()}")
        self.instance = Instance(self.tree)
        self.addCleanup(self.instance.remove)

    def work_until(self, moment):
        """Lease and release until then, as far as the supervisor lets us."""
        client, held = None, []
        try:
            while time.monotonic() < moment:
                client = client or self.instance.connect()
                if not client:
                    continue
                held += filter(None, [client.acquire()])
                if len(held) > 4 or held and self.random.random() < 0.5:
                    client.ask(RELEASE, held.pop(0))
        except (EOFError, ConnectionError):
            pass
        finally:
            if client:
                client.close()

    def start_and_work(self):
        began = time.monotonic()
        self.instance.start()
        self.work_until(began + self.random.uniform(0, LATEST_MOMENT))

    def victim(self, depth):
        """A builder (1) or a guest (2); None when there is none at this moment."""
        pids = [p for p, _, d in descendants(self.instance.supervisor.pid) if d == depth]
        return self.random.choice(pids) if pids else None

    def kill(self, pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended by itself a moment before

    def check_the_other_instance(self):
        self.assertEqual(self.other_client.ask(TOUCH, self.other_lease)[0], DONE)
        self.assertEqual(self.stable_processes_of_other(), self.other_processes)

    def check_the_next_start(self, before):
        self.instance.wait_until_it_serves()
        alive = process_parents()
        left = [p for p, start, _ in before if p in alive and alive[p][1] == start]
        self.assertEqual(left, [], "processes of the last run")
        self.assertEqual(len(self.instance.ranges()), 1)
        self.stop_and_check()

    def stop_and_check(self):
        self.instance.stop()
        self.assertEqual(self.instance.left(), [])
        self.check_the_other_instance()

    def kill_supervisor(self):
        before = descendants(self.instance.supervisor.pid)
        self.instance.supervisor.kill()
        self.instance.supervisor.wait()
        return before

    def test_supervisor(self):
        """nothing is left after the supervisor was killed at a random moment"""
        for _ in range(MOMENTS):
            self.start_and_work()
            before = self.kill_supervisor()
            while self.random.random() < 0.3:  # again, in the middle of the recovery
                self.start_and_work()
                before += self.kill_supervisor()
            self.instance.start()
            self.check_the_next_start(before)

    def kill_below(self, depth):
        for _ in range(MOMENTS):
            self.start_and_work()
            pid = self.victim(depth)
            if not pid:
                self.instance.wait_until_it_serves()
                pid = self.victim(depth)
            self.kill(pid)
            self.work_until(time.monotonic() + self.random.uniform(0, LATEST_MOMENT))
            if self.random.random() < 0.5:
                before = self.kill_supervisor()
                self.instance.start()
                self.check_the_next_start(before)
            else:
                self.instance.wait_until_it_serves()
                self.stop_and_check()

    def test_builder(self):
        """nothing is left after a builder was killed at a random moment, and the supervisor goes on"""
        self.kill_below(1)

    def test_guest(self):
        """nothing is left after a guest was killed at a random moment, and the supervisor goes on"""
        self.kill_below(2)

    def test_agentd(self):
        """nothing is left after agentd was killed at a random moment, and the supervisor goes on"""
        pwd.getpwnam("hearth")  # ./setup makes it; agentd does not start without
        for _ in range(MOMENTS):
            self.instance.start()
            self.instance.wait_until_it_serves()
            agentd = self.instance.run("hearth-agentd")
            self.work_until(time.monotonic() + self.random.uniform(0, LATEST_MOMENT))
            agentd.kill()
            agentd.wait()
            self.instance.wait_until_it_serves()
            self.stop_and_check()


if __name__ == "__main__":
    tap.main()

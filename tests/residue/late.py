"""Results that come late: output of one lease never reaches another, and old handles are worth nothing."""

import collections
import select
import struct

import lease

CONFIG = """
[pool "late"]
image = probe
min = 2
max = 4
memory = 64M
pids = 64
"""
LATE = 50  # leases that are released while their command writes


def says(sandbox, text):
    """A command that says this and nothing else."""
    return sandbox.start("echo", text)


def is_stale(connection, act, handle):
    try:
        next(connection.answers(connection.send(act, handle)))
    except lease.Refused as refused:
        return refused.refusal == lease.STALE
    return False


def handles_of_others(campaign, connection, old, new):
    """What a client may still know of a lease that is over; and the true one works."""
    guessed = struct.pack("<2Q", new.sandbox, old.epoch - 1)
    for act in lease.TOUCH, lease.RELEASE:
        for handle in old.handle, guessed:
            campaign.look("R34", not is_stale(connection, act, handle), f"{handle.hex()} is taken")
    connection.touch(new.handle)
    campaign.control("R34", True)


def released_while_it_writes(campaign, connection, number):
    old = connection.acquire("late")
    try:
        writing = old.start("yes", f"old {number}")
        while not writing.out:
            old.receive()
        campaign.control("R34", writing.out.startswith(b"old"))
        connection.release(old)
        new = connection.acquire("late")
        try:
            heard = new.run_ok("echo", f"new {number}")
            old.wait(writing)
            new.drain()
            campaign.look("R34", heard.out != b"new %d\n" % number or new.strays,
                          f"{heard} {new.strays[:1]}")
            campaign.look("R34", writing.end != lease.END_LOST, f"after its release: {writing}")
            if number % 10 == 0:
                handles_of_others(campaign, connection, old, new)
            connection.release(new)
        finally:
            new.close()
    finally:
        old.close()


def after_a_restart(campaign, made, connection):
    """The supervisor has forgotten everything; a handle of its earlier life is refused."""
    old = connection.acquire("late")
    made.stop()
    old.close()
    connection.close()
    made.start()
    made.wait_until_it_serves()
    connection = lease.Control(made.directory)
    new = connection.acquire("late")
    campaign.look("R34", new.epoch == old.epoch, "the epoch is the same after a restart")
    handles_of_others(campaign, connection, old, new)
    new.close()
    return connection


def race(connection, number, ends):
    """A command and the release of its lease at the same instant; what is wrong with the next, or None."""
    old = connection.acquire("late")
    try:
        if number % 2:
            fired = says(old, f"old {number}")
            asked = connection.send(lease.RELEASE, old.handle)
        else:
            asked = connection.send(lease.RELEASE, old.handle)
            fired = says(old, f"old {number}")
        next(connection.answers(asked))
        new = connection.acquire("late")
        try:
            heard = new.run_ok("echo", f"new {number}")
            old.wait(fired)
            new.drain()
        finally:
            connection.release(new)
            new.close()
    finally:
        old.close()
    ends[fired.end] += 1
    if heard.out != b"new %d\n" % number or new.strays:
        return f"the next lease heard {heard} {new.strays[:1]}"
    if fired.end == lease.END_DONE and fired.out != b"old %d\n" % number:
        return f"the released lease heard {fired}"
    return None


def races(campaign, connection, count):
    ends = collections.Counter()
    for number in range(count):
        wrong = race(connection, number, ends)
        campaign.look("race", wrong, wrong)
    sandbox = connection.acquire("late")
    campaign.control("race", sandbox.run_ok("echo", "heard").out == b"heard\n")
    connection.release(sandbox)
    select.select([sandbox], [], [], lease.PATIENCE)
    sandbox.close()
    print(f"# race: {count} commands beside the release of their lease: {ends[lease.END_DONE]} done, "
          f"{ends[lease.END_LOST]} lost")


def run(campaign, world, race_count):
    made = world.start(CONFIG)
    connection = lease.Control(made.directory)
    try:
        for number in range(LATE):
            released_while_it_writes(campaign, connection, number)
        races(campaign, connection, race_count)
        connection = after_a_restart(campaign, made, connection)
    finally:
        connection.close()

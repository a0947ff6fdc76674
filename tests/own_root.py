"""own_root.py PROGRAM... - run it where its root directory is the root of a mount namespace.

The kernel makes no user namespace for whoever is in a chroot, as builds of packages and images are; controls of
the suites want some. Where the root is that of the namespace already, and without root, nothing is done.
"""

import ctypes
import os
import sys

CLONE_NEWNS, MNT_DETACH, MS_REC, MS_PRIVATE = 0x20000, 2, 0x4000, 0x40000
SYS_PIVOT_ROOT = 155  # of x86_64

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def is_chrooted():
    """Entering one's own mount namespace goes to its root."""
    before = os.stat("/")
    pid = os.fork()
    if pid == 0:
        namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        check(libc.unshare(CLONE_NEWNS), "unshare")
        os.close(namespace)
        check(libc.setns(os.open("/proc/self/ns/mnt", os.O_RDONLY), CLONE_NEWNS), "setns")
        os._exit(os.path.samestat(before, os.stat("/")))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def leave_chroot():
    check(libc.unshare(CLONE_NEWNS), "unshare")
    root = os.open("/", os.O_PATH)
    check(libc.setns(os.open("/proc/self/ns/mnt", os.O_RDONLY), CLONE_NEWNS), "setns")
    check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mount")
    os.fchdir(root)
    check(libc.syscall(SYS_PIVOT_ROOT, b".", b"."), "pivot_root")
    check(libc.umount2(b".", MNT_DETACH), "umount")


if os.geteuid() == 0 and is_chrooted():
    here = os.getcwd()
    leave_chroot()
    os.chdir(here)
os.execvp(sys.argv[1], sys.argv[1:])

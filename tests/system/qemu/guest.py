"""Make the guest for debian_kernel.py: Debian's cloud kernel, an initramfs with its modules, a disk.

The kernel's package is only downloaded and unpacked, and kept below the build directory. The disk is its
root: an ext4, which any kernel in question can idmap, with busybox, the programs of the list, the libraries
that they are linked with, and the image tiny where the store has it.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

PACKAGE = "linux-image-cloud-amd64"
MODULES = ("virtio_pci", "virtio_blk", "overlay", "quota_v2")
TINY = Path("/var/lib/hearth/images/tiny")
DISK_MB = 256
HERE = Path(__file__).parent


class Listed:
    """The list: programs with their arguments, and other files of the build."""

    def __init__(self, path, only=""):
        lines = [line.split() for line in path.read_text().splitlines()]
        lines = [words for words in lines if words and not words[0].startswith("#")]
        self.files = [words[1] for words in lines if words[0] == "+"]
        self.programs = [words for words in lines if words[0] != "+" and only in " ".join(words)]


def run(*command, **options):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, **options)


def output_of(*command):
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout


def package_name():
    """The package that today's meta package stands for."""
    found = re.search(r"Depends: (linux-image-[\w.+-]+-cloud-amd64)\s", output_of("apt-cache", "depends", PACKAGE))
    return found.group(1) if found else None


def download(cache, name):
    """The package's file; a mirror may be out for a moment, and its lists may be older than its files."""
    for last in (False, False, True):
        try:
            run("apt-get", "-qq", "-o", "Acquire::Retries=3", "-o", "APT::Sandbox::User=root", "download", name,
                cwd=cache, stdout=subprocess.DEVNULL)
            return next(cache.glob(f"{name}_*.deb"))
        except subprocess.CalledProcessError:
            if last:
                raise
            subprocess.run(("apt-get", "-qq", "update"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def unpacked_kernel(cache):
    """(version, directory) of the kernel's package, as unpacked below cache."""
    cache.mkdir(parents=True, exist_ok=True)
    name = package_name()
    if not name:
        run("apt-get", "-qq", "update", stdout=subprocess.DEVNULL)
        name = package_name()
    if not name:
        raise RuntimeError(f"apt knows no package {PACKAGE}: add Debian's main component to apt's sources")
    version = name.removeprefix("linux-image-")
    tree = cache / name
    if not tree.exists():
        part = cache / f"{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        run("dpkg", "-x", next(cache.glob(f"{name}_*.deb"), None) or download(cache, name), part)
        run("depmod", "-b", part, version)
        part.rename(tree)
    return version, tree


def copy(source, to):
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, to)


def make_initramfs(directory, version, tree):
    """Busybox, /init and the modules, dependencies first. Returns the file."""
    root = directory / "initramfs"
    paths = []
    for module in MODULES:
        shown = output_of("modprobe", "-d", tree, "-S", version, "--show-depends", module)
        paths += [line.split()[1] for line in shown.splitlines() if line.startswith("insmod")]
    paths = list(dict.fromkeys(paths))
    for path in paths:
        copy(path, root / "modules" / Path(path).name)
    (root / "modules/order").write_text("".join(Path(path).name + "\n" for path in paths))
    for name in ("dev", "disk"):
        (root / name).mkdir()
    copy("/bin/busybox", root / "bin/busybox")
    copy(HERE / "init", root / "init")
    packed = directory / "initramfs.gz"
    with open(packed, "wb") as file:
        run("sh", "-c", "find . | cpio -o -H newc --quiet | gzip -1", cwd=root, stdout=file)
    return packed


def libraries(program):
    """What the loader would load, itself included; nothing for a static program."""
    shown = subprocess.run(("ldd", program), stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
    return re.findall(r"(/\S+) \(0x", shown)


def make_disk(directory, build, listed):
    """The guest's root as an ext4 in a file. Returns the file."""
    root = directory / "disk"
    for name in ("proc", "sys", "dev", "shm", "run", "etc", "var/lib/hearth/images"):
        (root / name).mkdir(parents=True)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
    copy("/bin/busybox", root / "bin/busybox")
    for applet in output_of("/bin/busybox", "--list").split():
        if applet != "busybox":
            os.symlink("busybox", root / "bin" / applet)
    for name in listed.files + [words[0] for words in listed.programs]:
        copy(build / name, root / "build" / name)
        for library in libraries(build / name):
            copy(library, root / library[1:])
    run("cp", "-a", TINY, root / "var/lib/hearth/images")
    copy(HERE / "run-tests", root / "run-tests")
    (root / "list").write_text("".join(" ".join(words) + "\n" for words in listed.programs))
    image = directory / "disk.img"
    image.touch()
    # With project quota, which the workspaces' limit of size needs.
    run("mkfs.ext4", "-q", "-F", "-O", "quota,project", "-E", "quotatype=prjquota", "-d", root, image, f"{DISK_MB}M")
    return image


def qemu_command(directory, build, cache, listed):
    """Everything made; the kernel's version and the command that boots it. No KVM: it may hang in a guest."""
    version, tree = unpacked_kernel(cache)
    initramfs = make_initramfs(directory, version, tree)
    disk = make_disk(directory, build, listed)
    # loglevel=1: nothing but a panic may come between the lines of TAP.
    return version, (
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-smp", "2", "-cpu", "max", "-m", "1024",
        "-kernel", tree / f"boot/vmlinuz-{version}", "-initrd", initramfs,
        "-drive", f"file={disk},if=virtio,format=raw,cache=unsafe",
        "-append", "console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off",
        "-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio")

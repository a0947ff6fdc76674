# The system test binaries of a list, on Debian's own kernel in qemu: see debian_kernel.py.
GUEST_TESTS += tests/system/qemu/debian_kernel.py
EXTRA_DIST += tests/system/qemu/guest.py tests/system/qemu/init tests/system/qemu/list tests/system/qemu/run-tests
UNIT_PY_TESTS += tests/unit/debian_kernel.py

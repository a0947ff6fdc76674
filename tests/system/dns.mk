# hearth-dns in a network namespace of the test's own, with a resolver that lies on demand.
SYSTEM_TESTS += tests/system/dns_forwarder.py
EXTRA_DIST += tests/system/dns_world.py

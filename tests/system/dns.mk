# hearth-dns in a network namespace of the test's own, with a resolver that lies on demand.
SYSTEM_TESTS += tests/system/dns_forwarder.py
EXTRA_DIST += tests/system/dns_world.py

# Here, because the sanitizers need more calls than the filter lets through.
SYSTEM_BINARIES += tests/system/dns_filter.test
tests_system_dns_filter_test_SOURCES = tests/system/dns_filter.c dns/filter.c
tests_system_dns_filter_test_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS) $(CMOCKA_CFLAGS)
tests_system_dns_filter_test_LDADD = libbase.a $(SECCOMP_LIBS) $(CMOCKA_LIBS)

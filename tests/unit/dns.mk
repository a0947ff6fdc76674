# hearth-dns: its protocol and what it decides; the program itself is in tests/system/dns.mk.
UNIT_TESTS += tests/unit/dns_protocol.test
tests_unit_dns_protocol_test_SOURCES = tests/unit/dns_protocol.c $(check_fields_sources)
tests_unit_dns_protocol_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_dns_protocol_test_LDADD = libproto.a libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/dns_domains.test
tests_unit_dns_domains_test_SOURCES = tests/unit/dns_domains.c
tests_unit_dns_domains_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_dns_domains_test_LDADD = libdns.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/dns_message.test
tests_unit_dns_message_test_SOURCES = tests/unit/dns_message.c
tests_unit_dns_message_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_dns_message_test_LDADD = libdns.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/dns_policy.test
tests_unit_dns_policy_test_SOURCES = tests/unit/dns_policy.c
tests_unit_dns_policy_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_dns_policy_test_LDADD = libdns.a libproto.a libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/dns_sandboxes.test
tests_unit_dns_sandboxes_test_SOURCES = tests/unit/dns_sandboxes.c
tests_unit_dns_sandboxes_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_dns_sandboxes_test_LDADD = libdns.a $(CMOCKA_LIBS)

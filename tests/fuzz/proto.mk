# The targets of the control, guest, link and dns packets, and of a client with a hostile guest; see local.mk.
fuzz_programs += tests/fuzz/control_fuzz.test
tests_fuzz_control_fuzz_test_SOURCES = tests/fuzz/control_fuzz.c tests/fuzz/packet.h $(fuzz_common)
tests_fuzz_control_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_control_fuzz_test_LDADD = libproto.a libbase.a

fuzz_programs += tests/fuzz/guest_fuzz.test
tests_fuzz_guest_fuzz_test_SOURCES = tests/fuzz/guest_fuzz.c tests/fuzz/packet.h $(fuzz_common)
tests_fuzz_guest_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_guest_fuzz_test_LDADD = libproto.a libbase.a

fuzz_programs += tests/fuzz/link_fuzz.test
tests_fuzz_link_fuzz_test_SOURCES = tests/fuzz/link_fuzz.c tests/fuzz/packet.h $(fuzz_common)
tests_fuzz_link_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_link_fuzz_test_LDADD = libjail.a libproto.a libbase.a

fuzz_programs += tests/fuzz/guest_client_fuzz.test
tests_fuzz_guest_client_fuzz_test_SOURCES = tests/fuzz/guest_client_fuzz.c $(fuzz_common)
tests_fuzz_guest_client_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_guest_client_fuzz_test_LDADD = libproto.a libbase.a

fuzz_programs += tests/fuzz/dns_protocol_fuzz.test
tests_fuzz_dns_protocol_fuzz_test_SOURCES = tests/fuzz/dns_protocol_fuzz.c tests/fuzz/packet.h $(fuzz_common)
tests_fuzz_dns_protocol_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_dns_protocol_fuzz_test_LDADD = libproto.a libbase.a

fuzz_programs += tests/fuzz/dns_message_fuzz.test
tests_fuzz_dns_message_fuzz_test_SOURCES = tests/fuzz/dns_message_fuzz.c $(fuzz_common)
tests_fuzz_dns_message_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_dns_message_fuzz_test_LDADD = libdns.a libproto.a libbase.a

proto_tests = \
	tests/unit/control.test \
	tests/unit/guest_messages.test \
	tests/unit/link.test
UNIT_TESTS += $(proto_tests)

check_fields_sources = tests/unit/check_fields.c tests/unit/check_fields.h
proto_test_libs = libproto.a libbase.a $(CMOCKA_LIBS)
proto_test_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

tests_unit_control_test_SOURCES = tests/unit/control.c $(check_fields_sources)
tests_unit_control_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_control_test_LDADD = $(proto_test_libs)

tests_unit_guest_messages_test_SOURCES = tests/unit/guest_messages.c $(check_fields_sources)
tests_unit_guest_messages_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_guest_messages_test_LDADD = $(proto_test_libs)

tests_unit_link_test_SOURCES = tests/unit/link.c $(check_fields_sources)
tests_unit_link_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_link_test_LDADD = libjail.a $(proto_test_libs)

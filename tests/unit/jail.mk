# The jail's pure parts; what makes sandboxes is in tests/system.
jail_test_libs = libjail.a libproto.a libbase.a $(SECCOMP_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/jail_seccomp.test
tests_unit_jail_seccomp_test_SOURCES = tests/unit/jail_seccomp.c
tests_unit_jail_seccomp_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_jail_seccomp_test_LDADD = $(jail_test_libs)

UNIT_TESTS += tests/unit/jail_seccomp_table.test
tests_unit_jail_seccomp_table_test_SOURCES = tests/unit/jail_seccomp_table.c \
	tests/unit/seccomp_expectation.c tests/unit/seccomp_expectation.h
tests_unit_jail_seccomp_table_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_jail_seccomp_table_test_LDADD = $(jail_test_libs)

UNIT_TESTS += tests/unit/jail_discover.test
tests_unit_jail_discover_test_SOURCES = tests/unit/jail_discover.c
tests_unit_jail_discover_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_jail_discover_test_LDADD = $(jail_test_libs)

UNIT_TESTS += tests/unit/jail_io_disk.test
tests_unit_jail_io_disk_test_SOURCES = tests/unit/jail_io_disk.c
tests_unit_jail_io_disk_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_jail_io_disk_test_LDADD = $(jail_test_libs)

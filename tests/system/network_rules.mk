# hearth-network and its rules, in network namespaces of the tests' own.
network_world_sources = tests/system/network_world.c tests/system/network_world.h
network_world_libs = libnetwork.a libjail.a libproto.a libbase.a \
	$(NL_ROUTE_LIBS) $(NFTABLES_LIBS) $(NFTNL_LIBS) $(MNL_LIBS) $(CMOCKA_LIBS)

network_slots_sources = tests/system/network_slots.c tests/system/network_slots.h $(network_world_sources)

SYSTEM_BINARIES += tests/system/network_rules.test
tests_system_network_rules_test_SOURCES = tests/system/network_rules.c $(network_slots_sources)
tests_system_network_rules_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_network_rules_test_LDADD = $(network_world_libs)

SYSTEM_BINARIES += tests/system/network_admitted.test
tests_system_network_admitted_test_SOURCES = tests/system/network_admitted.c $(network_slots_sources)
tests_system_network_admitted_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_network_admitted_test_LDADD = $(network_world_libs)

# hearth-network looks for hearth-dns beside itself, and is looked for beside the test.
SYSTEM_BINARIES += tests/system/network_program/network_program.test
tests_system_network_program_network_program_test_SOURCES = \
	tests/system/network_program.c $(network_world_sources)
tests_system_network_program_network_program_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_network_program_network_program_test_LDADD = libjail.a libproto.a libbase.a $(CMOCKA_LIBS)
EXTRA_tests_system_network_program_network_program_test_DEPENDENCIES = \
	tests/system/network_program/hearth-network
tests/system/network_program/hearth-network: hearth-network
	$(AM_V_GEN)$(MKDIR_P) $(@D) && cp hearth-network $@
CLEANFILES += tests/system/network_program/hearth-network
check_PROGRAMS += tests/system/network_program/hearth-dns
tests_system_network_program_hearth_dns_SOURCES = tests/fake/fake_dns.c
tests_system_network_program_hearth_dns_LDADD = libproto.a libbase.a

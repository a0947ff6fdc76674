# Fake builders, a real supervisor: see tests/unit/supervisor_world.h.
check_PROGRAMS += tests/fake/fake_builder
tests_fake_fake_builder_SOURCES = tests/fake/fake_builder.c
tests_fake_fake_builder_LDADD = libjail.a libproto.a libbase.a

check_PROGRAMS += tests/fake/fake_network
tests_fake_fake_network_SOURCES = tests/fake/fake_network.c
tests_fake_fake_network_LDADD = libjail.a libproto.a libbase.a

supervisor_world = tests/unit/supervisor_world.c tests/unit/supervisor_world.h
supervisor_test_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(EVENT_CFLAGS)
supervisor_test_libs = libsupervisor.a libpool.a libjail.a libproto.a libbase.a \
	$(EVENT_LIBS) $(INIH_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/supervisor_leases.test
tests_unit_supervisor_leases_test_SOURCES = tests/unit/supervisor_leases.c $(supervisor_world)
tests_unit_supervisor_leases_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_leases_test_LDADD = $(supervisor_test_libs)

UNIT_TESTS += tests/unit/supervisor_receipts.test
tests_unit_supervisor_receipts_test_SOURCES = tests/unit/supervisor_receipts.c $(supervisor_world)
tests_unit_supervisor_receipts_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_receipts_test_LDADD = $(supervisor_test_libs)

UNIT_TESTS += tests/unit/supervisor_admission.test
tests_unit_supervisor_admission_test_SOURCES = tests/unit/supervisor_admission.c $(supervisor_world)
tests_unit_supervisor_admission_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_admission_test_LDADD = $(supervisor_test_libs)

UNIT_TESTS += tests/unit/supervisor_bad_input.test
tests_unit_supervisor_bad_input_test_SOURCES = \
	tests/unit/supervisor_bad_input.c $(supervisor_world)
tests_unit_supervisor_bad_input_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_bad_input_test_LDADD = $(supervisor_test_libs)

UNIT_TESTS += tests/unit/supervisor_caps.test
tests_unit_supervisor_caps_test_SOURCES = tests/unit/supervisor_caps.c $(supervisor_world)
tests_unit_supervisor_caps_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_caps_test_LDADD = $(supervisor_test_libs)

UNIT_TESTS += tests/unit/supervisor_builders.test
tests_unit_supervisor_builders_test_SOURCES = tests/unit/supervisor_builders.c $(supervisor_world)
tests_unit_supervisor_builders_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_builders_test_LDADD = $(supervisor_test_libs)

UNIT_TESTS += tests/unit/supervisor_config.test
tests_unit_supervisor_config_test_SOURCES = tests/unit/supervisor_config.c
tests_unit_supervisor_config_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_config_test_LDADD = $(supervisor_test_libs)

UNIT_TESTS += tests/unit/supervisor_tables.test
tests_unit_supervisor_tables_test_SOURCES = tests/unit/supervisor_tables.c
tests_unit_supervisor_tables_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_tables_test_LDADD = $(supervisor_test_libs)

UNIT_TESTS += tests/unit/supervisor_network.test
tests_unit_supervisor_network_test_SOURCES = tests/unit/supervisor_network.c $(supervisor_world)
tests_unit_supervisor_network_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_network_test_LDADD = $(supervisor_test_libs)

UNIT_TESTS += tests/unit/supervisor_requests_net.test
tests_unit_supervisor_requests_net_test_SOURCES = tests/unit/supervisor_requests_net.c $(supervisor_world)
tests_unit_supervisor_requests_net_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_requests_net_test_LDADD = $(supervisor_test_libs)

UNIT_TESTS += tests/unit/supervisor_binding.test
tests_unit_supervisor_binding_test_SOURCES = tests/unit/supervisor_binding.c $(supervisor_world)
tests_unit_supervisor_binding_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_binding_test_LDADD = $(supervisor_test_libs)

UNIT_TESTS += tests/unit/supervisor_egress.test
tests_unit_supervisor_egress_test_SOURCES = tests/unit/supervisor_egress.c
tests_unit_supervisor_egress_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_egress_test_LDADD = $(supervisor_test_libs)

UNIT_TESTS += tests/unit/supervisor_workspaces.test
tests_unit_supervisor_workspaces_test_SOURCES = \
	tests/unit/supervisor_workspaces.c $(supervisor_world)
tests_unit_supervisor_workspaces_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_workspaces_test_LDADD = $(supervisor_test_libs)

UNIT_TESTS += tests/unit/supervisor_stats.test
tests_unit_supervisor_stats_test_SOURCES = tests/unit/supervisor_stats.c $(supervisor_world)
tests_unit_supervisor_stats_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_stats_test_LDADD = $(supervisor_test_libs)

UNIT_TESTS += tests/unit/supervisor_removal.test
tests_unit_supervisor_removal_test_SOURCES = tests/unit/supervisor_removal.c $(supervisor_world)
tests_unit_supervisor_removal_test_CPPFLAGS = $(supervisor_test_cppflags)
tests_unit_supervisor_removal_test_LDADD = $(supervisor_test_libs)

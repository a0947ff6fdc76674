# hearth-network's parts that need no root.
UNIT_TESTS += tests/unit/network_link.test
tests_unit_network_link_test_SOURCES = tests/unit/network_link.c $(check_fields_sources)
tests_unit_network_link_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_network_link_test_LDADD = libjail.a $(proto_test_libs)

# The networks of slots, in network namespaces of the tests' own: see network_rules.mk.
SYSTEM_BINARIES += tests/system/network_links.test
tests_system_network_links_test_SOURCES = tests/system/network_links.c $(network_world_sources)
tests_system_network_links_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_network_links_test_LDADD = $(network_world_libs)

SYSTEM_BINARIES += tests/system/network_clean.test
tests_system_network_clean_test_SOURCES = tests/system/network_clean.c $(network_world_sources)
tests_system_network_clean_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_network_clean_test_LDADD = $(network_world_libs)

SYSTEM_BINARIES += tests/system/network_forwarding.test
tests_system_network_forwarding_test_SOURCES = tests/system/network_forwarding.c $(network_world_sources)
tests_system_network_forwarding_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_network_forwarding_test_LDADD = $(network_world_libs)

# Whose n-th step fails.
SYSTEM_BINARIES += tests/system/network_faults.test
network_faulty_calls = -Wl,--wrap=calloc -Wl,--wrap=file_replace_at -Wl,--wrap=file_write_at \
	-Wl,--wrap=if_nametoindex -Wl,--wrap=netlink_exchange -Wl,--wrap=netlink_open \
	-Wl,--wrap=netlink_purge -Wl,--wrap=open -Wl,--wrap=rtnl_addr_add \
	-Wl,--wrap=rtnl_route_alloc_cache -Wl,--wrap=syscall -Wl,--wrap=unshare
tests_system_network_faults_test_SOURCES = tests/system/network_faults.c \
	nsjail-lite/network/requests.c $(network_world_sources)
tests_system_network_faults_test_CPPFLAGS = $(AM_CPPFLAGS) $(NL_ROUTE_CFLAGS) $(CMOCKA_CFLAGS)
tests_system_network_faults_test_LDADD = $(network_world_libs)
tests_system_network_faults_test_LDFLAGS = $(AM_LDFLAGS) $(network_faulty_calls)

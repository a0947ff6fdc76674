proto_tests = \
	tests/unit/check.test \
	tests/unit/channel.test \
	tests/unit/control.test \
	tests/unit/guest_messages.test \
	tests/unit/link.test \
	tests/unit/control_client.test \
	tests/unit/control_client_call.test \
	tests/unit/guest_table.test \
	tests/unit/guest_client.test \
	tests/unit/guest_client_hostile.test \
	tests/unit/guest_client_flow.test \
	tests/unit/guest_client_stdio.test \
	tests/unit/client_memory.test
UNIT_TESTS += $(proto_tests)

check_fields_sources = tests/unit/check_fields.c tests/unit/check_fields.h
control_world_sources = tests/unit/control_client_world.c tests/unit/control_client_world.h
guest_world_sources = tests/unit/guest_client_world.c tests/unit/guest_client_world.h
proto_test_libs = libproto.a libbase.a $(CMOCKA_LIBS)
proto_test_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

tests_unit_check_test_SOURCES = tests/unit/check.c
tests_unit_check_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_check_test_LDADD = $(proto_test_libs)

tests_unit_channel_test_SOURCES = tests/unit/channel.c
tests_unit_channel_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_channel_test_LDADD = $(proto_test_libs)

tests_unit_control_test_SOURCES = tests/unit/control.c tests/unit/check_page.c \
	$(check_fields_sources)
tests_unit_control_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_control_test_LDADD = $(proto_test_libs)

tests_unit_guest_messages_test_SOURCES = tests/unit/guest_messages.c tests/unit/check_page.c \
	$(check_fields_sources)
tests_unit_guest_messages_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_guest_messages_test_LDADD = $(proto_test_libs)

tests_unit_link_test_SOURCES = tests/unit/link.c $(check_fields_sources)
tests_unit_link_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_link_test_LDADD = libjail.a $(proto_test_libs)

tests_unit_control_client_test_SOURCES = tests/unit/control_client.c $(control_world_sources)
tests_unit_control_client_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_control_client_test_LDADD = $(proto_test_libs)

tests_unit_control_client_call_test_SOURCES = tests/unit/control_client_call.c $(control_world_sources)
tests_unit_control_client_call_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_control_client_call_test_LDADD = $(proto_test_libs)

tests_unit_guest_table_test_SOURCES = tests/unit/guest_table.c
tests_unit_guest_table_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_guest_table_test_LDADD = $(proto_test_libs)

tests_unit_guest_client_test_SOURCES = tests/unit/guest_client.c $(guest_world_sources)
tests_unit_guest_client_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_guest_client_test_LDADD = $(proto_test_libs)

tests_unit_guest_client_stdio_test_SOURCES = tests/unit/guest_client_stdio.c $(guest_world_sources)
tests_unit_guest_client_stdio_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_guest_client_stdio_test_LDADD = $(proto_test_libs)

tests_unit_guest_client_hostile_test_SOURCES = tests/unit/guest_client_hostile.c $(guest_world_sources)
tests_unit_guest_client_hostile_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_guest_client_hostile_test_LDADD = $(proto_test_libs)

tests_unit_guest_client_flow_test_SOURCES = tests/unit/guest_client_flow.c $(guest_world_sources)
tests_unit_guest_client_flow_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_guest_client_flow_test_LDADD = $(proto_test_libs)

tests_unit_client_memory_test_SOURCES = tests/unit/client_memory.c $(guest_world_sources)
tests_unit_client_memory_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_client_memory_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=calloc
tests_unit_client_memory_test_LDADD = $(proto_test_libs)

UNIT_TESTS += tests/unit/stat.test
EXTRA_DIST += tests/unit/stat.golden
tests_unit_stat_test_SOURCES = tests/unit/stat.c
tests_unit_stat_test_CPPFLAGS = $(proto_test_cppflags)
tests_unit_stat_test_LDADD = $(proto_test_libs)

# Tests of the tools that an agent has beside those of files and commands.
agent_tools_world = tests/unit/agent_tools_world.c tests/unit/agent_tools_world.h

UNIT_TESTS += tests/unit/agent_tools_fetch.test
tests_unit_agent_tools_fetch_test_SOURCES = tests/unit/agent_tools_fetch.c $(agent_tools_world)
tests_unit_agent_tools_fetch_test_CPPFLAGS = $(agentd_test_cppflags)
tests_unit_agent_tools_fetch_test_LDADD = $(agentd_test_libs)

UNIT_TESTS += tests/unit/agent_tools_guest.test
tests_unit_agent_tools_guest_test_SOURCES = tests/unit/agent_tools_guest.c $(guest_child_sources)
tests_unit_agent_tools_guest_test_CPPFLAGS = $(agentd_test_cppflags)
tests_unit_agent_tools_guest_test_LDADD = libtool.a libguest.a libproto.a libbase.a \
	$(EVENT_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/agent_tools_memory.test
tests_unit_agent_tools_memory_test_SOURCES = tests/unit/agent_tools_memory.c $(agent_tools_world)
tests_unit_agent_tools_memory_test_CPPFLAGS = $(agentd_test_cppflags)
tests_unit_agent_tools_memory_test_LDADD = $(agentd_test_libs)

UNIT_TESTS += tests/unit/agent_tools_search.test
tests_unit_agent_tools_search_test_SOURCES = tests/unit/agent_tools_search.c $(agent_tools_world)
tests_unit_agent_tools_search_test_CPPFLAGS = $(agentd_test_cppflags)
tests_unit_agent_tools_search_test_LDADD = $(agentd_test_libs)

UNIT_TESTS += tests/unit/agent_tools_shell.test
tests_unit_agent_tools_shell_test_SOURCES = tests/unit/agent_tools_shell.c $(agent_tools_world)
tests_unit_agent_tools_shell_test_CPPFLAGS = $(agentd_test_cppflags)
tests_unit_agent_tools_shell_test_LDADD = $(agentd_test_libs)

# http_fetch with a real guest and the curl of this machine.
UNIT_PY_TESTS += tests/unit/agent_tools_http.py

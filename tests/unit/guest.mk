# The guest's modules with glibc: the pure ones by themselves, and the whole guest in a child process.
check_LIBRARIES += libguest.a
libguest_a_SOURCES = $(guest_sources) $(guest_headers)

guest_child_sources = tests/unit/guest_child.c tests/unit/guest_child.h \
	tests/system/jail_calls.c tests/system/jail_calls.h
guest_test_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
guest_test_libs = libguest.a libproto.a libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/guest_match.test
tests_unit_guest_match_test_SOURCES = tests/unit/guest_match.c
tests_unit_guest_match_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_match_test_LDADD = $(guest_test_libs)

UNIT_TESTS += tests/unit/guest_ignore.test
tests_unit_guest_ignore_test_SOURCES = tests/unit/guest_ignore.c
tests_unit_guest_ignore_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_ignore_test_LDADD = $(guest_test_libs)

UNIT_TESTS += tests/unit/guest_regex.test
tests_unit_guest_regex_test_SOURCES = tests/unit/guest_regex.c
tests_unit_guest_regex_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_regex_test_LDADD = $(guest_test_libs)

UNIT_TESTS += tests/unit/guest_exec.test
tests_unit_guest_exec_test_SOURCES = tests/unit/guest_exec.c $(guest_child_sources)
tests_unit_guest_exec_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_exec_test_LDADD = $(guest_test_libs)

UNIT_TESTS += tests/unit/guest_signals.test
tests_unit_guest_signals_test_SOURCES = tests/unit/guest_signals.c $(guest_child_sources)
tests_unit_guest_signals_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_signals_test_LDADD = $(guest_test_libs)

UNIT_TESTS += tests/unit/guest_memory.test
tests_unit_guest_memory_test_SOURCES = tests/unit/guest_memory.c $(guest_child_sources)
tests_unit_guest_memory_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_memory_test_LDADD = $(guest_test_libs)

UNIT_TESTS += tests/unit/guest_terminal.test
tests_unit_guest_terminal_test_SOURCES = tests/unit/guest_terminal.c $(guest_child_sources)
tests_unit_guest_terminal_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_terminal_test_LDADD = $(guest_test_libs)

UNIT_TESTS += tests/unit/guest_read.test
tests_unit_guest_read_test_SOURCES = tests/unit/guest_read.c $(guest_child_sources)
tests_unit_guest_read_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_read_test_LDADD = $(guest_test_libs)

# Names are exchanged, and the worker is killed, between two of its system calls.
UNIT_TESTS += tests/unit/guest_write.test
tests_unit_guest_write_test_SOURCES = tests/unit/guest_write.c $(guest_child_sources)
tests_unit_guest_write_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_write_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=readlinkat -Wl,--wrap=renameat \
	-Wl,--wrap=fchmod
tests_unit_guest_write_test_LDADD = $(guest_test_libs)

UNIT_TESTS += tests/unit/guest_search.test
tests_unit_guest_search_test_SOURCES = tests/unit/guest_search.c $(guest_child_sources)
tests_unit_guest_search_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_search_test_LDADD = $(guest_test_libs)

UNIT_TESTS += tests/unit/guest_loop.test
tests_unit_guest_loop_test_SOURCES = tests/unit/guest_loop.c $(guest_child_sources)
tests_unit_guest_loop_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_loop_test_LDADD = $(guest_test_libs)

UNIT_TESTS += tests/unit/guest_tree.test
tests_unit_guest_tree_test_SOURCES = tests/unit/guest_tree.c $(guest_child_sources)
tests_unit_guest_tree_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_tree_test_LDADD = $(guest_test_libs)

UNIT_TESTS += tests/unit/guest_flow.test
tests_unit_guest_flow_test_SOURCES = tests/unit/guest_flow.c $(guest_child_sources)
tests_unit_guest_flow_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_flow_test_LDADD = $(guest_test_libs)

UNIT_TESTS += tests/unit/guest_stdio.test
tests_unit_guest_stdio_test_SOURCES = tests/unit/guest_stdio.c $(guest_child_sources)
tests_unit_guest_stdio_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_stdio_test_LDADD = $(guest_test_libs)

UNIT_TESTS += tests/unit/guest_runner.test
tests_unit_guest_runner_test_SOURCES = tests/unit/guest_runner.c $(guest_child_sources)
tests_unit_guest_runner_test_CPPFLAGS = $(guest_test_cppflags)
tests_unit_guest_runner_test_LDADD = $(guest_test_libs)

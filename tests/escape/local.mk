# The escape suite: see tests/escape/probe.h. Attempts are compiled twice.
probe_sources = tests/escape/probes.c tests/escape/cgroups.c tests/escape/channel.c \
	tests/escape/descriptors.c tests/escape/search.c \
	tests/escape/files.c tests/escape/filter.c tests/escape/identity.c tests/escape/kernel.c \
	tests/escape/links.c tests/escape/lower.c tests/escape/mounts.c tests/escape/namespaces.c \
	tests/escape/proc.c tests/escape/processes.c tests/escape/random.c tests/escape/sockets.c
probe_headers = tests/escape/search.h tests/escape/probe.h tests/escape/families.h
case_sources = tests/escape/reply_cases.c tests/escape/request_cases.c tests/escape/secret_cases.c \
	tests/escape/view_cases.c \
	tests/escape/guest_cases.c tests/escape/build_races.c tests/escape/build_links.c \
	tests/escape/canary.c tests/escape/canary.h tests/escape/swap.c tests/escape/swap.h

SYSTEM_BINARIES += tests/escape/escape.test
tests_escape_escape_test_SOURCES = tests/escape/escape.c tests/escape/escape.h tests/escape/cases.c \
	tests/escape/world.c tests/escape/world.h $(case_sources) \
	$(probe_sources) $(probe_headers)
tests_escape_escape_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_escape_escape_test_LDADD = $(jail_fixture_libs)
EXTRA_tests_escape_escape_test_DEPENDENCIES = tests/escape/escape-probe

tests/escape/escape-probe: tests/escape/program.c $(probe_sources) $(probe_headers)
	$(AM_V_CCLD)$(MKDIR_P) tests/escape && out=$$(pwd)/$@ && cd $(top_srcdir) && \
	$(MUSL_CC) -I. -D_GNU_SOURCE $(MUSL_CPPFLAGS) $(musl_cflags) $(musl_ldflags) \
		-o $$out tests/escape/program.c $(probe_sources)
CLEANFILES += tests/escape/escape-probe
EXTRA_DIST += tests/escape/program.c

# Those that need a network around the sandbox; see tests/network_world.py.
SYSTEM_TESTS += tests/escape/network.py
EXTRA_DIST += tests/escape/frames.py tests/escape/network_rows.py

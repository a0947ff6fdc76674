# Targets of what agentd/project reads.
fuzz_programs += tests/fuzz/front_matter_fuzz.test
tests_fuzz_front_matter_fuzz_test_SOURCES = tests/fuzz/front_matter_fuzz.c $(fuzz_common)
tests_fuzz_front_matter_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_front_matter_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_front_matter_fuzz_test_LDADD = libproject.a libbase.a $(YAML_LIBS) $(JANSSON_LIBS)

fuzz_programs += tests/fuzz/agents_fuzz.test
tests_fuzz_agents_fuzz_test_SOURCES = tests/fuzz/agents_fuzz.c $(fuzz_common)
tests_fuzz_agents_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_agents_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_agents_fuzz_test_LDADD = libproject.a libbase.a $(YAML_LIBS) $(JANSSON_LIBS)

# Targets of what agentd/scripted reads.
fuzz_programs += tests/fuzz/scenario_fuzz.test
tests_fuzz_scenario_fuzz_test_SOURCES = tests/fuzz/scenario_fuzz.c tests/fuzz/speech.h $(fuzz_common)
tests_fuzz_scenario_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_scenario_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_scenario_fuzz_test_LDADD = libscripted.a libbase.a $(EVENT_LIBS) $(JANSSON_LIBS)

fuzz_programs += tests/fuzz/chat_fuzz.test
tests_fuzz_chat_fuzz_test_SOURCES = tests/fuzz/chat_fuzz.c tests/fuzz/speech.h $(fuzz_common)
tests_fuzz_chat_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_chat_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_chat_fuzz_test_LDADD = libscripted.a libbase.a $(EVENT_LIBS) $(JANSSON_LIBS)

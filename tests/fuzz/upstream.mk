# Targets of what agentd/upstream reads.
fuzz_programs += tests/fuzz/sse_fuzz.test
tests_fuzz_sse_fuzz_test_SOURCES = tests/fuzz/sse_fuzz.c $(fuzz_common)
tests_fuzz_sse_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
tests_fuzz_sse_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_sse_fuzz_test_LDADD = libupstream.a libbase.a $(EVENT_LIBS)

fuzz_programs += tests/fuzz/upstream_reply_fuzz.test
tests_fuzz_upstream_reply_fuzz_test_SOURCES = tests/fuzz/upstream_reply_fuzz.c $(fuzz_common)
tests_fuzz_upstream_reply_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_upstream_reply_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_upstream_reply_fuzz_test_LDADD = libupstream.a libtool.a libbase.a $(EVENT_LIBS) $(JANSSON_LIBS)

# Targets of what agentd/api reads.
fuzz_programs += tests/fuzz/framing_fuzz.test
tests_fuzz_framing_fuzz_test_SOURCES = tests/fuzz/framing_fuzz.c tests/unit/framing_trace.h $(fuzz_common)
tests_fuzz_framing_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_framing_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_framing_fuzz_test_LDADD = libapi.a libbase.a

fuzz_programs += tests/fuzz/request_fuzz.test
tests_fuzz_request_fuzz_test_SOURCES = tests/fuzz/request_fuzz.c tests/fuzz/text.h $(fuzz_common)
tests_fuzz_request_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_request_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_request_fuzz_test_LDADD = libapi.a libtool.a libproto.a libbase.a $(JANSSON_LIBS)

# Targets of what tools reads.
fuzz_programs += tests/fuzz/http_head_fuzz.test
tests_fuzz_http_head_fuzz_test_SOURCES = tests/fuzz/http_head_fuzz.c $(fuzz_common)
tests_fuzz_http_head_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_http_head_fuzz_test_LDADD = libtool.a libproto.a libbase.a $(EVENT_LIBS) $(JANSSON_LIBS)

fuzz_programs += tests/fuzz/http_request_fuzz.test
tests_fuzz_http_request_fuzz_test_SOURCES = tests/fuzz/http_request_fuzz.c $(fuzz_common)
tests_fuzz_http_request_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_http_request_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_http_request_fuzz_test_LDADD = libtool.a libproto.a libbase.a $(EVENT_LIBS) $(JANSSON_LIBS)

fuzz_programs += tests/fuzz/search_fuzz.test
tests_fuzz_search_fuzz_test_SOURCES = tests/fuzz/search_fuzz.c $(fuzz_common)
tests_fuzz_search_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_search_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_search_fuzz_test_LDADD = libtool.a libproto.a libbase.a $(EVENT_LIBS) $(JANSSON_LIBS)

# The targets of the command line's foreign texts; see local.mk.
fuzz_programs += tests/fuzz/chat_view_fuzz.test
tests_fuzz_chat_view_fuzz_test_SOURCES = tests/fuzz/chat_view_fuzz.c $(fuzz_common)
tests_fuzz_chat_view_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_chat_view_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_chat_view_fuzz_test_LDADD = libcli.a libjail.a libproto.a librpc.a libbase.a $(JANSSON_LIBS) $(SMARTCOLS_LIBS)

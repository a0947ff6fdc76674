# The targets of texts, numbers and tables; see local.mk.
fuzz_programs += tests/fuzz/pattern_fuzz.test
tests_fuzz_pattern_fuzz_test_SOURCES = tests/fuzz/pattern_fuzz.c tests/fuzz/text.h $(fuzz_common)
tests_fuzz_pattern_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_pattern_fuzz_test_LDADD = libguest.a libproto.a libbase.a

fuzz_programs += tests/fuzz/ignore_fuzz.test
tests_fuzz_ignore_fuzz_test_SOURCES = tests/fuzz/ignore_fuzz.c tests/fuzz/text.h $(fuzz_common)
tests_fuzz_ignore_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_ignore_fuzz_test_LDADD = libguest.a libproto.a libbase.a

fuzz_programs += tests/fuzz/edit_fuzz.test
tests_fuzz_edit_fuzz_test_SOURCES = tests/fuzz/edit_fuzz.c tests/fuzz/text.h $(fuzz_common)
tests_fuzz_edit_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_edit_fuzz_test_LDADD = libguest.a libproto.a libbase.a

fuzz_programs += tests/fuzz/manifest_fuzz.test
tests_fuzz_manifest_fuzz_test_SOURCES = tests/fuzz/manifest_fuzz.c $(fuzz_common)
tests_fuzz_manifest_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_manifest_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_manifest_fuzz_test_LDADD = libimages.a libbase.a $(JANSSON_LIBS) $(CRYPTO_LIBS)

fuzz_programs += tests/fuzz/recipe_fuzz.test
tests_fuzz_recipe_fuzz_test_SOURCES = tests/fuzz/recipe_fuzz.c $(fuzz_common)
tests_fuzz_recipe_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_recipe_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_recipe_fuzz_test_LDADD = libimages.a libbase.a $(JANSSON_LIBS) $(CRYPTO_LIBS)

fuzz_programs += tests/fuzz/file_list_fuzz.test
tests_fuzz_file_list_fuzz_test_SOURCES = tests/fuzz/file_list_fuzz.c tests/fuzz/text.h $(fuzz_common)
tests_fuzz_file_list_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_file_list_fuzz_test_LDADD = libimages.a libbase.a $(JANSSON_LIBS) $(CRYPTO_LIBS)

fuzz_programs += tests/fuzz/mountinfo_fuzz.test
tests_fuzz_mountinfo_fuzz_test_SOURCES = tests/fuzz/mountinfo_fuzz.c tests/fuzz/text.h $(fuzz_common)
tests_fuzz_mountinfo_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_mountinfo_fuzz_test_LDADD = libjail.a libproto.a libbase.a

fuzz_programs += tests/fuzz/ranges_fuzz.test
tests_fuzz_ranges_fuzz_test_SOURCES = tests/fuzz/ranges_fuzz.c tests/fuzz/text.h $(fuzz_common)
tests_fuzz_ranges_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_ranges_fuzz_test_LDADD = libjail.a libproto.a libbase.a

fuzz_programs += tests/fuzz/seccomp_fuzz.test
tests_fuzz_seccomp_fuzz_test_SOURCES = tests/fuzz/seccomp_fuzz.c tests/fuzz/text.h $(fuzz_common)
tests_fuzz_seccomp_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_seccomp_fuzz_test_LDADD = libjail.a libproto.a libbase.a $(SECCOMP_LIBS)

fuzz_programs += tests/fuzz/tool_fuzz.test
tests_fuzz_tool_fuzz_test_SOURCES = tests/fuzz/tool_fuzz.c $(fuzz_common)
tests_fuzz_tool_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_tool_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_tool_fuzz_test_LDADD = libtool.a libproto.a libbase.a $(EVENT_LIBS) $(JANSSON_LIBS)

fuzz_programs += tests/fuzz/answer_fuzz.test
tests_fuzz_answer_fuzz_test_SOURCES = tests/fuzz/answer_fuzz.c $(fuzz_common)
tests_fuzz_answer_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_answer_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_answer_fuzz_test_LDADD = libtool.a libproto.a libbase.a $(EVENT_LIBS) $(JANSSON_LIBS)

fuzz_programs += tests/fuzz/text_fuzz.test
tests_fuzz_text_fuzz_test_SOURCES = tests/fuzz/text_fuzz.c $(fuzz_common)
tests_fuzz_text_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_text_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_text_fuzz_test_LDADD = libtool.a libproto.a libbase.a $(EVENT_LIBS) $(JANSSON_LIBS)

fuzz_programs += tests/fuzz/number_fuzz.test
tests_fuzz_number_fuzz_test_SOURCES = tests/fuzz/number_fuzz.c tests/fuzz/text.h $(fuzz_common)
tests_fuzz_number_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_number_fuzz_test_LDADD = libbase.a

fuzz_programs += tests/fuzz/cli_fuzz.test
tests_fuzz_cli_fuzz_test_SOURCES = tests/fuzz/cli_fuzz.c tests/fuzz/text.h $(fuzz_common)
tests_fuzz_cli_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_cli_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_cli_fuzz_test_LDADD = libcli.a libjail.a libproto.a librpc.a libbase.a $(JANSSON_LIBS) $(SMARTCOLS_LIBS)

fuzz_programs += tests/fuzz/dns_domains_fuzz.test
tests_fuzz_dns_domains_fuzz_test_SOURCES = tests/fuzz/dns_domains_fuzz.c tests/fuzz/text.h $(fuzz_common)
tests_fuzz_dns_domains_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_dns_domains_fuzz_test_LDADD = libdns.a libbase.a

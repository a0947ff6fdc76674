cli_test_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
cli_test_libs = libcli.a libjail.a libproto.a librpc.a libbase.a $(JANSSON_LIBS) $(SMARTCOLS_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/cli_parse.test
tests_unit_cli_parse_test_SOURCES = tests/unit/cli_parse.c tests/unit/cli_capture.c tests/unit/cli_capture.h
tests_unit_cli_parse_test_CPPFLAGS = $(cli_test_cppflags)
tests_unit_cli_parse_test_LDADD = $(cli_test_libs)

UNIT_TESTS += tests/unit/cli_lease.test
tests_unit_cli_lease_test_SOURCES = tests/unit/cli_lease.c tests/unit/cli_capture.c tests/unit/cli_capture.h
tests_unit_cli_lease_test_CPPFLAGS = $(cli_test_cppflags)
tests_unit_cli_lease_test_LDADD = $(cli_test_libs)

UNIT_TESTS += tests/unit/cli_table.test
tests_unit_cli_table_test_SOURCES = tests/unit/cli_table.c tests/unit/cli_capture.c tests/unit/cli_capture.h
tests_unit_cli_table_test_CPPFLAGS = $(cli_test_cppflags)
tests_unit_cli_table_test_LDADD = $(cli_test_libs)

UNIT_TESTS += tests/unit/cli_plain.test
tests_unit_cli_plain_test_SOURCES = tests/unit/cli_plain.c
tests_unit_cli_plain_test_CPPFLAGS = $(cli_test_cppflags)
tests_unit_cli_plain_test_LDADD = $(cli_test_libs)

UNIT_TESTS += tests/unit/cli_chat_view.test
tests_unit_cli_chat_view_test_SOURCES = tests/unit/cli_chat_view.c
tests_unit_cli_chat_view_test_CPPFLAGS = $(cli_test_cppflags)
tests_unit_cli_chat_view_test_LDADD = $(cli_test_libs)

UNIT_TESTS += tests/unit/bench_stats.test
tests_unit_bench_stats_test_SOURCES = tests/unit/bench_stats.c
tests_unit_bench_stats_test_CPPFLAGS = $(cli_test_cppflags)
tests_unit_bench_stats_test_LDADD = $(cli_test_libs)

UNIT_TESTS += tests/unit/bench_compare.test
tests_unit_bench_compare_test_SOURCES = tests/unit/bench_compare.c tests/unit/cli_capture.c tests/unit/cli_capture.h
tests_unit_bench_compare_test_CPPFLAGS = $(cli_test_cppflags)
tests_unit_bench_compare_test_LDADD = $(cli_test_libs)

UNIT_TESTS += tests/unit/bench_svg.test
tests_unit_bench_svg_test_SOURCES = tests/unit/bench_svg.c
tests_unit_bench_svg_test_CPPFLAGS = $(cli_test_cppflags)
tests_unit_bench_svg_test_LDADD = $(cli_test_libs)

UNIT_TESTS += tests/unit/bench_figures.test
tests_unit_bench_figures_test_SOURCES = tests/unit/bench_figures.c
tests_unit_bench_figures_test_CPPFLAGS = $(cli_test_cppflags)
tests_unit_bench_figures_test_LDADD = $(cli_test_libs)

UNIT_TESTS += tests/unit/cli_stream.test
tests_unit_cli_stream_test_SOURCES = tests/unit/cli_stream.c tests/unit/cli_capture.c tests/unit/cli_capture.h
tests_unit_cli_stream_test_CPPFLAGS = $(cli_test_cppflags)
tests_unit_cli_stream_test_LDADD = $(cli_test_libs)

UNIT_TESTS += tests/unit/base64.test
tests_unit_base64_test_SOURCES = tests/unit/base64.c
tests_unit_base64_test_CPPFLAGS = $(cli_test_cppflags)
tests_unit_base64_test_LDADD = librpc.a libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/instance_id.test
tests_unit_instance_id_test_SOURCES = tests/unit/instance_id.c
tests_unit_instance_id_test_CPPFLAGS = $(cli_test_cppflags)
tests_unit_instance_id_test_LDADD = libproto.a libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/jail_enforced.test
tests_unit_jail_enforced_test_SOURCES = tests/unit/jail_enforced.c
tests_unit_jail_enforced_test_CPPFLAGS = $(cli_test_cppflags)
tests_unit_jail_enforced_test_LDADD = libjail.a $(CMOCKA_LIBS)

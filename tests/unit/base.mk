UNIT_TESTS += tests/unit/base_cleanup.test
tests_unit_base_cleanup_test_SOURCES = tests/unit/base_cleanup.c
tests_unit_base_cleanup_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_cleanup_test_LDADD = libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/base_clock.test
tests_unit_base_clock_test_SOURCES = tests/unit/base_clock.c
tests_unit_base_clock_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_clock_test_LDADD = libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/base_config.test
tests_unit_base_config_test_SOURCES = tests/unit/base_config.c tests/unit/config_fixture.h
tests_unit_base_config_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_config_test_LDADD = libbase.a $(CMOCKA_LIBS) $(INIH_LIBS)

UNIT_TESTS += tests/unit/base_config_refusals.test
tests_unit_base_config_refusals_test_SOURCES = tests/unit/base_config_refusals.c tests/unit/config_fixture.h
tests_unit_base_config_refusals_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_config_refusals_test_LDADD = libbase.a $(CMOCKA_LIBS) $(INIH_LIBS)

UNIT_TESTS += tests/unit/base_config_value.test
tests_unit_base_config_value_test_SOURCES = tests/unit/base_config_value.c
tests_unit_base_config_value_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_config_value_test_LDADD = libbase.a $(CMOCKA_LIBS) $(INIH_LIBS)

UNIT_TESTS += tests/unit/base_error.test
tests_unit_base_error_test_SOURCES = tests/unit/base_error.c
tests_unit_base_error_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_error_test_LDADD = libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/base_fd.test
tests_unit_base_fd_test_SOURCES = tests/unit/base_fd.c
tests_unit_base_fd_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_fd_test_LDADD = libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/base_file.test
tests_unit_base_file_test_SOURCES = tests/unit/base_file.c
tests_unit_base_file_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_file_test_LDADD = libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/base_histogram.test
tests_unit_base_histogram_test_SOURCES = tests/unit/base_histogram.c
tests_unit_base_histogram_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_histogram_test_LDADD = libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/base_list.test
tests_unit_base_list_test_SOURCES = tests/unit/base_list.c
tests_unit_base_list_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_list_test_LDADD = libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/base_log.test
tests_unit_base_log_test_SOURCES = tests/unit/base_log.c
tests_unit_base_log_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_base_log_test_LDADD = libbase.a $(CMOCKA_LIBS) $(JANSSON_LIBS)

UNIT_TESTS += tests/unit/base_log_rate.test
tests_unit_base_log_rate_test_SOURCES = tests/unit/base_log_rate.c
tests_unit_base_log_rate_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_log_rate_test_LDADD = libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/base_number.test
tests_unit_base_number_test_SOURCES = tests/unit/base_number.c
tests_unit_base_number_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_number_test_LDADD = libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/base_process.test
tests_unit_base_process_test_SOURCES = tests/unit/base_process.c
tests_unit_base_process_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_process_test_LDADD = libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/base_text.test
tests_unit_base_text_test_SOURCES = tests/unit/base_text.c
tests_unit_base_text_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_text_test_LDADD = libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/base_unix_socket.test
tests_unit_base_unix_socket_test_SOURCES = tests/unit/base_unix_socket.c tests/unit/socket_fixture.h
tests_unit_base_unix_socket_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_unix_socket_test_LDADD = libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/base_unix_socket_paths.test
tests_unit_base_unix_socket_paths_test_SOURCES = tests/unit/base_unix_socket_paths.c tests/unit/socket_fixture.h
tests_unit_base_unix_socket_paths_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_unix_socket_paths_test_LDADD = libbase.a $(CMOCKA_LIBS)

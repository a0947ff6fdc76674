UNIT_TESTS += tests/unit/rpc_decode.test
tests_unit_rpc_decode_test_SOURCES = tests/unit/rpc_decode.c tests/unit/rpc_fixture.h
tests_unit_rpc_decode_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_rpc_decode_test_LDADD = librpc.a libbase.a $(CMOCKA_LIBS) $(JANSSON_LIBS)

UNIT_TESTS += tests/unit/rpc_encode.test
tests_unit_rpc_encode_test_SOURCES = tests/unit/rpc_encode.c
tests_unit_rpc_encode_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_rpc_encode_test_LDADD = librpc.a libbase.a $(CMOCKA_LIBS) $(JANSSON_LIBS)

UNIT_TESTS += tests/unit/rpc_limits.test
tests_unit_rpc_limits_test_SOURCES = tests/unit/rpc_limits.c tests/unit/rpc_fixture.h
tests_unit_rpc_limits_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_rpc_limits_test_LDADD = librpc.a libbase.a $(CMOCKA_LIBS) $(JANSSON_LIBS)

UNIT_TESTS += tests/unit/rpc_refusals.test
tests_unit_rpc_refusals_test_SOURCES = tests/unit/rpc_refusals.c tests/unit/rpc_fixture.h
tests_unit_rpc_refusals_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_rpc_refusals_test_LDADD = librpc.a libbase.a $(CMOCKA_LIBS) $(JANSSON_LIBS)

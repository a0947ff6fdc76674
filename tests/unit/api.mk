# Tests of agentd/api.
api_test_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(EVDNS_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
api_libs = libapi.a libtool.a libproto.a libbase.a $(EVDNS_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

# What tests/unit/api_http.py talks to.
check_PROGRAMS += tests/unit/api_server
tests_unit_api_server_SOURCES = tests/unit/api_server.c
tests_unit_api_server_CPPFLAGS = $(api_test_cppflags)
tests_unit_api_server_LDADD = $(api_libs)

UNIT_TESTS += tests/unit/api_framing.test
tests_unit_api_framing_test_SOURCES = tests/unit/api_framing.c tests/unit/framing_trace.h
tests_unit_api_framing_test_CPPFLAGS = $(api_test_cppflags)
tests_unit_api_framing_test_LDADD = $(api_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/api_limits.test
tests_unit_api_limits_test_SOURCES = tests/unit/api_limits.c
tests_unit_api_limits_test_CPPFLAGS = $(api_test_cppflags)
tests_unit_api_limits_test_LDADD = $(api_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/api_keys.test
tests_unit_api_keys_test_SOURCES = tests/unit/api_keys.c
tests_unit_api_keys_test_CPPFLAGS = $(api_test_cppflags)
tests_unit_api_keys_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=CRYPTO_memcmp
tests_unit_api_keys_test_LDADD = $(api_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/api_route.test
tests_unit_api_route_test_SOURCES = tests/unit/api_route.c
tests_unit_api_route_test_CPPFLAGS = $(api_test_cppflags)
tests_unit_api_route_test_LDADD = $(api_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/api_openapi.test
tests_unit_api_openapi_test_SOURCES = tests/unit/api_openapi.c
tests_unit_api_openapi_test_CPPFLAGS = $(api_test_cppflags)
tests_unit_api_openapi_test_LDADD = $(api_libs) $(CMOCKA_LIBS)

UNIT_PY_TESTS += tests/unit/api_http.py tests/unit/api_streams.py
EXTRA_DIST += tests/unit/api_world.py
tests/unit/api_http.log tests/unit/api_streams.log: tests/unit/api_server$(EXEEXT)

# Tests of agentd/upstream. upstream_server.py is the servers, upstream_driver the one who asks.
upstream_test_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
upstream_libs = libupstream.a libtool.a libbase.a $(CURL_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/upstream_driver
tests_unit_upstream_driver_SOURCES = tests/unit/upstream_driver.c
tests_unit_upstream_driver_CPPFLAGS = $(upstream_test_cppflags)
tests_unit_upstream_driver_LDADD = $(upstream_libs)
upstream_py_tests = tests/unit/upstream_tries.py tests/unit/upstream_wire.py
UNIT_PY_TESTS += $(upstream_py_tests)
EXTRA_DIST += tests/unit/upstream_server.py tests/unit/upstream_world.py
$(upstream_py_tests:.py=.log): tests/unit/upstream_driver$(EXEEXT)

UNIT_TESTS += tests/unit/upstream_sse.test
tests_unit_upstream_sse_test_SOURCES = tests/unit/upstream_sse.c
tests_unit_upstream_sse_test_CPPFLAGS = $(upstream_test_cppflags)
tests_unit_upstream_sse_test_LDADD = $(upstream_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/upstream_secret.test
tests_unit_upstream_secret_test_SOURCES = tests/unit/upstream_secret.c
tests_unit_upstream_secret_test_CPPFLAGS = $(upstream_test_cppflags)
tests_unit_upstream_secret_test_LDADD = $(upstream_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/upstream_verdict.test
tests_unit_upstream_verdict_test_SOURCES = tests/unit/upstream_verdict.c
tests_unit_upstream_verdict_test_CPPFLAGS = $(upstream_test_cppflags)
tests_unit_upstream_verdict_test_LDADD = $(upstream_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/upstream_encode.test
tests_unit_upstream_encode_test_SOURCES = tests/unit/upstream_encode.c
tests_unit_upstream_encode_test_CPPFLAGS = $(upstream_test_cppflags)
tests_unit_upstream_encode_test_LDADD = $(upstream_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/upstream_provider.test
tests_unit_upstream_provider_test_SOURCES = tests/unit/upstream_provider.c
tests_unit_upstream_provider_test_CPPFLAGS = $(upstream_test_cppflags)
tests_unit_upstream_provider_test_LDADD = $(upstream_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/upstream_transfer.test
tests_unit_upstream_transfer_test_SOURCES = tests/unit/upstream_transfer.c
tests_unit_upstream_transfer_test_CPPFLAGS = $(upstream_test_cppflags)
tests_unit_upstream_transfer_test_LDADD = $(upstream_libs) $(CMOCKA_LIBS)

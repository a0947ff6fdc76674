# A supervisor without jails, and the real agentd: see tests/unit/agentd_world.py.
check_PROGRAMS += tests/fake/fake_supervisor
tests_fake_fake_supervisor_SOURCES = tests/fake/fake_supervisor.c $(guest_sources)
tests_fake_fake_supervisor_LDADD = libproto.a libbase.a
EXTRA_DIST += tests/rpc_client.py tests/unit/agentd_world.py
UNIT_PY_TESTS += \
	tests/unit/agentd_bad_input.py \
	tests/unit/agentd_exec.py \
	tests/unit/agentd_leases.py \
	tests/unit/agentd_life.py \
	tests/unit/agentd_tools.py \
	tests/unit/pages.py

agentd_test_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
agentd_test_libs = libtool.a libproto.a libbase.a $(EVENT_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/agentd_schema.test
tests_unit_agentd_schema_test_SOURCES = tests/unit/agentd_schema.c
tests_unit_agentd_schema_test_CPPFLAGS = $(agentd_test_cppflags)
tests_unit_agentd_schema_test_LDADD = $(agentd_test_libs)

UNIT_TESTS += tests/unit/agentd_text.test
tests_unit_agentd_text_test_SOURCES = tests/unit/agentd_text.c
tests_unit_agentd_text_test_CPPFLAGS = $(agentd_test_cppflags)
tests_unit_agentd_text_test_LDADD = $(agentd_test_libs)

UNIT_TESTS += tests/unit/agentd_tool.test
tests_unit_agentd_tool_test_SOURCES = tests/unit/agentd_tool.c
tests_unit_agentd_tool_test_CPPFLAGS = $(agentd_test_cppflags)
tests_unit_agentd_tool_test_LDADD = $(agentd_test_libs)

# A script has no program of its own to depend on.
$(UNIT_PY_TESTS:.py=.log): hearth-agentd$(EXEEXT) tests/fake/fake_supervisor$(EXEEXT)

UNIT_TESTS += tests/unit/limit_text.test
tests_unit_limit_text_test_SOURCES = tests/unit/limit_text.c
tests_unit_limit_text_test_CPPFLAGS = $(agentd_test_cppflags)
tests_unit_limit_text_test_LDADD = libproto.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/agentd_metrics.test
tests_unit_agentd_metrics_test_SOURCES = tests/unit/agentd_metrics.c \
	agentd/loopback.c agentd/loopback.h agentd/metrics.c agentd/metrics.h agentd/metrics_http.c agentd/metrics_http.h
tests_unit_agentd_metrics_test_CPPFLAGS = $(agentd_test_cppflags) $(EVDNS_CFLAGS)
tests_unit_agentd_metrics_test_LDADD = libtool.a libproto.a libbase.a $(EVDNS_LIBS) $(EVENT_LIBS) \
	$(JANSSON_LIBS) $(CMOCKA_LIBS)

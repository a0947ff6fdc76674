# Tests of agentd/loop: runs before a fake supervisor, with a model that follows a script.
agent_tests = \
	tests/unit/agentd_agent.py \
	tests/unit/agent_bad_input.py \
	tests/unit/agent_clients.py \
	tests/unit/agent_errors.py \
	tests/unit/agent_kill.py \
	tests/unit/agent_resume.py \
	tests/unit/agent_routes.py \
	tests/unit/agent_start.py \
	tests/unit/agent_summary.py
EXTRA_DIST += tests/unit/agent_world.py tests/unit/naughty_strings.py
UNIT_PY_TESTS += $(agent_tests)
$(agent_tests:.py=.log): hearth-scripted-model$(EXEEXT)

UNIT_TESTS += tests/unit/loop_paths.test
tests_unit_loop_paths_test_SOURCES = tests/unit/loop_paths.c agentd/loop/paths.c agentd/loop/paths.h
tests_unit_loop_paths_test_CPPFLAGS = $(agentd_test_cppflags)
tests_unit_loop_paths_test_LDADD = $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/loop_compact.test
tests_unit_loop_compact_test_SOURCES = tests/unit/loop_compact.c agentd/loop/compact.c agentd/loop/compact.h
tests_unit_loop_compact_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_loop_compact_test_LDADD = $(CMOCKA_LIBS) $(JANSSON_LIBS)

# Tests of agentd/project.
project_test_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
project_test_libs = libproject.a libbase.a $(YAML_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)
project_world = tests/unit/project_world.c tests/unit/project_world.h

UNIT_TESTS += tests/unit/project_shapes.test
tests_unit_project_shapes_test_SOURCES = tests/unit/project_shapes.c $(project_world)
tests_unit_project_shapes_test_CPPFLAGS = $(project_test_cppflags)
tests_unit_project_shapes_test_LDADD = $(project_test_libs)

UNIT_TESTS += tests/unit/project_problems.test
tests_unit_project_problems_test_SOURCES = tests/unit/project_problems.c $(project_world)
tests_unit_project_problems_test_CPPFLAGS = $(project_test_cppflags)
tests_unit_project_problems_test_LDADD = $(project_test_libs)

UNIT_TESTS += tests/unit/project_hostile.test
tests_unit_project_hostile_test_SOURCES = tests/unit/project_hostile.c $(project_world)
tests_unit_project_hostile_test_CPPFLAGS = $(project_test_cppflags)
tests_unit_project_hostile_test_LDADD = $(project_test_libs)

UNIT_TESTS += tests/unit/project_refresh.test
tests_unit_project_refresh_test_SOURCES = tests/unit/project_refresh.c $(project_world)
tests_unit_project_refresh_test_CPPFLAGS = $(project_test_cppflags)
tests_unit_project_refresh_test_LDADD = $(project_test_libs)

UNIT_TESTS += tests/unit/project_change.test
tests_unit_project_change_test_SOURCES = tests/unit/project_change.c $(project_world)
tests_unit_project_change_test_CPPFLAGS = $(project_test_cppflags)
tests_unit_project_change_test_LDADD = $(project_test_libs)

UNIT_TESTS += tests/unit/project_place.test
tests_unit_project_place_test_SOURCES = tests/unit/project_place.c
tests_unit_project_place_test_CPPFLAGS = $(project_test_cppflags)
tests_unit_project_place_test_LDADD = $(project_test_libs)

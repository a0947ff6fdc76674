# Tests of agentd/store.
store_world = tests/unit/store_world.c tests/unit/store_world.h
store_test_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS)
store_test_libs = libstore.a libbase.a $(SQLITE_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS) -lpthread

UNIT_TESTS += tests/unit/store_operations.test
tests_unit_store_operations_test_SOURCES = tests/unit/store_operations.c $(store_world)
tests_unit_store_operations_test_CPPFLAGS = $(store_test_cppflags)
tests_unit_store_operations_test_LDADD = $(store_test_libs)

UNIT_TESTS += tests/unit/store_queue.test
tests_unit_store_queue_test_SOURCES = tests/unit/store_queue.c $(store_world)
tests_unit_store_queue_test_CPPFLAGS = $(store_test_cppflags)
tests_unit_store_queue_test_LDADD = $(store_test_libs)

UNIT_TESTS += tests/unit/store_texts.test
tests_unit_store_texts_test_SOURCES = tests/unit/store_texts.c $(store_world)
tests_unit_store_texts_test_CPPFLAGS = $(store_test_cppflags)
tests_unit_store_texts_test_LDADD = $(store_test_libs)

UNIT_TESTS += tests/unit/store_file.test
tests_unit_store_file_test_SOURCES = tests/unit/store_file.c $(store_world)
tests_unit_store_file_test_CPPFLAGS = $(store_test_cppflags)
tests_unit_store_file_test_LDADD = $(store_test_libs)

UNIT_TESTS += tests/unit/store_faults.test
tests_unit_store_faults_test_SOURCES = tests/unit/store_faults.c $(store_world)
tests_unit_store_faults_test_CPPFLAGS = $(store_test_cppflags)
tests_unit_store_faults_test_LDADD = $(store_test_libs)

UNIT_TESTS += tests/unit/store_kill.test
tests_unit_store_kill_test_SOURCES = tests/unit/store_kill.c $(store_world)
tests_unit_store_kill_test_CPPFLAGS = $(store_test_cppflags)
tests_unit_store_kill_test_LDADD = $(store_test_libs)

UNIT_TESTS += tests/unit/store_damage.test
tests_unit_store_damage_test_SOURCES = tests/unit/store_damage.c $(store_world)
tests_unit_store_damage_test_CPPFLAGS = $(store_test_cppflags)
tests_unit_store_damage_test_LDADD = $(store_test_libs)

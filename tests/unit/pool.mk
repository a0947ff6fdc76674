# Memory runs out on demand: calloc() of the code under test goes through pool_world.c.
pool_world = tests/unit/pool_world.c tests/unit/pool_world.h
pool_test_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
pool_test_ldflags = $(AM_LDFLAGS) -Wl,--wrap=calloc
pool_test_libs = libpool.a libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/pool_refill.test
tests_unit_pool_refill_test_SOURCES = tests/unit/pool_refill.c $(pool_world)
tests_unit_pool_refill_test_CPPFLAGS = $(pool_test_cppflags)
tests_unit_pool_refill_test_LDFLAGS = $(pool_test_ldflags)
tests_unit_pool_refill_test_LDADD = $(pool_test_libs)

UNIT_TESTS += tests/unit/pool_waiters.test
tests_unit_pool_waiters_test_SOURCES = tests/unit/pool_waiters.c $(pool_world)
tests_unit_pool_waiters_test_CPPFLAGS = $(pool_test_cppflags)
tests_unit_pool_waiters_test_LDFLAGS = $(pool_test_ldflags)
tests_unit_pool_waiters_test_LDADD = $(pool_test_libs)

UNIT_TESTS += tests/unit/pool_backoff.test
tests_unit_pool_backoff_test_SOURCES = tests/unit/pool_backoff.c $(pool_world)
tests_unit_pool_backoff_test_CPPFLAGS = $(pool_test_cppflags)
tests_unit_pool_backoff_test_LDFLAGS = $(pool_test_ldflags)
tests_unit_pool_backoff_test_LDADD = $(pool_test_libs)

UNIT_TESTS += tests/unit/pool_leases.test
tests_unit_pool_leases_test_SOURCES = tests/unit/pool_leases.c $(pool_world)
tests_unit_pool_leases_test_CPPFLAGS = $(pool_test_cppflags)
tests_unit_pool_leases_test_LDFLAGS = $(pool_test_ldflags)
tests_unit_pool_leases_test_LDADD = $(pool_test_libs)

UNIT_TESTS += tests/unit/pool_faults.test
tests_unit_pool_faults_test_SOURCES = tests/unit/pool_faults.c $(pool_world)
tests_unit_pool_faults_test_CPPFLAGS = $(pool_test_cppflags)
tests_unit_pool_faults_test_LDFLAGS = $(pool_test_ldflags)
tests_unit_pool_faults_test_LDADD = $(pool_test_libs)

UNIT_TESTS += tests/unit/pool_checks.test
tests_unit_pool_checks_test_SOURCES = tests/unit/pool_checks.c $(pool_world)
tests_unit_pool_checks_test_CPPFLAGS = $(pool_test_cppflags)
tests_unit_pool_checks_test_LDFLAGS = $(pool_test_ldflags)
tests_unit_pool_checks_test_LDADD = $(pool_test_libs)

UNIT_TESTS += tests/unit/pool_budget.test
tests_unit_pool_budget_test_SOURCES = tests/unit/pool_budget.c $(pool_world)
tests_unit_pool_budget_test_CPPFLAGS = $(pool_test_cppflags)
tests_unit_pool_budget_test_LDFLAGS = $(pool_test_ldflags)
tests_unit_pool_budget_test_LDADD = $(pool_test_libs)

UNIT_TESTS += tests/unit/pool_demand.test
tests_unit_pool_demand_test_SOURCES = tests/unit/pool_demand.c $(pool_world)
tests_unit_pool_demand_test_CPPFLAGS = $(pool_test_cppflags)
tests_unit_pool_demand_test_LDFLAGS = $(pool_test_ldflags)
tests_unit_pool_demand_test_LDADD = $(pool_test_libs)

UNIT_TESTS += tests/unit/pool_due.test
tests_unit_pool_due_test_SOURCES = tests/unit/pool_due.c $(pool_world)
tests_unit_pool_due_test_CPPFLAGS = $(pool_test_cppflags)
tests_unit_pool_due_test_LDFLAGS = $(pool_test_ldflags)
tests_unit_pool_due_test_LDADD = $(pool_test_libs)

UNIT_TESTS += tests/unit/pool_fair.test
tests_unit_pool_fair_test_SOURCES = tests/unit/pool_fair.c $(pool_world)
tests_unit_pool_fair_test_CPPFLAGS = $(pool_test_cppflags)
tests_unit_pool_fair_test_LDFLAGS = $(pool_test_ldflags)
tests_unit_pool_fair_test_LDADD = $(pool_test_libs)

UNIT_TESTS += tests/unit/pool_freeze.test
tests_unit_pool_freeze_test_SOURCES = tests/unit/pool_freeze.c $(pool_world)
tests_unit_pool_freeze_test_CPPFLAGS = $(pool_test_cppflags)
tests_unit_pool_freeze_test_LDFLAGS = $(pool_test_ldflags)
tests_unit_pool_freeze_test_LDADD = $(pool_test_libs)

UNIT_TESTS += tests/unit/pool_limits.test
tests_unit_pool_limits_test_SOURCES = tests/unit/pool_limits.c $(pool_world)
tests_unit_pool_limits_test_CPPFLAGS = $(pool_test_cppflags)
tests_unit_pool_limits_test_LDFLAGS = $(pool_test_ldflags)
tests_unit_pool_limits_test_LDADD = $(pool_test_libs)

UNIT_TESTS += tests/unit/pool_renew.test
tests_unit_pool_renew_test_SOURCES = tests/unit/pool_renew.c $(pool_world)
tests_unit_pool_renew_test_CPPFLAGS = $(pool_test_cppflags)
tests_unit_pool_renew_test_LDFLAGS = $(pool_test_ldflags)
tests_unit_pool_renew_test_LDADD = $(pool_test_libs)

UNIT_TESTS += tests/unit/pool_simulation.test
tests_unit_pool_simulation_test_SOURCES = tests/unit/pool_simulation.c tests/unit/pool_acts.c \
	tests/unit/pool_model.c tests/unit/pool_model.h \
	tests/unit/pool_trace.c tests/unit/pool_trace.h
tests_unit_pool_simulation_test_CPPFLAGS = $(pool_test_cppflags)
tests_unit_pool_simulation_test_LDFLAGS = $(pool_test_ldflags)
tests_unit_pool_simulation_test_LDADD = $(pool_test_libs)

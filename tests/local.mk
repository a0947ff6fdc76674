# make check: what needs no root. make check-system: what makes sandboxes (root).
# Every test program prints TAP; names end in .test, .sh or .py so that one rule serves each kind.
TEST_EXTENSIONS = .test .sh .py
tap = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
TEST_LOG_DRIVER = $(tap)
SH_LOG_DRIVER = $(tap)
PY_LOG_DRIVER = $(tap)
TEST_LOG_COMPILER = $(top_srcdir)/tests/limited
SH_LOG_COMPILER = $(top_srcdir)/tests/limited bash
PY_LOG_COMPILER = $(top_srcdir)/tests/limited $(PYTHON3)
AM_TESTS_ENVIRONMENT = \
	CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT; \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	top_builddir='$(abs_top_builddir)'; export top_builddir; \
	PYTHONPATH='$(abs_top_srcdir)/tests'; export PYTHONPATH; \
	PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE;

UNIT_TESTS =
UNIT_PY_TESTS =
LINT_TESTS =
FUZZ_TESTS =
SYSTEM_BINARIES =
SYSTEM_TESTS =
GUEST_TESTS =
E2E_TESTS =

include tests/unit/base.mk
include tests/unit/proto.mk
include tests/unit/rpc.mk
include tests/unit/pool.mk
include tests/unit/images.mk
include tests/unit/guest.mk
include tests/unit/jail.mk
include tests/unit/network.mk
include tests/unit/dns.mk
include tests/unit/supervisor.mk
include tests/unit/agentd.mk
include tests/unit/project.mk
include tests/unit/upstream.mk
include tests/unit/scripted.mk
include tests/unit/store.mk
include tests/unit/api.mk
include tests/unit/loop.mk
include tests/unit/agent_tools.mk
include tests/unit/cli.mk
include tests/fuzz/local.mk
include tests/lint/local.mk
include tests/system/local.mk
include tests/system/dns.mk
include tests/system/network.mk
include tests/system/network_rules.mk
include tests/system/qemu/local.mk
include tests/network.mk
include tests/escape/local.mk
include tests/residue/local.mk
include tests/bombs/local.mk
include tests/e2e/local.mk
include tests/bench/local.mk

TESTS = $(UNIT_TESTS) $(UNIT_PY_TESTS) $(FUZZ_TESTS) $(LINT_TESTS)
check_PROGRAMS += $(UNIT_TESTS) $(FUZZ_TESTS)
# Only where they run: make check, and the sanitized build, do without.
EXTRA_PROGRAMS += $(SYSTEM_BINARIES)
CLEANFILES += $(SYSTEM_BINARIES)
EXTRA_DIST += tests/limited tests/own_root.py tests/tap.py tests/skips $(UNIT_PY_TESTS) $(LINT_TESTS) $(SYSTEM_TESTS) $(GUEST_TESTS) $(E2E_TESTS)

check-system: all $(check_PROGRAMS) $(SYSTEM_BINARIES)
	$(MAKE) $(AM_MAKEFLAGS) -j2 check-sandboxes check-guest
# What check-system has made. The guest has a kernel of its own: it runs beside the others.
check-sandboxes:
	$(MAKE) $(AM_MAKEFLAGS) -j1 check-TESTS TESTS='$(SYSTEM_BINARIES) $(SYSTEM_TESTS) $(E2E_TESTS)' \
		TEST_SUITE_LOG=test-suite-system.log
check-guest:
	$(MAKE) $(AM_MAKEFLAGS) -j1 check-TESTS TESTS='$(GUEST_TESTS)' TEST_SUITE_LOG=test-suite-guest.log
.PHONY: check-system check-sandboxes check-guest

# What check runs a seeded part of, whole: hours are allowed.
soak: stage $(check_PROGRAMS) $(SYSTEM_BINARIES) tests/residue/residue-probe tests/bombs/bomb bench-programs
	top_builddir=. tests/bench/exec_bench -i $${HEARTH_SOAK_IDLE_S:-600}
	HEARTH_SOAK=1 HEARTH_TEST_SECONDS=10000 $(MAKE) $(AM_MAKEFLAGS) -j1 check-TESTS \
		TESTS='tests/system/supervisor_kill.py tests/escape/escape.test tests/residue/residue.py tests/bombs/bombs.py tests/unit/pool_simulation.test tests/unit/agent_kill.py tests/unit/agent_bad_input.py tests/e2e/lease_soak.py tests/e2e/agent_node.py' \
		TEST_SUITE_LOG=test-suite-soak.log
.PHONY: soak

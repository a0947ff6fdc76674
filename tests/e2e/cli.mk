# End-to-end tests use an installed tree, as users have it.
check-system: stage
stage: all
	@$(MAKE) $(AM_MAKEFLAGS) install prefix='$(abs_top_builddir)/tests/stage' >tests/stage.log || \
		{ cat tests/stage.log; exit 1; }
.PHONY: stage
CLEANFILES += tests/stage.log
clean-local:
	rm -rf tests/stage tests/cache

# hearth start with daemons that pretend: see tests/fake/no_cgroups.c.
check_PROGRAMS += tests/fake/hearth
tests_fake_hearth_SOURCES = cli/main.c tests/fake/no_cgroups.c
tests_fake_hearth_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_fake_hearth_LDADD = $(cli_libraries) $(cli_system_libraries)

E2E_TESTS += \
	tests/e2e/cli_agent.py \
	tests/e2e/cli_bench.py \
	tests/e2e/cli_bench_kinds.py \
	tests/e2e/cli_doctor.py \
	tests/e2e/cli_exec.py \
	tests/e2e/cli_fake_supervisor.py \
	tests/e2e/cli_list.py \
	tests/e2e/cli_project.py \
	tests/e2e/cli_reports.py \
	tests/e2e/cli_run.py \
	tests/e2e/cli_start.py \
	tests/e2e/cli_terminal.py \
	tests/e2e/cli_up.py \
	tests/e2e/cli_usage.py \
	tests/e2e/lease_soak.py \
	tests/e2e/top.py
EXTRA_DIST += \
	tests/e2e/fake_agentd.py \
	tests/e2e/fake_socket.py \
	tests/e2e/fake_supervisor.py \
	tests/e2e/instance.py \
	tests/e2e/terminal.py \
	tests/system/leaks.sh

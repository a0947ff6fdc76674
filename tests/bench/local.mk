# Benchmarks: built by `make bench-programs`, run by hand; see docs/benchmarks.md.
EXTRA_PROGRAMS = tests/bench/build_bench
tests_bench_build_bench_SOURCES = tests/bench/build_bench.c
tests_bench_build_bench_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_bench_build_bench_LDADD = $(jail_fixture_libs)
EXTRA_PROGRAMS += tests/bench/exec_bench
tests_bench_exec_bench_SOURCES = tests/bench/exec_bench.c
tests_bench_exec_bench_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_bench_exec_bench_LDADD = $(jail_fixture_libs)
bench-programs: tests/bench/build_bench tests/bench/exec_bench nsjail-lite/hearth-builder
.PHONY: bench-programs
CLEANFILES += tests/bench/build_bench tests/bench/exec_bench
EXTRA_DIST += tests/bench/agent_bench.py tests/bench/bind_bench.py tests/bench/peers.py tests/bench/peers.sh tests/bench/run_bench.py

# Each target is NAME_fuzz.c with its corpus in corpus/NAME/. In make check it replays the corpus and
# simple mutations of it. To search on, `make fuzz` links them with libFuzzer instead (clang).
fuzz_common = tests/fuzz/fuzz.h
if ENABLE_FUZZING
fuzz_flags = -fsanitize=fuzzer
else
fuzz_common += tests/fuzz/replay.c
fuzz_flags =
endif

fuzz_programs = tests/fuzz/config_fuzz.test
tests_fuzz_config_fuzz_test_SOURCES = tests/fuzz/config_fuzz.c $(fuzz_common)
tests_fuzz_config_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_config_fuzz_test_LDADD = libbase.a $(INIH_LIBS)

fuzz_programs += tests/fuzz/rpc_fuzz.test
tests_fuzz_rpc_fuzz_test_SOURCES = tests/fuzz/rpc_fuzz.c $(fuzz_common)
tests_fuzz_rpc_fuzz_test_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_rpc_fuzz_test_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_rpc_fuzz_test_LDADD = librpc.a libbase.a $(JANSSON_LIBS)

include tests/fuzz/proto.mk
include tests/fuzz/texts.mk
include tests/fuzz/project.mk
include tests/fuzz/upstream.mk
include tests/fuzz/api.mk
include tests/fuzz/agent_tools.mk
include tests/fuzz/scripted.mk
include tests/fuzz/cli.mk

if ENABLE_FUZZING
check_PROGRAMS += $(fuzz_programs)
else
FUZZ_TESTS += $(fuzz_programs)
endif
EXTRA_DIST += tests/fuzz/replay.c tests/fuzz/run.sh tests/fuzz/corpus

# Each for HEARTH_FUZZ_SECONDS (60); what fails is kept below fuzz-finds/. A build directory that is
# not configured for it gets one of its own in fuzz-build/.
if ENABLE_FUZZING
fuzz: $(fuzz_programs)
	$(SHELL) $(top_srcdir)/tests/fuzz/run.sh $(top_srcdir)/tests/fuzz/corpus $(fuzz_programs)
else
fuzz:
	$(MKDIR_P) fuzz-build
	test -e fuzz-build/Makefile || (cd fuzz-build && $(abs_top_srcdir)/configure --quiet CC=clang \
		--disable-maintainer-mode --enable-fuzzing --with-sanitizers=address,undefined)
	$(MAKE) $(AM_MAKEFLAGS) -C fuzz-build fuzz
endif
distclean-local:
	rm -rf fuzz-build fuzz-finds
.PHONY: fuzz

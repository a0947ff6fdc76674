# Each target is NAME_fuzz.c with its corpus in corpus/NAME/. In make check it replays the corpus and
# simple mutations of it. To search on, link with libFuzzer instead (clang):
#   ./configure CC=clang --enable-fuzzing --with-sanitizers=address,undefined,fuzzer-no-link
#   make tests/fuzz/rpc_fuzz.test
#   tests/fuzz/rpc_fuzz.test -max_total_time=60 NEW-INPUTS tests/fuzz/corpus/rpc
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

if ENABLE_FUZZING
check_PROGRAMS += $(fuzz_programs)
else
FUZZ_TESTS += $(fuzz_programs)
endif
EXTRA_DIST += tests/fuzz/replay.c tests/fuzz/corpus

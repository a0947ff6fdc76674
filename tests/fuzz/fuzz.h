/*
 * fuzz.h - the one function of a fuzz target: NAME_fuzz.c defines it, libFuzzer or replay.c calls it.
 *
 * A target must accept any bytes, leave nothing behind, and abort() when an invariant breaks.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
#endif

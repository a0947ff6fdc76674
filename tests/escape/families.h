/* families.h - the tables of attempts, one a file. */
#ifndef TESTS_ESCAPE_FAMILIES_H
#define TESTS_ESCAPE_FAMILIES_H
#include "tests/escape/probe.h"

extern const struct probe_family probe_kernel;
extern const struct probe_family probe_namespaces;
#endif

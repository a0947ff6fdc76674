/* patience.h - how many times longer than usual all may take: HEARTH_TEST_PATIENCE, for an emulated machine; or 1. */
#ifndef TESTS_SYSTEM_PATIENCE_H
#define TESTS_SYSTEM_PATIENCE_H
#include <stdlib.h>

static inline unsigned patience(void)
{
	const char *factor = getenv("HEARTH_TEST_PATIENCE");

	return factor ? (unsigned)atoi(factor) : 1;
}
#endif

/*
 * escape.h - cases: attempts that are more than one process's calls, such as races, or that need the
 * runner's eye from outside. Each gets a fresh sandbox; it asserts with cmocka.
 */
#ifndef TESTS_ESCAPE_ESCAPE_H
#define TESTS_ESCAPE_ESCAPE_H
#include "tests/escape/world.h"
#include "tests/system/jail_fixture.h"

struct escape {
	struct fixture fixture;
	struct guest_client *client; /* of this test's sandbox */
	struct world world;
	struct fixture *second; /* that a case has started beside: stopped for it if it fails */
	unsigned attempts, controls; /* a case adds its own */
};

struct escape_case {
	const char *id, *name;
	void (*run)(struct escape *e);
};

struct escape_cases {
	const struct escape_case *cases;
	size_t count;
};

#define ESCAPE_CASES(rows)                                                                         \
	{                                                                                          \
		(rows), sizeof(rows) / sizeof((rows)[0])                                           \
	}

extern const struct escape_cases escape_build_links;
extern const struct escape_cases escape_build_races;
extern const struct escape_cases escape_guest;
extern const struct escape_cases escape_replies;
extern const struct escape_cases escape_requests;
extern const struct escape_cases escape_secrets;
extern const struct escape_cases escape_views;

extern const struct escape_cases *const escape_cases[]; /* NULL-terminated: cases.c */
#endif

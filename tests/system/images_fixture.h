/* images_fixture.h - build an image by a recipe of the test's own, in the store of a struct world. */
#ifndef TESTS_SYSTEM_IMAGES_FIXTURE_H
#define TESTS_SYSTEM_IMAGES_FIXTURE_H
#include "tests/unit/images_world.h"

/* What every image of these tests has; a recipe goes on from here. */
#define GOOD                                                                                       \
	"#!/bin/sh\nset -e\necho version 1\necho cwd /\necho env PATH=/bin\n"                      \
	"echo contents >\"$1/file\"\n"

#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

/* Full path of what stands at NAME in the world, until the next call. The store is "store". */
const char *path_of(struct world *w, const char *name);

/* Image x by this script, or by the one of the call before when NULL. */
int build_with(struct world *w, const char *script, const struct image_progress *progress);
/* It succeeds. */
void builds(struct world *w, const char *script);
/* It fails, says this, and leaves nothing. */
void fails(struct world *w, const char *script, int code, const char *text);

/* The store holds no more than a failed build may leave: its lock, its log, the cache. */
void nothing_is_left(struct world *w);
#endif

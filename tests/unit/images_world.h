/* images_world.h - a store in a temporary directory, and a small image in it. */
#ifndef TESTS_UNIT_IMAGES_WORLD_H
#define TESTS_UNIT_IMAGES_WORLD_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/error.h"
#include "images/digest.h"
#include "images/image.h"

struct world {
	char store[64]; /* its path */
	int store_fd;
	struct error err;
};

/* cmocka's set-up and tear-down: *state is a struct world with an empty store. */
int world_set_up(void **state);
int world_tear_down(void **state);

/* All by paths below the store; existing files are replaced. */
void world_directory(struct world *w, const char *path, unsigned mode);
void world_file(struct world *w, const char *path, const char *text, unsigned mode);
void world_link(struct world *w, const char *path, const char *target);
void world_remove(struct world *w, const char *path);
bool world_has(struct world *w, const char *path);

/* The tree of an image of a few entries of each kind, at PATH. */
void world_tree(struct world *w, const char *path);

/* STORE/NAME as a build leaves it, with world_tree() as its root. */
void world_image(struct world *w, const char *name);

/* Digest of a tree, which must succeed. Finish with digest_finish(). */
struct digest_tree world_digest(struct world *w, const char *path);

/* The error's text holds this. */
void world_says(struct world *w, const char *text);
#endif

/*
 * build.h - image_build() with the recipe's script given, which the tests do.
 */
#ifndef IMAGES_BUILD_H
#define IMAGES_BUILD_H
struct error;
struct image_progress;

int build_by_script(const char *store, const char *name, const char *script,
	const struct image_progress *progress, struct error *err);
#endif

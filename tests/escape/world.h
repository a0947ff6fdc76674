/*
 * world.h - the control's world: what a sandbox would be without its walls.
 *
 * Own mount, pid, network, ipc, uts and cgroup namespace, a root of its own over the same image, its own
 * /dev, a /proc without covers, and then: the initial user namespace's root, all capabilities, no filter.
 * For test programs only. Root.
 */
#ifndef TESTS_ESCAPE_WORLD_H
#define TESTS_ESCAPE_WORLD_H
#include <stddef.h>

#include "tests/escape/probe.h"

struct world {
	char directory[64]; /* of the host, temporary: the image's copy in "root", the marker */
	char root[80], marker[80];
};

/* Copy the image and put the probe program into it. Asserts. */
void world_create(struct world *world, const char *image, const char *program);
void world_destroy(struct world *world);

/* The outcome of the attempt with all rights. */
int world_attempt(const struct world *world, size_t index, const struct probe *p);

/* The outcome that a probe's output tells, or 0. */
int world_outcome(const char *output);
#endif

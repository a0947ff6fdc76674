/*
 * project_world.h - a project's folder in a temporary directory, and short ways to say what it holds and what came of it.
 */
#ifndef TESTS_UNIT_PROJECT_WORLD_H
#define TESTS_UNIT_PROJECT_WORLD_H
#include "agentd/project/project.h"
#include "base/error.h"

struct world {
	char directory[32];
	int dirfd;
	struct project *project;
	struct error err;
};

/* cmocka's setup and teardown; the teardown removes all. */
int world_set_up(void **state);
int world_tear_down(void **state);

/* Write a file below the directory, with the directories above it. */
void world_write(struct world *world, const char *path, const char *text);
void world_write_bytes(struct world *world, const char *path, const void *data, size_t size);
void world_make_directory(struct world *world, const char *path);
bool world_has(struct world *world, const char *path);

/* project_open(), after what was open has been closed. */
int world_open(struct world *world);
/* It must be well: no errors. */
void world_open_well(struct world *world);

/* The next refresh that finds anything new; -EINVAL or 1. */
int world_refresh(struct world *world);

/* Fails where no problem is written just so: "FILE:LINE: error: text: fix". */
void world_says(struct world *world, const char *line);
void world_is_silent(struct world *world);
/* The report, the caller's to free. */
char *world_report(struct world *world, bool as_json);
#endif

/*
 * one_shot.h - one builder, one sandbox, for the life of one process.
 *
 * Root. An instance of its own, "nsjail-<pid>", owns the cgroups and the uid range, so that the next
 * run finds what a killed one left.
 */
#ifndef NSJAIL_LITE_ONE_SHOT_H
#define NSJAIL_LITE_ONE_SHOT_H
#include "nsjail-lite/builder/link.h"
#include "nsjail-lite/builder_host.h"

#define ONE_SHOT_PREFIX "nsjail-" /* of the instance; the pid of its process follows */

struct one_shot {
	char instance[32];
	struct cgroup_base base;
	struct builder builder;
	int channel_fd; /* of the sandbox, to be taken */
	bool is_built;
	struct link_ended ended; /* valid once has_ended */
	bool has_ended;
};

/* Build. Whatever the result, one_shot_finish() follows. */
int one_shot_start(struct one_shot *s, const struct builder_template *template, struct error *err);
/* Remove what killed runs left. one_shot_start() does it first. */
int one_shot_sweep(struct error *err);
/* Kill the sandbox if it lives and wait for what it used. */
int one_shot_end(struct one_shot *s, struct error *err);
/* The builder, the cgroups, the uid range: gone. */
void one_shot_finish(struct one_shot *s);
#endif

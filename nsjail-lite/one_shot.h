/*
 * one_shot.h - one builder, one sandbox, for the life of one process.
 *
 * Root. An instance of its own owns the cgroups and the uid range, so that the next run finds what a killed one
 * left.
 */
#ifndef NSJAIL_LITE_ONE_SHOT_H
#define NSJAIL_LITE_ONE_SHOT_H
#include "nsjail-lite/builder/link.h"
#include "nsjail-lite/builder_host.h"

#define ONE_SHOT_PREFIX	  "nsjail-" /* of the instance; see one_shot_name() */
#define ONE_SHOT_NAME_MAX 48

struct one_shot {
	char instance[ONE_SHOT_NAME_MAX];
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
/* Kill the sandbox if it lives and wait for what it used. It dies with a builder that does not do so, too. */
int one_shot_end(struct one_shot *s, struct error *err);
/* The builder, the cgroups, the uid range: gone. */
void one_shot_finish(struct one_shot *s);

/* Of this process: its pid and when it began, for a pid is given again. */
void one_shot_name(char ret_name[ONE_SHOT_NAME_MAX]);
/* The cgroups of one, then its uid range: not while something of that range may live. */
void one_shot_drop(const char *instance);
#endif

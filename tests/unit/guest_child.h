/*
 * guest_child.h - a whole guest in a child process with a directory of its own: no root, no sandbox.
 *
 * jail_calls.h makes the requests. A test's setup starts it and its teardown stops it, so that every
 * test has a fresh one.
 */
#ifndef TESTS_UNIT_GUEST_CHILD_H
#define TESTS_UNIT_GUEST_CHILD_H
#include <sys/types.h>

#include "tests/system/jail_calls.h"

#define GUEST_CHILD_PATH_MAX 512

struct guest_events;

struct guest_child {
	struct guest_client *client;
	int channel; /* the client's, or the test's own after guest_child_start_raw() */
	pid_t pid;
	char root[64]; /* where its commands and relative paths start */
};

/* The default environment is PATH, COLOUR=blue and SHAPE=round. */
void guest_child_start(struct guest_child *child);
/* With these fds, borrowed, to learn of hit limits from. */
void guest_child_start_with(struct guest_child *child, const struct guest_events *events);
/* Without a client: packets are the test's own. */
void guest_child_start_raw(struct guest_child *child);

/* Hang up, assert that the guest exits with 0, remove the directory. Again: nothing. */
void guest_child_stop(struct guest_child *child);
/* Wait for the guest's exit and assert status 0; the channel may still be open. */
void guest_child_wait_gone(struct guest_child *child);

/* Make a file below the root with its parents; directories end with a slash. */
void guest_child_put(struct guest_child *child, const char *name, const char *content);
/* Content of a file below the root, terminated, in memory that the next call uses again. */
const char *guest_child_get(struct guest_child *child, const char *name);
/* Names in the root's directory, hidden ones too. */
int guest_child_count_names(struct guest_child *child, const char *directory);

/* One request until its reply. input: text; NULL: none. */
void guest_child_ask(struct guest_child *child, struct call *call,
	const struct guest_file_options *options, const char *input);
void guest_child_run(struct guest_child *child, struct call *call, const char *command,
	const struct guest_exec_options *options);
/* A program without a shell, its stdin fed within the credit. */
void guest_child_exec(struct guest_child *child, struct call *call,
	const struct guest_exec_options *options, const char *input, size_t input_size);
/* What came, "" when nothing did. */
const char *guest_child_output(const struct call *call);
#endif

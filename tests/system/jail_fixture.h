/*
 * jail_fixture.h - one builder and its sandboxes, for system tests of the jail: no supervisor, no pool.
 *
 * Root. Makes objects of its own instance ("hearth-test-<pid>-<n>") and removes them in fixture_stop(),
 * which the tests' teardown calls whatever happened. Needs the image `tiny` in the store, or the
 * directory that HEARTH_TEST_ROOT names.
 */
#ifndef TESTS_SYSTEM_JAIL_FIXTURE_H
#define TESTS_SYSTEM_JAIL_FIXTURE_H
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "nsjail-lite/builder/link.h"
#include "nsjail-lite/builder_host.h"
#include "nsjail-lite/seccomp.h"
#include "proto/guest_client.h"

#define FIXTURE_SLOTS_MAX  1024
#define FIXTURE_OUTPUT_MAX 65536

struct fixture_options {
	const char *program; /* NULL: the builder of this build tree */
	const char *root;    /* NULL: the image tiny */
	struct jail_limits limits;
	const char *hostname;
	unsigned slots;	      /* 0: 1 */
	unsigned spare_slots; /* after those: for fixture_slot() to make */
	bool low_priority;
	unsigned bind_count;
	int bind_fds[JAIL_BINDS_MAX];
	struct jail_bind binds[JAIL_BINDS_MAX];
	int workspaces_fd; /* borrowed; 0: none */
	uint32_t nameserver;
	const char *
		mounts; /* text of a mountinfo file with the cgroups to use; NULL: the host's own */
};

struct fixture {
	char instance[32];
	struct cgroup_base base;
	struct builder builder;
	uint32_t first_uid;
	uint64_t next_sandbox;
	struct link_failed failed; /* of the last failed slot, build or bind */
	struct link_built built;   /* of the last good one */
	struct link_bound bound;   /* likewise */
	struct link_ended ended;   /* of the last end */
	struct error err;
};

struct fixture_result {
	struct guest_reply reply;
	char output
		[FIXTURE_OUTPUT_MAX]; /* stdout and stderr as they came, terminated; cut when full */
	size_t size;
};

/* Whether this kernel clones mounts that are attached nowhere: if not, builders take their other way. */
bool fixture_can_clone_detached(void);

/* Each asserts that it worked, unless it says otherwise. */
void fixture_start(struct fixture *f, const struct fixture_options *options);
/* Kills, removes, and asserts that no cgroup of the instance is left. */
void fixture_stop(struct fixture *f);

/* The same as setup and teardown of a cmocka group. */
int fixture_set_up(struct fixture *f, const struct fixture_options *options, void **state);
int fixture_tear_down(void **state);

/* 0 and a client of the new sandbox in the slot, or the negative errno of FAILED (see f->failed). */
int fixture_build(struct fixture *f, unsigned slot, struct guest_client **ret_client);
/* Give the slot this network namespace, or -1. 0, or the negative errno of FAILED. */
int fixture_slot(struct fixture *f, unsigned slot, int netns_fd);
/* Bind to the last built sandbox, or to the one that the message names. 0, or as above. */
int fixture_bind(struct fixture *f, const struct link_bind *bind);
/* Freeze or thaw any one. No answer: see what it does. */
void fixture_freeze(struct fixture *f, uint64_t sandbox, bool is_frozen);
/* Kill the last built sandbox, wait for ENDED. */
void fixture_kill(struct fixture *f);
/* The same with any one. */
void fixture_kill_sandbox(struct fixture *f, uint64_t sandbox);
/* Wait for an ENDED that nobody asked for. */
void fixture_wait_ended(struct fixture *f);

/* Run `sh -c command` inside and wait for its reply. timeout_ms 0: 20 s. */
void fixture_run(struct guest_client *client, const char *command, uint32_t timeout_ms,
	struct fixture_result *ret_result);
/* As above, and assert exit status 0. */
void fixture_run_ok(
	struct guest_client *client, const char *command, struct fixture_result *ret_result);

/* Entries of /proc/<pid>/fd, from outside. */
int fixture_count_fds(pid_t pid);
/* Cgroups of this instance, over all hierarchies; the builder's stock included. */
int fixture_count_cgroups(const struct fixture *f);
#endif

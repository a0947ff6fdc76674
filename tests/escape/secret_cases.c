/*
 * E96: a secret of the host's side, in its environment, memory and files, is in no byte that can be read
 * inside, nor in PID 1's own memory.
 *
 * The control plants the same secret inside, where the same search finds it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/escape/canary.h"
#include "tests/escape/escape.h"
#include "tests/escape/search.h"
#include "tests/system/jail_calls.h"

#define SEARCH_MS 60000

static char secret[64], disguised[64];
static struct fixture_result result;

static void make_secret(void)
{
	snprintf(secret, sizeof(secret), "hearth-key-%016llx-%d",
		(unsigned long long)(clock_now_ns() * UINT64_C(0x9e3779b97f4a7c15)), getpid());
	for (size_t i = 0; secret[i]; i++)
		disguised[i] = (char)(secret[i] + SEARCH_DISGUISE);
}

static void search(struct guest_client *client)
{
	char command[256];

	snprintf(command, sizeof(command), "exec " PROBE_PROGRAM " --search '%s'", disguised);
	fixture_run(client, command, SEARCH_MS, &result);
	if (result.reply.end != GUEST_END_DONE || !strstr(result.output, "searched"))
		fail_msg("the search ended early: %s", result.output);
}

/* Each in a place of its own: a file, an environment, an argument, a shell's memory. */
static const char *const plants[] = {
	"printf %s '%s' >/root/.plant",
	"(exec env KEY='%s' sleep 60) >/dev/null 2>&1 &",
	"(exec sh -c 'sleep 60; :' '%s') >/dev/null 2>&1 &",
	"printf %s '%s' >/dev/shm/plant; (read -r K </dev/shm/plant; rm /dev/shm/plant; "
	"sleep 60; echo \"$K\") >/dev/null 2>&1 &",
};

static const char *const found[] = {"/root/.plant", "/environ", "/cmdline", "/mem"};

static void plant(struct guest_client *client, const char *how)
{
	char command[512];
	const char *at = strstr(how, "'%s'");
	size_t before = (size_t)(at - how);

	snprintf(command, sizeof(command), "%.*s'%s'%s", (int)before, how, secret,
		at + strlen("'%s'"));
	fixture_run_ok(client, command, &result);
}

/* A sandbox of a builder that was started by one who has the secret everywhere. */
static void no_secret_is_inside(struct escape *e)
{
	static struct fixture f;
	const struct fixture_options options = {
		.limits = {.memory_bytes = 128 << 20, .disk_bytes = 32 << 20, .pids = 64},
		.root = e->world.root,
	};
	struct guest_client *client;
	struct canary canary;
	char *heap;

	make_secret();
	heap = strdup(secret);
	assert_int_equal(setenv("HEARTH_TEST_KEY", secret, 1), 0);
	canary_make(&canary, e->world.root);
	canary_shell(
		"printf %%s '%s' >%s/key && chmod 0644 %s/key", secret, canary.base, canary.base);
	fixture_start(&f, &options);
	e->second = &f;
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	search(client);
	if (strstr(result.output, "found"))
		fail_msg("inside: %s", result.output);
	assert_int_equal(search_memory((pid_t)f.built.pid, disguised), 0);
	assert_int_equal(search_memory(f.builder.pid, disguised), 0);
	assert_true(search_memory(getpid(), disguised) > 0);
	e->attempts += 2; /* PID 1 and the builder */
	e->controls += 2;
	for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
		plant(client, plants[i]);
		search(client);
		if (!strstr(result.output, found[i]))
			fail_msg("not found in %s: %s", found[i], result.output);
		e->attempts++;
		e->controls++;
	}
	unsetenv("HEARTH_TEST_KEY");
	free(heap);
	guest_client_destroy(client);
	fixture_kill(&f);
	fixture_stop(&f);
	e->second = NULL;
	canary_remove(&canary);
}

static const struct escape_case cases[] = {
	{"E96", "a secret of the host's side is in no byte inside", no_secret_is_inside},
};

const struct escape_cases escape_secrets = ESCAPE_CASES(cases);

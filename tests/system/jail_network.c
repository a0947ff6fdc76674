/* A slot's network namespace goes to the next tenant only when the last one has left nothing in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/system/jail_fixture.h"

static struct fixture f;
static struct guest_client *client;
static struct fixture_result result;

static int set_up(void **state)
{
	const struct fixture_options options = {.limits = {.memory_bytes = 64 << 20, .pids = 32}};

	return fixture_set_up(&f, &options, state);
}

/* The namespace of the last built sandbox. */
static ino_t network(void)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/ns/net", f.built.pid);
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

/* Whether the next sandbox of the slot gets the namespace in which this command has run. */
static bool is_handed_on(const char *command)
{
	ino_t before, after;

	assert_int_equal(fixture_build(&f, 0, &client), 0);
	before = network();
	fixture_run(client, command, 0, &result);
	assert_int_equal(result.reply.end, GUEST_END_DONE);
	fixture_kill(&f);
	guest_client_destroy(client);
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	after = network();
	fixture_kill(&f);
	guest_client_destroy(client);
	return before == after;
}

static void one_that_nobody_used_is_handed_on(void **state)
{
	(void)state;
	assert_true(is_handed_on("true"));
	assert_true(is_handed_on("ls -R / >/dev/null; echo x | cat"));
}

static void a_connection_over_loopback_ends_it(void **state)
{
	(void)state;
	assert_false(is_handed_on("nc 127.0.0.1 1"));
	assert_false(is_handed_on("nc ::1 1"));
}

static void an_attempt_that_came_to_nothing_ends_it_too(void **state)
{
	(void)state;
	assert_false(is_handed_on("nc 192.0.2.1 1"));
	assert_false(is_handed_on("nc 2001:db8::1 1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_nobody_used_is_handed_on),
		cmocka_unit_test(a_connection_over_loopback_ends_it),
		cmocka_unit_test(an_attempt_that_came_to_nothing_ends_it_too),
	};

	return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}

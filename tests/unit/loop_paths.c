/* Where the tools of an agent with allowedPaths may go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agentd/loop/paths.h"
#include "agentd/tool/tool.h"
#include "base/cleanup.h"

static const char *const some[] = {"src", "/etc/app/", "docs/**", "/var/*", NULL};

static void without_a_list_every_path_is_allowed(void **state)
{
	static const char *const none[] = {NULL};

	(void)state;
	assert_true(paths_allow(none, "", "/etc/shadow"));
}

static void a_place_and_what_is_below_it_is_allowed(void **state)
{
	static const char *const good[] = {"src", "src/", "./src/a.c", "/workspace/src/x/../y",
		"/etc/app", "/etc/app/conf", "docs", "docs/a/b", "/var/log/x", "src//a",
		"a/../src"};
	static const char *const bad[] = {"srcs", "sr", ".", "/", "", "src/..", "src/../x", "/etc",
		"/etc/apps", "/etc/app/../shadow", "/workspace", "../src", "/src", "/variable"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(paths_allow(some, "", good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(paths_allow(some, "", bad[i]));
}

static void a_relative_path_begins_where_the_session_is(void **state)
{
	(void)state;
	assert_true(paths_allow(some, "/workspace/src", "a.c"));
	assert_true(paths_allow(some, "/workspace/src/deep", "../a.c"));
	assert_false(paths_allow(some, "/workspace/src", "../a.c"));
	assert_false(paths_allow(some, "/tmp", "src"));
}

static void what_is_above_the_root_is_the_root(void **state)
{
	static const char *const all[] = {"/", NULL};

	(void)state;
	assert_false(paths_allow(some, "", "/../../etc/../etc/apps"));
	assert_true(paths_allow(some, "", "/../../etc/app"));
	assert_true(paths_allow(all, "", "/../.."));
}

static void a_path_that_is_too_long_is_not_allowed(void **state)
{
	char path[2 * TOOL_PATH_MAX];

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	memcpy(path, "src/", 4);
	path[sizeof(path) - 1] = '\0';
	assert_false(paths_allow(some, "", path));
	path[TOOL_PATH_MAX] = '\0';
	assert_false(paths_allow(some, "", path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_list_every_path_is_allowed),
		cmocka_unit_test(a_place_and_what_is_below_it_is_allowed),
		cmocka_unit_test(a_relative_path_begins_where_the_session_is),
		cmocka_unit_test(what_is_above_the_root_is_the_root),
		cmocka_unit_test(a_path_that_is_too_long_is_not_allowed),
	};

	return cmocka_run_group_tests_name("loop_paths", tests, NULL, NULL);
}

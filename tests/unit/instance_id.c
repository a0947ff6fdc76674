/* instance.h: one id per real directory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "proto/instance.h"

static void the_id_is_ten_digits_of_the_path(void **state)
{
	char id[INSTANCE_ID_SIZE];

	(void)state;
	assert_int_equal(instance_id("/", id, NULL), 0);
	/* FNV-1a-64 of "/" is af63a24c860189fe. */
	assert_string_equal(id, "af63a24c86");
}

static void every_name_of_a_directory_gives_the_same_id(void **state)
{
	char id[INSTANCE_ID_SIZE], same[INSTANCE_ID_SIZE];
	char directory[] = "/tmp/hearth-unit.XXXXXX", name[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(name, sizeof(name), "%s/link", directory);
	assert_int_equal(symlink(directory, name), 0);
	assert_int_equal(instance_id(directory, id, NULL), 0);
	assert_int_equal(instance_id(name, same, NULL), 0);
	assert_string_equal(id, same);
	snprintf(name, sizeof(name), "%s/../%s/.", directory, directory + 5);
	assert_int_equal(instance_id(name, same, NULL), 0);
	assert_string_equal(id, same);
	snprintf(name, sizeof(name), "%s/link", directory);
	unlink(name);
	rmdir(directory);
}

static void a_directory_that_is_not_there_has_none(void **state)
{
	struct error err;
	char id[INSTANCE_ID_SIZE];

	(void)state;
	assert_int_equal(instance_id("/nonexistent/hearth", id, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/hearth"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_id_is_ten_digits_of_the_path),
		cmocka_unit_test(every_name_of_a_directory_gives_the_same_id),
		cmocka_unit_test(a_directory_that_is_not_there_has_none),
	};

	return cmocka_run_group_tests_name("instance_id", tests, NULL, NULL);
}

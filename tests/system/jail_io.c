/*
 * Traffic with a disk is slowed down to its limit, and counted. Where the store lies on no disk (an
 * overlay, as in a container), the kernel limits nothing: then that is what must be said.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/fd.h"
#include "images/image.h"
#include "nsjail-lite/io_disk.h"
#include "proto/control.h"
#include "tests/system/jail_fixture.h"

#define READ_BPS   65536u
#define TIMEOUT_MS 3000u /* in which less than a fifth of the file may be read */
#define READ_IT	   "dd if=/bin/busybox of=/dev/null bs=64k count=16 iflag=direct"

static struct fixture f;
static struct guest_client *client;
static struct fixture_result result;
static struct jail_limits limits;

static void start(uint64_t read_bps)
{
	struct fixture_options options = {.limits = limits};

	options.limits.io_read_bps = read_bps;
	fixture_start(&f, &options);
	assert_int_equal(fixture_build(&f, 0, &client), 0);
}

static int tear_down(void **state)
{
	(void)state;
	guest_client_destroy(client);
	client = NULL;
	fixture_stop(&f);
	return 0;
}

static int find_disk(void **state)
{
	const char *root = getenv("HEARTH_TEST_ROOT");
	auto_close int image =
		open(root ? root : IMAGE_STORE_DEFAULT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(image >= 0);
	if (io_disk_find(image, &limits.io_major, &limits.io_minor, &f.err) < 0)
		assert_int_equal(f.err.code, ENODEV);
	return 0;
}

static bool is_limited(void)
{
	return limits.io_major > 0 && f.base.place[CGROUP_IO] != CGROUP_ABSENT;
}

static void without_a_limit_a_file_of_the_image_is_read_at_once_and_counted(void **state)
{
	(void)state;
	start(0);
	fixture_run_ok(client, READ_IT, &result);
	if (limits.io_major)
		assert_true(result.reply.read_bytes >= 16 * READ_BPS);
	fixture_kill(&f);
	if (limits.io_major)
		assert_true(f.ended.usage.read_bytes >= 16 * READ_BPS);
}

static void with_a_limit_the_same_read_takes_too_long(void **state)
{
	(void)state;
	start(READ_BPS);
	fixture_run(client, READ_IT, TIMEOUT_MS, &result);
	if (is_limited()) {
		assert_int_equal(result.reply.end, GUEST_END_TIMEOUT);
		assert_int_equal(result.reply.limits_hit, LIMIT_HIT_TIME);
		fixture_run_ok(client, "true", &result);
	} else {
		assert_int_equal(result.reply.end, GUEST_END_DONE);
	}
	fixture_kill(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			without_a_limit_a_file_of_the_image_is_read_at_once_and_counted, tear_down),
		cmocka_unit_test_teardown(with_a_limit_the_same_read_takes_too_long, tear_down),
	};

	return cmocka_run_group_tests(tests, find_disk, NULL);
}

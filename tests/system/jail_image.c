/* Images and binds by what their file system can: used where they lie, copied, or refused with what to do. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "nsjail-lite/image_mount.h"
#include "tests/system/jail_fixture.h"

static char directory[] =
	"/dev/shm/hearth-test-image.XXXXXX"; /* lower/, empty/; overlay/ on both */
static struct fixture f;
static struct fixture_result result;
static struct error err;

static void write_below(const char *name, const char *content)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* An overlay, which no kernel idmaps. */
static int set_up(void **state)
{
	static const char *const names[] = {"lower", "empty", "overlay"};
	char path[128], layers[256];

	(void)state;
	assert_non_null(mkdtemp(directory));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	write_below("lower/file", "of the image");
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	snprintf(layers, sizeof(layers), "lowerdir=%s/lower:%s/empty", directory, directory);
	return mount("overlay", path, "overlay", 0, layers);
}

static int tear_down(void **state)
{
	char path[128], command[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/overlay", directory);
	umount2(path, MNT_DETACH);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static int open_below(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void an_image_on_a_file_system_that_can_is_used_where_it_lies(void **state)
{
	auto_close int root_fd = open_below("lower");
	auto_close int fd = -1;
	bool is_copy = true;
	struct stat was, is;

	(void)state;
	assert_int_equal(image_mount(root_fd, &fd, &is_copy, &err), 0);
	assert_false(is_copy);
	assert_int_equal(fstat(root_fd, &was), 0);
	assert_int_equal(fstat(fd, &is), 0);
	assert_int_equal(is.st_dev, was.st_dev);
	assert_int_equal(is.st_ino, was.st_ino);
}

static void an_image_on_an_overlay_is_copied_or_refused_with_what_to_do(void **state)
{
	auto_close int root_fd = open_below("overlay");
	auto_close int fd = -1;
	bool is_copy = false;
	int r = image_mount(root_fd, &fd, &is_copy, &err);

	(void)state;
	if (fixture_can_clone_detached()) {
		assert_int_equal(r, 0);
		assert_true(is_copy);
		assert_int_equal(faccessat(fd, "file", R_OK, 0), 0);
	} else {
		assert_int_equal(r, -EOPNOTSUPP);
		assert_int_equal(fd, -1);
		assert_non_null(strstr(err.text, "keep the images on ext4"));
	}
}

static void a_bind_from_an_overlay_fails_the_build_with_what_to_do(void **state)
{
	struct fixture_options options = {.bind_count = 1, .binds = {{.destination = "/bound"}}};
	struct guest_client *client;

	(void)state;
	options.bind_fds[0] = open_below("overlay");
	fixture_start(&f, &options);
	close(options.bind_fds[0]);
	assert_int_equal(fixture_build(&f, 0, &client), -EOPNOTSUPP);
	assert_non_null(strstr(f.failed.text, "bind at /bound"));
	assert_non_null(strstr(f.failed.text, "bind a directory on ext4"));
	fixture_stop(&f);
}

static void what_stands_in_dev_belongs_to_each_sandboxes_own_root(void **state)
{
	const struct fixture_options options = {.slots = 2};

	(void)state;
	fixture_start(&f, &options);
	for (unsigned slot = 0; slot < 2; slot++) {
		struct guest_client *client;

		assert_int_equal(fixture_build(&f, slot, &client), 0);
		fixture_run_ok(
			client, "stat -c '%u %g %a' /dev/null /dev /dev/fd /dev/shm", &result);
		assert_string_equal(result.output, "0 0 666\n0 0 755\n0 0 777\n0 0 1777\n");
		fixture_kill(&f);
		guest_client_destroy(client);
	}
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_on_a_file_system_that_can_is_used_where_it_lies),
		cmocka_unit_test(an_image_on_an_overlay_is_copied_or_refused_with_what_to_do),
		cmocka_unit_test(a_bind_from_an_overlay_fails_the_build_with_what_to_do),
		cmocka_unit_test(what_stands_in_dev_belongs_to_each_sandboxes_own_root),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

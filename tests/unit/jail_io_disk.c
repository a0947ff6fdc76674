/* io_disk.h: which whole disk is below a file, by a /sys that the test makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "nsjail-lite/io_disk.h"

struct fixture {
	char path[64];
	int fd, block_fd;
};

static void make(struct fixture *f, const char *directory, const char *file, const char *text)
{
	struct error err;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->path, directory);
	if (file_make_directories(path, 0755, &err) < 0)
		fail_msg("%s", err.text);
	snprintf(path, sizeof(path), "%s/%s", directory, file);
	fd = openat(f->fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* A disk with one partition, a mapped device, and a partition whose disk says nonsense. */
static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	strcpy(f->path, "/tmp/hearth-unit-sys.XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->fd = open(f->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	make(f, "devices/sda", "dev", "8:0\n");
	make(f, "devices/sda/sda1", "dev", "8:1\n");
	make(f, "devices/sda/sda1", "partition", "1\n");
	make(f, "devices/dm-3", "dev", "253:3\n");
	make(f, "devices/odd", "dev", "?\n");
	make(f, "devices/odd/odd1", "partition", "1\n");
	mkdirat(f->fd, "block", 0755);
	f->block_fd = openat(f->fd, "block", O_PATH | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return symlinkat("../devices/sda", f->block_fd, "8:0") |
	       symlinkat("../devices/sda/sda1", f->block_fd, "8:1") |
	       symlinkat("../devices/dm-3", f->block_fd, "253:3") |
	       symlinkat("../devices/odd/odd1", f->block_fd, "9:1");
}

static void remove_at(struct fixture *f, const char *path, int flags)
{
	assert_int_equal(unlinkat(f->fd, path, flags), 0);
}

static int tear_down(void **state)
{
	static const char *const files[] = {"block/8:0", "block/8:1", "block/253:3", "block/9:1",
		"devices/sda/sda1/dev", "devices/sda/sda1/partition", "devices/sda/dev",
		"devices/dm-3/dev", "devices/odd/dev", "devices/odd/odd1/partition"};
	static const char *const directories[] = {"devices/sda/sda1", "devices/sda", "devices/dm-3",
		"devices/odd/odd1", "devices/odd", "devices", "block"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		remove_at(f, files[i], 0);
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		remove_at(f, directories[i], AT_REMOVEDIR);
	close(f->block_fd);
	close(f->fd);
	rmdir(f->path);
	free(f);
	return 0;
}

static void expect_disk(struct fixture *f, dev_t device, unsigned major_, unsigned minor_)
{
	uint32_t is_major = 0, is_minor = 0;
	struct error err;

	if (io_disk_of(f->block_fd, device, &is_major, &is_minor, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(is_major, major_);
	assert_int_equal(is_minor, minor_);
}

static void a_whole_disk_is_itself(void **state)
{
	expect_disk(*state, makedev(8, 0), 8, 0);
	expect_disk(*state, makedev(253, 3), 253, 3);
}

static void a_partition_is_limited_by_its_disk(void **state)
{
	expect_disk(*state, makedev(8, 1), 8, 0);
}

static void an_anonymous_device_has_no_disk(void **state)
{
	struct fixture *f = *state;
	uint32_t is_major, is_minor;
	struct error err;

	assert_int_equal(
		io_disk_of(f->block_fd, makedev(0, 57), &is_major, &is_minor, &err), -ENODEV);
	assert_int_equal(err.code, ENODEV);
	assert_non_null(strstr(err.text, "no disk"));
}

static void a_disk_without_a_number_is_an_error(void **state)
{
	struct fixture *f = *state;
	uint32_t is_major, is_minor;
	struct error err;

	assert_int_equal(io_disk_of(f->block_fd, makedev(9, 1), &is_major, &is_minor, &err), -EIO);
}

static void a_file_in_memory_is_on_no_disk(void **state)
{
	int fd = memfd_create("hearth-unit", MFD_CLOEXEC);
	uint32_t is_major, is_minor;
	struct error err;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(io_disk_find(fd, &is_major, &is_minor, &err), -ENODEV);
	close(fd);
	assert_int_equal(io_disk_find(-1, &is_major, &is_minor, &err), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_disk_is_itself),
		cmocka_unit_test(a_partition_is_limited_by_its_disk),
		cmocka_unit_test(an_anonymous_device_has_no_disk),
		cmocka_unit_test(a_disk_without_a_number_is_an_error),
		cmocka_unit_test(a_file_in_memory_is_on_no_disk),
	};

	return cmocka_run_group_tests_name("jail_io_disk", tests, set_up, tear_down);
}

/* What of an image only root can change, and that verify finds it. */
#include "tests/system/images_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/tree.h"

static void verify_says(struct world *w, const char *text)
{
	assert_int_equal(image_verify(path_of(w, "store"), "x", NULL, &w->err), -EBADMSG);
	assert_string_equal(w->err.text, text);
}

static void a_changed_owner_is_found(void **state)
{
	struct world *w = *state;

	builds(w, GOOD);
	assert_int_equal(fchownat(w->store_fd, "store/x/root/file", 7, 0, 0), 0);
	verify_says(w, "image x: /file: owner is 7 and was 0");
	assert_int_equal(fchownat(w->store_fd, "store/x/root/file", 0, 8, 0), 0);
	verify_says(w, "image x: /file: group is 8 and was 0");
}

static void an_added_file_capability_is_found(void **state)
{
	struct world *w = *state;
	/* struct vfs_cap_data, version 2: CAP_SYS_ADMIN permitted and effective. */
	static const unsigned char capability[20] = {1, 0, 0, 2, 0, 0, 0x20};

	builds(w, GOOD);
	assert_int_equal(setxattr(path_of(w, "store/x/root/file"), "security.capability",
				 capability, sizeof(capability), 0),
		0);
	verify_says(w, "image x: /file: extended attributes differ");
}

static void a_changed_device_is_found(void **state)
{
	struct world *w = *state;
	static const char dev[] = "store/x/root/dev";

	builds(w, GOOD "mknod \"$1/dev\" c 1 3\n");
	assert_int_equal(unlinkat(w->store_fd, dev, 0), 0);
	assert_int_equal(mknodat(w->store_fd, dev, S_IFCHR | 0644, makedev(1, 1)), 0);
	verify_says(w, "image x: /dev: device is 1:1 and was 1:3");
	assert_int_equal(unlinkat(w->store_fd, dev, 0), 0);
	assert_int_equal(mknodat(w->store_fd, dev, S_IFBLK | 0644, makedev(1, 3)), 0);
	verify_says(w, "image x: /dev: type is b and was c");
}

/* Neither the digest nor a removal may reach what is mounted there, which is not the image's. */
static void a_mount_in_a_tree_is_not_entered(void **state)
{
	struct world *w = *state;
	int verified, removed;

	builds(w, GOOD "mkdir \"$1/mnt\"\n");
	assert_int_equal(mount("none", path_of(w, "store/x/root/mnt"), "tmpfs", 0, NULL), 0);
	verified = image_verify(path_of(w, "store"), "x", NULL, &w->err);
	removed = tree_remove_at(w->store_fd, "store", &w->err);
	assert_int_equal(umount2(path_of(w, "store/x/root/mnt"), MNT_DETACH), 0);
	assert_int_equal(verified, -EXDEV);
	assert_int_equal(removed, -EXDEV);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(a_changed_owner_is_found),
		T(an_added_file_capability_is_found),
		T(a_changed_device_is_found),
		T(a_mount_in_a_tree_is_not_entered),
	};

	return cmocka_run_group_tests_name("images_changes", tests, NULL, NULL);
}

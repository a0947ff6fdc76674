/* Where the cgroup hierarchies are, told from the mount tables of three kinds of host. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "nsjail-lite/cgroup/discover.h"

static struct cgroup_mounts mounts;
static struct error err;

static void v2_alone_is_found(void **state)
{
	(void)state;
	assert_int_equal(cgroup_discover("25 20 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 "
					 "cgroup2 rw,nsdelegate\n",
				 &mounts, &err),
		0);
	assert_string_equal(mounts.v2, "/sys/fs/cgroup");
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		assert_string_equal(mounts.v1[c], "");
}

static void a_hybrid_host_has_both(void **state)
{
	static const char text[] =
		"30 20 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
		"31 30 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
		"32 30 0:28 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
		"33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
		"34 30 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
		"35 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

	(void)state;
	assert_int_equal(cgroup_discover(text, &mounts, &err), 0);
	assert_string_equal(mounts.v2, "/sys/fs/cgroup/unified");
	assert_string_equal(mounts.v1[CGROUP_MEMORY], "/sys/fs/cgroup/memory");
	assert_string_equal(mounts.v1[CGROUP_PIDS], "/sys/fs/cgroup/pids");
	assert_string_equal(mounts.v1[CGROUP_CPU], "/sys/fs/cgroup/cpu,cpuacct");
}

static void cpuset_and_cpuacct_are_not_taken_for_cpu(void **state)
{
	(void)state;
	assert_int_equal(cgroup_discover("31 30 0:27 / /c rw - cgroup cgroup rw,cpuset,cpuacct\n"
					 "32 30 0:28 / /p rw - cgroup cgroup rw,pids\n",
				 &mounts, &err),
		0);
	assert_string_equal(mounts.v1[CGROUP_CPU], "");
	assert_string_equal(mounts.v1[CGROUP_PIDS], "/p");
}

static void controllers_mounted_together_share_a_place(void **state)
{
	(void)state;
	assert_int_equal(
		cgroup_discover("31 30 0:27 / /all rw - cgroup cgroup rw,cpu,memory,pids,blkio\n",
			&mounts, &err),
		0);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		assert_string_equal(mounts.v1[c], "/all");
}

static void the_first_mount_of_a_kind_wins(void **state)
{
	(void)state;
	assert_int_equal(cgroup_discover("1 0 0:1 / /first rw - cgroup2 cgroup2 rw\n"
					 "2 0 0:1 / /second rw - cgroup2 cgroup2 rw\n",
				 &mounts, &err),
		0);
	assert_string_equal(mounts.v2, "/first");
}

static void escapes_in_mount_points_are_undone(void **state)
{
	(void)state;
	assert_int_equal(
		cgroup_discover("1 0 0:1 / /a\\040b rw - cgroup2 cgroup2 rw\n", &mounts, &err), 0);
	assert_string_equal(mounts.v2, "/a b");
}

static void a_host_without_cgroups_is_told_what_to_do(void **state)
{
	(void)state;
	assert_int_equal(
		cgroup_discover("1 0 0:1 / / rw - ext4 /dev/vda rw\n", &mounts, &err), -ENODEV);
	assert_non_null(strstr(err.text, "mount one"));
}

static void named_hierarchies_and_odd_lines_are_passed_over(void **state)
{
	(void)state;
	assert_int_equal(cgroup_discover("garbage\n\n1 2 3\n"
					 "9 0 0:9 / /systemd rw - cgroup cgroup rw,name=systemd\n"
					 "1 0 0:1 / /u rw - cgroup2 cgroup2 rw",
				 &mounts, &err),
		0);
	assert_string_equal(mounts.v2, "/u");
	assert_string_equal(mounts.v1[CGROUP_MEMORY], "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v2_alone_is_found),
		cmocka_unit_test(a_hybrid_host_has_both),
		cmocka_unit_test(cpuset_and_cpuacct_are_not_taken_for_cpu),
		cmocka_unit_test(controllers_mounted_together_share_a_place),
		cmocka_unit_test(the_first_mount_of_a_kind_wins),
		cmocka_unit_test(escapes_in_mount_points_are_undone),
		cmocka_unit_test(a_host_without_cgroups_is_told_what_to_do),
		cmocka_unit_test(named_hierarchies_and_odd_lines_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

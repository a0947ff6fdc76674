/* enforced.h: each limit on hosts that have and have not its controller. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "nsjail-lite/cgroup/cgroup.h"
#include "nsjail-lite/enforced.h"
#include "proto/control.h"

static const struct jail_limits all = {
	.memory_bytes = 1,
	.pids = 1,
	.cpu_milli = 1,
	.cpu_weight = 50,
	.io_read_bps = 1,
	.io_write_bps = 1,
	.io_major = 8,
};

static void an_absent_controller_is_named(void **state)
{
	static const uint32_t limits[CGROUP_CONTROLLERS] = {
		[CGROUP_MEMORY] = LIMIT_HIT_MEMORY,
		[CGROUP_PIDS] = LIMIT_HIT_PIDS,
		[CGROUP_CPU] = LIMIT_HIT_CPU,
		[CGROUP_IO] = LIMIT_HIT_IO,
	};
	static const enum cgroup_place present[] = {CGROUP_V1, CGROUP_V2};

	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(present); p++) {
		struct cgroup_base base = CGROUP_BASE_INIT;

		for (unsigned i = 0; i < CGROUP_CONTROLLERS; i++)
			base.place[i] = present[p];
		assert_int_equal(enforced_missing(&base, &all), 0);
		for (unsigned i = 0; i < CGROUP_CONTROLLERS; i++) {
			base.place[i] = CGROUP_ABSENT;
			assert_int_equal(enforced_missing(&base, &all), limits[i]);
			base.place[i] = present[p];
		}
	}
}

static void what_is_not_asked_is_not_missed(void **state)
{
	const struct jail_limits none = {.cpu_weight = JAIL_CPU_WEIGHT, .disk_bytes = 1};
	const struct jail_limits weight = {.cpu_weight = 50}, quota = {.cpu_milli = 1};
	const struct cgroup_base base = CGROUP_BASE_INIT;

	(void)state;
	assert_int_equal(enforced_missing(&base, &none), 0);
	assert_int_equal(enforced_missing(&base, &weight), LIMIT_HIT_CPU);
	assert_int_equal(enforced_missing(&base, &quota), LIMIT_HIT_CPU);
}

static void io_without_a_disk_is_not_limited(void **state)
{
	struct cgroup_base base = CGROUP_BASE_INIT;
	const struct jail_limits reads = {.io_read_bps = 1}, writes = {.io_write_bps = 1},
				 on_minor = {.io_read_bps = 1, .io_minor = 1};

	(void)state;
	base.place[CGROUP_IO] = CGROUP_V2;
	assert_int_equal(enforced_missing(&base, &reads), LIMIT_HIT_IO);
	assert_int_equal(enforced_missing(&base, &writes), LIMIT_HIT_IO);
	assert_int_equal(enforced_missing(&base, &on_minor), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_absent_controller_is_named),
		cmocka_unit_test(what_is_not_asked_is_not_missed),
		cmocka_unit_test(io_without_a_disk_is_not_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

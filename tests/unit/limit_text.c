/* limit_text.h: what people and models read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "proto/limit_text.h"

static const struct limit_values all = {
	.memory_bytes = 1u << 30,
	.disk_bytes = 512u << 20,
	.disk_inodes = 200000,
	.pids = 512,
	.cpu_milli = 1500,
	.time_ms = 30000,
	.output_bytes = 1000,
};

static void each_limit_is_named_with_its_value(void **state)
{
	static const struct {
		uint32_t limit;
		const char *name, *text, *unknown;
	} cases[] = {
		{LIMIT_HIT_MEMORY, "memory", "out of memory, limit 1 GiB", "out of memory"},
		{LIMIT_HIT_PIDS, "pids", "too many processes, limit 512", "too many processes"},
		{LIMIT_HIT_DISK, "disk", "disk full, limit 512 MiB and 200000 files", "disk full"},
		{LIMIT_HIT_TIME, "time", "time limit of 30 s", "time limit"},
		{LIMIT_HIT_OUTPUT, "output", "output cut at 1000 bytes", "output cut"},
		{LIMIT_HIT_CPU, "cpu", "CPU quota of 1.5 used up", "CPU quota used up"},
		{LIMIT_HIT_IO, "io", "io", "io"},
	};
	const struct limit_values none = {0};
	char text[LIMIT_TEXT_MAX];
	uint32_t seen = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		seen |= cases[i].limit;
		assert_string_equal(limit_name(cases[i].limit), cases[i].name);
		assert_string_equal(limit_text(cases[i].limit, &all, text), cases[i].text);
		assert_string_equal(limit_text(cases[i].limit, &none, text), cases[i].unknown);
	}
	assert_int_equal(seen, LIMIT_HIT_ALL);
	assert_string_equal(limit_name(LIMIT_HIT_ALL), "?");
}

static void numbers_are_exact_and_short(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{1536u << 20, "out of memory, limit 1536 MiB"},
		{UINT64_C(2) << 40, "out of memory, limit 2 TiB"},
		{UINT64_C(2) << 50, "out of memory, limit 2048 TiB"},
		{1000, "out of memory, limit 1000 bytes"},
		{4096, "out of memory, limit 4 KiB"},
	};
	static const struct {
		uint64_t milli;
		const char *text;
	} quotas[] = {
		{1000, "CPU quota of 1 used up"},
		{10, "CPU quota of 0.01 used up"},
		{10250, "CPU quota of 10.25 used up"},
		{100000, "CPU quota of 100 used up"},
	};
	const struct limit_values short_time = {.time_ms = 1250}, no_inodes = {.disk_bytes = 4096};
	char text[LIMIT_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct limit_values values = {.memory_bytes = sizes[i].bytes};

		assert_string_equal(limit_text(LIMIT_HIT_MEMORY, &values, text), sizes[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(quotas); i++) {
		const struct limit_values values = {.cpu_milli = quotas[i].milli};

		assert_string_equal(limit_text(LIMIT_HIT_CPU, &values, text), quotas[i].text);
	}
	assert_string_equal(limit_text(LIMIT_HIT_TIME, &short_time, text), "time limit of 1250 ms");
	assert_string_equal(limit_text(LIMIT_HIT_DISK, &no_inodes, text), "disk full, limit 4 KiB");
}

static void a_set_is_a_list(void **state)
{
	const struct limit_values largest = {
		UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	char text[LIMIT_TEXT_MAX];

	(void)state;
	assert_string_equal(limit_text_all(0, &all, text), "");
	assert_string_equal(limit_names(0, text), "");
	assert_string_equal(limit_text_all(LIMIT_HIT_MEMORY | LIMIT_HIT_PIDS, &all, text),
		"out of memory, limit 1 GiB; too many processes, limit 512");
	assert_string_equal(limit_names(LIMIT_HIT_CPU | LIMIT_HIT_IO, text), "cpu, io");
	/* The longest of all ends as it should: nothing was cut. */
	limit_text_all(LIMIT_HIT_ALL, &largest, text);
	assert_string_equal(text + strlen(text) - 4, "; io");
}

static void an_end_is_told_with_its_limit(void **state)
{
	static const struct {
		uint32_t reason;
		uint64_t limit;
		const char *text;
	} cases[] = {
		{LEASE_RELEASED, 0, "released"},
		{LEASE_OWNER_GONE, 0, "its owner has gone"},
		{LEASE_IDLE, 30000, "idle for 30 s"},
		{LEASE_IDLE, 0, "idle for too long"},
		{LEASE_DEADLINE, 500, "its time of 500 ms is over"},
		{LEASE_DEADLINE, 0, "its time is over"},
		{LEASE_OOM, 0, "out of memory, limit 1 GiB"},
		{LEASE_OOM, 4096, "out of memory, limit 4 KiB"},
		{LEASE_GUEST_DIED, 0, "its guest died"},
		{LEASE_BUILDER_LOST, 0, "its builder was lost"},
		{LEASE_SHUTDOWN, 0, "the supervisor stops"},
		{LEASE_KILLED, 0, "killed by an administrator"},
		{77, 0, "?"},
	};
	char text[LIMIT_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct control_lease_ended ended = {
			.reason = cases[i].reason, .limit = cases[i].limit};

		assert_string_equal(limit_lease_end_text(&ended, &all, text), cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_limit_is_named_with_its_value),
		cmocka_unit_test(numbers_are_exact_and_short),
		cmocka_unit_test(a_set_is_a_list),
		cmocka_unit_test(an_end_is_told_with_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

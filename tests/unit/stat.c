/* What is counted, and its text for Prometheus. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "proto/stat.h"

#define TEXT_MAX (1u << 20)

/* The caller's to free. */
static char *write_text(const struct stat_sample *samples, size_t count)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	stat_write(to, samples, count);
	assert_int_equal(fclose(to), 0);
	return text;
}

static struct stat_sample with_value(struct stat_sample sample, uint64_t value)
{
	sample.value = value;
	return sample;
}

static void the_text_is_that_of_the_golden_file(void **state)
{
	struct stat_sample samples[] = {
		stat_sample(STAT_ACQUIRE_DURATION, "tiny", "ready", "ok"),
		/* out of order, and its family in two places */
		with_value(stat_sample(STAT_POOL_SANDBOXES, "tiny", "ready", NULL), 2),
		stat_sample(STAT_ACQUIRE_DURATION, "tiny", "none", "empty"),
		with_value(stat_sample(STAT_CREATE_FAILURES, "build", "ENOSPC", NULL), 3),
		with_value(stat_sample(STAT_OOM_KILLS, NULL, NULL, NULL), UINT64_MAX),
		with_value(stat_sample(STAT_POOL_SANDBOXES, "tiny", "leased", NULL), 0),
		stat_sample(STAT_EXEC_DURATION, NULL, NULL, NULL),
	};
	const char *source = getenv("top_srcdir");
	auto_free char *golden = NULL, *text = NULL;
	struct error err = {0};
	char path[4096];

	(void)state;
	stat_histogram_add(&samples[0].histogram, 9 * NS_PER_US);
	stat_histogram_add(&samples[0].histogram, 25 * NS_PER_US);
	stat_histogram_add(&samples[0].histogram, 25 * NS_PER_US + 1);
	stat_histogram_add(&samples[0].histogram, 6 * NS_PER_S);
	stat_histogram_add(&samples[2].histogram, 2 * NS_PER_MS);
	snprintf(path, sizeof(path), "%s/tests/unit/stat.golden", source ? source : ".");
	if (file_read_all_at(AT_FDCWD, path, TEXT_MAX, &golden, &err) < 0)
		fail_msg("%s", err.text);
	text = write_text(samples, ARRAY_SIZE(samples));
	assert_string_equal(text, golden);
}

static void what_would_end_a_label_is_escaped(void **state)
{
	const struct stat_sample sample =
		with_value(stat_sample(STAT_LIMIT_HITS, "a\\b\"c\nd", NULL, NULL), 1);
	auto_free char *text = write_text(&sample, 1);

	(void)state;
	assert_non_null(strstr(text, "{kind=\"a\\\\b\\\"c\\nd\"} 1\n"));
}

static void a_label_that_does_not_fit_is_empty(void **state)
{
	char longest[STAT_LABEL_SIZE + 1] = {0};
	struct stat_sample sample;

	(void)state;
	memset(longest, 'a', STAT_LABEL_SIZE - 1);
	sample = stat_sample(STAT_LIMIT_HITS, longest, NULL, NULL);
	assert_string_equal(sample.labels[0], longest);
	longest[STAT_LABEL_SIZE - 1] = 'a';
	sample = stat_sample(STAT_LIMIT_HITS, longest, NULL, NULL);
	assert_string_equal(sample.labels[0], "");
}

static void samples_of_unknown_families_are_passed_over(void **state)
{
	const struct stat_sample samples[] = {
		{.family = 0, .value = 1}, {.family = STAT_FAMILY_LAST + 1, .value = 1}};
	auto_free char *text = write_text(samples, ARRAY_SIZE(samples));

	(void)state;
	assert_string_equal(text, "");
}

static void each_family_has_a_name_of_its_own_that_fits_its_type(void **state)
{
	(void)state;
	assert_null(stat_family_info(0));
	assert_null(stat_family_info(STAT_FAMILY_LAST + 1));
	for (uint32_t i = 1; i <= STAT_FAMILY_LAST; i++) {
		const struct stat_family_info *family = stat_family_info(i);
		size_t length;

		assert_non_null(family);
		length = strlen(family->name);
		assert_memory_equal(family->name, "hearth_", 7);
		assert_int_equal(family->type == STAT_COUNTER,
			strcmp(family->name + length - 6, "_total") == 0);
		if (family->type == STAT_HISTOGRAM)
			assert_string_equal(family->name + length - 8, "_seconds");
		assert_null(strchr(family->help, '\n'));
		for (uint32_t j = 1; j < i; j++)
			assert_string_not_equal(family->name, stat_family_info(j)->name);
	}
}

static void a_duration_is_in_the_first_bucket_that_has_room_for_it(void **state)
{
	struct stat_histogram h = {0};

	(void)state;
	for (size_t i = 0; i < STAT_BUCKETS; i++) {
		stat_histogram_add(&h, stat_bucket_ns[i]);
		stat_histogram_add(&h, stat_bucket_ns[i] + 1);
		assert_true(i == 0 || stat_bucket_ns[i] > stat_bucket_ns[i - 1]);
	}
	assert_int_equal(h.count, 2 * STAT_BUCKETS);
	assert_int_equal(h.buckets[0], 1);
	for (size_t i = 1; i < STAT_BUCKETS; i++)
		assert_int_equal(h.buckets[i], 2);
}

static void a_bound_is_the_bucket_in_which_the_percentile_lies(void **state)
{
	struct stat_histogram h = {0}, twice = {0};

	(void)state;
	assert_int_equal(stat_histogram_bound(&h, 50), 0);
	for (int i = 0; i < 99; i++)
		stat_histogram_add(&h, 1);
	stat_histogram_add(&h, 10 * NS_PER_S);
	assert_int_equal(stat_histogram_bound(&h, 0), 25 * NS_PER_US);
	assert_int_equal(stat_histogram_bound(&h, 99), 25 * NS_PER_US);
	assert_true(stat_histogram_bound(&h, 100) == UINT64_MAX);
	stat_histogram_merge(&twice, &h);
	stat_histogram_merge(&twice, &h);
	assert_int_equal(twice.count, 200);
	assert_int_equal(twice.sum_ns, 2 * h.sum_ns);
	assert_int_equal(twice.buckets[0], 198);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_is_that_of_the_golden_file),
		cmocka_unit_test(what_would_end_a_label_is_escaped),
		cmocka_unit_test(a_label_that_does_not_fit_is_empty),
		cmocka_unit_test(samples_of_unknown_families_are_passed_over),
		cmocka_unit_test(each_family_has_a_name_of_its_own_that_fits_its_type),
		cmocka_unit_test(a_duration_is_in_the_first_bucket_that_has_room_for_it),
		cmocka_unit_test(a_bound_is_the_bucket_in_which_the_percentile_lies),
	};

	return cmocka_run_group_tests_name("stat", tests, NULL, NULL);
}

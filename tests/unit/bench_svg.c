/* bench_svg.h: a picture has a point for each step, within its frame. */
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
#include "cli/bench_svg.h"

#define POINTS_MAX 1000

struct point {
	double x, y;
};

static char text[200000];

static void draw(const uint64_t *samples, unsigned long count, const uint64_t *floor,
	unsigned long floor_count)
{
	char path[] = "/tmp/hearth-unit.XXXXXX";
	int fd = mkstemp(path);
	ssize_t n;

	assert_true(fd >= 0);
	assert_int_equal(
		bench_write_svg(path, "a title", samples, count, floor, floor_count, NULL), 0);
	n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	unlink(path);
	assert_true(n > 0 && n < (ssize_t)sizeof(text) - 1);
	text[n] = '\0';
}

/* The points of the line of this id; 0: there is none. */
static unsigned points_of(const char *id, struct point points[POINTS_MAX])
{
	char start[64];
	const char *at;
	unsigned count = 0;
	int used;

	snprintf(start, sizeof(start), "<polyline id=\"%s\"", id);
	at = strstr(text, start);
	if (!at)
		return 0;
	at = strstr(at, "points=\"") + strlen("points=\"");
	while (sscanf(at, "%lf,%lf %n", &points[count].x, &points[count].y, &used) == 2) {
		at += used;
		assert_true(++count < POINTS_MAX);
	}
	assert_int_equal(*at, '"');
	return count;
}

static void each_line_rises_from_left_to_right(void **state)
{
	static struct point points[POINTS_MAX];
	uint64_t samples[1000], floor[100];
	unsigned count;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		samples[i] = 9000 + i * i;
	for (uint64_t i = 0; i < 100; i++)
		floor[i] = 3000 + i;
	draw(samples, 1000, floor, 100);
	count = points_of("samples", points);
	assert_true(count > 100);
	for (unsigned i = 1; i < count; i++)
		assert_true(points[i].x >= points[i - 1].x && points[i].y <= points[i - 1].y);
	assert_true(points[0].x >= 0 && points[count - 1].x <= 760);
	assert_true(points[0].y <= 420 && points[count - 1].y >= 0);
	assert_true(points_of("floor", points) > 30);
	assert_non_null(strstr(text, ">a title</text>"));
	assert_non_null(strstr(text, ">99.9</text>"));
	assert_null(strstr(text, ">99.99</text>"));
}

static void equal_ratios_are_equal_distances(void **state)
{
	static struct point points[POINTS_MAX];
	const uint64_t samples[] = {1000, 10000, 100000};

	(void)state;
	draw(samples, 3, NULL, 0);
	assert_int_equal(points_of("samples", points), 3);
	assert_true(points[0].y - points[1].y > 1);
	assert_true(points[0].y + points[2].y - 2 * points[1].y < 0.3);
	assert_true(points[0].y + points[2].y - 2 * points[1].y > -0.3);
	assert_int_equal(points_of("floor", points), 0);
}

static void a_single_sample_of_nothing_can_be_drawn(void **state)
{
	static struct point points[POINTS_MAX];
	const uint64_t zero = 0, most = UINT64_MAX;

	(void)state;
	draw(&zero, 1, NULL, 0);
	assert_int_equal(points_of("samples", points), 1);
	draw(&most, 1, &zero, 1);
	assert_int_equal(points_of("samples", points), 1);
	assert_true(points[0].y >= 0 && points[0].y <= 420);
}

static void a_file_that_cannot_be_written_is_named(void **state)
{
	const uint64_t sample = 5;
	struct error err;

	(void)state;
	assert_int_equal(
		bench_write_svg("/nonexistent/x.svg", "", &sample, 1, NULL, 0, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/x.svg"));
	assert_int_equal(bench_write_svg("/dev/full", "", &sample, 1, NULL, 0, &err), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_rises_from_left_to_right),
		cmocka_unit_test(equal_ratios_are_equal_distances),
		cmocka_unit_test(a_single_sample_of_nothing_can_be_drawn),
		cmocka_unit_test(a_file_that_cannot_be_written_is_named),
	};

	return cmocka_run_group_tests_name("bench_svg", tests, NULL, NULL);
}

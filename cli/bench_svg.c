#include "cli/bench_svg.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

#define WIDTH  760
#define HEIGHT 420
#define LEFT   70
#define RIGHT  20
#define TOP    40
#define BOTTOM 50

/* The part of the plane that is seen, in decades. */
struct axes {
	double x_end;	     /* log10 of one in so many samples */
	double y_low, y_end; /* log10 of ns */
};

/* By squaring. Not libm's: linking that would cost every start of this program a tenth of a millisecond. */
static double log10_of(double x)
{
	const double log10_of_2 = 0.30102999566398120;
	double result = 0, bit = 1;

	for (; x >= 2; x /= 2)
		result++;
	for (int i = 0; i < 30; i++) {
		x *= x;
		bit /= 2;
		if (x >= 2) {
			x /= 2;
			result += bit;
		}
	}
	return result * log10_of_2;
}

static double at_x(const struct axes *axes, double decades)
{
	return LEFT + decades / axes->x_end * (WIDTH - LEFT - RIGHT);
}

static double at_y(const struct axes *axes, double decades)
{
	return HEIGHT - BOTTOM -
	       (decades - axes->y_low) / (axes->y_end - axes->y_low) * (HEIGHT - TOP - BOTTOM);
}

static uint64_t at_least_one(uint64_t ns)
{
	return ns ? ns : 1;
}

static struct axes axes_of(const uint64_t *samples, unsigned long count, const uint64_t *floor,
	unsigned long floor_count)
{
	uint64_t low = at_least_one(samples[0]), high = at_least_one(samples[count - 1]);
	unsigned long most = count > floor_count ? count : floor_count;
	struct axes axes = {.x_end = log10_of((double)(most > 10 ? most : 10))};
	uint64_t edge = 1;

	if (floor_count > 0 && at_least_one(floor[0]) < low)
		low = at_least_one(floor[0]);
	if (floor_count > 0 && floor[floor_count - 1] > high)
		high = floor[floor_count - 1];
	for (; edge <= low / 10; edge *= 10)
		axes.y_low++;
	for (axes.y_end = axes.y_low + 1, edge *= 10; edge < high && axes.y_end < 19; edge *= 10)
		axes.y_end++;
	return axes;
}

/* beyond of count samples are at least as great as the one here; in steps of 3 % and at last of one. */
static void draw_line(FILE *file, const struct axes *axes, const char *id, const char *colour,
	const uint64_t *sorted, unsigned long count)
{
	fprintf(file,
		"<polyline id=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"",
		id, colour);
	for (unsigned long beyond = count; beyond > 0; beyond -= beyond / 32 + 1)
		fprintf(file, "%.1f,%.1f ", at_x(axes, log10_of((double)count / (double)beyond)),
			at_y(axes, log10_of((double)at_least_one(sorted[count - beyond]))));
	fputs("\"/>\n", file);
}

static void draw_text(FILE *file, double x, double y, const char *anchor, const char *text)
{
	fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor,
		text);
}

static void draw_grid_line(FILE *file, double x1, double y1, double x2, double y2)
{
	fprintf(file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n",
		x1, y1, x2, y2);
}

static void draw_axes(FILE *file, const struct axes *axes)
{
	static const char *const percentiles[] = {
		"0", "90", "99", "99.9", "99.99", "99.999", "99.9999"};
	static const char *const durations[] = {"1 ns", "10 ns", "100 ns", "1 us", "10 us",
		"100 us", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"};

	for (unsigned i = 0; i < 7 && i <= axes->x_end + 0.001; i++) {
		draw_grid_line(file, at_x(axes, i), TOP, at_x(axes, i), HEIGHT - BOTTOM);
		draw_text(file, at_x(axes, i), HEIGHT - BOTTOM + 18, "middle", percentiles[i]);
	}
	for (unsigned i = (unsigned)axes->y_low; i <= axes->y_end; i++) {
		draw_grid_line(file, LEFT, at_y(axes, i), WIDTH - RIGHT, at_y(axes, i));
		draw_text(file, LEFT - 6, at_y(axes, i) + 4, "end", i < 12 ? durations[i] : "");
	}
	draw_text(file, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 10, "middle", "percentile");
}

int bench_write_svg(const char *path, const char *title, const uint64_t *samples,
	unsigned long count, const uint64_t *floor, unsigned long floor_count, struct error *err)
{
	struct axes axes = axes_of(samples, count, floor, floor_count);
	FILE *file = fopen(path, "we");
	bool is_bad;

	if (!file)
		return error_errno(err, "%s", path);
	fprintf(file,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-size=\"12\" "
		"font-family=\"sans-serif\">\n<rect width=\"100%%\" height=\"100%%\" "
		"fill=\"white\"/>\n",
		WIDTH, HEIGHT);
	draw_text(file, LEFT, TOP - 16, "start", title);
	draw_axes(file, &axes);
	if (floor_count > 0)
		draw_line(file, &axes, "floor", "#999", floor, floor_count);
	draw_line(file, &axes, "samples", "#c33", samples, count);
	fputs("</svg>\n", file);
	is_bad = ferror(file);
	if (fclose(file) != 0 || is_bad)
		return error_errno(err, "%s", path);
	return 0;
}

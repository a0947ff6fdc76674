/* progress.c - one line on stderr, drawn over itself. */
#include "cli/progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/plain.h"

#define DRAW_EVERY_MS 100
#define BAR_WIDTH     30

void cli_progress_start(struct cli_progress *p, bool is_wanted)
{
	p->is_shown = is_wanted && isatty(STDERR_FILENO);
	p->started_ms = clock_now_ms();
	p->drawn_ms = 0;
}

static int terminal_width(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/* "41% 2.3%/s, 25 s left": rate and time to go of the whole, from the start on. */
static void describe(const struct cli_progress *p, int permille, char *text, size_t size)
{
	double seconds = (double)(clock_now_ms() - p->started_ms) / 1000;
	double rate = seconds > 0 ? permille / 10.0 / seconds : 0;

	if (rate > 0)
		snprintf(text, size, "%3d%% %.1f%%/s, %.0f s left", permille / 10, rate,
			(100 - permille / 10.0) / rate);
	else
		snprintf(text, size, "%3d%%", permille / 10);
}

void cli_progress_report(void *progress, int permille, const char *text)
{
	struct cli_progress *p = progress;
	char line[256], bar[BAR_WIDTH + 1], numbers[64];
	uint64_t now = clock_now_ms();

	if (!p->is_shown || (p->drawn_ms && now - p->drawn_ms < DRAW_EVERY_MS))
		return;
	p->drawn_ms = now;
	if (permille < 0) {
		snprintf(line, sizeof(line), "%s, %.0f s", text,
			(double)(now - p->started_ms) / 1000);
	} else {
		for (int i = 0; i < BAR_WIDTH; i++)
			bar[i] = i < permille * BAR_WIDTH / 1000 ? '#' : '-';
		bar[BAR_WIDTH] = '\0';
		describe(p, permille, numbers, sizeof(numbers));
		snprintf(line, sizeof(line), "[%s] %s  %s", bar, numbers, text);
	}
	plain_clean(line); /* the text is a recipe's */
	fprintf(stderr, "\r%.*s\033[K", terminal_width() - 1, line);
	fflush(stderr);
}

void cli_progress_finish(struct cli_progress *p)
{
	if (p->is_shown && p->drawn_ms)
		fprintf(stderr, "\r\033[K");
}

/*
 * progress.h - a progress bar on stderr with rate and time to go; silent unless stderr is a terminal.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H
#include <stdbool.h>
#include <stdint.h>

struct cli_progress {
	bool is_shown;
	uint64_t started_ms, drawn_ms;
};

/* Shown when stderr is a terminal and the command is neither --json nor --quiet. */
void cli_progress_start(struct cli_progress *progress, bool is_wanted);
/* permille 0..1000, or -1 when unknown. Fits struct image_progress's report. */
void cli_progress_report(void *progress, int permille, const char *text);
/* Remove the bar. */
void cli_progress_finish(struct cli_progress *progress);
#endif

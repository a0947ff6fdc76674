#include "cli/moment.h"

#include <stdio.h>
#include <time.h>

const char *moment_format(int64_t ms, char text[MOMENT_SIZE])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (ms <= 0 || !localtime_r(&seconds, &tm) ||
		strftime(text, MOMENT_SIZE, "%Y-%m-%d %H:%M", &tm) == 0)
		snprintf(text, MOMENT_SIZE, "-");
	return text;
}

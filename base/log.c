#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_rate.h"
#include "base/text.h"

/* Of every line, kept free by values: for what says that they were cut, and the end. */
#define LINE_RESERVE 32
#define MESSAGE_MAX  2048

static struct {
	const char *program;
	enum log_level level;
	bool is_logfmt;
	unsigned long dropped; /* lines, since the last that was written */
	struct log_rate rate;
} the_log = {.program = "?", .level = LOG_LEVEL_INFO};

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

struct line {
	char text[LOG_LINE_MAX];
	size_t used, limit;
	bool is_cut;
};

void log_open(const char *program)
{
	the_log.program = program;
	the_log.is_logfmt = isatty(STDERR_FILENO) == 1;
}

void log_set_level(enum log_level level)
{
	the_log.level = level;
}

/* All of it or nothing, and after the first nothing no more, so that a line is cut at one place. */
static void line_put(struct line *line, const char *text, size_t size)
{
	if (line->is_cut || line->used + size > line->limit) {
		line->is_cut = true;
		return;
	}
	memcpy(line->text + line->used, text, size);
	line->used += size;
}

/* Characters that end a line or steer a terminal: C0, DEL, C1, and Unicode's two line ends. */
static bool is_control(const unsigned char *p, size_t length)
{
	if (length == 1)
		return p[0] < 0x20 || p[0] == 0x7f;
	if (length == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	return length == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9);
}

/* One character of a quoted value; returns the bytes it took. */
static size_t line_put_escaped(struct line *line, const char *text, size_t left)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t length = text_utf8_sequence(text, left);
	char escape[8];

	if (length == 0) {
		snprintf(escape, sizeof(escape), the_log.is_logfmt ? "\\x%02x" : "\\ufffd", p[0]);
		line_put(line, escape, strlen(escape));
		return 1;
	}
	if (is_control(p, length)) {
		unsigned code = length == 1 ? p[0] : length == 2 ? p[1] : 0x2000u | (p[2] & 0x3fu);

		snprintf(escape, sizeof(escape), "\\u%04x", code);
		line_put(line, escape, 6);
		return length;
	}
	if (p[0] == '"' || p[0] == '\\') {
		escape[0] = '\\';
		escape[1] = text[0];
		line_put(line, escape, 2);
		return 1;
	}
	line_put(line, text, length);
	return length;
}

/* A logfmt value that may stand without quotes. */
static bool is_bare(const char *value)
{
	if (value[0] == '\0')
		return false;
	for (const char *p = value; *p; p++)
		if (*p <= ' ' || *p == 0x7f || strchr("\"\\=", *p) || (unsigned char)*p >= 0x80)
			return false;
	return true;
}

static void line_put_value(struct line *line, const char *value)
{
	size_t left = strlen(value);

	if (the_log.is_logfmt && is_bare(value) && line->used + left <= line->limit) {
		line_put(line, value, left);
		return;
	}
	line_put(line, "\"", 1);
	while (left > 0 && !line->is_cut) {
		size_t n = line_put_escaped(line, value, left);

		value += n;
		left -= n;
	}
	/* Also after a cut: the reserve has room for it, and the line stays well-formed. */
	line->text[line->used++] = '"';
}

static void line_put_pair(struct line *line, const char *key, const char *value)
{
	size_t key_size = strlen(key);

	if (line->is_cut)
		return;
	/* Key, marks and one character of the value, or nothing of the pair. */
	if (line->used + key_size + 12 > line->limit) {
		line->is_cut = true;
		return;
	}
	if (the_log.is_logfmt) {
		if (line->used > 0)
			line_put(line, " ", 1);
		line_put(line, key, key_size);
		line_put(line, "=", 1);
	} else {
		line_put(line, line->used > 0 ? ",\"" : "{\"", 2);
		line_put(line, key, key_size);
		line_put(line, "\":", 2);
	}
	line_put_value(line, value ? value : "");
}

static void line_begin(struct line *line, enum log_level level)
{
	char text[40], date[32];
	struct timespec now;
	struct tm utc;

	line->used = 0;
	line->limit = sizeof(line->text) - LINE_RESERVE;
	line->is_cut = false;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text, sizeof(text), "%s.%03dZ", date, (int)(now.tv_nsec / 1000000));
	line_put_pair(line, "time", text);
	line_put_pair(line, "level", level_names[level]);
	line_put_pair(line, "program", the_log.program);
	if (the_log.dropped > 0) {
		snprintf(text, sizeof(text), "%lu", the_log.dropped);
		line_put_pair(line, "dropped", text);
	}
}

static void line_end(struct line *line)
{
	struct pollfd stderr_poll = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (line->is_cut) {
		line->is_cut = false;
		line->limit = sizeof(line->text) - 2;
		line_put_pair(line, "cut", "true");
	}
	if (!the_log.is_logfmt)
		line->text[line->used++] = '}';
	line->text[line->used++] = '\n';
	/*
	 * A terminal that was stopped or a full pipe is not POLLOUT, a pipe without a reader is POLLERR
	 * as well and would raise SIGPIPE: the event loop goes on without them.
	 */
	if (poll(&stderr_poll, 1, 0) == 1 && stderr_poll.revents == POLLOUT &&
		write(STDERR_FILENO, line->text, line->used) == (ssize_t)line->used)
		the_log.dropped = 0;
	else
		the_log.dropped++;
}

static void log_pairs(enum log_level level, uint32_t suppressed, const char *event, va_list ap)
{
	struct line line;
	const char *key;
	char text[16];

	line_begin(&line, level);
	line_put_pair(&line, "event", event);
	if (suppressed > 0) {
		snprintf(text, sizeof(text), "%u", suppressed);
		line_put_pair(&line, "suppressed", text);
	}
	while ((key = va_arg(ap, const char *)))
		line_put_pair(&line, key, va_arg(ap, const char *));
	line_end(&line);
}

void log_event(enum log_level level, const char *event, ...)
{
	int saved = errno;
	va_list ap;

	if (level > the_log.level)
		return;
	va_start(ap, event);
	log_pairs(level, 0, event, ap);
	va_end(ap);
	errno = saved;
}

void log_event_from(enum log_level level, uint64_t source, const char *event, ...)
{
	int saved = errno;
	uint32_t suppressed;
	va_list ap;

	if (level > the_log.level)
		return;
	if (log_rate_admits(&the_log.rate, source, clock_now_ms(), &suppressed)) {
		va_start(ap, event);
		log_pairs(level, suppressed, event, ap);
		va_end(ap);
	}
	errno = saved;
}

void log_message(enum log_level level, const char *format, ...)
{
	int saved = errno;
	char text[MESSAGE_MAX];
	struct line line;
	va_list ap;

	if (level > the_log.level)
		return;
	errno = saved; /* for %m */
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	line_begin(&line, level);
	line_put_pair(&line, "message", text);
	line_end(&line);
	errno = saved;
}

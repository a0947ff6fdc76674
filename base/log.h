/*
 * log.h - the one log of a daemon: one event per line on stderr, logfmt on a terminal, JSON otherwise.
 *
 * Programs log, libraries report. This is the only global of a program. Whatever stands in a value,
 * a line cannot be forged: control characters, line separators and invalid UTF-8 are escaped.
 * A line is one write(2) of at most LOG_LINE_MAX bytes and never waits for a reader: what cannot be
 * written is dropped, and the next line that can be says how many were ("dropped").
 *
 *   time=2026-01-31T12:00:00.123Z level=info program=hearth-agentd event=lease_ended sandbox=7
 *   {"time":"2026-01-31T12:00:00.123Z","level":"info","program":"hearth-agentd","message":"ready"}
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include <stdint.h>

/* PIPE_BUF: a pipe takes a line this long whole, or, when poll(2) calls it full, not at all. */
#define LOG_LINE_MAX 4096

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO, /* where it starts */
	LOG_LEVEL_DEBUG,
};

/* Name the program (a constant) and look at stderr. Logging before it works: JSON, program "?". */
void log_open(const char *program);

/* The least important level that is still written. */
void log_set_level(enum log_level level);

/*
 * One event, a fixed word, with pairs of key (a fixed word) and value (any bytes, NULL is written
 * as "") up to a NULL key: log_event(LOG_LEVEL_INFO, "lease_ended", "sandbox", id, NULL). What does
 * not fit the line is cut, and the line says so ("cut"). errno survives.
 */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

/*
 * As log_event(), of a sandbox, whose id is the source: at most LOG_RATE_LINES (log_rate.h) of one source in
 * a second, the others are dropped, and the source's next line says how many ("suppressed"). The pairs name
 * the sandbox, if they are to.
 */
void log_event_from(enum log_level level, uint64_t source, const char *event, ...)
	__attribute__((sentinel));

/* A sentence instead of an event. errno survives. */
void log_message(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...)	 log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)
#endif

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "nsjail-lite/guest/file.h"
#include "nsjail-lite/guest/match.h"
#include "nsjail-lite/guest/open.h"
#include "nsjail-lite/guest/regex.h"
#include "nsjail-lite/guest/search.h"
#include "nsjail-lite/guest/walk.h"

#define RECORDS_DEFAULT 100u
#define MATCHES_MAX	1000000u /* seen; then it ends */
#define CONTEXT_MAX	100u
#define LINE_MAX_SENT	2000u	   /* of a line */
#define LINE_MAX_READ	(1u << 20) /* of a line, the rest does not match */
#define BINARY_CHECK	8192u

/* Of one file, line by line. */
struct grep {
	struct work *work;
	regex_t regex;
	struct match_patterns include;
	uint64_t limit;
	unsigned context;
	bool is_cut; /* a record did not fit any more: count on, send no more */

	const char *path;
	uint32_t line_number;
	uint64_t matches;	   /* in this file */
	uint32_t after;		   /* lines of context still to come */
	char *before[CONTEXT_MAX]; /* ring of the lines before */
	unsigned before_count;
	char buffer[LINE_MAX_READ + 1];
};

static void send_record(struct grep *grep, uint32_t line_number, bool is_context, const char *line)
{
	struct guest_match match = {.line_number = line_number, .is_context = is_context};
	size_t length = strnlen(line, LINE_MAX_SENT);
	struct work *work = grep->work;

	if (grep->is_cut)
		return;
	if (work->result.count == grep->limit ||
		!work_fits(work, sizeof(match) + search_path_size(work, grep->path) + length + 1)) {
		grep->is_cut = true;
		return;
	}
	work_send(work, &match, sizeof(match));
	search_send_path(work, grep->path);
	work_send(work, line, length);
	work_send(work, "", 1);
	work->result.count++;
}

static void forget_before(struct grep *grep)
{
	for (unsigned i = 0; i < CONTEXT_MAX; i++)
		free(take_ptr(&grep->before[i]));
	grep->before_count = 0;
}

static void send_before(struct grep *grep)
{
	unsigned n = grep->before_count < grep->context ? grep->before_count : grep->context;

	for (unsigned i = n; i > 0; i--) {
		const char *line = grep->before[(grep->before_count - i) % grep->context];

		send_record(grep, grep->line_number - i, true, line ? line : "");
	}
	forget_before(grep);
}

static void keep_before(struct grep *grep, const char *line)
{
	char **place;

	if (grep->context == 0 || grep->is_cut)
		return;
	place = &grep->before[grep->before_count++ % grep->context];
	free(*place);
	*place = strndup(line, LINE_MAX_SENT);
}

/* 1: enough. */
static int take_line(struct grep *grep, const char *line)
{
	bool lists_lines = !(grep->work->flags & (GUEST_FILE_FILES | GUEST_FILE_COUNT));

	grep->line_number++;
	if (regexec(&grep->regex, line, 0, NULL, 0) != 0) {
		if (grep->after > 0) {
			grep->after--;
			send_record(grep, grep->line_number, true, line);
		} else {
			keep_before(grep, line);
		}
		return 0;
	}
	grep->matches++;
	if (!lists_lines)
		return grep->work->flags & GUEST_FILE_FILES ? 1 : 0;
	send_before(grep);
	send_record(grep, grep->line_number, false, line);
	grep->after = grep->context;
	return ++grep->work->result.total >= MATCHES_MAX;
}

/* Take the lines that are whole; the rest moves to the front. Returns its size, or -1: enough. */
static ssize_t take_lines(struct grep *grep, size_t size, bool is_end)
{
	char *p = grep->buffer, *end = grep->buffer + size;

	while (p < end) {
		char *newline = memchr(p, '\n', (size_t)(end - p));

		if (!newline && !is_end)
			break;
		if (!newline)
			newline = end;
		*newline = '\0';
		if (newline > p && newline[-1] == '\r')
			newline[-1] = '\0';
		if (take_line(grep, p) > 0)
			return -1;
		p = newline + 1;
	}
	if (p >= end)
		return 0;
	memmove(grep->buffer, p, (size_t)(end - p));
	return end - p;
}

/* The rest of a line that is longer than the buffer. */
static ssize_t skip_line(struct grep *grep, int fd)
{
	ssize_t n;

	while ((n = read(fd, grep->buffer, LINE_MAX_READ)) > 0) {
		char *newline = memchr(grep->buffer, '\n', (size_t)n);

		if (!newline)
			continue;
		n -= newline + 1 - grep->buffer;
		memmove(grep->buffer, newline + 1, (size_t)n);
		return n;
	}
	return n;
}

static void search_lines(struct grep *grep, int fd)
{
	ssize_t size = 0, n;
	bool is_first = true;

	for (;;) {
		n = read(fd, grep->buffer + size, LINE_MAX_READ - (size_t)size);
		if (n < 0)
			return;
		if (is_first && memchr(grep->buffer, '\0',
					(size_t)n < BINARY_CHECK ? (size_t)n : BINARY_CHECK))
			return;
		is_first = false;
		size = take_lines(grep, (size_t)(size + n), n == 0);
		if (n == 0 || size < 0)
			return;
		if (size < LINE_MAX_READ)
			continue;
		take_lines(grep, (size_t)size, true);
		size = skip_line(grep, fd);
		if (size < 0)
			return;
	}
}

static int search_file(struct grep *grep, int fd, const char *path)
{
	struct work *work = grep->work;
	char number[24];

	grep->path = path;
	grep->line_number = 0;
	grep->matches = 0;
	grep->after = 0;
	search_lines(grep, fd);
	forget_before(grep);
	if (grep->matches == 0 || !(work->flags & (GUEST_FILE_FILES | GUEST_FILE_COUNT)))
		return work->result.total >= MATCHES_MAX;
	work->result.total++;
	snprintf(number, sizeof(number), "%llu", (unsigned long long)grep->matches);
	send_record(grep, 0, false, work->flags & GUEST_FILE_COUNT ? number : "");
	return work->result.total >= MATCHES_MAX;
}

static bool is_included(const struct grep *grep, const struct walk_file *file)
{
	for (size_t i = 0; i < grep->include.count; i++) {
		const char *pattern = grep->include.list[i];

		if (strchr(pattern, '/') ? match_path(pattern, file->path, 0)
					 : match_name(pattern, file->name, 0))
			return true;
	}
	return grep->include.count == 0;
}

static int visit(void *arg, const struct walk_file *file)
{
	struct grep *grep = arg;
	auto_close int fd = -1;
	struct stat st;

	if (!is_included(grep, file))
		return 0;
	fd = openat(file->directory, file->name,
		O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return search_file(grep, fd, file->path);
}

static int compile(struct grep *grep)
{
	struct work *work = grep->work;
	int flags = REG_EXTENDED | REG_NOSUB | (work->flags & GUEST_FILE_ICASE ? REG_ICASE : 0);
	char ere[4 * REGEX_PATTERN_MAX], text[GUEST_TEXT_MAX];
	const char *why;
	int r;

	if (regex_translate(work->pattern, ere, sizeof(ere), &why) < 0)
		return work_fail(work, EINVAL, "pattern: %s", why);
	r = regcomp(&grep->regex, ere, flags);
	if (r != 0) {
		regerror(r, &grep->regex, text, sizeof(text));
		return work_fail(work, r == REG_ESPACE ? ENOMEM : EINVAL, "pattern: %.100s", text);
	}
	if (work->include[0] == '\0')
		return 0;
	r = match_expand(work->include, &grep->include);
	return r < 0 ? work_fail(work, -r, "include: %s", strerror(-r)) : 0;
}

static int search(struct grep *grep)
{
	struct walk walk = {.depth_max = WALK_DEPTH_MAX, .visit = visit, .arg = grep};
	struct work *work = grep->work;
	auto_close int fd = open_guarded(AT_FDCWD, work->path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	struct stat st;

	if (fd >= 0)
		return walk_run(work, &walk, fd);
	if (errno != ENOTDIR)
		return work_fail(work, errno, "%s: %s", work->path, strerror(errno));
	fd = file_open(work, &st);
	if (fd < 0)
		return fd;
	search_file(grep, fd, "");
	return 0;
}

int search_grep(struct work *work)
{
	auto_free struct grep *grep = calloc(1, sizeof(*grep));
	int r;

	if (!grep)
		return work_fail(work, ENOMEM, "out of memory");
	grep->work = work;
	grep->limit = work->length ? work->length : RECORDS_DEFAULT;
	if (!(work->flags & (GUEST_FILE_FILES | GUEST_FILE_COUNT)))
		grep->context = work->offset < CONTEXT_MAX ? (unsigned)work->offset : CONTEXT_MAX;
	r = compile(grep);
	return r < 0 ? r : search(grep);
}

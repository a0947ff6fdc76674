#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
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
#define BINARY_CHECK	8192u	   /* a NUL in it: nothing is looked at */

/* U+FFFD, for a byte that is no UTF-8 */
#define REPLACEMENT	 "\xef\xbf\xbd"
#define REPLACEMENT_SIZE 3u

/* Of one file, line by line. */
struct grep {
	struct work *work;
	regex_t regex;
	bool names_cr; /* the pattern does: then one before the line's end belongs to the line */
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
	char repaired[REPLACEMENT_SIZE * LINE_MAX_READ + 1];
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

/* Most lines are; eight bytes at a time. */
static bool is_ascii(const char *p, size_t length)
{
	uint64_t word, seen = 0;

	for (; length >= sizeof(word); p += sizeof(word), length -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		seen |= word;
	}
	word = 0;
	memcpy(&word, p, length);
	return ((seen | word) & UINT64_C(0x8080808080808080)) == 0;
}

/* regexec() finds nothing at all behind what is no UTF-8. */
static const char *repair(struct grep *grep, const char *line, size_t length)
{
	char *to = grep->repaired;

	for (size_t i = 0, n; i < length; i += n ? n : 1) {
		n = text_utf8_sequence(line + i, length - i);
		to = n ? mempcpy(to, line + i, n) : mempcpy(to, REPLACEMENT, REPLACEMENT_SIZE);
	}
	*to = '\0';
	return grep->repaired;
}

static bool matches(struct grep *grep, const char *line, size_t length)
{
	if (!is_ascii(line, length) && !text_is_utf8(line, length))
		line = repair(grep, line, length);
	return regexec(&grep->regex, line, 0, NULL, 0) == 0;
}

/* 1: enough. */
static int take_line(struct grep *grep, const char *line, size_t length)
{
	bool lists_lines = !(grep->work->flags & (GUEST_FILE_FILES | GUEST_FILE_COUNT));

	grep->line_number++;
	if (!matches(grep, line, length)) {
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
		char *newline = memchr(p, '\n', (size_t)(end - p)), *line_end;

		if (!newline && !is_end)
			break;
		if (!newline)
			newline = end;
		line_end = newline;
		if (line_end > p && line_end[-1] == '\r' && !grep->names_cr)
			line_end--;
		*line_end = '\0';
		if (take_line(grep, p, (size_t)(line_end - p)) > 0)
			return -1;
		p = newline + 1;
	}
	if (p >= end)
		return 0;
	memmove(grep->buffer, p, (size_t)(end - p));
	return end - p;
}

/* The rest of a line that is longer than the buffer. Returns the size of what follows, or -1: enough. */
static ssize_t skip_line(struct grep *grep, int fd)
{
	ssize_t n;

	while ((n = read(fd, grep->buffer, LINE_MAX_READ)) > 0) {
		char *newline = memchr(grep->buffer, '\n', (size_t)n);
		ssize_t rest = newline ? newline - grep->buffer : n;

		if (memchr(grep->buffer, '\0', (size_t)rest))
			return -1;
		if (!newline)
			continue;
		n -= rest + 1;
		memmove(grep->buffer, newline + 1, (size_t)n);
		return n;
	}
	return n;
}

/* Up to the line that has a NUL: what follows is binary, or a hole that would take for ever. */
static void search_lines(struct grep *grep, int fd)
{
	ssize_t size = 0, n;
	bool is_first = true;
	char *nul;

	for (;;) {
		n = read(fd, grep->buffer + size, LINE_MAX_READ - (size_t)size);
		if (n < 0)
			return;
		size += n;
		nul = memchr(grep->buffer, '\0', (size_t)size);
		if (nul && is_first && nul < grep->buffer + BINARY_CHECK)
			return;
		is_first = false;
		size = take_lines(grep, nul ? (size_t)(nul - grep->buffer) : (size_t)size, n == 0);
		if (nul || n == 0 || size < 0)
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
	auto_close int named = -1, fd = -1;
	struct stat st;

	if (!is_included(grep, file))
		return 0;
	named = openat(file->directory, file->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	fd = open_regular(named, &st);
	return fd < 0 ? 0 : search_file(grep, fd, file->path);
}

static int compile(struct grep *grep)
{
	struct work *work = grep->work;
	int flags = REG_EXTENDED | REG_NOSUB | (work->flags & GUEST_FILE_ICASE ? REG_ICASE : 0);
	char ere[4 * REGEX_PATTERN_MAX], text[GUEST_TEXT_MAX];
	const char *why;
	int r;

	setlocale(LC_CTYPE, "C.UTF-8"); /* of this process, which has no other request */
	if (regex_translate(work->pattern, ere, sizeof(ere), &why) < 0)
		return work_fail(work, EINVAL, "pattern: %s", why);
	grep->names_cr = strchr(ere, '\r');
	r = regcomp(&grep->regex, ere, flags);
	if (r != 0) {
		regerror(r, &grep->regex, text, sizeof(text));
		return work_fail(work, r == REG_ESPACE ? ENOMEM : EINVAL, "pattern: %.100s", text);
	}
	if (work->include[0] == '\0')
		return 0;
	r = match_parse(work->include, &grep->include, &why);
	return r < 0 ? work_fail(work, -r, "include: %s", why) : 0;
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

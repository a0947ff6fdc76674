#include "cli/log_reason.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/plain.h"

#define TAIL_MAX (4 * LOG_LINE_MAX)

static const char *member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void read_line(const char *line, char *reason, size_t size)
{
	json_auto_t *object = json_loads(line, 0, NULL);
	const json_t *error = json_object_get(object, "error");
	const char *level = member(object, "level");
	const char *message = member(error ? error : object, "message");

	if (level && strcmp(level, "error") != 0)
		return;
	snprintf(reason, size, "%s", message ? message : line);
}

void log_reason(char *text, char *reason, size_t size)
{
	char *rest = NULL;

	*reason = '\0';
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		read_line(line, reason, size);
	plain_clean(reason);
}

void log_reason_of_file(const char *path, off_t start, char *reason, size_t size)
{
	auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	bool is_cut = end - start > TAIL_MAX;
	char text[TAIL_MAX + 1];
	ssize_t n = fd >= 0 ? pread(fd, text, TAIL_MAX, is_cut ? end - TAIL_MAX : start) : 0;
	char *first;

	text[n > 0 ? n : 0] = '\0';
	/* What a line begins with says what it is: half a line says nothing. */
	first = is_cut ? strchr(text, '\n') : text;
	log_reason(first ? first : text, reason, size);
}

void log_reason_of_pipe(int fd, char *reason, size_t size)
{
	char said[2 * LOG_LINE_MAX + 1];
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, said + used, sizeof(said) - 1 - used)) > 0) {
		used += (size_t)n;
		if (used == sizeof(said) - 1) {
			used -= LOG_LINE_MAX;
			memmove(said, said + LOG_LINE_MAX, used);
		}
	}
	said[used] = '\0';
	log_reason(said, reason, size);
}

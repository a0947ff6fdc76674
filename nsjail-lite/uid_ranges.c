#include "nsjail-lite/uid_ranges.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "nsjail-lite/cgroup/cgroup.h"
#include "nsjail-lite/jail.h"
#include "nsjail-lite/run_file.h"

#define RANGES_NAME "hearth-uid-ranges"
#define RANGES_FILE "/run/" RANGES_NAME
#define SPANS_MAX   512
#define FIRST_RANGE 16u	   /* ids below 1,048,576 stay the host's */
#define LAST_RANGE  32767u /* kernel limit of ping_group_range: below 2^31 */
#define LINE_FORMAT "%" SCNu32 " %" SCNu32 " %63s"

struct span {
	uint32_t first, count; /* in ranges */
	char instance[64];
};

struct spans {
	unsigned count;
	struct span span[SPANS_MAX];
};

static bool parse_span(const char *line, struct span *span)
{
	return sscanf(line, LINE_FORMAT, &span->first, &span->count, span->instance) == 3 &&
	       span->first >= FIRST_RANGE && span->first <= LAST_RANGE && span->count > 0 &&
	       span->count <= LAST_RANGE + 1 - span->first;
}

/* -EBADMSG: not what we write. Text is cut to pieces. */
static int spans_parse(char *text, struct spans *spans, struct error *err)
{
	char *save = NULL;

	spans->count = 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (spans->count == SPANS_MAX || !parse_span(line, &spans->span[spans->count]))
			return error_set(err, EBADMSG,
				RANGES_FILE ": not understood: \"%.40s\": remove the file when no "
					    "hearth runs",
				line);
		spans->count++;
	}
	return 0;
}

/* Lock and parse. The lock goes with the fd. A file that makes no sense is refused, not overwritten. */
static int spans_open(struct spans *spans, struct error *err)
{
	char text[SPANS_MAX * 96];
	auto_close int fd = run_file_open(RANGES_NAME, text, sizeof(text), err);
	int r = fd < 0 ? fd : spans_parse(text, spans, err);

	return r < 0 ? r : take_fd(&fd);
}

static int spans_write(const struct spans *spans, struct error *err)
{
	char text[SPANS_MAX * 96];
	size_t used = 0;

	for (unsigned i = 0; i < spans->count; i++) {
		const struct span *s = &spans->span[i];

		used += (size_t)snprintf(text + used, sizeof(text) - used,
			"%" PRIu32 " %" PRIu32 " %s\n", s->first, s->count, s->instance);
	}
	return run_file_write(RANGES_NAME, text, used, err);
}

static void remove_span(struct spans *spans, unsigned i)
{
	spans->span[i] = spans->span[--spans->count];
}

/* Those of instances that have no cgroup: nothing of them lives. */
static int drop_dead(struct spans *spans, struct error *err)
{
	for (unsigned i = spans->count; i-- > 0;) {
		int r = cgroup_base_exists(spans->span[i].instance, err);

		if (r < 0)
			return r;
		if (r == 0)
			remove_span(spans, i);
	}
	return 0;
}

/* First free run of `count` ranges, or 0. Spans are few: try the end of each. */
static uint32_t find_free(const struct spans *spans, uint32_t count)
{
	for (unsigned i = 0; i <= spans->count; i++) {
		uint32_t first =
			i == 0 ? FIRST_RANGE : spans->span[i - 1].first + spans->span[i - 1].count;
		bool is_free = first + count - 1 <= LAST_RANGE;

		for (unsigned j = 0; is_free && j < spans->count; j++)
			is_free = first + count <= spans->span[j].first ||
				  spans->span[j].first + spans->span[j].count <= first;
		if (is_free)
			return first;
	}
	return 0;
}

int uid_ranges_take(
	const char *instance, uint32_t count, uint32_t *ret_first_uid, struct error *err)
{
	struct spans spans;
	auto_close int fd = spans_open(&spans, err);
	struct span *s;
	uint32_t first;
	int r;

	if (fd < 0)
		return fd;
	r = drop_dead(&spans, err);
	if (r < 0)
		return error_prefix(err, r, "uid ranges");
	first = count == 0 || count > LAST_RANGE ? 0 : find_free(&spans, count);
	if (first == 0 || spans.count == SPANS_MAX)
		return error_set(err, EUSERS,
			"uid ranges: no %" PRIu32 " in a row are free: lower max of the pools, or "
			"stop another instance (" RANGES_FILE ")",
			count);
	s = &spans.span[spans.count++];
	*s = (struct span){.first = first, .count = count};
	snprintf(s->instance, sizeof(s->instance), "%s", instance);
	r = spans_write(&spans, err);
	if (r < 0)
		return r;
	*ret_first_uid = first * JAIL_UIDS;
	return 0;
}

int uid_ranges_drop(const char *instance, struct error *err)
{
	struct spans spans;
	auto_close int fd = spans_open(&spans, err);

	if (fd < 0)
		return fd;
	for (unsigned i = spans.count; i-- > 0;)
		if (strcmp(spans.span[i].instance, instance) == 0)
			remove_span(&spans, i);
	return spans_write(&spans, err);
}

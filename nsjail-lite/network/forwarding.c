#include "nsjail-lite/network/forwarding.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "nsjail-lite/cgroup/cgroup.h"
#include "nsjail-lite/run_file.h"

#define NAME	    "hearth-forwarding"
#define FILE_PATH   "/run/" NAME
#define SYSCTL	    "/proc/sys/net/ipv4/ip_forward"
#define LINES_MAX   512
#define LINE_BYTES  96
#define LINE_FORMAT "%" SCNu64 " %63s"

struct line {
	uint64_t netns; /* inode */
	char instance[64];
	bool is_live;
};

struct lines {
	unsigned count;
	struct line line[LINES_MAX];
};

static int parse(char *text, struct lines *lines, struct error *err)
{
	char *save = NULL;

	lines->count = 0;
	for (char *s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		struct line *line = &lines->line[lines->count];

		if (lines->count == LINES_MAX ||
			sscanf(s, LINE_FORMAT, &line->netns, line->instance) != 2)
			return error_set(err, EBADMSG,
				FILE_PATH ": not understood: \"%.40s\": remove the file when no "
					  "hearth runs",
				s);
		line->is_live = false;
		lines->count++;
	}
	return 0;
}

static void mark_live(void *arg, const char *instance)
{
	struct lines *lines = arg;

	for (unsigned i = 0; i < lines->count; i++)
		if (strcmp(lines->line[i].instance, instance) == 0)
			lines->line[i].is_live = true;
}

/* Lock and parse. The lock goes with the fd. A file that makes no sense is refused, not overwritten. */
static int lines_open(struct lines *lines, struct error *err)
{
	char text[LINES_MAX * LINE_BYTES];
	auto_close int fd = run_file_open(NAME, text, sizeof(text), err);
	int r = fd < 0 ? fd : parse(text, lines, err);

	if (r == 0)
		r = cgroup_base_list(mark_live, lines, err);
	return r < 0 ? r : take_fd(&fd);
}

static int lines_write(const struct lines *lines, struct error *err)
{
	char text[LINES_MAX * LINE_BYTES];
	size_t used = 0;

	for (unsigned i = 0; i < lines->count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%" PRIu64 " %s\n",
			lines->line[i].netns, lines->line[i].instance);
	return run_file_write(NAME, text, used, err);
}

/*
 * Remove the lines of the dead and of this instance. Returns whether there was one of this namespace; *ret_others:
 * whether there still is.
 */
static bool remove_lines(
	struct lines *lines, uint64_t netns, const char *instance, bool *ret_others)
{
	bool was_there = false;

	*ret_others = false;
	for (unsigned i = lines->count; i-- > 0;) {
		struct line *line = &lines->line[i];
		bool is_here = line->netns == netns;

		was_there |= is_here;
		if (line->is_live && strcmp(line->instance, instance) != 0)
			*ret_others |= is_here;
		else
			*line = lines->line[--lines->count];
	}
	return was_there;
}

static int current_netns(uint64_t *ret_inode, struct error *err)
{
	struct stat st;

	if (stat("/proc/thread-self/ns/net", &st) < 0)
		return error_errno(err, "network namespace");
	*ret_inode = st.st_ino;
	return 0;
}

static int is_on(bool *ret_on, struct error *err)
{
	char text[16];
	ssize_t n = file_read_at(AT_FDCWD, SYSCTL, text, sizeof(text), err);

	*ret_on = n > 0 && text[0] != '0';
	return n < 0 ? (int)n : 0;
}

/* The line is there before what it stands for, so that whoever is killed here leaves nothing unsaid. */
int forwarding_take(const char *instance, struct error *err)
{
	struct lines lines;
	auto_close int fd = lines_open(&lines, err);
	bool on, was_ours, others;
	uint64_t netns = 0;
	int r = fd < 0 ? fd : current_netns(&netns, err);

	if (r == 0)
		r = is_on(&on, err);
	if (r < 0)
		return r;
	was_ours = remove_lines(&lines, netns, instance, &others);
	if (on && !was_ours)
		return 0;
	if (lines.count == LINES_MAX)
		return error_set(err, ENOSPC, FILE_PATH ": full");
	lines.line[lines.count] = (struct line){.netns = netns};
	snprintf(
		lines.line[lines.count++].instance, sizeof(lines.line[0].instance), "%s", instance);
	r = lines_write(&lines, err);
	if (r < 0 || on)
		return r;
	r = file_write_at(AT_FDCWD, SYSCTL, "1", err);
	if (r < 0) {
		lines.count--;
		lines_write(&lines, NULL);
	}
	return r;
}

int forwarding_give(const char *instance, struct error *err)
{
	struct lines lines;
	auto_close int fd = lines_open(&lines, err);
	bool others;
	uint64_t netns = 0;
	int r = fd < 0 ? fd : current_netns(&netns, err);

	if (r < 0)
		return r;
	if (remove_lines(&lines, netns, instance, &others) && !others)
		r = file_write_at(AT_FDCWD, SYSCTL, "0", err);
	return r < 0 ? r : lines_write(&lines, err);
}

#include "nsjail-lite/network/forwarding.h"

#include <dirent.h>
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
#define SETTINGS    "/proc/sys/net/ipv4/conf/"
#define LINES_MAX   512
#define LINE_BYTES  96
#define LINE_FORMAT "%" SCNu64 " %63s %7s"

struct line {
	uint64_t netns; /* inode */
	char name[64];	/* instance; or setting, below SETTINGS, with its value */
	char value[8];	/* empty: instance */
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

		line->value[0] = '\0';
		if (lines->count == LINES_MAX ||
			sscanf(s, LINE_FORMAT, &line->netns, line->name, line->value) < 2)
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
		if (strcmp(lines->line[i].name, instance) == 0)
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
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%" PRIu64 " %s%s%s\n",
			lines->line[i].netns, lines->line[i].name,
			lines->line[i].value[0] ? " " : "", lines->line[i].value);
	return run_file_write(NAME, text, used, err);
}

static int lines_add(
	struct lines *lines, uint64_t netns, const char *name, const char *value, struct error *err)
{
	struct line *line = &lines->line[lines->count];

	if (lines->count == LINES_MAX)
		return error_set(err, ENOSPC,
			FILE_PATH ": full: turn net.ipv4.ip_forward on yourself, then start");
	*line = (struct line){.netns = netns};
	snprintf(line->name, sizeof(line->name), "%s", name);
	snprintf(line->value, sizeof(line->value), "%s", value);
	lines->count++;
	return 0;
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

		if (line->value[0])
			continue;
		was_there |= is_here;
		if (line->is_live && strcmp(line->name, instance) != 0)
			*ret_others |= is_here;
		else
			*line = lines->line[--lines->count];
	}
	return was_there;
}

static bool has_line(const struct lines *lines, uint64_t netns, bool is_setting)
{
	for (unsigned i = 0; i < lines->count; i++)
		if (lines->line[i].netns == netns && !lines->line[i].value[0] == !is_setting)
			return true;
	return false;
}

/* They are kept for the last instance that leaves, whichever it is. */
static void remove_settings_of_nobody(struct lines *lines)
{
	for (unsigned i = lines->count; i-- > 0;)
		if (lines->line[i].value[0] && !has_line(lines, lines->line[i].netns, false))
			lines->line[i] = lines->line[--lines->count];
}

/* Unless it is what the kernel sets it to when forwarding goes off. */
static int remember(struct lines *lines, uint64_t netns, const char *name, const char *when_off,
	struct error *err)
{
	char path[sizeof(SETTINGS) + sizeof(lines->line[0].name)];
	char value[sizeof(lines->line[0].value)];
	ssize_t n;

	snprintf(path, sizeof(path), SETTINGS "%s", name);
	n = file_read_at(AT_FDCWD, path, value, sizeof(value), err);
	if (n < 0)
		return n == -ENOENT ? 0 : (int)n; /* a link that has gone meanwhile, or no link */
	value[strcspn(value, "\n")] = '\0';
	return strcmp(value, when_off) == 0 ? 0 : lines_add(lines, netns, name, value, err);
}

/* ip_forward writes these settings too, on and off: inet_forward_change() of the kernel. */
static int remember_settings(struct lines *lines, uint64_t netns, struct error *err)
{
	char name[sizeof(lines->line[0].name)];
	DIR *links = opendir(SETTINGS);
	const struct dirent *link;
	int r;

	if (!links)
		return error_errno(err, "open " SETTINGS);
	r = remember(lines, netns, "all/accept_redirects", "1", err);
	while (r == 0 && (link = readdir(links))) {
		snprintf(name, sizeof(name), "%.15s/forwarding", link->d_name);
		r = remember(lines, netns, name, "0", err);
	}
	closedir(links);
	return r;
}

static int restore_settings(const struct lines *lines, uint64_t netns, struct error *err)
{
	char path[sizeof(SETTINGS) + sizeof(lines->line[0].name)];

	for (unsigned i = 0; i < lines->count; i++) {
		const struct line *line = &lines->line[i];
		int r;

		if (!line->value[0] || line->netns != netns)
			continue;
		snprintf(path, sizeof(path), SETTINGS "%s", line->name);
		r = file_write_at(AT_FDCWD, path, line->value, err);
		if (r < 0 && r != -ENOENT) /* its link has gone */
			return r;
	}
	return 0;
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

/* The lines are there before what they stand for, so that whoever is killed here leaves nothing unsaid. */
int forwarding_take(const char *instance, struct error *err)
{
	struct lines lines;
	auto_close int fd = lines_open(&lines, err);
	bool on, was_ours, others;
	uint64_t netns = 0;
	unsigned before;
	int r = fd < 0 ? fd : current_netns(&netns, err);

	if (r == 0)
		r = is_on(&on, err);
	if (r < 0)
		return r;
	was_ours = remove_lines(&lines, netns, instance, &others);
	if (on && !was_ours)
		return 0;
	before = lines.count;
	r = lines_add(&lines, netns, instance, "", err);
	if (r == 0 && !on && !has_line(&lines, netns, true))
		r = remember_settings(&lines, netns, err);
	if (r == 0)
		r = lines_write(&lines, err);
	if (r < 0 || on)
		return r;
	r = file_write_at(AT_FDCWD, SYSCTL, "1", err);
	if (r < 0) {
		lines.count = before;
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
	if (remove_lines(&lines, netns, instance, &others) && !others) {
		r = file_write_at(AT_FDCWD, SYSCTL, "0", err);
		if (r == 0)
			r = restore_settings(&lines, netns, err);
	}
	remove_settings_of_nobody(&lines);
	return r < 0 ? r : lines_write(&lines, err);
}

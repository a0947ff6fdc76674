#include "nsjail-lite/guest/search.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "nsjail-lite/guest/match.h"
#include "nsjail-lite/guest/open.h"
#include "nsjail-lite/guest/walk.h"

#define RESULTS_DEFAULT 200u
#define RESULTS_MAX	10000u

struct found {
	struct timespec mtime;
	char *path;
};

/* The newest ones so far. Twice the wanted number has room: sorted and halved when it is full. */
struct glob {
	struct work *work;
	struct match_patterns patterns;
	unsigned flags;
	size_t wanted, count;
	struct found *found;
};

static int compare(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->mtime.tv_sec != y->mtime.tv_sec)
		return x->mtime.tv_sec > y->mtime.tv_sec ? -1 : 1;
	if (x->mtime.tv_nsec != y->mtime.tv_nsec)
		return x->mtime.tv_nsec > y->mtime.tv_nsec ? -1 : 1;
	return strcmp(x->path, y->path);
}

static void keep_newest(struct glob *glob)
{
	if (glob->count > 1)
		qsort(glob->found, glob->count, sizeof(*glob->found), compare);
	while (glob->count > glob->wanted)
		free(glob->found[--glob->count].path);
}

static bool is_match(const struct glob *glob, const char *path)
{
	for (size_t i = 0; i < glob->patterns.count; i++)
		if (match_path(glob->patterns.list[i], path, glob->flags))
			return true;
	return false;
}

static int visit(void *arg, const struct walk_file *file)
{
	struct glob *glob = arg;
	struct found *found;
	struct stat st;

	if (!is_match(glob, file->path))
		return 0;
	if (fstatat(file->directory, file->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0; /* gone since */
	glob->work->result.total++;
	if (glob->count == 2 * glob->wanted)
		keep_newest(glob);
	found = &glob->found[glob->count];
	found->mtime = st.st_mtim;
	found->path = strdup(file->path);
	if (!found->path)
		return work_fail(glob->work, ENOMEM, "out of memory");
	glob->count++;
	return 0;
}

/* Directories to enter: as many as the longest pattern names, or all with `**`. */
static unsigned depth_of(const struct match_patterns *patterns)
{
	unsigned deepest = 0;

	for (size_t i = 0; i < patterns->count; i++) {
		unsigned depth = 0;

		if (strstr(patterns->list[i], "**"))
			return WALK_DEPTH_MAX;
		for (const char *p = patterns->list[i]; (p = strchr(p, '/')); p++)
			depth++;
		if (depth > deepest)
			deepest = depth;
	}
	return deepest < WALK_DEPTH_MAX ? deepest : WALK_DEPTH_MAX;
}

/* A pattern that names a dot asks for hidden names, there. */
static bool names_hidden(const struct match_patterns *patterns)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (patterns->list[i][0] == '.' || strstr(patterns->list[i], "/."))
			return true;
	return false;
}

static int parse_pattern(struct glob *glob)
{
	struct work *work = glob->work;
	const char *pattern = work->pattern, *why;
	size_t length = strlen(work->path);
	int r;

	while (length > 0 && work->path[length - 1] == '/')
		length--;
	if (strncmp(pattern, work->path, length) == 0 && pattern[length] == '/')
		pattern += length + strspn(pattern + length, "/"); /* named in full */
	r = match_parse(pattern, &glob->patterns, &why);
	return r < 0 ? work_fail(work, -r, "pattern: %s", why) : 0;
}

static void send(struct glob *glob)
{
	struct work *work = glob->work;

	keep_newest(glob);
	for (size_t i = 0; i < glob->count; i++) {
		const char *path = glob->found[i].path;

		if (!work_fits(work, search_path_size(work, path)))
			return;
		search_send_path(work, path);
		work->result.count++;
	}
}

int search_glob(struct work *work)
{
	struct glob glob = {.work = work,
		.flags = work->flags & GUEST_FILE_HIDDEN ? MATCH_HIDDEN : 0,
		.wanted = RESULTS_DEFAULT};
	struct walk walk = {.visit = visit, .arg = &glob};
	auto_close int root =
		open_guarded(AT_FDCWD, work->path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	int r;

	if (root < 0)
		return work_fail(work, errno, "%s: %s", work->path, strerror(errno));
	if (work->length > 0)
		glob.wanted = work->length < RESULTS_MAX ? (size_t)work->length : RESULTS_MAX;
	r = parse_pattern(&glob);
	if (r < 0)
		return r;
	glob.found = calloc(2 * glob.wanted, sizeof(*glob.found));
	if (!glob.found)
		return work_fail(work, ENOMEM, "out of memory");
	walk.is_hidden_wanted = glob.flags & MATCH_HIDDEN || names_hidden(&glob.patterns);
	walk.is_ignored_wanted = work->flags & GUEST_FILE_NO_IGNORE;
	walk.depth_max = depth_of(&glob.patterns);
	r = walk_run(work, &walk, root);
	if (r == 0)
		send(&glob);
	return r;
}

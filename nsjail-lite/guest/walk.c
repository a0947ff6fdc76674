#include "nsjail-lite/guest/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "nsjail-lite/guest/ignore.h"
#include "nsjail-lite/guest/names.h"

/* Where a walk is. path begins at the topmost directory whose .gitignore counts. */
struct walker {
	struct work *work;
	const struct walk *walk;
	char path[(WALK_DEPTH_MAX + 1) * (NAME_MAX + 1) + PATH_MAX];
	size_t root_prefix; /* bytes of path that lead to the root */
	unsigned entries;
};

static int fail(struct walker *walker, int error, const char *path)
{
	return work_fail(walker->work, error, "%.60s: %s", path, strerror(error));
}

/* The reply tells it; the first one of several. */
__attribute__((format(printf, 2, 3))) static void leave_out(
	struct walker *walker, const char *format, ...)
{
	struct worker_result *result = &walker->work->result;
	va_list ap;

	if (result->text[0])
		return;
	va_start(ap, format);
	vsnprintf(result->text, sizeof(result->text), format, ap);
	va_end(ap);
}

/* procfs and sysfs: endless, and reading some of it does something. */
static bool is_kernel_made(int directory)
{
	struct statfs fs;

	return fstatfs(directory, &fs) == 0 &&
	       (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC);
}

static bool is_directory(int parent, const struct name *name)
{
	struct stat st;

	if (name->type != DT_UNKNOWN)
		return name->type == DT_DIR;
	return fstatat(parent, name->text, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Rules of its own only: those above are another repository's. */
static bool is_repository(int directory)
{
	return faccessat(directory, ".git", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int visit_directory(struct walker *walker, int directory, size_t length, unsigned depth,
	const struct ignore *ignore);

static int enter(struct walker *walker, int parent, const char *name, size_t length, unsigned depth,
	const struct ignore *ignore)
{
	auto_close int fd = -1;

	if (depth > walker->walk->depth_max) {
		if (depth > WALK_DEPTH_MAX)
			leave_out(walker, "folders more than %u levels down", WALK_DEPTH_MAX);
		return 0;
	}
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO))
		return fail(walker, errno, name);
	if (fd < 0 || is_kernel_made(fd))
		return 0; /* gone, swapped, or not for us */
	walker->path[length++] = '/';
	return visit_directory(walker, fd, length, depth, ignore);
}

static int visit_entry(struct walker *walker, int directory, const struct name *name, size_t length,
	unsigned depth, const struct ignore *ignore)
{
	const struct walk *walk = walker->walk;
	struct walk_file file = {.directory = directory, .name = name->text};
	size_t size = strlen(name->text);
	bool is_dir = is_directory(directory, name);

	if (strcmp(name->text, ".git") == 0 || size > NAME_MAX)
		return 0;
	if (name->text[0] == '.' && !walk->is_hidden_wanted)
		return 0;
	memcpy(walker->path + length, name->text, size + 1);
	if (ignore && ignore_matches(ignore, walker->path, is_dir))
		return 0;
	if (is_dir)
		return enter(walker, directory, name->text, length + size, depth + 1, ignore);
	file.path = walker->path + walker->root_prefix;
	return walk->visit(walk->arg, &file);
}

static int visit_directory(struct walker *walker, int directory, size_t length, unsigned depth,
	const struct ignore *above)
{
	const struct ignore *ignore = above;
	struct names names;
	int r = names_read(&names, directory);

	if (r < 0)
		return r == -ENOMEM || depth == 0 ? fail(walker, -r, walker->work->path) : 0;
	walker->path[length] = '\0';
	if (names.seen > names.count)
		leave_out(walker, "%llu of %llu names in %.60s",
			(unsigned long long)(names.seen - names.count),
			(unsigned long long)names.seen,
			depth > 0 ? walker->path + walker->root_prefix : walker->work->path);
	if (!walker->walk->is_ignored_wanted) {
		if (depth > 0 && is_repository(directory))
			above = NULL;
		ignore = ignore_load(directory, length, above);
	}
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		if (++walker->entries > WALK_ENTRIES_MAX) {
			leave_out(walker, "all behind the first %u files and folders",
				WALK_ENTRIES_MAX);
			r = 1;
			break;
		}
		r = visit_entry(walker, directory, &names.names[i], length, depth, ignore);
	}
	ignore_free(ignore, above);
	names_free(&names);
	return r;
}

/*
 * The .gitignore files above the root, up to the directory that holds .git; none when there is no
 * such directory. real is the root's real path. Sets how much of it leads to the root.
 */
static const struct ignore *load_above(struct walker *walker, const char *real)
{
	const struct ignore *ignore = NULL;
	char above[PATH_MAX + 8];
	const char *top = NULL, *p;
	size_t length;

	for (p = real + strlen(real); p > real && !top;) {
		length = (size_t)(p - real);
		memcpy(above, real, length);
		strcpy(above + length, "/.git");
		if (faccessat(AT_FDCWD, above, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			top = p;
		while (p > real && *--p != '/')
			;
	}
	if (!top || *top == '\0')
		return NULL;
	strcpy(walker->path, top + 1);
	strcat(walker->path, "/");
	walker->root_prefix = strlen(walker->path);
	for (p = top; *p; p = strchrnul(p + 1, '/')) {
		auto_close int fd = -1;

		length = (size_t)(p - real);
		memcpy(above, real, length);
		above[length] = '\0';
		fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			ignore = ignore_load(fd, p == top ? 0 : (size_t)(p - top), ignore);
	}
	return ignore;
}

int walk_run(struct work *work, const struct walk *walk, int root)
{
	auto_free struct walker *walker = calloc(1, sizeof(*walker));
	auto_free char *real = realpath(work->path, NULL);
	const struct ignore *above = NULL;
	int r;

	if (!walker)
		return work_fail(work, ENOMEM, "out of memory");
	walker->work = work;
	walker->walk = walk;
	if (real && !walk->is_ignored_wanted)
		above = load_above(walker, real);
	r = visit_directory(walker, root, walker->root_prefix, 0, above);
	ignore_free(above, NULL);
	return r < 0 ? r : 0;
}

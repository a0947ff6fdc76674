/* The host's side of cgroups: find the hierarchies, own an instance's base in each, end it. */
#include "nsjail-lite/cgroup/discover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

#define MOUNTINFO_MAX (4u << 20)
#define PREFIX	      "hearth-"
#define DESTROY_TRIES 3
#define NAME_MAX_     64

const char *cgroup_controller_name(enum cgroup_controller controller)
{
	static const char *const names[CGROUP_CONTROLLERS] = {"memory", "pids", "cpu", "io"};

	return names[controller];
}

/* True when word stands in the comma-separated list. */
static bool list_has(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *p = list; p; p = strchr(p, ',')) {
		if (*p == ',')
			p++;
		if (strncmp(p, word, length) == 0 && (p[length] == ',' || p[length] == '\0'))
			return true;
	}
	return false;
}

/* Are there three octal digits of one byte at p? */
static bool is_octal(const char *p)
{
	return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' &&
	       p[2] <= '7';
}

/* Copy a mount point, undoing \ooo escapes; empty when it does not fit. */
static void copy_mount_point(char to[256], const char *from)
{
	size_t n = 0;

	while (*from) {
		if (n == 255) {
			to[0] = '\0';
			return;
		}
		if (from[0] == '\\' && is_octal(from + 1)) {
			to[n++] = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
					 (from[3] - '0'));
			from += 4;
		} else {
			to[n++] = *from++;
		}
	}
	to[n] = '\0';
}

static const char *const v1_names[CGROUP_V1_HIERARCHIES] = {
	"memory", "pids", "cpu", "blkio", "freezer"};

/* One line: "36 35 0:30 / /mount/point options [tags] - type source super-options". */
static void take_line(char *line, struct cgroup_mounts *mounts)
{
	char *separator = strstr(line, " - ");
	char point[256], type[64], super[512];

	if (!separator || sscanf(line, "%*s %*s %*s %*s %255s", point) != 1 ||
		sscanf(separator, " - %63s %*s %511s", type, super) != 2)
		return;
	if (strcmp(type, "cgroup2") == 0 && !mounts->v2[0])
		copy_mount_point(mounts->v2, point);
	if (strcmp(type, "cgroup") != 0)
		return;
	for (int c = 0; c < CGROUP_V1_HIERARCHIES; c++)
		if (!mounts->v1[c][0] && list_has(super, v1_names[c]))
			copy_mount_point(mounts->v1[c], point);
}

/* The table also lists what something else has been mounted over: no cgroup can be made there. */
static void drop_covered(char mount_point[256], long type)
{
	struct statfs fs;

	if (mount_point[0] && (statfs(mount_point, &fs) < 0 || fs.f_type != type))
		mount_point[0] = '\0';
}

static bool has_any(const struct cgroup_mounts *mounts)
{
	bool any = mounts->v2[0];

	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		any |= mounts->v1[c][0] != '\0';
	return any;
}

static int no_mount(struct error *err)
{
	return error_set(err, ENODEV,
		"cgroup: neither a v2 tree nor a v1 hierarchy of memory, pids or cpu is "
		"mounted: mount one below /sys/fs/cgroup");
}

int cgroup_discover(const char *mountinfo, struct cgroup_mounts *ret_mounts, struct error *err)
{
	struct cgroup_mounts mounts = {0};
	auto_free char *text = strdup(mountinfo);
	char *save = NULL;

	if (!text)
		return error_set(err, ENOMEM, "cgroup: out of memory");
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		take_line(line, &mounts);
	if (!has_any(&mounts))
		return no_mount(err);
	*ret_mounts = mounts;
	return 0;
}

/* Of this host, looked for once: they stay where they are while the program runs. */
static int find_mounts(const char *mountinfo, struct cgroup_mounts *ret_mounts, struct error *err)
{
	static struct cgroup_mounts mounts;
	auto_free char *text = NULL;
	ssize_t n;
	int r;

	if (mountinfo)
		return cgroup_discover(mountinfo, ret_mounts, err);
	if (!has_any(&mounts)) {
		n = file_read_all_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, err);
		r = n < 0 ? (int)n : cgroup_discover(text, &mounts, err);
		if (r < 0)
			return r;
		drop_covered(mounts.v2, CGROUP2_SUPER_MAGIC);
		for (int c = 0; c < CGROUP_V1_HIERARCHIES; c++)
			drop_covered(mounts.v1[c], CGROUP_SUPER_MAGIC);
	}
	*ret_mounts = mounts;
	return has_any(&mounts) ? 0 : no_mount(err);
}

static int open_base(const char *mount_point, const char *instance, int *ret_fd, struct error *err)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/" PREFIX "%s", mount_point, instance);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return error_errno(err, "mkdir %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "open %s", path);
	*ret_fd = fd;
	return 0;
}

/* Ask for a controller in the children of root and base. False: this v2 tree does not have it. */
static bool enable_v2(const char *mount_point, int base_fd, enum cgroup_controller c)
{
	char controllers[512], path[512], word[32];
	char *save = NULL;
	bool has = false;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", mount_point);
	if (file_read_at(AT_FDCWD, path, controllers, sizeof(controllers), NULL) < 0)
		return false;
	for (char *w = strtok_r(controllers, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
		has |= strcmp(w, cgroup_controller_name(c)) == 0;
	if (!has)
		return false;
	snprintf(word, sizeof(word), "+%s", cgroup_controller_name(c));
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", mount_point);
	return file_write_at(AT_FDCWD, path, word, NULL) == 0 &&
	       file_write_at(base_fd, "cgroup.subtree_control", word, NULL) == 0;
}

int cgroup_base_open(const char *instance, const char *mountinfo, struct cgroup_base *ret_base,
	struct error *err)
{
	struct cgroup_base base = CGROUP_BASE_INIT;
	struct cgroup_mounts mounts;
	int r = find_mounts(mountinfo, &mounts, err);

	if (r == 0 && mounts.v2[0])
		r = open_base(mounts.v2, instance, &base.v2_fd, err);
	for (enum cgroup_controller c = 0; r == 0 && c < CGROUP_CONTROLLERS; c++) {
		if (base.v2_fd >= 0 && enable_v2(mounts.v2, base.v2_fd, c)) {
			base.place[c] = CGROUP_V2;
		} else if (mounts.v1[c][0]) {
			base.place[c] = CGROUP_V1;
			r = open_base(mounts.v1[c], instance, &base.v1_fd[c], err);
		}
	}
	if (r == 0 && base.v2_fd < 0 && mounts.v1[CGROUP_FREEZER][0])
		r = open_base(
			mounts.v1[CGROUP_FREEZER], instance, &base.v1_fd[CGROUP_FREEZER], err);
	if (r < 0) {
		cgroup_base_close(&base);
		return error_prefix(err, r, "cgroup");
	}
	*ret_base = base;
	return 0;
}

int cgroup_join_daemon(const struct cgroup_base *base, struct error *err)
{
	int fd = base->v2_fd >= 0 ? base->v2_fd : base->v1_fd[CGROUP_PIDS];

	if (fd < 0)
		return error_set(err, ENODEV, "cgroup: no hierarchy to keep the daemons in");
	if (mkdirat(fd, "daemon", 0755) < 0 && errno != EEXIST)
		return error_errno(err, "cgroup: mkdir daemon");
	return file_write_at(fd, "daemon/cgroup.procs", "0", err);
}

/* The caller may sit in a base that it ends: to the root of that hierarchy with it. */
static void leave(const char *mount_point, const char *name)
{
	auto_free char *own = NULL;
	char path[512], needle[NAME_MAX_ + 2];

	snprintf(needle, sizeof(needle), "/%s/", name);
	if (file_read_all_at(AT_FDCWD, "/proc/self/cgroup", MOUNTINFO_MAX, &own, NULL) < 0 ||
		!strstr(own, needle))
		return;
	snprintf(path, sizeof(path), "%s/cgroup.procs", mount_point);
	file_write_at(AT_FDCWD, path, "0", NULL);
}

/* End what is in "hearth-<instance>" of one hierarchy: this one of v1, or with -1 the v2 tree. */
static int clear_in(const char *mount_point, int hierarchy, const char *instance, bool removes_base,
	struct error *err)
{
	struct cgroup_base parent = CGROUP_BASE_INIT;
	struct cgroup_base base = parent;
	char name[NAME_MAX_];
	const bool is_v2 = hierarchy < 0;
	int *parent_fd = is_v2 ? &parent.v2_fd : &parent.v1_fd[hierarchy];
	int *base_fd = is_v2 ? &base.v2_fd : &base.v1_fd[hierarchy];
	int r = 0;

	snprintf(name, sizeof(name), PREFIX "%s", instance);
	*parent_fd = open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*parent_fd < 0)
		return error_errno(err, "open %s", mount_point);
	*base_fd = openat(*parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*base_fd < 0 && errno != ENOENT)
		r = error_errno(err, "open %s/%s", mount_point, name);
	if (*base_fd >= 0) {
		leave(mount_point, name);
		/* On v2 one write ends the whole subtree before its parts are removed one by one. */
		if (is_v2)
			file_write_at(*base_fd, "cgroup.kill", "1", NULL);
		/* A builder that dies may still finish a mkdir behind our back: then look again. */
		for (int tries = 0; tries < DESTROY_TRIES; tries++) {
			r = cgroup_remove_matching(&base, "", err);
			if (r == 0 && removes_base)
				r = cgroup_remove(&parent, name, err);
			if (r != -EBUSY)
				break;
		}
	}
	cgroup_base_close(&base);
	cgroup_base_close(&parent);
	return r;
}

static int clear(const char *instance, bool removes_base, struct error *err)
{
	struct cgroup_mounts mounts;
	int r = find_mounts(NULL, &mounts, err);
	int result = 0;

	if (r < 0)
		return r;
	if (mounts.v2[0])
		result = clear_in(mounts.v2, -1, instance, removes_base, err);
	/* The freezer first: nothing that is frozen would die in the others. */
	for (int c = CGROUP_V1_HIERARCHIES - 1; c >= 0; c--) {
		if (!mounts.v1[c][0])
			continue;
		r = clear_in(mounts.v1[c], c, instance, removes_base, err);
		result = r < 0 ? r : result;
	}
	return result;
}

int cgroup_base_clear(const char *instance, struct error *err)
{
	return clear(instance, false, err);
}

int cgroup_base_destroy(const char *instance, struct error *err)
{
	return clear(instance, true, err);
}

static const char *mount_point_of(const struct cgroup_mounts *mounts, size_t hierarchy)
{
	return hierarchy == 0 ? mounts->v2 : mounts->v1[hierarchy - 1];
}

int cgroup_base_exists(const char *instance, struct error *err)
{
	struct cgroup_mounts mounts;
	char path[512];
	int r = find_mounts(NULL, &mounts, err);

	for (size_t i = 0; r == 0 && i < CGROUP_HIERARCHIES; i++) {
		const char *point = mount_point_of(&mounts, i);

		snprintf(path, sizeof(path), "%s/" PREFIX "%s", point, instance);
		if (point[0] && access(path, F_OK) == 0)
			return 1;
	}
	return r;
}

int cgroup_base_list(
	void (*callback)(void *arg, const char *instance), void *arg, struct error *err)
{
	struct cgroup_mounts mounts;
	int r = find_mounts(NULL, &mounts, err);

	for (size_t i = 0; r == 0 && i < CGROUP_HIERARCHIES; i++) {
		const char *point = mount_point_of(&mounts, i);
		DIR *dir = point[0] ? opendir(point) : NULL;
		const struct dirent *entry;

		while (dir && (entry = readdir(dir)))
			if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0)
				callback(arg, entry->d_name + strlen(PREFIX));
		if (dir)
			closedir(dir);
	}
	return r;
}

#include "images/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "images/tree.h"

int store_open(const char *store, struct error *err)
{
	int fd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? error_errno(err, "open %s", store) : fd;
}

void store_format(char ret_path[static STORE_PATH_MAX], const char *name, const char *suffix)
{
	snprintf(ret_path, STORE_PATH_MAX, ".%s.%s", name, suffix);
}

int store_lock(int store_fd, const char *name, struct error *err)
{
	char path[STORE_PATH_MAX];
	auto_close int fd = -1;

	store_format(path, name, "lock");
	fd = openat(store_fd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? error_set(err, EBUSY, "another process builds or removes it")
			       : error_errno(err, "lock %s", path);
	return take_fd(&fd);
}

int store_claim(int store_fd, const char *path, int *ret_fd, struct error *err)
{
	char root[STORE_PATH_MAX + 8];
	auto_close int fd = -1;

	snprintf(root, sizeof(root), "%s/root", path);
	fd = openat(store_fd, root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return error_errno(err, "open %s", root);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? error_set(err, EBUSY, "it is in use")
					    : error_errno(err, "lock %s", root);
	*ret_fd = take_fd(&fd);
	return 0;
}

int store_hide(int store_fd, const char *name, const char *path,
	char ret_path[static STORE_PATH_MAX], struct error *err)
{
	char suffix[32];
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return error_errno(err, "random");
	snprintf(suffix, sizeof(suffix), "old.%08x", random);
	store_format(ret_path, name, suffix);
	if (renameat(store_fd, path, store_fd, ret_path) < 0)
		return error_errno(err, "rename %s", path);
	return 0;
}

static int sweep_one(int store_fd, const char *name, const char *path, struct error *err)
{
	char building[STORE_PATH_MAX], hidden[STORE_PATH_MAX];
	auto_close int root_fd = -1;
	int r = store_claim(store_fd, path, &root_fd, err);

	if (r == 0)
		return tree_remove_at(store_fd, path, err);
	if (r != -EBUSY)
		return r;
	/* A tree that was replaced while in use stays until a later sweep, out of the build's way. */
	store_format(building, name, "building");
	if (strcmp(path, building) == 0)
		return store_hide(store_fd, name, path, hidden, err);
	return 0;
}

/* As store_hide() makes them: ".base.old.building" is a build of the image base.old. */
static bool is_hidden(const char *name, const char *path)
{
	char old[STORE_PATH_MAX];
	size_t length;

	store_format(old, name, "old.");
	length = strlen(old);
	return strncmp(path, old, length) == 0 && strlen(path + length) == 8 &&
	       strspn(path + length, "0123456789abcdef") == 8;
}

int store_sweep(int store_fd, const char *name, struct error *err)
{
	char building[STORE_PATH_MAX];
	struct tree_names names;
	int r = tree_names_read(store_fd, &names, err);

	if (r < 0)
		return r;
	store_format(building, name, "building");
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *path = names.names[i];

		if (strcmp(path, building) == 0 || is_hidden(name, path))
			r = sweep_one(store_fd, name, path, err);
	}
	tree_names_finish(&names);
	return r;
}

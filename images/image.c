#include "images/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "images/manifest.h"
#include "images/store.h"
#include "images/tree.h"

/* An image's directory and its manifest. */
static int open_directory(
	int store_fd, const char *name, struct image_manifest *ret_manifest, struct error *err)
{
	auto_close int fd = -1;
	int r;

	if (!text_is_name(name, IMAGE_NAME_MAX - 1))
		return error_set(err, EINVAL,
			"not a name: up to %d of a-z 0-9 . _ -, beginning with a letter or digit",
			IMAGE_NAME_MAX - 1);
	fd = openat(store_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, ENOENT, "not in the store");
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return error_set(err, EPROTO, "not a directory");
	if (fd < 0)
		return error_errno(err, "open");
	r = manifest_read(fd, name, ret_manifest, err);
	return r < 0 ? r : take_fd(&fd);
}

static int open_root(int dirfd, struct error *err)
{
	auto_close int fd = openat(dirfd, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, EPROTO, "root/ is missing or not a directory");
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? error_set(err, EBUSY, "it is being removed")
					    : error_errno(err, "lock root/");
	return take_fd(&fd);
}

int image_open(const char *store, const char *name, struct image *ret_image, struct error *err)
{
	struct image image = {.root_fd = -1};
	auto_close int store_fd = store_open(store, err), dirfd = -1;

	if (store_fd < 0)
		return error_prefix(err, store_fd, "image %s", name);
	dirfd = open_directory(store_fd, name, &image.manifest, err);
	if (dirfd < 0)
		return error_prefix(err, dirfd, "image %s", name);
	image.root_fd = open_root(dirfd, err);
	if (image.root_fd < 0) {
		image_close(&image);
		return error_prefix(err, image.root_fd, "image %s", name);
	}
	*ret_image = image;
	return 0;
}

void image_close(struct image *image)
{
	fd_close(image->root_fd);
	manifest_finish(&image->manifest);
}

static void visit_one(int store_fd, const char *name,
	void (*visit)(void *arg, const struct image_manifest *manifest, const char *broken),
	void *arg)
{
	struct image_manifest manifest = {.env = NULL};
	struct error err;
	auto_close int dirfd = open_directory(store_fd, name, &manifest, &err);
	auto_close int root_fd = dirfd < 0 ? -1 : open_root(dirfd, &err);

	if (root_fd < 0)
		text_copy(manifest.name, sizeof(manifest.name), name);
	visit(arg, &manifest, root_fd < 0 ? err.text : NULL);
	manifest_finish(&manifest);
}

int image_for_each(const char *store,
	void (*visit)(void *arg, const struct image_manifest *manifest, const char *broken),
	void *arg, struct error *err)
{
	auto_close int store_fd = store_open(store, err);
	struct tree_names names;
	int r;

	if (store_fd == -ENOENT)
		return 0; /* nothing was ever built */
	if (store_fd < 0)
		return store_fd;
	r = tree_names_read(store_fd, &names, err);
	if (r < 0)
		return error_prefix(err, r, "%s", store);
	for (size_t i = 0; i < names.count; i++)
		if (text_is_name(names.names[i], IMAGE_NAME_MAX - 1))
			visit_one(store_fd, names.names[i], visit, arg);
	tree_names_finish(&names);
	return 0;
}

static int remove_locked(int store_fd, const char *name, struct error *err)
{
	char hidden[STORE_PATH_MAX];
	auto_close int root_fd = -1;
	int r;

	if (faccessat(store_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set(err, ENOENT, "not in the store");
	r = store_claim(store_fd, name, &root_fd, err);
	if (r < 0)
		return r;
	r = store_hide(store_fd, name, name, hidden, err);
	return r < 0 ? r : tree_remove_at(store_fd, hidden, err);
}

int image_remove(const char *store, const char *name, struct error *err)
{
	auto_close int store_fd = store_open(store, err), lock_fd = -1;
	int r;

	if (store_fd < 0)
		return error_prefix(err, store_fd, "image %s", name);
	if (!text_is_name(name, IMAGE_NAME_MAX - 1))
		return error_set(err, EINVAL, "image %s: not a name of an image", name);
	lock_fd = store_lock(store_fd, name, err);
	if (lock_fd < 0)
		return error_prefix(err, lock_fd, "image %s", name);
	/* First, because what an interrupted removal has left is no image that could be removed again. */
	r = store_sweep(store_fd, name, err);
	if (r == 0)
		r = remove_locked(store_fd, name, err);
	return r < 0 ? error_prefix(err, r, "image %s", name) : 0;
}

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "images/digest.h"
#include "images/file_list.h"
#include "images/image.h"
#include "images/store.h"

/* The list is believed only when it is the one that the manifest's digest was made of. */
static int explain(const char *store, const struct image *image, const struct digest_tree *is,
	struct error *err)
{
	char path[IMAGE_NAME_MAX + sizeof("/" STORE_FILE_LIST)], digest[IMAGE_DIGEST_MAX];
	auto_close int store_fd = store_open(store, err);
	auto_free char *was = NULL;
	struct stat st;
	ssize_t size = -1;

	if (store_fd < 0)
		return store_fd;
	snprintf(path, sizeof(path), "%s/" STORE_FILE_LIST, image->manifest.name);
	/* To open a FIFO is to wait for its writer. */
	if (fstatat(store_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		size = file_read_all_at(store_fd, path, (size_t)st.st_size, &was, NULL);
	if (size < 0 || digest_of_bytes(was, (size_t)size, digest, NULL) < 0 ||
		strcmp(digest, image->manifest.digest) != 0)
		return error_set(err, EBADMSG,
			"differs from its manifest, and so does " STORE_FILE_LIST
			", which would say where");
	return file_list_explain(was, is->list, err);
}

int image_verify(const char *store, const char *name, const struct image_progress *progress,
	struct error *err)
{
	struct digest_tree tree;
	struct image image;
	int r = image_open(store, name, &image, err);

	if (r < 0)
		return r;
	r = digest_compute(image.root_fd, image.manifest.bytes, progress, &tree, err);
	if (r == 0) {
		if (strcmp(tree.digest, image.manifest.digest) != 0)
			r = explain(store, &image, &tree, err);
		digest_finish(&tree);
	}
	image_close(&image);
	return r < 0 ? error_prefix(err, r, "image %s", name) : 0;
}

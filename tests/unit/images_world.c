#include "tests/unit/images_world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "images/manifest.h"
#include "images/store.h"
#include "images/tree.h"

int world_set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	strcpy(w->store, "/tmp/hearth-images-XXXXXX");
	if (!mkdtemp(w->store))
		return -1;
	w->store_fd = open(w->store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = w;
	return w->store_fd < 0 ? -1 : 0;
}

int world_tear_down(void **state)
{
	struct world *w = *state;
	auto_close int tmp_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = tree_remove_at(tmp_fd, w->store + strlen("/tmp/"), &w->err);

	if (r < 0)
		print_error("%s\n", w->err.text);
	fd_close(w->store_fd);
	free(w);
	return r;
}

void world_directory(struct world *w, const char *path, unsigned mode)
{
	assert_int_equal(mkdirat(w->store_fd, path, mode), 0);
	assert_int_equal(fchmodat(w->store_fd, path, mode, 0), 0);
}

void world_file(struct world *w, const char *path, const char *text, unsigned mode)
{
	auto_close int fd =
		openat(w->store_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

void world_link(struct world *w, const char *path, const char *target)
{
	unlinkat(w->store_fd, path, 0);
	assert_int_equal(symlinkat(target, w->store_fd, path), 0);
}

void world_remove(struct world *w, const char *path)
{
	assert_int_equal(tree_remove_at(w->store_fd, path, &w->err), 0);
}

bool world_has(struct world *w, const char *path)
{
	return faccessat(w->store_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void below(char to[static 256], const char *path, const char *name)
{
	snprintf(to, 256, "%s/%s", path, name);
}

void world_tree(struct world *w, const char *path)
{
	static const char *const directories[] = {"bin", "etc", "etc/empty"};
	char at[256];

	world_directory(w, path, 0755);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		below(at, path, directories[i]);
		world_directory(w, at, 0755);
	}
	below(at, path, "bin/tool");
	world_file(w, at, "what the tool does", 0755);
	below(at, path, "etc/hosts");
	world_file(w, at, "127.0.0.1 localhost\n", 0644);
	below(at, path, "etc/link");
	world_link(w, at, "hosts");
	below(at, path, "etc/pipe");
	assert_int_equal(mkfifoat(w->store_fd, at, 0600), 0);
}

struct digest_tree world_digest(struct world *w, const char *path)
{
	auto_close int fd = openat(w->store_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct digest_tree tree;

	assert_true(fd >= 0);
	assert_int_equal(digest_compute(fd, 0, NULL, &tree, &w->err), 0);
	return tree;
}

void world_image(struct world *w, const char *name)
{
	static const char recipe[] =
		"sha256:0000000000000000000000000000000000000000000000000000000000000000";
	struct image_manifest measured = {.created = "2026-01-31T12:00:00Z"};
	struct manifest_draft *draft;
	struct digest_tree tree;
	char root[256];
	int dirfd;

	world_directory(w, name, 0700);
	below(root, name, "root");
	world_tree(w, root);
	tree = world_digest(w, root);
	strcpy(measured.name, name);
	strcpy(measured.digest, tree.digest);
	measured.bytes = tree.bytes;
	measured.entries = tree.entries;
	dirfd = openat(w->store_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(manifest_draft_create(&draft, NULL), 0);
	assert_int_equal(manifest_draft_add(draft, "version 1.0", NULL), 0);
	assert_int_equal(manifest_draft_add(draft, "cwd /etc", NULL), 0);
	assert_int_equal(manifest_draft_add(draft, "env PATH=/bin", NULL), 0);
	assert_int_equal(manifest_draft_add(draft, "package tool 1.0-1", NULL), 0);
	assert_int_equal(manifest_draft_write(draft, dirfd, &measured, recipe, &w->err), 0);
	assert_int_equal(
		file_replace_at(dirfd, STORE_FILE_LIST, tree.list, tree.list_size, 0644, &w->err),
		0);
	manifest_draft_destroy(draft);
	digest_finish(&tree);
	fd_close(dirfd);
}

void world_says(struct world *w, const char *text)
{
	if (!strstr(w->err.text, text))
		fail_msg("\"%s\" does not say \"%s\"", w->err.text, text);
}

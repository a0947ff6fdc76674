/*
 * An image is built in .NAME.building, beside where it will stand, and renamed when it is whole and
 * on the disk. SIGINT, SIGTERM and SIGHUP wait until what was begun is removed and then take their
 * usual effect; after a SIGKILL the next build of NAME removes it.
 */
#define _GNU_SOURCE 1 /* renameat2, syncfs */
#include "images/build.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "images/digest.h"
#include "images/image.h"
#include "images/manifest.h"
#include "images/recipe.h"
#include "images/store.h"
#include "images/tree.h"

#define SCRIPT_SIZE_MAX ((size_t)1 << 20)
#define RECIPE_PERMILLE 900 /* of the whole build; the rest is the digest */
#define INNER_PATH_MAX	(PATH_MAX + STORE_PATH_MAX + sizeof("//root"))
#define STORE_MODE	0755

struct build {
	const char *name, *script;
	const struct image_progress *progress;
	char store[PATH_MAX];
	char building[STORE_PATH_MAX], log[STORE_PATH_MAX];
	int store_fd, lock_fd;
	int dirfd; /* .NAME.building */
	int log_fd;
	int interrupt_fd;
	sigset_t saved_mask;
};

/* Parts of the whole: the recipe, then the digest. */
struct part {
	const struct image_progress *progress;
	int from, to;
};

static void report_part(void *arg, int permille, const char *text)
{
	const struct part *part = arg;

	if (part->progress)
		part->progress->report(part->progress->arg,
			permille < 0 ? part->from
				     : part->from + permille * (part->to - part->from) / 1000,
			text);
}

/* Signals that end a build become readable, but for those that the caller ignores. */
static int hold_signals(struct build *b, struct error *err)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (sigaction(ends[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&set, ends[i]);
	b->interrupt_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (b->interrupt_fd < 0)
		return error_errno(err, "signalfd");
	sigprocmask(SIG_BLOCK, &set, &b->saved_mask);
	return 0;
}

static int make_directory(int dirfd, const char *name, mode_t mode, struct error *err)
{
	if (mkdirat(dirfd, name, mode) < 0 && errno != EEXIST)
		return error_errno(err, "mkdir %s", name);
	return 0;
}

/* The lock first: only its holder may touch what stands under .NAME. */
static int prepare(struct build *b, struct error *err)
{
	int r;

	b->lock_fd = store_lock(b->store_fd, b->name, err);
	if (b->lock_fd < 0)
		return b->lock_fd;
	r = store_sweep(b->store_fd, b->name, err);
	if (r < 0)
		return r;
	b->log_fd = openat(b->store_fd, b->log,
		O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (b->log_fd < 0)
		return error_errno(err, "open %s", b->log);
	r = make_directory(b->store_fd, ".cache", 0700, err);
	if (r == 0)
		r = make_directory(b->store_fd, b->building, 0700, err);
	if (r < 0)
		return r;
	b->dirfd = tree_open(b->store_fd, b->building, err);
	if (b->dirfd < 0)
		return b->dirfd;
	r = make_directory(b->dirfd, "root", 0755, err);
	return r < 0 ? r : make_directory(b->dirfd, "work", 0700, err);
}

static int run_recipe(struct build *b, struct manifest_draft *draft, struct error *err)
{
	char root[INNER_PATH_MAX], work[INNER_PATH_MAX], cache[INNER_PATH_MAX];
	struct part part = {b->progress, 0, RECIPE_PERMILLE};
	struct image_progress progress = {report_part, &part};
	struct recipe recipe = {
		.script = b->script,
		.root = root,
		.work = work,
		.cache = cache,
		.log_fd = b->log_fd,
		.lock_fd = b->lock_fd,
		.interrupt_fd = b->interrupt_fd,
	};
	int r;

	snprintf(root, sizeof(root), "%s/%s/root", b->store, b->building);
	snprintf(work, sizeof(work), "%s/%s/work", b->store, b->building);
	snprintf(cache, sizeof(cache), "%s/.cache", b->store);
	r = recipe_run(&recipe, &progress, draft, err);
	return r < 0 ? r : tree_remove_at(b->dirfd, "work", err);
}

static int script_digest(
	const char *script, char ret_digest[static IMAGE_DIGEST_MAX], struct error *err)
{
	auto_free char *text = NULL;
	ssize_t size = file_read_all_at(AT_FDCWD, script, SCRIPT_SIZE_MAX, &text, err);

	return size < 0 ? (int)size : digest_of_bytes(text, (size_t)size, ret_digest, err);
}

static int write_down(struct build *b, struct manifest_draft *draft, const struct digest_tree *tree,
	struct error *err)
{
	struct image_manifest measured = {.bytes = tree->bytes, .entries = tree->entries};
	char recipe[IMAGE_DIGEST_MAX];
	time_t now = time(NULL);
	struct tm tm;
	int r;

	text_copy(measured.name, sizeof(measured.name), b->name);
	text_copy(measured.digest, sizeof(measured.digest), tree->digest);
	strftime(measured.created, sizeof(measured.created), "%Y-%m-%dT%H:%M:%SZ",
		gmtime_r(&now, &tm));
	r = script_digest(b->script, recipe, err);
	if (r == 0)
		r = file_replace_at(
			b->dirfd, STORE_FILE_LIST, tree->list, tree->list_size, 0644, err);
	return r == 0 ? manifest_draft_write(draft, b->dirfd, &measured, recipe, err) : r;
}

static int measure(struct build *b, struct manifest_draft *draft, struct error *err)
{
	struct part part = {b->progress, RECIPE_PERMILLE, 1000};
	struct image_progress progress = {report_part, &part};
	auto_close int root_fd = tree_open(b->dirfd, "root", err);
	struct digest_tree tree;
	int r;

	if (root_fd < 0)
		return root_fd;
	r = digest_compute(root_fd, 0, &progress, &tree, err);
	if (r < 0)
		return error_prefix(err, r, "digest");
	r = write_down(b, draft, &tree, err);
	digest_finish(&tree);
	return r;
}

static int publish(struct build *b, struct error *err)
{
	sigset_t pending;

	if (syncfs(b->dirfd) < 0)
		return error_errno(err, "sync");
	sigpending(&pending);
	if (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) ||
		sigismember(&pending, SIGHUP))
		return error_set(err, EINTR, "interrupted");
	if (renameat2(b->store_fd, b->building, b->store_fd, b->name, RENAME_NOREPLACE) < 0 &&
		(errno != EEXIST || renameat2(b->store_fd, b->building, b->store_fd, b->name,
					    RENAME_EXCHANGE) < 0))
		return error_errno(err, "rename %s to %s", b->building, b->name);
	fsync(b->store_fd);
	unlinkat(b->store_fd, b->log, 0);
	/* Now .NAME.building is the image that was replaced, if there was one. */
	return store_sweep(b->store_fd, b->name, err);
}

static int build_locked(struct build *b, struct error *err)
{
	struct manifest_draft *draft = NULL;
	int r = manifest_draft_create(&draft, err);

	if (r == 0)
		r = run_recipe(b, draft, err);
	if (r == 0)
		r = measure(b, draft, err);
	if (r == 0)
		r = publish(b, err);
	manifest_draft_destroy(draft);
	return r;
}

static int build_in_store(struct build *b, struct error *err)
{
	int r = hold_signals(b, err);

	if (r < 0)
		return r;
	r = prepare(b, err);
	if (r == 0)
		r = build_locked(b, err);
	fd_close(b->dirfd);
	fd_close(b->log_fd);
	if (r < 0 && b->lock_fd >= 0)
		store_sweep(b->store_fd, b->name, NULL); /* the first error is the one to tell */
	fd_close(b->lock_fd);
	fd_close(b->interrupt_fd);
	sigprocmask(SIG_SETMASK, &b->saved_mask, NULL);
	return r;
}

int build_by_script(const char *store, const char *name, const char *script,
	const struct image_progress *progress, struct error *err)
{
	struct build b = {
		.name = name,
		.script = script,
		.progress = progress,
		.store_fd = -1,
		.lock_fd = -1,
		.dirfd = -1,
		.log_fd = -1,
		.interrupt_fd = -1,
	};
	int r = file_make_directories(store, STORE_MODE, err);

	if (r == 0 && !realpath(store, b.store))
		r = error_errno(err, "%s", store);
	if (r == 0)
		b.store_fd = r = store_open(store, err);
	if (r >= 0) {
		store_format(b.building, name, "building");
		store_format(b.log, name, "log");
		r = build_in_store(&b, err);
		fd_close(b.store_fd);
	}
	return r < 0 ? error_prefix(err, r, "image %s", name) : 0;
}

int image_build(const char *store, const char *name, const struct image_progress *progress,
	struct error *err)
{
	char script[PATH_MAX];
	int r = recipe_find(name, script, sizeof(script), err);

	if (r < 0)
		return error_prefix(err, r, "image %s", name);
	return build_by_script(store, name, script, progress, err);
}

/*
 * Building images by recipes of the tests' own, as root: what a recipe is given, every way it can
 * fail, what an interruption leaves; and what of a tree only root can change.
 */
#define _GNU_SOURCE 1 /* pipe2 */
#include "tests/unit/images_world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/build.h"
#include "images/file_list.h"
#include "images/tree.h"

/* What every image of these tests has; a recipe goes on from here. */
#define GOOD                                                                                       \
	"#!/bin/sh\nset -e\necho version 1\necho cwd /\necho env PATH=/bin\n"                      \
	"echo contents >\"$1/file\"\n"

static const char *path_of(struct world *w, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", w->store, name);
	return path;
}

static int build_with(struct world *w, const char *script, const struct image_progress *progress)
{
	char store[128];

	if (script)
		world_file(w, "recipe.sh", script, 0755);
	snprintf(store, sizeof(store), "%s", path_of(w, "store"));
	w->err.text[0] = '\0';
	return build_by_script(store, "x", path_of(w, "recipe.sh"), progress, &w->err);
}

static void builds(struct world *w, const char *script)
{
	int r = build_with(w, script, NULL);

	if (r < 0)
		fail_msg("%s", w->err.text);
}

/* The store holds what a failed build may leave: its lock, its log, the cache. */
static void nothing_is_left(struct world *w)
{
	struct tree_names names;
	auto_close int fd = openat(w->store_fd, "store", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(tree_names_read(fd, &names, &w->err), 0);
	for (size_t i = 0; i < names.count; i++)
		if (strcmp(names.names[i], ".x.lock") != 0 &&
			strcmp(names.names[i], ".x.log") != 0 &&
			strcmp(names.names[i], ".cache") != 0)
			fail_msg("%s is left", names.names[i]);
	tree_names_finish(&names);
}

static void fails(struct world *w, const char *script, int code, const char *text)
{
	assert_int_equal(build_with(w, script, NULL), -code);
	world_says(w, text);
	nothing_is_left(w);
}

static struct image open_image(struct world *w)
{
	struct image image;

	if (image_open(path_of(w, "store"), "x", &image, &w->err) < 0)
		fail_msg("%s", w->err.text);
	return image;
}

static void file_holds(const struct image *image, const char *text)
{
	char buffer[256];

	assert_true(file_read_at(image->root_fd, "file", buffer, sizeof(buffer), NULL) >= 0);
	assert_string_equal(buffer, text);
}

struct reports {
	int last;
	char texts[256];
};

static void note_report(void *arg, int permille, const char *text)
{
	struct reports *reports = arg;
	size_t used = strlen(reports->texts);

	assert_true(permille >= reports->last && permille <= 1000);
	reports->last = permille;
	snprintf(reports->texts + used, sizeof(reports->texts) - used, "%d %s;", permille, text);
}

static void a_recipe_makes_an_image(void **state)
{
	struct world *w = *state;
	struct reports reports = {0, ""};
	struct image_progress progress = {note_report, &reports};
	struct image image;

	assert_int_equal(build_with(w,
				 GOOD "echo progress 500 half way\necho progress 1000 all\n"
				      "echo package jq 1.6\necho x >\"$2/scratch\"\n",
				 &progress),
		0);
	assert_string_equal(reports.texts, "450 half way;900 all;");
	image = open_image(w);
	file_holds(&image, "contents\n");
	assert_string_equal(image.manifest.version, "1");
	assert_int_equal(image.manifest.package_count, 1);
	assert_int_equal(image.manifest.bytes, strlen("contents\n"));
	assert_int_equal(image.manifest.entries, 2);
	image_close(&image);
	assert_int_equal(image_verify(path_of(w, "store"), "x", NULL, &w->err), 0);
	assert_false(world_has(w, "store/x/work") || world_has(w, "store/.x.log"));
	assert_int_equal(image_remove(path_of(w, "store"), "x", &w->err), 0);
	nothing_is_left(w);
}

/* The log is gone after a good build, so the recipe puts what it sees into the image. */
static void a_recipe_sees_only_what_it_needs(void **state)
{
	struct world *w = *state;
	struct image image;
	static const char seen[] = "http://127.0.0.1:9,,1\n";
	char text[256];
	unsigned fds = 0;

	setenv("http_proxy", "http://127.0.0.1:9", 1);
	setenv("SECRET", "x", 1);
	builds(w, GOOD "{ echo \"$http_proxy,$SECRET,$$\"; ls /proc | grep -c '^[0-9]'; "
		       "ls /proc/self/fd | tr '\\n' ' '; cat; } >\"$1/file\"\n");
	unsetenv("http_proxy");
	unsetenv("SECRET");
	image = open_image(w);
	assert_true(file_read_at(image.root_fd, "file", text, sizeof(text), NULL) > 0);
	image_close(&image);
	assert_true(strncmp(text, seen, strlen(seen)) == 0);
	assert_true(atoi(text + strlen(seen)) <= 4); /* it is PID 1 of few */
	/* 0 to 2, the lock, and the directory that ls reads. */
	for (const char *p = strrchr(text, '\n'); *p; p++)
		fds += *p == ' ';
	assert_int_equal(fds, 5);
}

static void a_failed_recipe_is_explained_by_its_last_line(void **state)
{
	struct world *w = *state;

	fails(w, GOOD "echo first >&2\nprintf 'the disk is\\033 full\\n\\n' >&2\nexit 3\n", EIO,
		"image x: the disk is  full");
	assert_true(world_has(w, "store/.x.log"));
}

static void a_silent_failure_is_told_by_its_status(void **state)
{
	struct world *w = *state;

	fails(w, GOOD "exit 3\n", EIO, "the recipe ended with 3");
	fails(w, "#!/bin/busybox true\n", EPROTO, "version");
}

static void a_recipe_that_cannot_start_is_explained(void **state)
{
	struct world *w = *state;

	fails(w, "#!/nonexistent/shell\n", EIO, "recipe.sh: No such file or directory");
	world_file(w, "recipe.sh", GOOD, 0644);
	fails(w, NULL, EIO, "recipe.sh: Permission denied");
}

static void a_recipe_that_talks_nonsense_is_ended(void **state)
{
	struct world *w = *state;

	fails(w, GOOD "echo hello there\nexec sleep 1000\n", EPROTO, "hello there");
	fails(w, GOOD "echo progress 1001 x\nexec sleep 1000\n", EPROTO, "progress 1001");
	fails(w, GOOD "echo progress -1 x\nexec sleep 1000\n", EPROTO, "progress -1");
	fails(w, GOOD "echo progress\nexec sleep 1000\n", EPROTO, "progress");
	fails(w, GOOD "echo cwd relative\n", EPROTO, "cwd");
	fails(w, GOOD "echo env 1=2\n", EPROTO, "env");
	fails(w, GOOD "head -c 100000 /dev/zero | tr '\\0' x\nexec sleep 1000\n", EPROTO,
		"a line of over");
	fails(w, GOOD "exec cat /dev/zero\n", EPROTO, "the recipe said");
}

static void what_a_recipe_leaves_running_is_killed(void **state)
{
	struct world *w = *state;

	/* Holds the output open, which would otherwise keep the build waiting for its end. */
	fails(w, GOOD "setsid sleep 1000 &\nexit 1\n", EIO, "ended with 1");
	builds(w, GOOD "setsid sleep 1000 &\n");
}

static void a_mount_of_a_recipe_goes_with_it(void **state)
{
	struct world *w = *state;
	auto_free char *mounts = NULL;

	builds(w, GOOD "mkdir \"$1/mnt\"\nmount -t tmpfs none \"$1/mnt\"\n");
	assert_true(file_read_all_at(AT_FDCWD, "/proc/self/mounts", 1 << 20, &mounts, NULL) > 0);
	assert_null(strstr(mounts, w->store));
}

static void a_failed_build_keeps_the_image_that_stands(void **state)
{
	struct world *w = *state;
	struct image image;

	builds(w, GOOD);
	assert_int_equal(build_with(w, GOOD "echo new >\"$1/file\"\nexit 1\n", NULL), -EIO);
	image = open_image(w);
	file_holds(&image, "contents\n");
	image_close(&image);
}

static void a_new_build_replaces_and_the_old_tree_stays_while_it_is_used(void **state)
{
	struct world *w = *state;
	struct image old, new;

	builds(w, GOOD);
	old = open_image(w);
	builds(w, GOOD "echo new >\"$1/file\"\n");
	new = open_image(w);
	file_holds(&old, "contents\n");
	file_holds(&new, "new\n");
	image_close(&old);
	image_close(&new);
	builds(w, GOOD);
	assert_int_equal(image_remove(path_of(w, "store"), "x", &w->err), 0);
	nothing_is_left(w);
}

static void on_half_way(void *arg, int permille, const char *text)
{
	(void)text;
	if (permille == 450)
		assert_int_equal(write(*(int *)arg, "x", 1), 1);
}

/* A build in a child; returns when its recipe says "progress 500". */
static pid_t start_build(struct world *w, const char *script, int *ret_fd)
{
	int ends[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct image_progress progress = {on_half_way, &ends[1]};

		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		_exit(build_with(w, script, &progress) == 0 ? 0 : 1);
	}
	fd_close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	*ret_fd = ends[0];
	return pid;
}

#define ENDLESS GOOD "echo progress 500 half way\nsleep 1000 &\nwait\n"

static void two_builds_of_one_name_do_not_meet(void **state)
{
	struct world *w = *state;
	int fd, status;
	pid_t pid = start_build(w, ENDLESS, &fd);

	assert_int_equal(build_with(w, NULL, NULL), -EBUSY);
	world_says(w, "another process builds or removes it");
	assert_int_equal(image_remove(path_of(w, "store"), "x", &w->err), -EBUSY);
	assert_true(world_has(w, "store/.x.building/root/file"));
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fd_close(fd);
}

static void interrupted_by(struct world *w, int number)
{
	int fd, status;
	pid_t pid = start_build(w, ENDLESS, &fd);

	assert_true(world_has(w, "store/.x.building/root/file"));
	assert_int_equal(kill(pid, number), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == number);
	fd_close(fd);
}

static void an_interrupted_build_leaves_nothing_and_dies_by_its_signal(void **state)
{
	struct world *w = *state;

	interrupted_by(w, SIGINT);
	nothing_is_left(w);
	interrupted_by(w, SIGTERM);
	nothing_is_left(w);
}

static void after_a_kill_nothing_shows_and_the_next_build_cleans_up(void **state)
{
	struct world *w = *state;
	struct image image;
	int r;

	interrupted_by(w, SIGKILL);
	assert_false(world_has(w, "store/x"));
	assert_int_equal(image_open(path_of(w, "store"), "x", &image, NULL), -ENOENT);
	/* The lock is free as soon as the recipe, which dies with its caller, is dead as well. */
	do
		r = build_with(w, GOOD, NULL);
	while (r == -EBUSY);
	assert_int_equal(r, 0);
	assert_int_equal(image_remove(path_of(w, "store"), "x", &w->err), 0);
	nothing_is_left(w);
}

/* As under nohup. */
static void an_ignored_signal_does_not_interrupt(void **state)
{
	struct world *w = *state;
	int fd, status;
	pid_t pid;

	signal(SIGHUP, SIG_IGN);
	assert_int_equal(mkfifoat(w->store_fd, "go", 0600), 0);
	pid = start_build(w, GOOD "echo progress 500 x\nread -r _ <\"$2/../../../go\"\n", &fd);
	signal(SIGHUP, SIG_DFL);
	assert_int_equal(kill(pid, SIGHUP), 0);
	world_file(w, "go", "\n", 0600);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	fd_close(fd);
}

static void a_store_that_cannot_be_made_is_an_error(void **state)
{
	struct world *w = *state;

	world_file(w, "recipe.sh", GOOD, 0755);
	assert_int_equal(
		build_by_script("/dev/null/store", "x", path_of(w, "recipe.sh"), NULL, &w->err),
		-ENOTDIR);
	assert_int_equal(
		build_by_script("/proc/store", "x", path_of(w, "recipe.sh"), NULL, &w->err),
		-ENOENT);
}

/* --- what only root can change ----------------------------------------------------------------- */

static void verify_says(struct world *w, const char *text)
{
	assert_int_equal(image_verify(path_of(w, "store"), "x", NULL, &w->err), -EBADMSG);
	assert_string_equal(w->err.text, text);
}

static void a_changed_owner_is_found(void **state)
{
	struct world *w = *state;

	builds(w, GOOD);
	assert_int_equal(fchownat(w->store_fd, "store/x/root/file", 7, 0, 0), 0);
	verify_says(w, "image x: /file: owner is 7 and was 0");
	assert_int_equal(fchownat(w->store_fd, "store/x/root/file", 0, 8, 0), 0);
	verify_says(w, "image x: /file: group is 8 and was 0");
}

static void an_added_file_capability_is_found(void **state)
{
	struct world *w = *state;
	/* struct vfs_cap_data, version 2: CAP_SYS_ADMIN permitted and effective. */
	static const unsigned char capability[20] = {1, 0, 0, 2, 0, 0, 0x20};

	builds(w, GOOD);
	assert_int_equal(setxattr(path_of(w, "store/x/root/file"), "security.capability",
				 capability, sizeof(capability), 0),
		0);
	verify_says(w, "image x: /file: extended attributes differ");
}

static void a_changed_device_is_found(void **state)
{
	struct world *w = *state;
	static const char dev[] = "store/x/root/dev";

	builds(w, GOOD "mknod \"$1/dev\" c 1 3\n");
	assert_int_equal(unlinkat(w->store_fd, dev, 0), 0);
	assert_int_equal(mknodat(w->store_fd, dev, S_IFCHR | 0644, makedev(1, 1)), 0);
	verify_says(w, "image x: /dev: device is 1:1 and was 1:3");
	assert_int_equal(unlinkat(w->store_fd, dev, 0), 0);
	assert_int_equal(mknodat(w->store_fd, dev, S_IFBLK | 0644, makedev(1, 3)), 0);
	verify_says(w, "image x: /dev: type is b and was c");
}

/* Neither the digest nor a removal may reach what is mounted there, which is not the image's. */
static void a_mount_in_a_tree_is_not_entered(void **state)
{
	struct world *w = *state;
	int verified, removed;

	builds(w, GOOD "mkdir \"$1/mnt\"\n");
	assert_int_equal(mount("none", path_of(w, "store/x/root/mnt"), "tmpfs", 0, NULL), 0);
	verified = image_verify(path_of(w, "store"), "x", NULL, &w->err);
	removed = tree_remove_at(w->store_fd, "store", &w->err);
	assert_int_equal(umount2(path_of(w, "store/x/root/mnt"), MNT_DETACH), 0);
	assert_int_equal(verified, -EXDEV);
	assert_int_equal(removed, -EXDEV);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(a_recipe_makes_an_image),
		T(a_recipe_sees_only_what_it_needs),
		T(a_failed_recipe_is_explained_by_its_last_line),
		T(a_silent_failure_is_told_by_its_status),
		T(a_recipe_that_cannot_start_is_explained),
		T(a_recipe_that_talks_nonsense_is_ended),
		T(what_a_recipe_leaves_running_is_killed),
		T(a_mount_of_a_recipe_goes_with_it),
		T(a_failed_build_keeps_the_image_that_stands),
		T(a_new_build_replaces_and_the_old_tree_stays_while_it_is_used),
		T(two_builds_of_one_name_do_not_meet),
		T(an_interrupted_build_leaves_nothing_and_dies_by_its_signal),
		T(after_a_kill_nothing_shows_and_the_next_build_cleans_up),
		T(an_ignored_signal_does_not_interrupt),
		T(a_store_that_cannot_be_made_is_an_error),
		T(a_changed_owner_is_found),
		T(an_added_file_capability_is_found),
		T(a_changed_device_is_found),
		T(a_mount_in_a_tree_is_not_entered),
	};

	return cmocka_run_group_tests_name("images_build", tests, NULL, NULL);
}

/*
 * Building images by recipes of the tests' own, as root: what a recipe is given, every way it can fail, and what an interruption leaves.
 */
#define _GNU_SOURCE 1 /* pipe2, environ */
#include "tests/system/images_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/build.h"

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

static void a_name_that_stands_twice_in_the_environment_is_passed_on_once(void **state)
{
	static char *twice[1000];
	struct world *w = *state;
	char **before = environ, text[64];
	struct image image;

	for (size_t i = 0; i < ARRAY_SIZE(twice) - 1; i++)
		twice[i] = i ? "http_proxy=second" : "http_proxy=first";
	environ = twice;
	builds(w, GOOD "env | grep http_proxy >\"$1/file\"\n");
	environ = before;
	image = open_image(w);
	assert_true(file_read_at(image.root_fd, "file", text, sizeof(text), NULL) > 0);
	image_close(&image);
	assert_string_equal(text, "http_proxy=first\n");
}

static void the_last_line_may_lack_its_newline(void **state)
{
	struct world *w = *state;
	struct image image;

	fails(w, GOOD "printf nonsense\n", EPROTO, "nonsense");
	builds(w, GOOD "printf 'package jq 1.6'\n");
	image = open_image(w);
	assert_int_equal(image.manifest.package_count, 1);
	image_close(&image);
}

static void a_full_store_is_no_space(void **state)
{
	struct world *w = *state;
	int r;

	fails(w, GOOD "echo x | cat >/dev/full\n", ENOSPC, "No space left on device");
	/* Nor is there room for the reason. */
	assert_int_equal(mount("hearth", path_of(w, "store"), "tmpfs", 0, "size=256k"), 0);
	r = build_with(w, GOOD "dd if=/dev/zero of=\"$1/big\" 2>&2\n", NULL);
	assert_int_equal(umount2(path_of(w, "store"), MNT_DETACH), 0);
	assert_int_equal(r, -ENOSPC);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(a_recipe_makes_an_image),
		T(a_recipe_sees_only_what_it_needs),
		T(a_failed_recipe_is_explained_by_its_last_line),
		T(a_silent_failure_is_told_by_its_status),
		T(a_name_that_stands_twice_in_the_environment_is_passed_on_once),
		T(the_last_line_may_lack_its_newline),
		T(a_full_store_is_no_space),
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
	};

	return cmocka_run_group_tests_name("images_build", tests, NULL, NULL);
}

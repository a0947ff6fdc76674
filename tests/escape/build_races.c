/*
 * E06 E07 E08 E10: names of the image are exchanged for links to the host while sandboxes are built.
 *
 * Each build either works, and then everything lies where it should, or fails with a reason; the host's
 * files are never touched. The control is a builder that mounts by path: the same race leads it astray.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "tests/escape/canary.h"
#include "tests/escape/escape.h"
#include "tests/escape/swap.h"

#define BUILDS	     350 /* a row */
#define BUILDS_SOAK  1000
#define SWAPS_MIN    10000 /* during the builds of one row */
#define NAIVE_TRIES  1000000
#define PROC_MAGIC   0x9fa0
#define DEVPTS_MAGIC 0x1cd1

/* One name of the image, and the place in the canary that a link of the same name leads to. */
struct race {
	const char *id, *path;
	bool is_file; /* a builder would take it as a mask; else it would mount over it */
	const char *place;
	bool is_relative; /* the link begins with enough ".." */
	const char *bind; /* destination of a bind, or NULL */
	bool is_read_only;
};

static struct canary canary;
static char name[160], link_name[192], place[160];

static void prepare(const struct race *race)
{
	char target[512];

	snprintf(name, sizeof(name), "%s/%s", canary.image, race->path);
	snprintf(link_name, sizeof(link_name), "%s.swap", name);
	snprintf(place, sizeof(place), "%s/%s", canary.host, race->place);
	snprintf(target, sizeof(target), "%s%s", race->is_relative ? "../../../../../../.." : "",
		place);
	if (race->is_file)
		canary_shell("mkdir -p $(dirname %s) && touch %s", name, name);
	else
		canary_shell("mkdir -p %s", name);
	if (race->bind)
		canary_shell("mkdir -p %s%s", canary.image, race->bind);
	assert_int_equal(symlink(target, link_name), 0);
}

static void start(struct fixture *f, const struct race *race)
{
	struct fixture_options options = {
		.limits = {.memory_bytes = 64 << 20, .disk_bytes = 32 << 20, .pids = 64},
		.root = canary.image,
		.bind_count = race->bind ? 1 : 0,
		.bind_fds = {-1},
	};

	if (race->bind) {
		snprintf(options.binds[0].destination, sizeof(options.binds[0].destination), "%s",
			race->bind);
		options.binds[0].is_read_only = race->is_read_only;
		options.bind_fds[0] = open(canary.source, O_PATH | O_CLOEXEC);
		assert_true(options.bind_fds[0] >= 0);
	}
	fixture_start(f, &options);
	fd_close(options.bind_fds[0]);
}

static void assert_magic(int root_fd, const char *path, long magic)
{
	auto_close int fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;

	assert_true(fd >= 0);
	assert_int_equal(fstatfs(fd, &fs), 0);
	assert_int_equal(fs.f_type, magic);
}

static void assert_null_device(int root_fd, const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(st.st_rdev, makedev(1, 3));
}

/* Lines of the sandbox's mountinfo whose root is the bind's source. */
static int count_binds(pid_t pid)
{
	char path[64], line[4096];
	FILE *file;
	int count = 0;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, "/source ") != NULL;
	fclose(file);
	return count;
}

/* Seen by the host, before anything foreign has run inside. */
static void assert_well_built(const struct fixture *f, const struct race *race)
{
	char path[64];
	auto_close int root_fd = -1;

	snprintf(path, sizeof(path), "/proc/%u/root", f->built.pid);
	root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(root_fd >= 0);
	assert_magic(root_fd, "proc", PROC_MAGIC);
	assert_magic(root_fd, "dev/pts", DEVPTS_MAGIC);
	assert_null_device(root_fd, "dev/null");
	assert_null_device(root_fd, "proc/cmdline");
	assert_int_equal(count_binds((pid_t)f->built.pid), race->bind ? 1 : 0);
}

static void assert_typed(const struct fixture *f, int r)
{
	static const int allowed[] = {
		ENOENT, ENOTDIR, EEXIST, EINVAL, ELOOP, EAGAIN, ESTALE, EXDEV, EISDIR};

	assert_true(strlen(f->failed.text) > 0);
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (-r == allowed[i])
			return;
	fail_msg("a build failed oddly: %s", f->failed.text);
}

static int build_once(struct fixture *f, const struct race *race)
{
	struct guest_client *client;
	int r = fixture_build(f, 0, &client);

	if (r < 0)
		return r;
	assert_well_built(f, race);
	guest_client_destroy(client);
	fixture_kill(f);
	return 0;
}

/* The name is what it was before the race. */
static void put_back(void)
{
	struct stat st;

	assert_int_equal(lstat(name, &st), 0);
	if (S_ISLNK(st.st_mode))
		assert_int_equal(
			renameat2(AT_FDCWD, name, AT_FDCWD, link_name, RENAME_EXCHANGE), 0);
}

/* Builds while the names change; then, once they stand still, one more that has to work. */
static void race_builds(struct escape *e, const struct race *race)
{
	static struct fixture f;
	int builds = getenv("HEARTH_SOAK") ? BUILDS_SOAK : BUILDS;
	static struct swap swap;

	start(&f, race);
	e->second = &f;
	swap_start(&swap, name, link_name);
	for (int i = 0; i < builds || swap.rounds < SWAPS_MIN; i++) {
		int r = build_once(&f, race);

		if (r < 0)
			assert_typed(&f, r);
	}
	swap_stop(&swap);
	put_back();
	assert_int_equal(build_once(&f, race), 0);
	fixture_stop(&f);
	e->second = NULL;
	canary_assert_untouched(&canary);
}

/* What a builder that trusts paths does: take the name as a mask, or mount over it. */
static bool is_led_astray(const struct race *race, const char *mask, const struct stat *before)
{
	const char *from = race->is_file ? name : canary.source;
	const char *to = race->is_file ? mask : name;
	struct stat after;
	bool is_astray = false;

	if (mount(from, to, NULL, MS_BIND, NULL) < 0)
		return false;
	if (race->is_file)
		is_astray = stat(mask, &after) == 0 && after.st_ino == before->st_ino;
	else
		is_astray = stat(place, &after) == 0 && after.st_ino != before->st_ino;
	umount2(to, MNT_DETACH | UMOUNT_NOFOLLOW);
	return is_astray;
}

/* In a mount namespace of its own. Exits with 0 once it was led to the canary. */
static _Noreturn void build_naively(const struct race *race)
{
	char mask[128];
	struct stat before;

	snprintf(mask, sizeof(mask), "%s/x", canary.base);
	close(open(mask, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		stat(place, &before) < 0)
		_exit(2);
	for (int i = 0; i < NAIVE_TRIES; i++)
		if (is_led_astray(race, mask, &before))
			_exit(0);
	_exit(1);
}

static void race_naively(const struct race *race)
{
	static struct swap swap;
	int status = -1;
	pid_t pid;

	swap_start(&swap, name, link_name);
	pid = fork();
	if (pid == 0)
		build_naively(race);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	swap_stop(&swap);
	put_back();
	assert_int_equal(status, 0);
}

static const struct race races[] = {
	{"E06", "dev/null", .is_file = true, .place = "null"},
	{"E06", "dev/null", .is_file = true, .place = "null", .is_relative = true},
	{"E06", "dev", .place = "."},
	{"E07", "dev/pts", .place = "pts"},
	{"E07", "dev/ptmx", .is_file = true, .place = "ptmx"},
	{"E07", "dev/console", .is_file = true, .place = "x", .is_relative = true},
	{"E08", "proc", .place = "proc"},
	{"E08", "proc", .place = "proc", .is_relative = true},
	{"E10", "srv/dst", .place = "dst", .bind = "/srv/dst"},
	{"E10", "srv/dst", .place = "dst", .is_relative = true, .bind = "/srv/dst"},
	{"E10", "srv", .place = ".", .bind = "/srv/dst"},
	{"E10", "srv/dst", .place = "dst", .bind = "/srv/dst/deep", .is_read_only = true},
};

static void run_races(struct escape *e, const char *id)
{
	for (size_t i = 0; i < ARRAY_SIZE(races); i++) {
		if (strcmp(races[i].id, id) != 0)
			continue;
		canary_make(&canary, e->world.root);
		prepare(&races[i]);
		e->attempts++;
		race_naively(&races[i]);
		e->controls++;
		race_builds(e, &races[i]);
		canary_remove(&canary);
	}
}

static void masks(struct escape *e)
{
	run_races(e, "E06");
}

static void terminals(struct escape *e)
{
	run_races(e, "E07");
}

static void proc(struct escape *e)
{
	run_races(e, "E08");
}

static void binds(struct escape *e)
{
	run_races(e, "E10");
}

static const struct escape_case cases[] = {
	{"E06", "a null device that turns into a link masks nothing of the host", masks},
	{"E07", "terminals that turn into links are not taken from the host", terminals},
	{"E08", "a /proc that turns into a link is not mounted over the host", proc},
	{"E10", "a bind's destination that turns into a link stays inside", binds},
};

const struct escape_cases escape_build_races = ESCAPE_CASES(cases);

#define _GNU_SOURCE 1 /* unshare */
/*
 * Workspaces that are removed: trees of any shape go whole and nothing beside them, who may have which removed, and
 * what becomes of the name.
 */
#include "tests/unit/supervisor_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "supervisor/workspace_removal.h"
#include "supervisor/workspace_tree.h"
#include "supervisor/workspace_watch.h"

#define PLAIN                                                                                      \
	"[instance]\nbuilders = 1\n[workspaces]\nlimit = 1M\n"                                     \
	"[pool \"tiny\"]\nmin = 2\nmax = 4\n"

#define DEEP	  2000
#define FEW_FDS	  (WORKSPACE_TREE_LEVELS + 16)
#define NOBODY	  65534
#define CANNOT	  77 /* exit status of a forked test: the kernel does not let it */
#define LONG_NAME "n23456789012345678901234567890123456789012345678901234567890123" /* 63 */

static char directory[64];
static int root_fd;

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/hearth-unit.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	root_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root_fd < 0 ? -1 : mkdirat(root_fd, "w", 0755);
}

/* A directory that was a world's, or ours. */
static int sweep(const char *path)
{
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error err = {0};

	if (workspace_tree_remove(tmp, path + strlen("/tmp/"), &err) < 0)
		print_error("%s\n", err.text);
	return err.code == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	close(root_fd);
	return sweep(directory);
}

static void write_file(int at, const char *name)
{
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		fail_msg("%s: %s", name, strerror(errno));
	assert_int_equal(fd_write_full(fd, "kept", 4), 0);
	close(fd);
}

static bool is_there(int at, const char *name)
{
	struct stat st;

	return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_kept(int at, const char *name)
{
	auto_close int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
	char bytes[8] = "";

	assert_int_equal(fd_read_full(fd, bytes, sizeof(bytes)), 4);
	assert_string_equal(bytes, "kept");
}

/* d/d/d/..., from `at` on. The last one. */
static int make_chain(int at, unsigned length)
{
	int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (unsigned i = 0; i < length; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	return fd;
}

static void expect_removed(const char *name)
{
	int fds = fd_count_open();
	struct error err = {0};

	if (workspace_tree_remove(root_fd, name, &err) < 0)
		fail_msg("%s", err.text);
	assert_false(is_there(root_fd, name));
	assert_int_equal(fd_count_open(), fds);
}

static void all_kinds_of_names_and_files_go(void **state)
{
	static const char *const names[] = {"-rf", "a\nb", "\xff\xfe\x01", " ", "*", "...", "\\",
		LONG_NAME LONG_NAME LONG_NAME LONG_NAME "255"};
	int w = openat(root_fd, "w", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_close int fd = -1;

		assert_int_equal(mkdirat(w, names[i], 0700), 0);
		fd = openat(w, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		for (size_t j = 0; j < ARRAY_SIZE(names); j++)
			write_file(fd, names[j]);
	}
	assert_int_equal(mkfifoat(w, "fifo", 0600), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/socket", w);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	close(listener);
	close(w);
	expect_removed("w");
}

static void links_lead_nowhere_and_another_name_of_a_file_stays(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(root_fd, "beside", 0755), 0);
	write_file(root_fd, "beside/file");
	write_file(root_fd, "file");
	assert_int_equal(symlinkat("../beside", root_fd, "w/directory"), 0);
	assert_int_equal(symlinkat("../file", root_fd, "w/file"), 0);
	assert_int_equal(symlinkat("nowhere", root_fd, "w/dangling"), 0);
	assert_int_equal(symlinkat("loop", root_fd, "w/loop"), 0);
	assert_int_equal(symlinkat("/", root_fd, "w/root"), 0);
	assert_int_equal(linkat(root_fd, "beside/file", root_fd, "w/hard", 0), 0);
	expect_removed("w");
	assert_kept(root_fd, "beside/file");
	assert_kept(root_fd, "file");
}

static void a_link_in_the_place_of_a_tree_is_not_followed(void **state)
{
	struct error err = {0};

	(void)state;
	assert_int_equal(mkdirat(root_fd, "beside", 0755), 0);
	write_file(root_fd, "beside/file");
	assert_int_equal(symlinkat("beside", root_fd, "link"), 0);
	assert_true(workspace_tree_remove(root_fd, "link", &err) < 0);
	assert_true(is_there(root_fd, "link"));
	assert_kept(root_fd, "beside/file");
}

static void a_deep_tree_goes_with_few_descriptors(void **state)
{
	int w = openat(root_fd, "w", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct rlimit before, few;
	int last = make_chain(w, DEEP);

	(void)state;
	write_file(last, "file");
	close(last);
	close(w);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = (rlim_t)fd_count_open() + FEW_FDS;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	expect_removed("w");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* What is moved up meets names that it would have had itself. */
static void a_tree_that_is_deep_in_many_places_goes(void **state)
{
	int w = openat(root_fd, "w", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int bottom = make_chain(w, WORKSPACE_TREE_LEVELS);
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		auto_close int fd = -1;

		snprintf(name, sizeof(name), "%u", i);
		if (i % 2)
			write_file(w, name);
		else
			assert_int_equal(mkdirat(w, name, 0755), 0);
		assert_int_equal(mkdirat(bottom, name, 0755), 0);
		fd = openat(bottom, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(make_chain(fd, WORKSPACE_TREE_LEVELS + 1));
	}
	close(bottom);
	close(w);
	expect_removed("w");
}

/* Of what is forked: it has no assertions, which would go on with the other tests. */
static void expect_child(pid_t pid)
{
	int status;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void what_cannot_be_removed_stays_and_all_else_goes(void **state)
{
	uid_t uid = geteuid() == 0 ? NOBODY : geteuid();
	struct error err = {0};
	pid_t pid;

	(void)state;
	assert_int_equal(fchmod(root_fd, 0777), 0);
	assert_int_equal(mkdirat(root_fd, "w/d", 0755), 0);
	assert_int_equal(mkdirat(root_fd, "w/d/held", 0755), 0);
	write_file(root_fd, "w/d/held/file");
	write_file(root_fd, "w/d/file");
	write_file(root_fd, "w/file");
	assert_int_equal(fchmodat(root_fd, "w/d/held", 0555, 0), 0);
	if (geteuid() == 0) {
		assert_int_equal(fchownat(root_fd, "w", uid, uid, 0), 0);
		assert_int_equal(fchownat(root_fd, "w/d", uid, uid, 0), 0);
		assert_int_equal(fchownat(root_fd, "w/d/held", uid, uid, 0), 0);
	}
	pid = fork();
	if (pid == 0) {
		bool is_told = setreuid(uid, uid) == 0 &&
			       workspace_tree_remove(root_fd, "w", &err) == -EACCES &&
			       strcmp(err.text, "w: Permission denied") == 0;

		_exit(!is_told);
	}
	expect_child(pid);
	assert_kept(root_fd, "w/d/held/file");
	assert_false(is_there(root_fd, "w/d/file"));
	assert_false(is_there(root_fd, "w/file"));
	assert_int_equal(fchmodat(root_fd, "w/d/held", 0755, 0), 0);
	expect_removed("w");
}

/* In a namespace of its own: what is mounted there is mounted nowhere else. */
static void a_mount_in_it_is_not_entered(void **state)
{
	char from[128], to[128];
	struct error err = {0};
	pid_t pid;

	(void)state;
	assert_int_equal(mkdirat(root_fd, "beside", 0755), 0);
	write_file(root_fd, "beside/file");
	assert_int_equal(mkdirat(root_fd, "w/mount", 0755), 0);
	write_file(root_fd, "w/file");
	snprintf(from, sizeof(from), "%s/beside", directory);
	snprintf(to, sizeof(to), "%s/w/mount", directory);
	pid = fork();
	if (pid == 0) {
		int at;

		if (unshare(CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) < 0 ||
			mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mount(from, to, NULL, MS_BIND, NULL) < 0)
			_exit(CANNOT);
		at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		_exit(workspace_tree_remove(at, "w", &err) != -EBUSY ||
			workspace_tree_open(at, "w", O_RDONLY) < 0 ||
			workspace_tree_open(at, "w/mount", O_RDONLY) >= 0 || errno != EXDEV);
	}
	expect_child(pid);
	assert_kept(root_fd, "beside/file");
	assert_false(is_there(root_fd, "w/file"));
}

/* The requests. */

static void ask_removal(int client, uint32_t id, const char *name)
{
	struct control_workspace m = {0};

	control_header(&m.header, CONTROL_WORKSPACE_REMOVE, sizeof(m), id);
	memcpy(m.workspace, name, strlen(name));
	assert_int_equal(world_send(client, &m, sizeof(m), -1), 0);
}

static void expect_done(struct world *w, int client, const char *name)
{
	ask_removal(client, 70, name);
	world_expect(w, client, CONTROL_DONE, 70);
}

static void expect_in_use(struct world *w, int client)
{
	struct answer a;

	ask_removal(client, 71, "w");
	a = world_expect(w, client, CONTROL_REFUSED, 71);
	assert_int_equal(a.refused.refusal, REFUSED_LIMIT);
	assert_int_equal(a.refused.retry_ms, 20);
	assert_string_equal(
		a.refused.text, "workspace w is in use: a lease has it, or has just given it back");
	assert_true(is_there(w->workspaces_fd, "w"));
}

static struct answer lease_it(struct world *w, int client)
{
	static const struct control_acquire own = {.workspace = "w"};

	world_acquire_own(client, 72, &own);
	return world_expect(w, client, CONTROL_LEASED, 72);
}

static struct world *open_world(const char *behaviour)
{
	struct world *w = world_open(PLAIN, behaviour);

	assert_int_equal(mkdirat(w->workspaces_fd, "w", 0755), 0);
	write_file(w->workspaces_fd, "w/file");
	world_until_ready(w, 2);
	return w;
}

/* Nothing is left of what was removed. */
static bool is_swept(struct world *w, void *arg)
{
	int fd = openat(w->workspaces_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	bool found = false;

	(void)arg;
	while ((entry = readdir(dir)))
		found |= strncmp(entry->d_name, REMOVAL_PREFIX, strlen(REMOVAL_PREFIX)) == 0;
	closedir(dir);
	return !found;
}

static void its_name_is_free_at_once_and_the_rest_follows(void **state)
{
	struct world *w = open_world(NULL);
	int client = world_connect(w);

	(void)state;
	for (int i = 0; i < 3; i++) { /* one comes while another goes */
		expect_done(w, client, "w");
		assert_false(is_there(w->workspaces_fd, "w"));
		assert_int_equal(mkdirat(w->workspaces_fd, "w", 0755), 0);
		write_file(w->workspaces_fd, "w/new");
	}
	world_until(w, is_swept, NULL);
	assert_kept(w->workspaces_fd, "w/new");
	expect_done(w, client, "w");
	world_until(w, is_swept, NULL);
	close(client);
	world_close(w);
}

static void of_none_it_is_done_already(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);

	(void)state;
	expect_done(w, client, "nobody");
	expect_done(w, client, LONG_NAME);
	close(client);
	world_close(w);
}

static void the_longest_name_goes_too(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);

	(void)state;
	assert_int_equal(mkdirat(w->workspaces_fd, LONG_NAME, 0755), 0);
	expect_done(w, client, LONG_NAME);
	assert_false(is_there(w->workspaces_fd, LONG_NAME));
	world_until(w, is_swept, NULL);
	close(client);
	world_close(w);
}

static void one_that_is_in_use_stays_until_its_sandbox_is_proven_dead(void **state)
{
	struct world *w = open_world(NULL);
	int client = world_connect(w), other = world_connect(w);
	struct answer a = lease_it(w, client);

	(void)state;
	expect_in_use(w, client);
	expect_in_use(w, other);
	kill(w->builder, SIGSTOP);
	close(a.fd);
	world_lease_request(client, CONTROL_RELEASE, 2, &a.leased.handle);
	world_expect(w, client, CONTROL_DONE, 2);
	expect_in_use(w, other);
	kill(w->builder, SIGCONT);
	world_expect(w, client, CONTROL_RECEIPT, 0);
	expect_done(w, other, "w");
	world_until(w, is_swept, NULL);
	close(client);
	close(other);
	world_close(w);
}

static void what_is_no_workspace_is_refused_and_stays(void **state)
{
	struct world *w = open_world(NULL);
	int client = world_connect(w);

	(void)state;
	assert_int_equal(symlinkat("w", w->workspaces_fd, "link"), 0);
	write_file(w->workspaces_fd, "plain");
	ask_removal(client, 1, "link");
	world_expect_refused(w, client, 1, REFUSED_UNSUPPORTED, "workspace link: it is not one");
	ask_removal(client, 2, "plain");
	world_expect_refused(w, client, 2, REFUSED_UNSUPPORTED, "workspace plain: it is not one");
	w->supervisor->host.workspace_uid = geteuid() + 1;
	ask_removal(client, 3, "w");
	world_expect_refused(w, client, 3, REFUSED_UNSUPPORTED, "belongs to uid");
	w->supervisor->host.workspace_uid = geteuid();
	assert_kept(w->workspaces_fd, "w/file");
	assert_kept(w->workspaces_fd, "plain");
	assert_int_equal(unlinkat(w->workspaces_fd, "link", 0), 0);
	assert_int_equal(unlinkat(w->workspaces_fd, "plain", 0), 0);
	expect_done(w, client, "w");
	world_until(w, is_swept, NULL);
	close(client);
	world_close(w);
}

static void where_there_are_none_it_is_unsupported(void **state)
{
	struct world *w =
		world_open("[workspaces]\ndirectory =\n[pool \"tiny\"]\nmin = 1\nmax = 2\n", NULL);
	int client = world_connect(w);

	(void)state;
	ask_removal(client, 1, "w");
	world_expect_refused(w, client, 1, REFUSED_UNSUPPORTED, "has no workspaces");
	close(client);
	world_close(w);
}

static bool is_over(struct world *w, void *arg)
{
	(void)arg;
	return workspace_watch_is_over(w->supervisor->workspace_watch, "w");
}

static void one_that_held_too_much_is_forgotten_with_it(void **state)
{
	struct world *w = open_world("soft=1");
	int client = world_connect(w);
	struct answer a = lease_it(w, client);
	int fd = openat(w->workspaces_fd, "w/file", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(posix_fallocate(fd, 0, 2 << 20), 0);
	close(fd);
	world_release(w, client, &a);
	world_until(w, is_over, NULL);
	/* Being measured once more, since it was just asked for. */
	expect_done(w, client, "w");
	a = lease_it(w, client);
	close(a.fd);
	world_until(w, is_swept, NULL);
	close(client);
	world_close(w);
}

static void what_an_earlier_life_has_left_goes_at_the_start(void **state)
{
	struct world *w = open_world(NULL);

	(void)state;
	assert_int_equal(renameat(w->workspaces_fd, "w", w->workspaces_fd, ".removed-1-w"), 0);
	assert_int_equal(mkdirat(w->workspaces_fd, ".removed-2-w", 0755), 0);
	assert_int_equal(mkdirat(w->workspaces_fd, ".kept", 0755), 0);
	workspace_removal_resume(w->supervisor->workspace_removal); /* as at the start */
	world_until(w, is_swept, NULL);
	assert_int_equal(unlinkat(w->workspaces_fd, ".kept", AT_REMOVEDIR), 0);
	world_close(w);
}

/* A child that removes is ended with the supervisor: world_close() sees that none is left. */
static void an_end_in_the_middle_leaves_no_process(void **state)
{
	struct world *w = open_world(NULL);
	int client = world_connect(w);
	char path[sizeof(w->directory)];

	(void)state;
	for (int i = 0; i < 500; i++) {
		char name[32];

		snprintf(name, sizeof(name), "w/%d", i);
		write_file(w->workspaces_fd, name);
	}
	strcpy(path, w->directory);
	expect_done(w, client, "w");
	close(client);
	world_close(w);
	if (access(path, F_OK) == 0)
		assert_int_equal(sweep(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_kinds_of_names_and_files_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			links_lead_nowhere_and_another_name_of_a_file_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_link_in_the_place_of_a_tree_is_not_followed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_deep_tree_goes_with_few_descriptors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_tree_that_is_deep_in_many_places_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_cannot_be_removed_stays_and_all_else_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_mount_in_it_is_not_entered, set_up, tear_down),
		cmocka_unit_test(its_name_is_free_at_once_and_the_rest_follows),
		cmocka_unit_test(of_none_it_is_done_already),
		cmocka_unit_test(the_longest_name_goes_too),
		cmocka_unit_test(one_that_is_in_use_stays_until_its_sandbox_is_proven_dead),
		cmocka_unit_test(what_is_no_workspace_is_refused_and_stays),
		cmocka_unit_test(where_there_are_none_it_is_unsupported),
		cmocka_unit_test(one_that_held_too_much_is_forgotten_with_it),
		cmocka_unit_test(what_an_earlier_life_has_left_goes_at_the_start),
		cmocka_unit_test(an_end_in_the_middle_leaves_no_process),
	};

	return cmocka_run_group_tests_name("supervisor_removal", tests, NULL, NULL);
}

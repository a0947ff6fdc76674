/*
 * What a lease has of its own, bound to a sandbox that is ready: a workspace, a hostname, tighter limits;
 * and what every sandbox of an instance with networks has: a given namespace, /etc/resolv.conf.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "proto/control.h"
#include "tests/system/jail_fixture.h"
#include "tests/system/patience.h"

#define SLOTS  8
#define LEASES 1000
#define HOG    "dd if=/dev/zero of=/dev/null bs=20M count=1"
/* More than there may be in 2 MiB. */
#define MANY_FILES "for i in $(seq 600); do true >/workspace/f$i || exit 1; done"
#define NAMESERVER 0x0ad50001u /* 10.213.0.1 */

static struct fixture f;
static struct guest_client *client;
static struct fixture_result result;
static char directory[4096];
static int workspaces_fd = -1;

static void remove_tree(const char *path)
{
	char command[4200];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
	struct fixture_options options = {.limits = {.memory_bytes = 64 << 20, .pids = 32},
		.slots = SLOTS,
		.spare_slots = 1,
		.nameserver = NAMESERVER};

	snprintf(directory, sizeof(directory), "%s/workspaces.XXXXXX",
		getenv("top_builddir") ? getenv("top_builddir") : ".");
	assert_non_null(mkdtemp(directory));
	workspaces_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(workspaces_fd >= 0);
	options.workspaces_fd = workspaces_fd;
	return fixture_set_up(&f, &options, state);
}

static int tear_down(void **state)
{
	fixture_tear_down(state);
	/* The builder's own, which it made ahead. */
	assert_int_equal(faccessat(workspaces_fd, ".t-spare", F_OK, 0), -1);
	fd_close(take_fd(&workspaces_fd));
	remove_tree(directory);
	return 0;
}

static void build(unsigned slot)
{
	if (fixture_build(&f, slot, &client) < 0)
		fail_msg("%s", f.failed.text);
}

static void end(void)
{
	fixture_kill(&f);
	guest_client_destroy(client);
}

static int bind_workspace(const char *id)
{
	struct link_bind bind = {.what = BIND_WORKSPACE};

	snprintf(bind.workspace, sizeof(bind.workspace), "%s", id);
	return fixture_bind(&f, &bind);
}

static void build_with(unsigned slot, const char *id)
{
	build(slot);
	if (bind_workspace(id) < 0)
		fail_msg("%s", f.failed.text);
}

/* What the command, which succeeds, prints. */
static const char *said(const char *command)
{
	fixture_run_ok(client, command, &result);
	return result.output;
}

static void root_inside_writes_and_the_host_sees_one_owner(void **state)
{
	struct stat st;

	(void)state;
	for (unsigned slot = 0; slot < 2; slot++) {
		build_with(slot, "own");
		said("echo mine >/workspace/file; chown 1000:50 /workspace/file");
		assert_string_equal(
			said("stat -c %u:%g /workspace /workspace/file"), "0:0\n1000:50\n");
		assert_int_equal(fstatat(workspaces_fd, "own/file", &st, 0), 0);
		assert_int_equal(st.st_uid, JAIL_WORKSPACE_UID + 1000);
		assert_int_equal(st.st_gid, JAIL_WORKSPACE_UID + 50);
		assert_int_equal(fstatat(workspaces_fd, "own", &st, 0), 0);
		assert_int_equal(st.st_uid, JAIL_WORKSPACE_UID);
		assert_int_equal(st.st_gid, JAIL_WORKSPACE_UID);
		assert_int_equal(st.st_mode & 07777, 0755);
		end();
	}
}

static void it_survives_its_sandbox_and_is_seen_in_another_slot(void **state)
{
	(void)state;
	build_with(0, "kept");
	said("mkdir -p /workspace/a/b; echo kept >/workspace/a/b/file");
	end();
	build_with(1, "kept");
	assert_string_equal(
		said("cat /workspace/a/b/file; stat -c %u /workspace/a/b/file"), "kept\n0\n");
	said("echo more >>/workspace/a/b/file");
	end();
	build_with(2, "kept");
	assert_string_equal(said("cat /workspace/a/b/file"), "kept\nmore\n");
	end();
	build(0);
	assert_string_equal(said("ls -A /workspace"), ""); /* one that has none */
	end();
}

static void two_at_once_see_only_their_own(void **state)
{
	struct guest_client *first;

	(void)state;
	build_with(0, "left");
	first = client;
	build_with(1, "right");
	said("echo right >/workspace/right");
	fixture_run_ok(first, "echo left >/workspace/left; ls -A /workspace", &result);
	assert_string_equal(result.output, "left\n");
	assert_string_equal(said("ls -A /workspace"), "right\n");
	end();
	fixture_kill_sandbox(&f, f.next_sandbox - 1);
	guest_client_destroy(first);
}

static void two_at_once_may_share_one(void **state)
{
	struct guest_client *first;

	(void)state;
	build_with(0, "shared");
	first = client;
	build_with(1, "shared");
	said("echo from-the-second >/workspace/file");
	fixture_run_ok(first, "cat /workspace/file", &result);
	assert_string_equal(result.output, "from-the-second\n");
	end();
	fixture_kill_sandbox(&f, f.next_sandbox - 1);
	guest_client_destroy(first);
}

static void it_takes_no_setuid_and_no_device_and_cannot_be_unmounted_or_remounted(void **state)
{
	char mount[256];

	(void)state;
	build_with(0, "walls");
	said("grep ' /workspace ' /proc/self/mountinfo");
	snprintf(mount, sizeof(mount), "%.255s", result.output);
	assert_non_null(strstr(mount, " /workspace rw,nosuid,nodev,"));
	assert_null(strstr(mount, "master:"));
	assert_null(strstr(mount, "shared:"));
	print_message("# shown inside: %s", mount);
	fixture_run(client, "mknod /workspace/null c 1 3", 0, &result);
	assert_int_not_equal(result.reply.exit_status, 0);
	fixture_run(client, "umount /workspace", 0, &result);
	assert_int_not_equal(result.reply.exit_status, 0);
	fixture_run(client, "mount -o remount,ro /workspace", 0, &result);
	assert_int_not_equal(result.reply.exit_status, 0);
	fixture_run(client, "rmdir /workspace || mv /workspace /other", 0, &result);
	assert_int_not_equal(result.reply.exit_status, 0);
	said("grep ' /workspace ' /proc/self/mountinfo; echo still >/workspace/file");
	assert_non_null(strstr(result.output, mount));
	end();
}

/* su says so itself when it runs as somebody else than root. */
static void a_setuid_file_has_no_effect(void **state)
{
	(void)state;
	build_with(0, "setuid");
	said("cp /bin/busybox /workspace/su; chmod 4755 /workspace/su; /workspace/su -c true");
	fixture_run(client, "su -s /bin/sh nobody -c '/workspace/su -c true' 2>&1", 0, &result);
	assert_int_not_equal(result.reply.exit_status, 0);
	assert_non_null(strstr(result.output, "must be suid"));
	end();
}

static void what_is_no_directory_of_its_own_is_refused(void **state)
{
	static const struct {
		const char *id;
		int error;
	} wrong[] = {
		{"link", -ELOOP}, {"dangling", -ELOOP}, {"file", -ENOTDIR}, {"fifo", -ENOTDIR}};

	(void)state;
	assert_int_equal(symlinkat("/etc", workspaces_fd, "link"), 0);
	assert_int_equal(symlinkat("/nowhere", workspaces_fd, "dangling"), 0);
	assert_int_equal(mknodat(workspaces_fd, "file", S_IFREG | 0600, 0), 0);
	assert_int_equal(mknodat(workspaces_fd, "fifo", S_IFIFO | 0600, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		build(0);
		assert_int_equal(bind_workspace(wrong[i].id), wrong[i].error);
		assert_non_null(strstr(f.failed.text, wrong[i].id));
		assert_int_equal(f.failed.sandbox, f.next_sandbox);
		assert_string_equal(
			said("grep -c ' /workspace ' /proc/self/mountinfo || true"), "0\n");
		end();
	}
}

static void assert_owner(const char *id, uid_t uid)
{
	struct stat st;

	assert_int_equal(fstatat(workspaces_fd, id, &st, 0), 0);
	assert_int_equal(st.st_uid, uid);
}

static void assert_refused(const char *id, const char *reason)
{
	build(0);
	assert_int_equal(bind_workspace(id), -EPERM);
	assert_non_null(strstr(f.failed.text, id));
	assert_non_null(strstr(f.failed.text, reason));
	assert_string_equal(said("grep -c ' /workspace ' /proc/self/mountinfo || true"), "0\n");
	end();
}

static void what_belongs_to_somebody_else_is_not_given_away(void **state)
{
	static const uid_t others[] = {
		1000, JAIL_WORKSPACE_UID - 1, JAIL_WORKSPACE_UID + JAIL_UIDS};
	char reason[64];

	(void)state;
	assert_int_equal(mkdirat(workspaces_fd, "roots", 0755), 0);
	assert_int_equal(mkdirat(workspaces_fd, "roots/.hidden", 0755), 0);
	assert_refused("roots", "a directory of root's that is not empty: it is not a workspace");
	assert_owner("roots", 0);
	assert_owner("roots/.hidden", 0);
	assert_int_equal(mkdirat(workspaces_fd, "others", 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_int_equal(fchownat(workspaces_fd, "others", others[i], 0, 0), 0);
		snprintf(reason, sizeof(reason), "belongs to uid %u", others[i]);
		assert_refused("others", reason);
		assert_owner("others", others[i]);
	}
}

static void an_empty_one_of_roots_is_taken_for_new(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(workspaces_fd, "begun", 0755), 0);
	build_with(0, "begun");
	said("echo mine >/workspace/file");
	end();
	assert_owner("begun", JAIL_WORKSPACE_UID);
}

static void root_inside_may_give_it_to_another_user_inside(void **state)
{
	(void)state;
	build_with(0, "given");
	said("chown 65535 /workspace");
	end();
	build_with(1, "given");
	assert_string_equal(said("stat -c %u /workspace"), "65535\n");
	end();
	assert_owner("given", JAIL_WORKSPACE_UID + 65535);
}

static void limits_and_hostname_are_in_force_afterwards(void **state)
{
	const struct link_bind bind = {.what = BIND_HOSTNAME | BIND_MEMORY | BIND_PIDS | BIND_CPU,
		.hostname = "mine",
		.limits = {.memory_bytes = 16 << 20, .pids = 8, .cpu_milli = 100}};

	(void)state;
	build(0);
	assert_int_equal(fixture_bind(&f, &bind), 0);
	assert_int_equal(f.bound.is_soft, 0);
	assert_true(f.bound.bind_ns > 0);
	assert_string_equal(said("hostname; cat /proc/sys/kernel/hostname"), "mine\nmine\n");
	fixture_run(client, "timeout 1 sh -c 'while :; do :; done'", 0, &result);
	fixture_run(client, HOG, 0, &result);
	assert_true(result.reply.limits_hit & LIMIT_HIT_MEMORY);
	fixture_run(client, "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait", 0, &result);
	assert_true(result.reply.limits_hit & LIMIT_HIT_PIDS);
	end();
	assert_true(f.ended.limits_hit & LIMIT_HIT_MEMORY);
	assert_true(f.ended.limits_hit & LIMIT_HIT_PIDS);
	assert_true(f.ended.limits_hit & LIMIT_HIT_CPU);
	assert_true(f.ended.usage.memory_peak_bytes <= 16 << 20);
	build(0); /* the slot's next one has the template's */
	assert_string_equal(said("hostname"), "test\n");
	said(HOG "; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1 & done; wait");
	end();
}

static void the_builder_stays_where_and_what_it_was(void **state)
{
	static const char *const links[] = {"root", "cwd", "ns/mnt", "ns/uts", "ns/net"};
	struct stat before[ARRAY_SIZE(links)], after[ARRAY_SIZE(links)];
	struct link_bind bind = {
		.what = BIND_WORKSPACE | BIND_HOSTNAME, .workspace = "home", .hostname = "other"};
	char path[64];

	(void)state;
	build(0);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", f.builder.pid, links[i]);
		assert_int_equal(stat(path, &before[i]), 0);
	}
	assert_int_equal(fixture_bind(&f, &bind), 0);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", f.builder.pid, links[i]);
		assert_int_equal(stat(path, &after[i]), 0);
		assert_int_equal(before[i].st_dev, after[i].st_dev);
		assert_int_equal(before[i].st_ino, after[i].st_ino);
	}
	end();
}

static void a_sandbox_is_bound_once_and_while_it_lives(void **state)
{
	const struct link_bind unknown = {.sandbox = 999999, .what = BIND_PIDS, .limits.pids = 8};

	(void)state;
	build_with(0, "once");
	assert_int_equal(bind_workspace("twice"), -EALREADY);
	assert_int_equal(f.failed.slot, 0);
	assert_int_equal(faccessat(workspaces_fd, "twice", F_OK, 0), -1);
	end();
	assert_int_equal(bind_workspace("late"), -ESRCH);
	assert_int_equal(f.failed.sandbox, f.next_sandbox);
	assert_int_equal(fixture_bind(&f, &unknown), -ESRCH);
}

/* Whether the file system of the workspaces is mounted to hold projects to their sizes. */
static bool holds_sizes(void)
{
	static char mounts[1 << 16];
	char device[32];
	struct stat st;
	char *save = NULL;

	assert_int_equal(fstat(workspaces_fd, &st), 0);
	snprintf(device, sizeof(device), " %u:%u ", major(st.st_dev), minor(st.st_dev));
	assert_true(
		file_read_at(AT_FDCWD, "/proc/self/mountinfo", mounts, sizeof(mounts), NULL) > 0);
	for (char *line = strtok_r(mounts, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strstr(line, device) && strstr(line, "prjquota"))
			return true;
	return false;
}

static void a_size_is_held_where_it_can_be_or_called_soft(void **state)
{
	struct link_bind bind = {
		.what = BIND_WORKSPACE, .workspace = "sized", .workspace_bytes = 2 << 20};

	(void)state;
	for (unsigned slot = 0; slot < 2; slot++) {
		build(slot);
		assert_int_equal(fixture_bind(&f, &bind), 0);
		assert_int_equal(f.bound.is_soft, !holds_sizes());
		fixture_run(client, "dd if=/dev/zero of=/workspace/big bs=1M count=4", 0, &result);
		assert_int_equal(result.reply.exit_status == 0, f.bound.is_soft);
		fixture_run(client, MANY_FILES, 0, &result);
		assert_int_equal(result.reply.exit_status == 0, f.bound.is_soft);
		said("rm /workspace/*");
		end();
	}
	build_with(0, "sized"); /* now without a limit */
	assert_int_equal(f.bound.is_soft, 0);
	said("dd if=/dev/zero of=/workspace/big bs=1M count=4 2>/dev/null");
	said(MANY_FILES);
	end();
}

/* What was in it before it was ever counted is in no sum. */
static void a_size_is_soft_for_a_directory_that_was_not_made_here(void **state)
{
	struct link_bind bind = {
		.what = BIND_WORKSPACE, .workspace = "brought", .workspace_bytes = 1 << 20};

	(void)state;
	assert_int_equal(mkdirat(workspaces_fd, "brought", 0755), 0);
	assert_int_equal(
		fchownat(workspaces_fd, "brought", JAIL_WORKSPACE_UID, JAIL_WORKSPACE_UID, 0), 0);
	build(0);
	assert_int_equal(fixture_bind(&f, &bind), 0);
	assert_int_equal(f.bound.is_soft, 1);
	end();
}

static void resolv_conf_names_the_server_and_the_rest_of_etc_stays(void **state)
{
	(void)state;
	build(0);
	assert_string_equal(said("cat /etc/resolv.conf; stat -c %u:%g:%a /etc/resolv.conf"),
		"nameserver 10.213.0.1\n0:0:644\n");
	assert_string_equal(said("stat -c %u:%g:%a /etc; ls /etc"),
		"0:0:755\ngroup\nhosts\npasswd\nresolv.conf\n");
	said("echo mine >/etc/resolv.conf; rm /etc/resolv.conf; rm /etc/hosts");
	assert_string_equal(said("ls /etc"), "group\npasswd\n");
	end();
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print_times(const char *what, uint64_t *ns, size_t count)
{
	qsort(ns, count, sizeof(*ns), compare);
	print_message("# %s of %zu: p50 %.1f us, p99 %.1f us\n", what, count,
		(double)ns[count / 2] / 1000, (double)ns[count * 99 / 100] / 1000);
}

static void lease_number(unsigned i, bool is_first, uint64_t *ret_bind_ns)
{
	char id[32], command[128], expected[64];

	snprintf(id, sizeof(id), "w%u", i);
	build_with(i % SLOTS, id);
	*ret_bind_ns = f.bound.bind_ns;
	snprintf(command, sizeof(command), "ls -A /workspace; echo %u >/workspace/f%u", i, i);
	snprintf(expected, sizeof(expected), is_first ? "" : "f%u\n", i);
	assert_string_equal(said(command), expected);
	end();
}

static void a_thousand_leases_see_only_their_own(void **state)
{
	static uint64_t first_ns[LEASES], again_ns[LEASES];
	const unsigned leases = LEASES / (patience() * patience());

	(void)state;
	for (unsigned i = 0; i < leases; i++)
		lease_number(i, true, &first_ns[i]);
	for (unsigned i = 0; i < leases; i++)
		lease_number(i, false, &again_ns[i]);
	print_times("binds of a workspace that is made", first_ns, leases);
	print_times("binds of one that is there", again_ns, leases);
}

/* A network namespace of the test's own, and its number. */
static int new_network(ino_t *ret_ino)
{
	auto_close int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct stat st;
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	assert_int_equal(fstat(fd, &st), 0);
	*ret_ino = st.st_ino;
	return fd;
}

static ino_t network(void)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/ns/net", f.built.pid);
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void a_given_network_is_used_kept_and_replaced_when_the_slot_is_free(void **state)
{
	ino_t first, second;
	auto_close int first_fd = new_network(&first);
	auto_close int second_fd = new_network(&second);

	(void)state;
	assert_int_equal(fixture_slot(&f, SLOTS, first_fd), 0);
	for (int i = 0; i < 2; i++) {
		build(SLOTS);
		assert_int_equal(network(), first);
		fixture_run(client, "nc 127.0.0.1 1", 0, &result); /* used: not ours to clean */
		assert_int_equal(fixture_slot(&f, SLOTS, second_fd), -EBUSY);
		end();
	}
	assert_int_equal(fixture_slot(&f, SLOTS, -1), -EEXIST);
	assert_int_equal(fixture_slot(&f, SLOTS, second_fd), 0);
	build(SLOTS);
	assert_int_equal(network(), second);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_inside_writes_and_the_host_sees_one_owner),
		cmocka_unit_test(it_survives_its_sandbox_and_is_seen_in_another_slot),
		cmocka_unit_test(two_at_once_see_only_their_own),
		cmocka_unit_test(two_at_once_may_share_one),
		cmocka_unit_test(
			it_takes_no_setuid_and_no_device_and_cannot_be_unmounted_or_remounted),
		cmocka_unit_test(a_setuid_file_has_no_effect),
		cmocka_unit_test(what_is_no_directory_of_its_own_is_refused),
		cmocka_unit_test(what_belongs_to_somebody_else_is_not_given_away),
		cmocka_unit_test(an_empty_one_of_roots_is_taken_for_new),
		cmocka_unit_test(root_inside_may_give_it_to_another_user_inside),
		cmocka_unit_test(limits_and_hostname_are_in_force_afterwards),
		cmocka_unit_test(the_builder_stays_where_and_what_it_was),
		cmocka_unit_test(a_sandbox_is_bound_once_and_while_it_lives),
		cmocka_unit_test(a_size_is_held_where_it_can_be_or_called_soft),
		cmocka_unit_test(a_size_is_soft_for_a_directory_that_was_not_made_here),
		cmocka_unit_test(resolv_conf_names_the_server_and_the_rest_of_etc_stays),
		cmocka_unit_test(a_given_network_is_used_kept_and_replaced_when_the_slot_is_free),
		cmocka_unit_test(a_thousand_leases_see_only_their_own),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

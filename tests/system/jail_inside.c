/* What a sandbox looks like from inside: identity, file systems, fds, names. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/system/jail_fixture.h"

static struct fixture f;
static struct guest_client *client;
static struct fixture_result result;
static char bind_source[] = "/dev/shm/hearth-test-bind.XXXXXX";

static int set_up(void **state)
{
	struct fixture_options options = {
		.limits = {.memory_bytes = 256 << 20, .disk_bytes = 64 << 20, .pids = 64},
		.hostname = "box",
		.low_priority = true,
		.bind_count = 2,
		.binds = {{.destination = "/workspace/deep"},
			{.destination = "/ro", .is_read_only = 1}},
	};

	(void)state;
	assert_non_null(mkdtemp(bind_source));
	options.bind_fds[0] = options.bind_fds[1] = open(bind_source, O_PATH | O_CLOEXEC);
	fixture_start(&f, &options);
	close(options.bind_fds[0]);
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	return 0;
}

static int tear_down(void **state)
{
	char path[128];

	(void)state;
	guest_client_destroy(client);
	fixture_stop(&f);
	snprintf(path, sizeof(path), "%s/from-inside", bind_source);
	unlink(path);
	return rmdir(bind_source);
}

static void expect(const char *command, const char *output)
{
	fixture_run_ok(client, command, &result);
	assert_string_equal(result.output, output);
}

static void expect_failure(const char *command, const char *part)
{
	fixture_run(client, command, 0, &result);
	assert_int_not_equal(result.reply.exit_status, 0);
	if (!strstr(result.output, part))
		fail_msg("%s: no \"%s\" in: %s", command, part, result.output);
}

static void root_inside_is_a_range_of_its_own_outside(void **state)
{
	char path[64], line[128] = "";
	FILE *map;
	unsigned inside, outside, count;

	(void)state;
	expect("id -u; id -g", "0\n0\n");
	snprintf(path, sizeof(path), "/proc/%u/uid_map", f.built.pid);
	map = fopen(path, "r");
	assert_non_null(map);
	assert_non_null(fgets(line, sizeof(line), map));
	fclose(map);
	assert_int_equal(sscanf(line, "%u %u %u", &inside, &outside, &count), 3);
	assert_int_equal(inside, 0);
	assert_int_equal(outside, f.first_uid);
	assert_int_equal(count, JAIL_UIDS);
}

static void exactly_twelve_capabilities_are_kept(void **state)
{
	(void)state;
	expect("grep -E 'CapInh|CapPrm|CapEff|CapBnd|CapAmb' /proc/self/status | tr -d '\\t '",
		"CapInh:0000000000000000\nCapPrm:00000000a00405fb\nCapEff:00000000a00405fb\n"
		"CapBnd:00000000a00405fb\nCapAmb:0000000000000000\n");
}

static void the_filter_and_no_new_privs_are_on_in_every_command(void **state)
{
	(void)state;
	expect("grep -E 'NoNewPrivs|Seccomp:' /proc/self/status | tr -d '\\t '",
		"NoNewPrivs:1\nSeccomp:2\n");
}

static void a_command_starts_with_three_fds_only(void **state)
{
	(void)state;
	/* the shell's own listing adds one for the directory that ls reads */
	expect("ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 ");
}

static void the_guest_itself_holds_no_fd_of_the_builder(void **state)
{
	int fds, tries = 0;

	(void)state;
	/* The pipes of the command before go when its runner has gone, which may be after the reply. */
	while ((fds = fixture_count_fds((pid_t)f.built.pid)) > 11 && tries++ < 2000)
		usleep(1000);
	/* 0..2 are /dev/null, 3 the channel, 5 to 7 of its limits; two epoll sets and a signalfd are its own */
	assert_in_range(fds, 8, 11);
}

static void cgroups_and_host_paths_do_not_show(void **state)
{
	(void)state;
	expect("cut -d: -f3 /proc/self/cgroup | sort -u", "/\n");
	expect("cat /proc/cmdline /proc/1/cmdline | tr -d '\\0' | wc -c", "0\n");
	expect("grep -c -E '/var/lib|hearth/images' /proc/self/mountinfo || true", "0\n");
}

static void the_root_is_writable_and_its_files_belong_to_root(void **state)
{
	(void)state;
	/* an upper without root's id in its map is mounted read-only without a word */
	expect("touch /file && stat -c '%u %g' /file && rm /file", "0 0\n");
	expect("awk '$2 == \"/\" {print substr($4, 1, 2)}' /proc/mounts", "rw\n");
}

static void dev_has_what_programs_need_and_is_read_only(void **state)
{
	(void)state;
	expect("echo x >/dev/null; head -c4 /dev/zero | wc -c; head -c4 /dev/urandom | wc -c",
		"4\n4\n");
	expect("echo to-stdout >/dev/stdout", "to-stdout\n");
	expect("echo x >/dev/shm/x && cat /dev/shm/x && rm /dev/shm/x", "x\n");
	expect_failure("touch /dev/x", "Read-only");
	expect_failure("mknod /null-of-mine c 1 3", "not permitted");
}

static void sys_ctls_are_read_only(void **state)
{
	(void)state;
	expect_failure("echo 1 >/proc/sys/kernel/pid_max", "Read-only");
	expect_failure("echo x >/proc/sys/kernel/core_pattern", "Read-only");
}

static void covers_hide_what_others_could_read(void **state)
{
	(void)state;
	expect("cat /proc/keys /proc/kallsyms /proc/interrupts /proc/config.gz 2>/dev/null | wc -c",
		"0\n");
	expect_failure("umount /proc/keys", "");
	expect_failure("cat /proc/kcore >/dev/null", "");
}

static void pid_1_cannot_be_killed_stopped_or_looked_into(void **state)
{
	(void)state;
	fixture_run(client, "kill -9 1; kill -STOP 1; kill -TERM 1; kill -HUP 1", 0, &result);
	expect("echo alive", "alive\n");
	expect_failure("cat /proc/1/environ", "denied");
	expect_failure("ls -l /proc/1/root/", "denied");
	expect_failure("cat /proc/1/mem", "denied");
}

static void kill_of_everything_ends_commands_but_not_the_sandbox(void **state)
{
	(void)state;
	fixture_run(client, "kill -9 -1", 0, &result);
	assert_true(result.reply.end == GUEST_END_DONE || result.reply.end == GUEST_END_FAILED);
	expect("echo alive", "alive\n");
}

static void the_loopback_is_the_only_link_and_up(void **state)
{
	(void)state;
	expect("(echo hi | nc -l -p 7777 >/dev/null &) ; sleep 0.2; nc 127.0.0.1 7777 </dev/null",
		"hi\n");
	expect("ls /sys/class/net 2>/dev/null | wc -l; grep -c ':' /proc/net/dev", "0\n1\n");
}

static void commands_run_at_normal_priority_though_the_builder_does_not(void **state)
{
	char path[64], line[2048];
	FILE *stat;
	char *p;
	long nice = 99;
	int field = 2;

	(void)state;
	assert_int_equal(sched_getscheduler((pid_t)f.built.pid), SCHED_OTHER);
	assert_int_equal(sched_getscheduler(f.builder.pid), SCHED_IDLE);
	snprintf(path, sizeof(path), "/proc/%u/stat", f.built.pid);
	stat = fopen(path, "r");
	assert_non_null(stat);
	assert_non_null(fgets(line, sizeof(line), stat));
	fclose(stat);
	for (p = strrchr(line, ')') + 2; field < 18; field++)
		p = strchr(p, ' ') + 1;
	nice = strtol(p, NULL, 10);
	assert_int_equal(nice, 0);
}

static void a_command_may_use_every_processor(void **state)
{
	char text[16];
	cpu_set_t ours;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(ours), &ours), 0);
	snprintf(text, sizeof(text), "%d\n", CPU_COUNT(&ours));
	expect("nproc", text);
	expect("sh -c nproc", text);
}

/* The only child of a process, by the host's number. */
static pid_t child_of(pid_t pid)
{
	char path[64];
	FILE *children;
	int child = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	children = fopen(path, "r");
	assert_non_null(children);
	assert_int_equal(fscanf(children, "%d", &child), 1);
	fclose(children);
	return child;
}

/* How long it may compute before others come; 0: this kernel does not say. */
static uint64_t slice_of(pid_t pid)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attributes = {.size = sizeof(attributes)};

	assert_int_equal(syscall(SYS_sched_getattr, pid, &attributes, sizeof(attributes), 0), 0);
	return attributes.runtime;
}

static void what_only_hands_over_runs_in_short_slices_and_a_command_in_usual_ones(void **state)
{
	/* Before 6.12 they cannot be chosen, and all are 0. */
	uint64_t usual = slice_of(0), shortest = usual ? 100000 : 0;
	pid_t runner;

	(void)state;
	fixture_run_ok(client, "true", &result);
	runner = child_of((pid_t)f.built.pid);
	for (int i = 0; i < 20000 && slice_of(runner) != shortest;
		i++) /* it has only just reported */
		usleep(1000);
	assert_int_equal(slice_of(runner), shortest);
	fixture_run_ok(client, "sleep 1000 >/dev/null 2>&1 &", &result);
	runner = child_of((pid_t)f.built.pid);
	assert_int_equal(slice_of(child_of(runner)), usual);
	assert_int_equal(slice_of((pid_t)f.built.pid), shortest);
	assert_int_equal(slice_of(runner), usual); /* it has reported: PID 1 goes first */
	fixture_run_ok(client, "kill -9 $(pidof sleep)", &result);
}

static void no_new_namespace_can_be_made(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	/* control: outside the same call works, at the root of the mount namespace even from a chroot */
	if (pid == 0) {
		int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

		_exit(fd < 0 || setns(fd, CLONE_NEWNS) < 0 || unshare(CLONE_NEWUSER) < 0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	expect_failure("unshare -U true", "not permitted");
	expect_failure("unshare -n true", "not permitted");
	expect_failure("mount -t proc proc /tmp", "");
}

static void the_hostname_is_the_templates_and_cannot_be_changed(void **state)
{
	(void)state;
	expect("hostname", "box\n");
	expect_failure("hostname other", "not permitted");
}

static void binds_show_the_hosts_directory_and_keep_its_owner(void **state)
{
	char path[128];
	struct stat st;

	(void)state;
	expect("echo hello >/workspace/deep/from-inside && cat /ro/from-inside", "hello\n");
	snprintf(path, sizeof(path), "%s/from-inside", bind_source);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
	expect_failure("rm /ro/from-inside", "Read-only");
}

/* Where it must be, the templates are there too: /dev, the image, two binds. */
static void the_builders_tree_has_no_proc_and_two_mounts_at_most(void **state)
{
	const int most = fixture_can_clone_detached() ? 2 : 5;
	char path[64], line[512];
	FILE *mounts;
	int count = 0;

	(void)state;
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", f.builder.pid);
	mounts = fopen(path, "r");
	assert_non_null(mounts);
	while (fgets(line, sizeof(line), mounts)) {
		assert_null(strstr(line, " - proc "));
		count++;
	}
	fclose(mounts);
	assert_in_range(count, 1, most);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_inside_is_a_range_of_its_own_outside),
		cmocka_unit_test(exactly_twelve_capabilities_are_kept),
		cmocka_unit_test(the_filter_and_no_new_privs_are_on_in_every_command),
		cmocka_unit_test(a_command_starts_with_three_fds_only),
		cmocka_unit_test(the_guest_itself_holds_no_fd_of_the_builder),
		cmocka_unit_test(cgroups_and_host_paths_do_not_show),
		cmocka_unit_test(the_root_is_writable_and_its_files_belong_to_root),
		cmocka_unit_test(dev_has_what_programs_need_and_is_read_only),
		cmocka_unit_test(sys_ctls_are_read_only),
		cmocka_unit_test(covers_hide_what_others_could_read),
		cmocka_unit_test(pid_1_cannot_be_killed_stopped_or_looked_into),
		cmocka_unit_test(kill_of_everything_ends_commands_but_not_the_sandbox),
		cmocka_unit_test(the_loopback_is_the_only_link_and_up),
		cmocka_unit_test(commands_run_at_normal_priority_though_the_builder_does_not),
		cmocka_unit_test(a_command_may_use_every_processor),
		cmocka_unit_test(
			what_only_hands_over_runs_in_short_slices_and_a_command_in_usual_ones),
		cmocka_unit_test(no_new_namespace_can_be_made),
		cmocka_unit_test(the_hostname_is_the_templates_and_cannot_be_changed),
		cmocka_unit_test(binds_show_the_hosts_directory_and_keep_its_owner),
		cmocka_unit_test(the_builders_tree_has_no_proc_and_two_mounts_at_most),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

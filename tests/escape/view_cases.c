/*
 * What the runner sees from outside while a sandbox looks and acts inside.
 *
 * H21 the covers of /proc   H22 what names tell of the host   H26 the open files of everything inside
 * E43 the image's files changed by every way   E52 cgroups by name   E54 the host's processes by number
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/escape/canary.h"
#include "tests/escape/escape.h"
#include "tests/system/jail_calls.h"

#define EMPTY_LINKS 2 /* of a directory without another */
#define GUESTS	    2 /* PID 1 and the runner come first */

static struct fixture_result result;

/* Each changes a file of the tree that $R names; inside that is the root, in the control a copy. */
static const char *const changes[] = {
	"ln $R/escape-probe $R/l && chmod 4755 $R/l && echo evil >>$R/l",
	"ln $R/etc/passwd $R/etc/l && echo evil >>$R/etc/l",
	"echo evil >>$R/etc/passwd",
	"chmod 0 $R/etc/passwd",
	"chown 7:7 $R/etc/passwd",
	"touch -d @1000 $R/etc/passwd",
	"rm $R/etc/passwd",
	"mv $R/etc/passwd $R/etc/moved",
	"truncate -s 1 $R/etc/passwd",
	"rm -r $R/etc",
	"dd if=/dev/zero of=$R/etc/passwd bs=1 count=1 conv=notrunc",
	"ln -sf evil $R/etc/passwd",
	"cp $R/etc/passwd $R/x && cat $R/x $R/x >$R/etc/passwd",
};

static void change_inside(struct escape *e, const char *change)
{
	char command[512];

	snprintf(command, sizeof(command), "R=; %s", change);
	fixture_run_ok(e->client, command, &result);
	guest_client_destroy(e->client);
	fixture_kill(&e->fixture);
	assert_int_equal(fixture_build(&e->fixture, 0, &e->client), 0);
}

static void the_image_does_not_change(struct escape *e)
{
	uint64_t before = canary_digest(e->world.root), copied;

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct canary copy;

		e->attempts++;
		change_inside(e, changes[i]);
		assert_true(canary_digest(e->world.root) == before);
		canary_make(&copy, e->world.root);
		copied = canary_digest(copy.image);
		canary_shell("{ R=%s; %s; } 2>/dev/null", copy.image, changes[i]);
		assert_true(canary_digest(copy.image) != copied);
		canary_remove(&copy);
		e->controls++;
	}
}

/* The path in each line of a cgroup file is "/". */
static bool shows_root_only(const char *text)
{
	for (const char *line = text; *line; line = strchrnul(line, '\n') + 1) {
		const char *path = strchr(strchr(line, ':') + 1, ':') + 1;

		if (strncmp(path, "/\n", 2) != 0)
			return false;
	}
	return *text != '\0';
}

static void read_host_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
}

static void cgroups_show_the_root_only(struct escape *e)
{
	static const char *const files[] = {
		"/proc/self/cgroup", "/proc/1/cgroup", "/proc/thread-self/cgroup"};
	char command[64], path[64], text[8192];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		e->attempts++;
		snprintf(command, sizeof(command), "cat %s", files[i]);
		fixture_run_ok(e->client, command, &result);
		assert_true(shows_root_only(result.output));
		/* From outside the same process has a name. */
		snprintf(path, sizeof(path), "/proc/%u/cgroup", e->fixture.built.pid);
		read_host_file(path, text, sizeof(text));
		assert_false(shows_root_only(text));
		e->controls++;
	}
}

static void no_process_of_the_host_has_a_number(struct escape *e)
{
	const pid_t pids[] = {getpid(), getppid(), e->fixture.builder.pid,
		(pid_t)e->fixture.built.pid, 2, getsid(0)};
	char command[128];

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		if (pids[i] < 100)
			continue; /* such a number may be one's own inside */
		e->attempts++;
		assert_int_equal(kill(pids[i], 0), 0);
		snprintf(command, sizeof(command),
			"test -e /proc/%1$d || kill -0 %1$d || echo none", pids[i]);
		fixture_run_ok(e->client, command, &result);
		assert_non_null(strstr(result.output, "none"));
		e->controls++;
	}
	/* and no others than its own: PID 1, the runner, the shell, and what it starts */
	e->attempts++;
	fixture_run_ok(e->client, "ls -d /proc/[0-9]* | wc -l", &result);
	assert_in_range(strtol(result.output, NULL, 10), 3, 6);
	e->controls++;
}

/* The events of its own cgroup, to be read, and its own score: what PID 1 and its runners keep. */
static bool is_of_guest(const char *link, bool is_writable, const char *instance)
{
	static const char *const events[] = {
		"/pids.events", "/memory.events", "/memory.oom_control", "/memory.events.local"};
	const char *name = strrchr(link, '/');

	if (is_writable)
		return strcmp(link, "/proc/1/oom_score_adj") == 0;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (name && strcmp(name, events[i]) == 0)
			return strstr(link, instance);
	return false;
}

/* Pipes, the null device, sockets and event files: nothing that is a way to the host. */
static bool is_harmless(const char *link, const struct stat *st)
{
	static const char *const kinds[] = {"pipe:[", "socket:[", "anon_inode:["};

	if (S_ISCHR(st->st_mode))
		return st->st_rdev == makedev(1, 3);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strncmp(link, kinds[i], strlen(kinds[i])) == 0)
			return true;
	return false;
}

/* How many open files of a process are of another kind. instance NULL: it is none of ours. */
static int count_undeclared(pid_t pid, const char *instance)
{
	char path[64], link[4096];
	struct stat st, mode;
	struct dirent *entry;
	int count = 0;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fds = opendir(path);
	assert_non_null(fds);
	while ((entry = readdir(fds))) {
		ssize_t n = readlinkat(dirfd(fds), entry->d_name, link, sizeof(link) - 1);

		if (n < 0 || fstatat(dirfd(fds), entry->d_name, &st, 0) < 0 ||
			fstatat(dirfd(fds), entry->d_name, &mode, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		link[n] = '\0';
		count += !is_harmless(link, &st) &&
			 !(instance && is_of_guest(link, mode.st_mode & S_IWUSR, instance));
	}
	closedir(fds);
	return count;
}

/* The descendants of PID 1, as the host numbers them. */
static size_t find_descendants(pid_t pid, pid_t *pids, size_t count, size_t size)
{
	char path[64], text[4096], *at = text, *end;

	assert_true(count < size);
	pids[count++] = pid;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	read_host_file(path, text, sizeof(text));
	for (long child; (child = strtol(at, &end, 10)) > 0; at = end)
		count = find_descendants((pid_t)child, pids, count, size);
	return count;
}

/* A process that holds a directory: what the count would see. */
static void see_an_open_directory(void)
{
	int gate[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (open("/", O_RDONLY | O_DIRECTORY) < 0 || write(gate[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(gate[0], &byte, 1), 1);
	assert_true(count_undeclared(pid, NULL) > 0);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(gate[0]);
	close(gate[1]);
}

static void nothing_undeclared_is_open(struct escape *e)
{
	static struct call call;
	pid_t pids[64];
	size_t count;

	call_command(e->client, &call, "sleep 60 & echo started; wait", NULL);
	while (call.bytes[GUEST_STDOUT] == 0)
		calls_turn(e->client, 1000);
	count = find_descendants((pid_t)e->fixture.built.pid, pids, 0, ARRAY_SIZE(pids));
	assert_in_range(count, 4, 5); /* PID 1, the runner, the shell, sleep */
	for (size_t i = 0; i < count; i++) {
		e->attempts++;
		if (count_undeclared(pids[i], i < GUESTS ? e->fixture.instance : NULL) > 0)
			fail_msg("process %zu of the sandbox holds an fd that nobody declared", i);
		see_an_open_directory();
		e->controls++;
	}
	assert_int_equal(guest_request_cancel(call.request), 0);
	call_wait(e->client, &call);
	call_finish(&call);
}

/* Environment, arguments and names, of the command and of PID 1, against what is true of the host. */
static void names_tell_nothing_of_the_host(struct escape *e)
{
	static const char *const commands[] = {"cat /proc/self/environ", "cat /proc/1/cmdline",
		"cat /proc/1/environ; true", "cat /proc/1/comm", "hostname", "env",
		"cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname",
		"ls -la / /tmp /root /run", "cat /proc/cmdline /proc/1/stat", "pwd; echo $0 $PPID"};
	char host[128];

	assert_int_equal(gethostname(host, sizeof(host)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const char *const telling[] = {host, e->world.directory, "/var/lib", "HEARTH_",
			"hearth-test", "top_builddir", "hearth-builder"};

		e->attempts++;
		fixture_run_ok(e->client, commands[i], &result);
		for (size_t c = 0; c < result.size; c++)
			if (result.output[c] == '\0')
				result.output[c] = ' ';
		for (size_t t = 0; t < ARRAY_SIZE(telling); t++)
			if (strstr(result.output, telling[t]))
				fail_msg("%s tells %s", commands[i], telling[t]);
		fixture_run_ok(e->client, "echo HEARTH_", &result);
		assert_non_null(strstr(result.output, "HEARTH_"));
		e->controls++;
	}
}

static const struct {
	const char *name; /* below /proc */
	bool stays_readable;
} covers[] = {{"kcore", false}, {"keys", false}, {"timer_list", false}, {"kallsyms", false},
	{"config.gz", false}, {"interrupts", false}, {"sched_debug", false},
	{"sysrq-trigger", false}, {"latency_stats", false}, {"kpagecount", false},
	{"kpageflags", false}, {"kpagecgroup", false}, {"cmdline", false}, {"vmallocinfo", false},
	{"slabinfo", false}, {"iomem", false}, {"ioports", false}, {"mtrr", false}, {"kmsg", false},
	{"diskstats", false}, {"partitions", false}, {"acpi", false}, {"scsi", false},
	{"asound", false}, {"sys", true}, {"bus", true}, {"fs", true}, {"irq", true},
	{"pressure", true}};

/* A null device, or a file system that is read-only and, unless it stays readable, empty. */
static bool is_covered(int proc_fd, const char *name, bool stays_readable)
{
	auto_close int fd = openat(proc_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct statvfs fs;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || fstatvfs(fd, &fs) < 0)
		return false;
	if (S_ISCHR(st.st_mode))
		return st.st_rdev == makedev(1, 3);
	return (fs.f_flag & ST_RDONLY) && (stays_readable || st.st_nlink == EMPTY_LINKS);
}

/* What only the host's root may touch needs no cover: he is nobody inside. */
static void all_that_tells_is_covered(struct escape *e)
{
	char path[64];
	auto_close int host_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int inside_fd = -1;

	snprintf(path, sizeof(path), "/proc/%u/root/proc", e->fixture.built.pid);
	inside_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(inside_fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(covers); i++) {
		const char *name = covers[i].name;
		struct stat st;

		if (fstatat(host_fd, name, &st, 0) < 0 || !(st.st_mode & (S_IRWXG | S_IRWXO)))
			continue;
		e->attempts++;
		if (!is_covered(inside_fd, name, covers[i].stays_readable))
			fail_msg("/proc/%s is not covered", name);
		assert_false(is_covered(host_fd, name, covers[i].stays_readable));
		e->controls++;
	}
}

static const struct escape_case cases[] = {
	{"H21", "all of /proc that tells is covered", all_that_tells_is_covered},
	{"E43", "the image's files do not change", the_image_does_not_change},
	{"E52", "cgroups show the root only", cgroups_show_the_root_only},
	{"E54", "no process of the host has a number inside", no_process_of_the_host_has_a_number},
	{"H26", "nothing undeclared is open inside", nothing_undeclared_is_open},
	{"H22", "names tell nothing of the host", names_tell_nothing_of_the_host},
};

const struct escape_cases escape_views = ESCAPE_CASES(cases);

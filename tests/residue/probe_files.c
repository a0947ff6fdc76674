/* What a tenant leaves in file systems. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/residue/probe.h"

#define MANY_FILES   2000
#define FRESH_INODES 1500 /* a fresh root has used fewer, whatever the image needs */
#define LOCKED	     "/etc/passwd"

/* Every directory that can be written to. */
static const char *const places[] = {"/", "/tmp", "/root", "/home", "/var/tmp", "/var", "/dev/shm",
	"/run", "/workspace", "/usr/bin", "/etc", "/sys", "/usr/local"};
#define PLACES (sizeof(places) / sizeof(places[0]))

int leave_files(void)
{
	int made = 0;

	for (size_t i = 0; i < PLACES; i++) {
		char path[128];

		mkdir(places[i], 0755);
		snprintf(path, sizeof(path), "%s/" CANARY, places[i]);
		made += probe_write(path, CANARY) == 0;
	}
	return made == PLACES ? 0 : -EACCES;
}

static void visit_name(const char *path, const struct stat *st)
{
	(void)st;
	if (strstr(path, CANARY))
		probe_found("%s", path);
}

void look_files(void)
{
	probe_walk("/", visit_name);
	probe_walk("/dev/shm", visit_name);
}

static int hold_deleted(void)
{
	int fd = open("/tmp/" CANARY "-deleted", O_RDWR | O_CREAT, 0600);

	if (fd < 0 || write(fd, CANARY, strlen(CANARY)) < 0 ||
		unlink("/tmp/" CANARY "-deleted") < 0)
		return -errno;
	return 0;
}

int leave_deleted(void)
{
	return probe_daemon(hold_deleted);
}

static void look_at_fds(const char *pid, const char *what)
{
	char path[64], name[512], target[512];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		ssize_t n;

		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		n = readlink(name, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		if (strstr(target, what))
			probe_found("%s -> %s", name, target);
	}
	if (dir)
		closedir(dir);
}

static void look_at_all_fds(const char *what)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			look_at_fds(entry->d_name, what);
	if (proc)
		closedir(proc);
}

void look_deleted(void)
{
	look_at_all_fds("(deleted)");
}

int leave_copy_up(void)
{
	if (chmod("/bin/busybox", 0751) < 0)
		return -errno;
	return probe_write("/etc/hosts", CANARY "\n");
}

void look_copy_up(void)
{
	char text[512];
	struct stat st;

	probe_read("/etc/hosts", text, sizeof(text));
	if (strstr(text, CANARY))
		probe_found("/etc/hosts: %.40s", text);
	if (stat("/bin/busybox", &st) < 0 || (st.st_mode & 07777) != 0755)
		probe_found("/bin/busybox: mode %o", st.st_mode);
}

static void remove_entry(const char *path, const struct stat *st)
{
	(void)st;
	unlink(path);
}

/* A whiteout, and a directory made anew, which is opaque. */
int leave_whiteout(void)
{
	probe_walk("/usr/sbin", remove_entry);
	if (unlink("/etc/group") < 0 || rmdir("/usr/sbin") < 0 || mkdir("/usr/sbin", 0755) < 0)
		return -errno;
	return 0;
}

static unsigned entries;

static void count_entry(const char *path, const struct stat *st)
{
	(void)path;
	(void)st;
	entries++;
}

void look_whiteout(void)
{
	entries = 0;
	probe_walk("/usr/sbin", count_entry);
	if (access("/etc/group", F_OK) < 0)
		probe_found("/etc/group is missing");
	if (entries == 0)
		probe_found("/usr/sbin is empty");
}

int leave_setuid(void)
{
	int r = probe_write("/usr/bin/" CANARY "-suid", "#!/bin/sh\n");

	if (r < 0)
		return r;
	return chmod("/usr/bin/" CANARY "-suid", 06755) < 0 ? -errno : 0;
}

static void visit_setuid(const char *path, const struct stat *st)
{
	if (S_ISREG(st->st_mode) && (st->st_mode & (S_ISUID | S_ISGID)))
		probe_found("%s: mode %o", path, st->st_mode);
}

void look_setuid(void)
{
	probe_walk("/", visit_setuid);
}

int leave_capability(void)
{
	/* Version 2, effective, CAP_NET_BIND_SERVICE. */
	static const unsigned value[5] = {0x02000001, 1 << 10, 0, 0, 0};
	int r = probe_write("/usr/bin/" CANARY "-caps", "#!/bin/sh\n");

	if (r < 0)
		return r;
	return setxattr("/usr/bin/" CANARY "-caps", "security.capability", value, sizeof(value),
		       0) < 0
		       ? -errno
		       : 0;
}

static void visit_capability(const char *path, const struct stat *st)
{
	char value[64];

	if (S_ISREG(st->st_mode) &&
		lgetxattr(path, "security.capability", value, sizeof(value)) >= 0)
		probe_found("%s: a file capability", path);
}

void look_capability(void)
{
	probe_walk("/", visit_capability);
}

int leave_attribute(void)
{
	int r = probe_write("/tmp/" CANARY "-attribute", "");

	if (r < 0)
		return r;
	return setxattr("/tmp/" CANARY "-attribute", "user." CANARY, "1", 1, 0) < 0 ||
			       setxattr("/workspace", "user." CANARY, "1", 1, 0) < 0
		       ? -errno
		       : 0;
}

static void visit_attribute(const char *path, const struct stat *st)
{
	char names[512];
	ssize_t n = llistxattr(path, names, sizeof(names));

	(void)st;
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1)
		if (strncmp(names + i, "user.", 5) == 0 || strstr(names + i, "posix_acl"))
			probe_found("%s: %s", path, names + i);
}

void look_attribute(void)
{
	probe_walk("/", visit_attribute);
}

/* Files that are gone again have moved the counters of the file system on. */
int leave_inodes(void)
{
	for (int i = 0; i < MANY_FILES; i++) {
		int r = probe_write("/dev/shm/x", "");

		if (r < 0)
			return r;
		unlink("/dev/shm/x");
	}
	return probe_write("/tmp/" CANARY "-used", CANARY);
}

void look_inodes(void)
{
	struct statvfs fs;
	struct stat st;

	if (probe_write("/dev/shm/new", "") == 0 && stat("/dev/shm/new", &st) == 0) {
		if (st.st_ino > FRESH_INODES)
			probe_found("inode numbers are at %llu", (unsigned long long)st.st_ino);
		unlink("/dev/shm/new");
	}
	if (statvfs("/", &fs) == 0 && fs.f_files - fs.f_ffree > FRESH_INODES)
		probe_found("%llu inodes in use", (unsigned long long)(fs.f_files - fs.f_ffree));
}

static const char *const startup[] = {"/etc/profile", "/root/.profile", "/root/.ashrc",
	"/root/.bashrc", "/etc/profile.d/x.sh", "/etc/ld.so.preload", "/etc/ld.so.conf",
	"/etc/crontab", "/etc/cron.d/x", "/var/spool/cron/root", "/etc/inittab", "/etc/rc.local"};

/* In what a shell, a loader or a daemon reads when it starts. */
int leave_startup(void)
{
	mkdir("/etc/profile.d", 0755);
	mkdir("/etc/cron.d", 0755);
	mkdir("/var/spool", 0755);
	mkdir("/var/spool/cron", 0755);
	for (size_t i = 0; i < sizeof(startup) / sizeof(startup[0]); i++) {
		int r = probe_write(startup[i], "# " CANARY "\necho " CANARY "\n");

		if (r < 0)
			return r;
	}
	return 0;
}

void look_startup(void)
{
	char text[256] = "";
	FILE *shell = popen("sh -lc : 2>&1", "r");
	size_t n = shell ? fread(text, 1, sizeof(text) - 1, shell) : 0;

	text[n] = '\0';
	if (shell)
		pclose(shell);
	if (strstr(text, CANARY))
		probe_found("a login shell says %.40s", text);
	for (size_t i = 0; i < sizeof(startup) / sizeof(startup[0]); i++)
		if (access(startup[i], F_OK) == 0)
			probe_found("%s", startup[i]);
}

/* On files of the image, which all sandboxes share: flock, a record lock, a lease, a watch. */
static int hold_locks(void)
{
	struct flock record = {.l_type = F_RDLCK};
	int fd = open(LOCKED, O_RDONLY);
	int watch = inotify_init();
	int leased = open("/bin/busybox", O_RDONLY);

	if (fd < 0 || watch < 0 || leased < 0 || flock(fd, LOCK_EX) < 0 ||
		fcntl(fd, F_SETLK, &record) < 0 ||
		inotify_add_watch(watch, "/etc", IN_ALL_EVENTS) < 0)
		return -errno;
	fcntl(leased, F_SETLEASE, F_RDLCK); /* refused while it runs; then there is none */
	return 0;
}

int leave_lock(void)
{
	return probe_daemon(hold_locks);
}

void look_lock(void)
{
	struct flock record = {.l_type = F_WRLCK};
	int fd = open(LOCKED, O_RDWR);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		probe_found(LOCKED " is locked");
	if (fd >= 0 && fcntl(fd, F_GETLK, &record) == 0 && record.l_type != F_UNLCK)
		probe_found(LOCKED " has a record lock");
	close(fd);
	look_at_all_fds("anon_inode:inotify");
}

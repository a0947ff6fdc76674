/* residue-probe leave|look|both ROW...: see probe.h. One line of output per row and finding. */
#include "tests/residue/probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOUND_MAX 8 /* lines of one row */

static const struct probe_row probe_table[] = {
	/* The counters first: other looks use the loopback. */
	{"R23c", leave_counters, look_counters},
	{"R22", leave_time_wait, look_time_wait},
	{"R01", leave_files, look_files},
	{"R02", leave_deleted, look_deleted},
	{"R03", leave_copy_up, look_copy_up},
	{"R04", leave_whiteout, look_whiteout},
	{"R05", leave_setuid, look_setuid},
	{"R06", leave_capability, look_capability},
	{"R07", leave_attribute, look_attribute},
	{"R08", leave_inodes, look_inodes},
	{"R09", leave_running, look_running},
	{"R10", leave_daemon, look_daemon},
	{"R11", leave_stopped, look_stopped},
	{"R12", leave_traced, look_traced},
	{"R13", leave_zombie, look_zombie},
	{"R14", leave_shm, look_shm},
	{"R15", leave_sem, look_sem},
	{"R16", leave_msg, look_msg},
	{"R17", leave_mq, look_mq},
	{"R18", leave_posix_shm, look_posix_shm},
	{"R19", leave_key, look_key},
	{"R20", leave_abstract, look_abstract},
	{"R21", leave_ports, look_ports},
	{"R23", leave_sysctl, look_sysctl},
	{"R24", leave_late_packet, look_late_packet},
	{"R24n", leave_filter, look_filter},
	{"R25", leave_hostname, look_hostname},
	{"R26", leave_startup, look_startup},
	{"R27", leave_counts, NULL}, /* looked at from outside, as the next */
	{"R27m", leave_memory_hog, NULL},
	{"R28", leave_shell_state, look_shell_state},
	{"R29", leave_terminal, look_terminal},
	{"R31", leave_lock, look_lock},
	{"R32", leave_memory, look_memory},
};
#define ROWS (sizeof(probe_table) / sizeof(probe_table[0]))

static const char *looking;
static unsigned found;

void probe_found(const char *format, ...)
{
	va_list args;

	if (found++ >= FOUND_MAX)
		return;
	printf("found %s ", looking);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

int probe_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t n = 0;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	while (length < size - 1 && (n = read(fd, text + length, size - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	close(fd);
	return n < 0 ? -EIO : (int)length;
}

int probe_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	ssize_t n;
	int r;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	r = n < 0 ? -errno : 0;
	close(fd);
	return r;
}

int probe_daemon(int (*body)(void))
{
	int ready[2], result = -EIO;
	pid_t child;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		if (fork() != 0)
			_exit(0);
		setsid();
		for (int fd = 0; fd <= 2; fd++)
			close(fd);
		result = body();
		if (write(ready[1], &result, sizeof(result)) < 0)
			_exit(1);
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (child < 0 || read(ready[0], &result, sizeof(result)) != (ssize_t)sizeof(result))
		result = -EIO;
	close(ready[0]);
	waitpid(child, NULL, 0);
	return result;
}

static void walk(
	const char *path, dev_t dev, void (*visit)(const char *path, const struct stat *st))
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char name[1024];
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", strcmp(path, "/") ? path : "", entry->d_name);
		if (lstat(name, &st) < 0)
			continue;
		visit(name, &st);
		if (S_ISDIR(st.st_mode) && st.st_dev == dev)
			walk(name, dev, visit);
	}
	if (dir)
		closedir(dir);
}

void probe_walk(const char *path, void (*visit)(const char *path, const struct stat *st))
{
	struct stat st;

	if (stat(path, &st) == 0)
		walk(path, st.st_dev, visit);
}

static int leave(const struct probe_row *row)
{
	int r = row->leave();

	if (r < 0)
		printf("refused %s %s\n", row->id, strerror(-r));
	else
		printf("left %s\n", row->id);
	return 0;
}

static int look(const struct probe_row *row)
{
	looking = row->id;
	found = 0;
	row->look();
	printf("looked %s\n", row->id);
	return 0;
}

static int both(const struct probe_row *row)
{
	return leave(row) | look(row);
}

/* Which ids of the host these are: the slot. */
static void print_range(void)
{
	char map[128];
	unsigned base;

	if (probe_read("/proc/self/uid_map", map, sizeof(map)) > 0 &&
		sscanf(map, "%*u %u", &base) == 1)
		printf("range %u\n", base);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*act)(const struct probe_row *row);
	} verbs[] = {{"leave", leave}, {"look", look}, {"both", both}};

	print_range();
	for (size_t v = 0; argc > 2 && v < sizeof(verbs) / sizeof(verbs[0]); v++) {
		if (strcmp(argv[1], verbs[v].name) != 0)
			continue;
		/* In the order of the table, whatever the order of the words. */
		for (size_t i = 0; i < ROWS; i++)
			for (int a = 2; a < argc; a++)
				if (strcmp(argv[a], probe_table[i].id) == 0)
					verbs[v].act(&probe_table[i]);
		return 0;
	}
	fprintf(stderr, "usage: residue-probe leave|look|both ROW...\n");
	return 2;
}

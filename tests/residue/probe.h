/*
 * probe.h - a program for the inside of a sandbox: it leaves things behind, and looks for them.
 *
 * One row of probe_table per kind of residue. `leave` makes the thing, `look` looks for it as a later
 * tenant would, who knows nothing but the names; it says what it found by probe_found(). What needs a
 * process to stay does so in a daemon (probe_daemon()). musl, static.
 */
#ifndef TESTS_RESIDUE_PROBE_H
#define TESTS_RESIDUE_PROBE_H
#include <stddef.h>

#define CANARY	    "hearth-canary" /* in every name */
#define CANARY_PORT 4321
#define LATE_PORT   4330

struct probe_row {
	const char *id; /* "R01" */
	/* 0, or the negative errno of what the sandbox refused. */
	int (*leave)(void);
	void (*look)(void);
};

/* Text like printf's, of what the row that looks has found. */
void probe_found(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* In a child of no one: run `body` and stay, with nothing open. Returns once `body` has; its result. */
int probe_daemon(int (*body)(void));

/* Calls of every entry below a directory of the same file system; lstat has been done. */
struct stat;
void probe_walk(const char *path, void (*visit)(const char *path, const struct stat *st));

/* A whole small file, cut to what fits; terminated. Negative errno. */
int probe_read(const char *path, char *text, size_t size);
int probe_write(const char *path, const char *text);

/* probe_files.c */
int leave_files(void), leave_deleted(void), leave_copy_up(void), leave_whiteout(void);
int leave_setuid(void), leave_capability(void), leave_attribute(void), leave_inodes(void);
int leave_startup(void), leave_lock(void);
void look_files(void), look_deleted(void), look_copy_up(void), look_whiteout(void);
void look_setuid(void), look_capability(void), look_attribute(void), look_inodes(void);
void look_startup(void), look_lock(void);

/* probe_processes.c */
int leave_running(void), leave_daemon(void), leave_stopped(void), leave_traced(void);
int leave_zombie(void), leave_shell_state(void), leave_terminal(void);
void look_running(void), look_daemon(void), look_stopped(void), look_traced(void);
void look_zombie(void), look_shell_state(void), look_terminal(void);

/* probe_memory.c */
int leave_memory(void);
void look_memory(void);

/* probe_ipc.c */
int leave_shm(void), leave_sem(void), leave_msg(void), leave_mq(void), leave_posix_shm(void);
int leave_key(void), leave_hostname(void), leave_abstract(void), leave_counts(void),
	leave_memory_hog(void);
void look_shm(void), look_sem(void), look_msg(void), look_mq(void), look_posix_shm(void);
void look_key(void), look_hostname(void), look_abstract(void);

/* probe_net.c */
int leave_ports(void), leave_time_wait(void), leave_sysctl(void), leave_counters(void);
int leave_filter(void), leave_late_packet(void);
void look_ports(void), look_time_wait(void), look_sysctl(void), look_counters(void);
void look_filter(void), look_late_packet(void);
#endif

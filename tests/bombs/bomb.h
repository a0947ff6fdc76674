/*
 * bomb.h - a program for the inside of a sandbox that takes all it can get. musl, static.
 *
 * `bomb NAME MAX [hold]` takes up to MAX units (or for MAX milliseconds, where it says so), then says
 * "did N REASON", where REASON is the errno that ended it or "done". With `hold` it keeps what it has
 * until it is killed.
 */
#ifndef TESTS_BOMBS_BOMB_H
#define TESTS_BOMBS_BOMB_H
#include <stdint.h>

#define MEBIBYTE (1ul << 20)

struct bomb_row {
	const char *name;
	long (*act)(long max); /* units done; errno says why no more, 0: max */
};

/* Milliseconds of a steady clock. */
int64_t bomb_now_ms(void);
/* A child that waits to be killed, or does `body`. -1 and errno. */
int bomb_child(void (*body)(void));
#define BOMB_PER_CHILD 200 /* objects that one process holds, below its open files */
/* So many objects in each of as many children as it takes; `act` makes them and says how many. */
long bomb_in_children(long max, long (*act)(void));
/* Ends and reaps all children; errno stays. */
void bomb_end_children(void);

/* bomb_processes.c */
long bomb_fork(long max), bomb_fork_for_ever(long max), bomb_signals(long max);
long bomb_threads(long max), bomb_vfork(long max), bomb_zombies(long max);
long bomb_churn(long max), bomb_spin(long milliseconds), bomb_storm(long milliseconds);
long bomb_stubborn(long max);

/* bomb_memory.c: units of a mebibyte, of an object, of milliseconds */
long bomb_touch(long max), bomb_fill(long max), bomb_fill_shm(long max), bomb_sysv_shm(long max);
long bomb_sysv_sem(long max), bomb_sysv_msg(long max), bomb_mq(long max);
long bomb_cache(long milliseconds), bomb_maps(long max), bomb_pipes(long max),
	bomb_epolls(long max), bomb_watches(long max);
long bomb_locks(long max);

/* bomb_sockets.c: units of a socket, its buffers full */
long bomb_sockets(long max), bomb_tcp(long max), bomb_udp(long max);

/* bomb_network.c: units of a connection, of a flow, of milliseconds of a flood; packets done */
#define BOMB_ANSWERS                                                                               \
	"8.8.4.4" /* of tests/network_world.py: a host that answers, and one that does not */
#define BOMB_HOLE "8.8.5.1"
long bomb_connects(long max), bomb_syns(long max), bomb_flows(long max);
long bomb_packets(long milliseconds), bomb_bytes(long milliseconds);

/* bomb_files.c */
long bomb_open(long max), bomb_inodes(long max), bomb_deep(long max), bomb_sparse(long max);
long bomb_syncs(long milliseconds), bomb_lines(long max), bomb_one_line(long max);
long bomb_mixed(long max);
#endif

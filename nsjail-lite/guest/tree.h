/*
 * tree.h - kill everything that descends from a runner, whatever it does to stay alive.
 *
 * Found by ancestry in /proc, in passes, one a turn of the loop: first SIGSTOP to all that is found,
 * so that nobody forks any more, then SIGKILL. A runner is the subreaper of its tree and, dismissed,
 * exits when it has no child left: that exit, not an empty pass, is the proof that nothing is left.
 * Children of PID 1 that are none of its own have lost their runner: strays, always killed.
 */
#ifndef NSJAIL_LITE_GUEST_TREE_H
#define NSJAIL_LITE_GUEST_TREE_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct guest;

/* What has been done so far to the tree below one root. */
struct tree_kill {
	bool is_on;
	bool is_stopped; /* no descendant ran any more: SIGKILL from here on */
	unsigned passes;
	unsigned running; /* of the last pass: neither stopped nor dead */
	unsigned alive;
	unsigned clean_passes; /* in a row, that found nothing alive */
};

struct tree_process {
	pid_t pid, parent;
	struct tree_kill *kill; /* whose tree it belongs to; NULL: to be left alone */
	char state;
	bool is_dead; /* and has no thread that lives */
	bool is_ours; /* a runner or worker itself */
};

struct tree {
	struct tree_kill strays;
	uint64_t next_pass_ns; /* 0: no pass is needed */
	struct tree_process *processes;
	unsigned count, capacity;
};

/* Begin to kill a tree; the runner's end tells that it is done. */
void tree_kill_start(struct guest *guest, struct tree_kill *kill);

/* A runner has died by force: what it leaves behind is ours to kill. */
void tree_kill_strays(struct guest *guest);

/* Make the pass that is due. */
void tree_pass(struct guest *guest);
#endif

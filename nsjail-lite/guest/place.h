/*
 * place.h - on which processor, and ahead of whom, the processes between a request and its command run.
 *
 * A command passes through PID 1, its runner and itself, one after the other. The kernel puts each new process
 * where there seems to be most room: on a small host that is where a neighbour computes, and there it
 * waits for the next tick, some milliseconds. So a command begins where its runner is, which waits for it
 * from that moment, and what only hands over runs in short slices, which get it ahead of what computes.
 * The command itself may go anywhere and has slices like everybody's. A runner begins wherever the kernel
 * likes: beside PID 1, which goes on, it would have to wait for that. At the end PID 1 wakes where the
 * runner is, which has just got its turn there, while PID 1 had its own elsewhere a moment ago.
 */
#ifndef NSJAIL_LITE_GUEST_PLACE_H
#define NSJAIL_LITE_GUEST_PLACE_H
#include <stdint.h>
#include <sys/types.h>

#define PLACE_SLICE_SHORT_NS                                                                       \
	UINT64_C(100000) /* the least that kernels take; those before 6.12 take none */
#define PLACE_SLICE_USUAL_NS UINT64_C(0)

/* The calling process: normal policy, nice 0, slices of this length. 0 or -errno. */
int place_priority(uint64_t slice_ns);

/* PID 1, once: which processors there are. Where that cannot be told, the rest does nothing. */
void place_init(void);

/* What is forked from now on begins on the processor that this runs on. */
void place_children_here(void);

/* The calling process, and what it forks from now on, may be anywhere. */
void place_anywhere(void);

/*
 * In a runner that is about to wake PID 1: that will run on this processor, and ahead of the runner. PID 1
 * itself undoes it by place_anywhere().
 */
void place_guest_here(pid_t guest);
#endif

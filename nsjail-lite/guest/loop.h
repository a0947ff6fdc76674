/*
 * loop.h - all that PID 1 knows: its sources, its requests, its processes.
 *
 * One object in one anonymous mapping, of which a guest that was never used has touched the first
 * page only: the big members stand last.
 */
#ifndef NSJAIL_LITE_GUEST_LOOP_H
#define NSJAIL_LITE_GUEST_LOOP_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/list.h"
#include "nsjail-lite/guest/guest.h"
#include "nsjail-lite/guest/source.h"
#include "nsjail-lite/guest/tree.h"
#include "proto/guest.h"

#define GUEST_BUCKETS 4096u

struct job;
struct request;
struct runner_mailbox;

struct guest {
	const struct guest_defaults *defaults;
	pid_t self;
	int epoll;	  /* everything but the streams */
	int stream_epoll; /* what becomes OUTPUT; a member of epoll while the channel takes packets */
	struct source channel, children, streams;
	bool is_blocked;    /* the channel is full */
	uint64_t output_ns; /* when there was some last */
	uint64_t rest_ns;   /* until when no stream is read, so that more comes together; 0: now */

	struct list queued;	   /* requests in the order of their arrival */
	struct list pending;	   /* requests that have a CREDIT or their REPLY to send */
	struct list jobs;	   /* processes of ours and what they left open */
	struct job *spare;	   /* of them: an idle runner; NULL: none */
	bool wants_spare;	   /* a worker has ended, which may have been it */
	struct list dead_requests; /* freed at the end of the turn */
	struct list dead_jobs;
	unsigned request_count; /* of the table */
	unsigned refused_count; /* of them, only waiting to be told EBUSY */
	unsigned running_count;
	size_t queued_bytes;
	unsigned queued_fds;

	struct runner_mailbox *mailboxes; /* GUEST_RUNNING_MAX; NULL: no command has run yet */
	uint64_t mailboxes_taken;	  /* bit n: mailboxes[n] */

	struct tree tree;
	bool has_more_children; /* to reap */

	struct source memory_events;
	bool is_memory_rung; /* by an eventfd; else it is a file with counts */
	int oom_score_fd;
	int pids_events_fd; /* -1: none */
	/* Since the sandbox began, as far as known. limit_ooms: of them, for its own limit and not for the host's memory. */
	uint64_t ooms, limit_ooms, forks_refused;

	uint32_t held_size; /* of the OUTPUT packet that did not fit into the channel; 0: none */
	struct guest_output held;

	struct request *buckets[GUEST_BUCKETS]; /* requests by id */
	char chunk[GUEST_CHUNK_MAX];
	char packet[GUEST_PACKET_MAX];
};
#endif

/*
 * stream.h - one output pipe of a job: relayed as OUTPUT, cut at a limit, drained at the end.
 *
 * A pipe outlives the request when a child of the command holds it: it is then read to its end and
 * thrown away, so that a server in the background does not die of SIGPIPE.
 */
#ifndef NSJAIL_LITE_GUEST_STREAM_H
#define NSJAIL_LITE_GUEST_STREAM_H
#include <stdbool.h>

#include "nsjail-lite/guest/source.h"
#include "proto/guest.h"

struct guest;
struct job;

struct stream {
	struct source source;
	struct job *job;
	enum guest_stream kind;
	bool is_terminal;
	bool is_draining;
	uint32_t drain_left; /* bytes that were in the pipe when the command ended */
	uint64_t bytes;	     /* read so far, dropped ones included */
};

void stream_init(struct stream *stream, struct job *job, enum guest_stream kind);

/* fd becomes the stream's. 0 or -errno. */
int stream_open(struct guest *guest, struct stream *stream, int fd, bool is_terminal);

/*
 * Whether the streams are read: not while the channel is full, nor for a moment after little pieces that came in
 * quick succession: they would wake us and the client one by one.
 */
void stream_watch_all(struct guest *guest);
/* At the end of a turn. */
void stream_end_rest(struct guest *guest);

/* Nothing more belongs to the request than is in the pipe now. request_on_drained() follows. */
void stream_drain(struct guest *guest, struct stream *stream);
bool stream_is_drained(const struct stream *stream);
/* While it is drained: somebody else who reads the pipe takes what it waits for. */
void stream_drain_again(struct stream *stream);

/* The request is over: read and throw away until the last writer has gone. */
void stream_discard(struct guest *guest, struct stream *stream);
#endif

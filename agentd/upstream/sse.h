/*
 * sse.h - Server-Sent Events, as they arrive: bytes in, the data of each event out.
 *
 * The format: https://html.spec.whatwg.org/multipage/server-sent-events.html. Lines end in LF, CR LF or CR, cut
 * anywhere; a byte order mark, comments and fields other than data are skipped: both dialects name an event's
 * kind in its data. Pure but for memory, of which it holds one event.
 */
#ifndef AGENTD_UPSTREAM_SSE_H
#define AGENTD_UPSTREAM_SSE_H
#include <stdbool.h>
#include <stddef.h>

struct evbuffer;

#define SSE_EVENT_MAX (32u * 1024 * 1024) /* bytes of an event's data, and of a line */

/* Its data, lines joined by LF; terminated, and borrowed. 0, or negative: the rest is not read. */
typedef int (*sse_event_fn)(void *arg, const char *data, size_t size);

struct sse {
	sse_event_fn on_event;
	void *arg;
	struct evbuffer *line; /* the part of a line that has come */
	struct evbuffer *data;
	unsigned bom_bytes; /* of the mark that may stand at the very beginning */
	bool is_begun;
	bool has_data;
	bool is_after_cr; /* a LF that comes now belongs to it */
};

/* 0 or -ENOMEM; sse_finish() is due in either case. */
int sse_init(struct sse *sse, sse_event_fn on_event, void *arg);
/* 0, -EFBIG, -ENOMEM, or what on_event returned; then it must not be fed any more. */
int sse_feed(struct sse *sse, const char *data, size_t size);
/*
 * All has come. An event that lacks only its blank line counts, unlike in browsers; a line that has no end was
 * cut and does not. As sse_feed().
 */
int sse_end(struct sse *sse);
void sse_finish(struct sse *sse);
#endif

/*
 * wire.h - the bytes of one HTTP reply, written late, in small pieces, cut or left hanging, as a step wants it.
 *
 * Over evhttp: what is counted are bytes of the body, without the frames of chunked coding. A reply in pieces has a
 * turn of the loop after each, so that each is a write of its own; the next is made once the last has been written.
 */
#ifndef AGENTD_SCRIPTED_WIRE_H
#define AGENTD_SCRIPTED_WIRE_H
#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct evbuffer;
struct evhttp_request;
struct scenario_step;
struct wire; /* one reply under way */

struct wire_callbacks {
	/* Adds the next bytes of the body, one at least. False: there are no more. */
	bool (*on_more)(void *arg, struct evbuffer *out);
	/* It is over, well or not: exactly once, and from no call of this module. The request is gone. */
	void (*on_end)(void *arg);
	void *arg;
};

/*
 * Answer with this status and the headers that the request has been given. The step is borrowed until the end. 0, or
 * -ENOMEM and the request is still the caller's.
 */
int wire_start(struct event_base *base, struct evhttp_request *request, unsigned status,
	const struct scenario_step *step, const struct wire_callbacks *callbacks);
#endif

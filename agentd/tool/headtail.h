/*
 * headtail.h - the beginning and the end of a long output, and how much was cut between them.
 *
 * Memory is bounded by what is kept, HEADTAIL_KEPT or a tool's own, whatever a command writes.
 */
#ifndef AGENTD_TOOL_HEADTAIL_H
#define AGENTD_TOOL_HEADTAIL_H
#include <stddef.h>
#include <stdint.h>

#define HEADTAIL_KEPT 30000u /* bytes, unless said otherwise: half of it head, half tail */

struct evbuffer;

struct headtail {
	struct evbuffer *head, *tail; /* NULL until there is something */
	uint64_t total;
	size_t kept; /* bytes, even; 0: HEADTAIL_KEPT. Set before the first headtail_add() */
};

/* 0 or -ENOMEM. */
int headtail_add(struct headtail *kept, const void *data, size_t size);
/* Take bytes from the front, at most what the head has. No headtail_add() may follow. */
void headtail_drain(struct headtail *kept, size_t size);
void headtail_finish(struct headtail *kept);

/*
 * Append to `to`: everything when it is at most budget bytes (budget: at most what is kept), else
 * head and tail with "[... N bytes cut ...]" on a line of its own between. Characters stay whole.
 * 0 or -ENOMEM.
 */
int headtail_format(const struct headtail *kept, size_t budget, struct evbuffer *to);
#endif

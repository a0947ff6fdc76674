/*
 * source.h - a file descriptor that the loop watches, and what to do when it is ready.
 *
 * In PID 1 only. A source is a member of the object that it serves; that object may be freed only
 * between two turns of the loop, because events of the same turn may still name it.
 */
#ifndef NSJAIL_LITE_GUEST_SOURCE_H
#define NSJAIL_LITE_GUEST_SOURCE_H
#include <stdint.h>

struct guest;
struct source;

typedef void source_handler(struct guest *guest, struct source *source, uint32_t events);

struct source {
	int fd;	   /* -1: not open */
	int epoll; /* that watches it; -1: none */
	source_handler *on_ready;
};

/* Not open. */
void source_init(struct source *source, source_handler *on_ready);

/* Watch source->fd in an epoll set, in place of the one before. 0 or -errno. */
int source_watch(struct source *source, int epoll, uint32_t events);

void source_unwatch(struct source *source);

/* What from watches for input becomes to's, which handles it from now on. */
void source_move(struct source *from, struct source *to);

/* Stop watching and close. May be called again. */
void source_close(struct source *source);

/* Wait for at most timeout_ms (-1: for ever) and handle what is ready in the set. */
void source_dispatch(struct guest *guest, int epoll, int timeout_ms);
#endif

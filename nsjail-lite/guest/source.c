#include "nsjail-lite/guest/source.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

#include "base/cleanup.h"

#define EVENTS_PER_TURN 16

void source_init(struct source *source, source_handler *on_ready)
{
	source->fd = -1;
	source->epoll = -1;
	source->on_ready = on_ready;
}

int source_watch(struct source *source, int epoll, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};
	int operation = EPOLL_CTL_ADD;

	if (source->epoll == epoll)
		operation = EPOLL_CTL_MOD;
	else
		source_unwatch(source);
	if (epoll_ctl(epoll, operation, source->fd, &event) < 0)
		return -errno;
	source->epoll = epoll;
	return 0;
}

void source_unwatch(struct source *source)
{
	if (source->epoll >= 0)
		epoll_ctl(source->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	source->epoll = -1;
}

void source_move(struct source *from, struct source *to)
{
	to->fd = take_fd(&from->fd);
	to->epoll = take_fd(&from->epoll);    /* the number alone: it stays the guest's */
	source_watch(to, to->epoll, EPOLLIN); /* cannot fail for what is watched already */
}

void source_close(struct source *source)
{
	/* Taken out by hand: a forked runner may share the open file for a moment longer. */
	source_unwatch(source);
	fd_close(take_fd(&source->fd));
}

void source_dispatch(struct guest *guest, int epoll, int timeout_ms)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int n = epoll_wait(epoll, events, EVENTS_PER_TURN, timeout_ms);

	for (int i = 0; i < n; i++) {
		struct source *source = events[i].data.ptr;

		if (source->epoll == epoll)
			source->on_ready(guest, source, events[i].events);
	}
}

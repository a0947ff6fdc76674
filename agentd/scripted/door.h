/*
 * door.h - HTTP of the scripted model: listeners, and limits on whatever comes through them.
 */
#ifndef AGENTD_SCRIPTED_DOOR_H
#define AGENTD_SCRIPTED_DOOR_H
#include <event2/http.h>

struct door;
struct error;

#define DOOR_CONNECTIONS_MAX 64 /* then the next waits in the queue of the listener */
#define DOOR_HEADERS_MAX     65536
#define DOOR_BODY_MAX	     (32 * 1024 * 1024)
#define DOOR_TIMEOUT_S	     60 /* without a byte, where one is waited for */

/*
 * Take the connections of a listening socket; each request goes to on_request. The socket is taken over, also when it
 * fails. 0 or -ENOMEM.
 */
int door_open(struct event_base *base, int socket,
	void (*on_request)(struct evhttp_request *request, void *arg), void *arg,
	struct door **ret_door, struct error *err);

/* Closes what is open. Accepts NULL. */
void door_close(struct door *door);
#endif

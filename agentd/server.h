/*
 * server.h - what all connections of agentd.sock and the HTTP API share: the loop, the way to the
 * supervisor, the sandboxes that are leased through it, and what a project brings.
 */
#ifndef AGENTD_SERVER_H
#define AGENTD_SERVER_H
#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>

#include "agentd/api/keys.h"
#include "agentd/api/route.h"
#include "agentd/loop/service.h"
#include "agentd/metrics_http.h"
#include "base/list.h"
#include "proto/control_client.h"

#define SERVER_CLIENTS_MAX   512
#define SERVER_SPARE_FDS     64	  /* log, sockets, epoll: what is neither a client nor a sandbox */
#define SERVER_BUCKETS	     1024 /* of sandboxes by id */
#define SERVER_STOP_MS	     2000 /* for clients to read their last answers */
#define SERVER_METHODS_MAX   16
#define SERVER_RELEASES_KEPT 512 /* of CONTROL_PENDING_MAX: not for acquires and lists */

struct error;

struct server {
	struct event_base *base;
	struct control_client *control;
	struct event *control_event;
	struct event *accept_event;
	struct event *accept_timer; /* runs while accepting pauses */
	struct event *stop_timer;
	int listener;
	struct list clients;
	unsigned client_count;
	unsigned refused_clients; /* since the last one that was let in: one log line for all */
	struct list sandboxes[SERVER_BUCKETS];
	unsigned lease_count; /* and acquires under way: bounded by the fds that we may have */
	unsigned lease_max;
	struct list releases; /* that wait to be sent, for the supervisor's answer or its receipt */
	json_t *warned;	      /* by name: templates whose limits this host cannot all enforce */
	struct list workspaces; /* of sessions that have gone, still to be removed */
	unsigned workspace_count;
	unsigned asked_count; /* acquires, lists and removals without an answer */
	json_t *method_schemas[SERVER_METHODS_MAX];
	json_t *tools; /* what tool.list answers; also the schemas */
	struct metrics metrics;
	struct metrics_http metrics_http;
	/* what a project brings: see agent.h. service.server is NULL without one */
	struct service service;
	struct route_set routes;
	struct api_keys keys;
	struct front_http *http;
	int api_listeners[2]; /* -1: none, or the front's by now */
	struct agent_config *config;
	bool is_stopping;
	int exit_code;
};

/* Sockets that listen; -1: none. */
struct server_listeners {
	int agentd;
	int metrics[METRICS_LISTENERS_MAX];
};

/* Listeners and control become the server's, also on failure: server_finish() ends them. 0 or -errno. */
int server_init(struct server *server, struct event_base *base,
	const struct server_listeners *listeners, struct control_client *control,
	struct error *err);
/* Everything that is left. Accepts a half-built one. */
void server_finish(struct server *server);

/*
 * End every request and sandbox with this reason (a word: "shutdown", "supervisor_lost"), give the
 * clients a moment to read it, then leave the loop.
 */
void server_stop(struct server *server, const char *reason, int exit_code);

/* Ask the supervisor. 0, or -EBUSY: too much is asked already. server_answered() at the last answer. */
int server_ask(struct server *server, uint16_t type, void *request, uint32_t size,
	control_answer_fn on_answer, void *arg, struct error *err);
void server_answered(struct server *server);

/* A client, of whichever socket, has gone: when stopping, leave with the last one. */
void server_on_client_gone(struct server *server);
#endif

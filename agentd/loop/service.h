/*
 * service.h - what all runs share: the project's agents, the way to the models, the store, the tools.
 */
#ifndef AGENTD_LOOP_SERVICE_H
#define AGENTD_LOOP_SERVICE_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/unix_socket.h"

#define SERVICE_RUNS_MAX     512
#define SERVICE_TEMPLATE_MAX 32
#define SERVICE_TOOLS_KEPT   256

struct error;
struct project;
struct project_agent;
struct server;
struct store;
struct tool;
struct tool_search;
struct transfers;
struct upstream;

struct service {
	struct server *server;
	struct project *project; /* owned, as are the next four */
	struct upstream *upstream;
	struct store *store;
	struct transfers *transfers; /* of the search service; NULL: none is configured */
	struct tool_search *search;
	json_t *schemas; /* of tools, by name */
	json_t *tools; /* lists as a model is told of them, by what is allowed: each is the same one every time */
	struct unix_socket_peer self;
	char template_name
		[SERVICE_TEMPLATE_MAX]; /* whose sandboxes runs take; "": the instance's first */
	bool has_workspaces;		/* sessions get one bound in */
	bool is_stopping;
	unsigned resuming; /* 0: each run of an earlier life has been taken up, or ended */
	struct list runs;
	unsigned run_count;
};

/* 0 or -errno. The parts become the service's when it succeeds. */
int service_init(struct service *service, struct server *server, struct error *err);
/* Runs that were under way when agentd last ended go on. */
void service_resume(struct service *service);
/* Runs under way stay as they are on disk, to go on at the next start; none begins any more. */
void service_stop(struct service *service);
/* Accepts a zeroed one. */
void service_finish(struct service *service);

/*
 * Look whether the project's files have changed. What is wrong with them now is logged, and what was read before stays.
 */
void service_refresh(struct service *service);

/* The chat messages of store_history()'s result, as a run's request wants them: the caller's. */
json_t *service_history(const json_t *history, uint64_t *ret_summarized);

/* The tools that this agent may call, as a model is told of them; NULL: none, or out of memory. */
json_t *service_tools(const struct service *service, const struct project_agent *agent);
const json_t *service_schema(const struct service *service, const struct tool *tool);
#endif

/*
 * agent.h - what agentd serves beside sandboxes when it is given a project: agents, by HTTP and JSON-RPC.
 *
 * Put together in two steps: what needs privileges or a path before they are dropped, the rest after that.
 */
#ifndef AGENTD_AGENT_H
#define AGENTD_AGENT_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "agentd/upstream/upstream.h"

#define AGENT_STORE_NAME "sessions.db"

struct agent_config;
struct error;
struct event_base;
struct server;
struct tool_search;
struct transfers;

struct agent_options {
	const char *directory; /* of the instance */
	const char *project;   /* directory that holds .hearth or .polpo; NULL: none */
	const char *
		scripted; /* socket of a model that follows a script, for providers without a key; NULL: none */
	uint64_t api_port; /* on 127.0.0.1; 0: none */
};

struct agent_parts {
	int project_fd;
	int scripted_fd;  /* directory of the scripted model's socket; -1: none */
	int listeners[2]; /* the Unix socket, the port; -1: none */
	struct agent_config *config;
	struct upstream *upstream;
	struct transfers *transfers; /* of the search service; NULL: none */
	struct tool_search *search;
};

/* Before privileges are dropped. Nothing when options name no project. 0 or -errno: the program is to end, with the parts that there are. */
int agent_open(struct agent_parts *parts, const struct agent_options *options,
	struct event_base *base, int dirfd, gid_t gid, struct error *err);
/* After that: parts become the server's. 0 or -errno, as above; an error of the project is one (-EINVAL). */
int agent_start(struct server *server, struct agent_parts *parts, struct error *err);
/* Nothing new is let in; what runs stays on disk, to go on at the next start. */
void agent_stop(struct server *server);
bool agent_is_busy(const struct server *server);
/* Accepts a server without a project. */
void agent_finish(struct server *server);

/* Read the project in this directory and print what is wrong with it. The exit status: 0, or 1 when it has errors or cannot be read. */
int agent_check(const char *directory, bool as_json, FILE *to);

/*
 * What a store_key_*() answered is the set of keys from now on; clients are let in once there is one. 0, or -errno: the set
 * cannot be had, and agentd ends.
 */
int agent_take_keys(struct server *server, const json_t *result, struct error *err);
#endif

/*
 * agent_tools_world.h - one run of a tool at a time: an event loop, a guest that the test plays at the other
 * end of a channel, and the end that on_done() has told.
 */
#ifndef TESTS_UNIT_AGENT_TOOLS_WORLD_H
#define TESTS_UNIT_AGENT_TOOLS_WORLD_H
#include "agentd/tool/tool.h"

#define WORLD_STRINGS_MAX 200

struct world {
	struct event_base *base;
	struct guest_client *client;
	int guest;		     /* the other end */
	struct tool_request request; /* what a test adds: shell, memory, search */
	json_t *arguments;
	struct tool_run *run;
	/* the request that the guest has received last, and the strings behind it */
	_Alignas(uint64_t) char packet[GUEST_PACKET_MAX];
	const char *strings[WORLD_STRINGS_MAX];
	size_t string_count;
	/* the end */
	int done;
	size_t streamed; /* bytes of on_output() */
	bool is_error;
	struct guest_reply reply;
	char text[400000];
};

struct world *world_create(void);
void world_destroy(struct world *w);

/* As tool_start(), with arguments that must fit the tool's schema. */
int world_try(struct world *w, const struct tool *tool, const char *arguments, struct error *err);
/* Likewise, and it must start. */
void world_start(struct world *w, const struct tool *tool, const char *arguments);
/* What the guest gets next. */
const struct message_header *world_receive(struct world *w);
/* How the guest answers what it has received last. */
void world_output(struct world *w, enum guest_stream stream, const void *data, size_t size);
void world_reply(struct world *w, struct guest_reply reply);
/* Turn the loop until the run has ended. */
void world_finish(struct world *w);
void world_says(const struct world *w, bool is_error, const char *text);
/* Is one of the strings this one, and the next that? NULL: whatever follows. */
bool world_has(const struct world *w, const char *string, const char *next);
#endif

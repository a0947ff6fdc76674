/*
 * method.h - what can be asked over agentd.sock: one row of one const table each, one file a group.
 *
 * A method's function gets a call whose params fit its schema, and answers it at once or keeps it.
 */
#ifndef AGENTD_METHOD_H
#define AGENTD_METHOD_H
#include <jansson.h>

struct call;
struct client;
struct error;
struct server;

struct method {
	const char *name;
	const char *parameters; /* JSON schema */
	void (*run)(struct call *call);
};

/* Parse the schemas of methods and tools, once. 0 or -errno. */
int method_load(struct server *server, struct error *err);
void method_unload(struct server *server);

/*
 * A request, or a notification (id NULL), of a line of so many bytes. params may be NULL. All borrowed.
 */
void method_dispatch(
	struct client *client, json_t *id, const char *name, json_t *params, size_t line_bytes);

/* method_lease.c */
void method_acquire(struct call *call);
void method_release(struct call *call);
/* method_list.c */
void method_sandbox_list(struct call *call);
void method_pool_status(struct call *call);
void method_version(struct call *call);
/* method_exec.c */
void method_exec(struct call *call);
void method_stdin(struct call *call);
void method_signal(struct call *call);
void method_resize(struct call *call);
void method_cancel(struct call *call);
/* method_tool.c */
void method_tool_call(struct call *call);
void method_tool_list(struct call *call);
#endif

/*
 * call.h - one request of a client, from its line to its one answer.
 *
 * call_result() and call_fail() are the ends of its life: each answers (a notification, or a client
 * that has gone, gets nothing) and frees it. A method either does so at once or keeps the call until
 * a guest or the supervisor has answered.
 */
#ifndef AGENTD_CALL_H
#define AGENTD_CALL_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agentd/fault.h"
#include "base/list.h"

struct client;
struct sandbox;
struct server;

struct call {
	struct list of_client;	/* in client->calls while there is a client */
	struct list of_sandbox; /* in sandbox->calls while there is a sandbox */
	struct list of_exec;	/* sandbox.stdin: in exec->writers until its data is on its way */
	uint64_t exec_position; /* sandbox.stdin: the last byte of its data in the exec's input */
	struct server *server;
	struct client *client;	 /* NULL: it has gone */
	struct sandbox *sandbox; /* that it works in; NULL: none */
	json_t *id;		 /* NULL: a notification */
	json_t *params;		 /* an object that fits the method's schema */
	size_t line_bytes;
	uint64_t started_ns;
	void *work;			       /* of the method; freed by the method */
	void (*on_cancel)(struct call *call);  /* NULL: nothing to cancel. Its answer still comes */
	void (*on_drained)(struct call *call); /* its client reads again. NULL: not told */
	struct exec *exec;		       /* sandbox.exec under way */
};

/* Owns new references to id (may be NULL) and params, of a line of so many bytes. NULL: out of memory. */
struct call *call_create(struct client *client, json_t *id, json_t *params, size_t line_bytes);

/* Takes over result; NULL is an out of memory. */
void call_result(struct call *call, json_t *result);
void call_fail(struct call *call, enum fault fault, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* As call_fail(), with data (taken over) for programs. */
void call_fail_data(struct call *call, enum fault fault, json_t *data, const char *text);

/* It works in this sandbox from now on. */
void call_attach(struct call *call, struct sandbox *sandbox);
/* The client goes: nobody will read the answer, cancel what can be cancelled. */
void call_abandon(struct call *call);

/*
 * The guest has gone under it (GUEST_END_LOST): the sandbox answers it as soon as the supervisor has
 * said why. Its work is over.
 */
void call_lost(struct call *call);

/* A notification to its client; as client_notify(). */
int call_notify(struct call *call, const char *method, json_t *params);
#endif

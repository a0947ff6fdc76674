/*
 * handle.h - who may use which sandbox.
 *
 * A handle is {id, epoch}. The connection that leases a sandbox, any other of the same uid, and root
 * may use it; the epoch may be left out and is then the current one.
 */
#ifndef AGENTD_HANDLE_H
#define AGENTD_HANDLE_H

struct call;
struct sandbox;

/* The members of a schema that handle_find() reads. */
#define HANDLE_SCHEMA                                                                              \
	"\"id\":{\"type\":\"integer\",\"minimum\":1},"                                             \
	"\"epoch\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":20}"

/* The sandbox that the call's params name. NULL: the call is answered, or will be. */
struct sandbox *handle_find(struct call *call);
#endif

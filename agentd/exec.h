/*
 * exec.h - one command of sandbox.exec under way: its output goes out as notifications, its stdin
 * comes in by sandbox.stdin, within what the guest has room for.
 *
 * Lives from exec_start() to the guest's reply, which answers its call.
 */
#ifndef AGENTD_EXEC_H
#define AGENTD_EXEC_H
#include "agentd/output.h"
#include "base/list.h"
#include "proto/guest_client.h"

#define EXEC_INPUT_MAX (4 * 1024 * 1024) /* bytes of stdin that wait for the command to read */

struct call;
struct error;
struct evbuffer;

struct exec {
	struct call *call;
	struct guest_request *request;
	struct evbuffer *input; /* what the guest has no room for yet */
	uint64_t added, sent;	/* bytes of stdin, since the start */
	struct list writers;	/* sandbox.stdin calls, answered when their data is on its way */
	bool has_stdin;
	bool is_input_closed; /* no more will be added */
	bool is_end_sent;
	struct output output;
};

/*
 * Start the command for this call, which is attached to its sandbox and gets its answer in the end.
 * text (may be NULL) is all of its stdin; without it has_stdin says whether some will come. 0, or
 * -errno and the call is still the caller's.
 */
int exec_start(struct call *call, const struct guest_exec_options *options, const json_t *text,
	struct error *err);

/*
 * More stdin; the writer is answered when it is on its way. -EBUSY: too much waits; -EINVAL: the
 * command has no stdin or its end was sent.
 */
int exec_write(struct exec *exec, struct call *writer, const void *data, size_t size, bool is_end);
#endif

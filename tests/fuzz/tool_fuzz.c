/*
 * Any JSON as the arguments of each tool: refused with a reason that names it, or such that a tool may
 * take it, which is what starts without a guest that would answer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/schema.h"
#include "agentd/tool/tool.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "proto/channel.h"
#include "tests/fuzz/fuzz.h"

static unsigned done;

static void on_done(void *arg, const struct tool_result *result)
{
	(void)arg;
	if (result->reply->end != GUEST_END_LOST)
		abort();
	done++;
}

/* The guest is gone before it answers: the run ends once, or has not begun. */
static void start(const struct tool *tool, const json_t *arguments)
{
	const struct tool_callbacks callbacks = {.on_done = on_done};
	struct tool_request request = {.tool = tool, .arguments = arguments, .cwd = "/workspace"};
	struct tool_run *run;
	struct error err = {0};
	int ends[2], r;

	if (channel_pair(ends, NULL) < 0 || guest_client_create(ends[0], &request.guest, NULL) < 0)
		abort();
	done = 0;
	r = tool_start(&request, &callbacks, &run, &err);
	if (r < 0 && (err.code != -r || err.text[0] == '\0'))
		abort();
	fd_close(ends[1]);
	while (guest_client_process(request.guest, NULL) == 0)
		;
	guest_client_destroy(request.guest);
	if (done != (r == 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_auto_t *arguments = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);

	if (!arguments)
		return 0;
	for (size_t i = 0; i < tool_count; i++) {
		json_auto_t *schema = json_loads(tool_table[i]->parameters, 0, NULL);
		struct error err = {0};
		int r = schema_check(schema, arguments, "arguments", &err);

		if (!schema || (r < 0 && (r != -EINVAL || strncmp(err.text, "arguments", 9) != 0)))
			abort();
		if (r == 0 && tool_table[i]->place == TOOL_IN_SANDBOX)
			start(tool_table[i], arguments);
	}
	return 0;
}

/*
 * Any bytes as a search provider's answer; the first one says whose. It ends in a text, once, and no text of
 * a result begins a line of ours.
 */
#include <event2/buffer.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/tool/search.h"
#include "agentd/tool/tool.h"
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX (20 * (4000 + 1000 + 200 + 100))

static struct transfer_callbacks transfer;
static unsigned done;

static int start_transfer(struct transfers *transfers, const struct transfer_request *request,
	const struct transfer_callbacks *callbacks, struct transfer **ret_transfer,
	struct error *err)
{
	(void)transfers;
	(void)request;
	(void)err;
	transfer = *callbacks;
	*ret_transfer = NULL;
	return 0;
}

/* "N. ", three blanks, or one of the lines that are no result. */
static bool is_line(const char *line)
{
	return strspn(line, "0123456789") > 0 || strncmp(line, "   ", 3) == 0 || line[0] == '(' ||
	       line[0] == '\0' || strncmp(line, "No results", 10) == 0 ||
	       strncmp(line, "Error: ", 7) == 0;
}

static void on_done(void *arg, const struct tool_result *result)
{
	size_t size = evbuffer_get_length(result->text);
	char *text = calloc(1, size + 1), *rest = text;

	(void)arg;
	if (!text || size > TEXT_MAX)
		abort();
	evbuffer_copyout(result->text, text, size);
	if (strlen(text) != size)
		abort();
	for (char *line; (line = strsep(&rest, "\n"));)
		if (!is_line(line))
			abort();
	free(text);
	done++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const providers[] = {"searxng", "exa", "brave"};
	const struct tool_callbacks callbacks = {.on_done = on_done};
	const struct transfer_end end = {.http_status = 200, .error = ""};
	json_auto_t *arguments =
		json_loads("{\"query\":\"q\",\"numResults\":20,\"includeContent\":true,"
			   "\"excludeDomains\":[\"no.example\"]}",
			0, NULL);
	struct tool_search_options options = {
		.url = "http://localhost", .key = "k", .start = start_transfer};
	struct tool_request request = {.tool = &tool_search_web, .arguments = arguments};
	struct tool_run *run;

	if (size == 0)
		return 0;
	options.provider = providers[data[0] % ARRAY_SIZE(providers)];
	if (tool_search_create(&options, &request.search, NULL) < 0 ||
		tool_start(&request, &callbacks, &run, NULL) < 0)
		abort();
	done = 0;
	if (!transfer.on_data(transfer.arg, (const char *)data + 1, size - 1))
		abort();
	transfer.on_done(transfer.arg, &end);
	if (done != 1)
		abort();
	tool_search_destroy(request.search);
	return 0;
}

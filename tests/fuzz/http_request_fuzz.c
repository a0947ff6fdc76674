/*
 * Any JSON as URL, headers and body of http_fetch: refused with a reason, or curl's words, none of which
 * is an option that a model has made up or a header with a line of its own.
 */
#include "agentd/tool/http_request.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agentd/schema.h"
#include "agentd/tool/tool.h"
#include "base/error.h"
#include "tests/fuzz/fuzz.h"

static const char *string_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

/* A model's words stand behind --header and --url only, which take the next word whatever it is. */
static void check_words(const struct http_request *request, const char *url)
{
	const char *last = "";

	for (size_t i = 0; request->argv[i]; i++) {
		const char *word = request->argv[i];
		bool is_header = strcmp(last, "--header") == 0;

		if (is_header && (word[0] == '@' || word[0] == '-' || strpbrk(word, "\r\n")))
			abort();
		if (word == url && (strcmp(last, "--url") != 0 || strpbrk(word, " \r\n")))
			abort();
		last = word;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_auto_t *arguments = json_loadb((const char *)data, size, 0, NULL);
	json_auto_t *schema = json_loads(tool_http_fetch.parameters, 0, NULL);
	const char *url = string_of(arguments, "url");
	const char *method = string_of(arguments, "method");
	struct http_request request;
	struct error err = {.text = ""};
	int r;

	if (!arguments || schema_check(schema, arguments, "arguments", NULL) < 0 || !url)
		return 0;
	r = http_request_init(&request, url, method ? method : "GET",
		json_object_get(arguments, "headers"), string_of(arguments, "body"), 1000, &err);
	if (r < 0 && (r != -EINVAL || err.text[0] == '\0'))
		abort();
	if (r == 0 && (strncasecmp(url, "http", 4) != 0 || request.argc >= HTTP_ARGUMENTS_MAX))
		abort();
	if (r == 0)
		check_words(&request, url);
	http_request_finish(&request);
	return 0;
}

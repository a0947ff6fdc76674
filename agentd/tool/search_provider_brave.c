/* Brave Search: GET /res/v1/web/search with X-Subscription-Token, see its documentation of the web search API. */
#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>

#include "agentd/tool/search_provider.h"
#include "base/cleanup.h"

static int ask(const struct search_query *query, struct evbuffer *url, json_t **ret_body)
{
	auto_free char *text = search_with_sites(query);
	char count[12];

	(void)ret_body;
	snprintf(count, sizeof(count), "%u", query->count);
	if (!text || evbuffer_add_printf(url, "/res/v1/web/search?text_decorations=false") < 0 ||
		search_add_parameter(url, "count", count) < 0)
		return -ENOMEM;
	return search_add_parameter(url, "q", text);
}

static const json_t *results(const json_t *answer)
{
	return json_object_get(json_object_get(answer, "web"), "results");
}

static void describe(const json_t *one, struct search_result *ret_result)
{
	ret_result->title = json_string_value(json_object_get(one, "title"));
	ret_result->url = json_string_value(json_object_get(one, "url"));
	ret_result->text = json_string_value(json_object_get(one, "description"));
}

const struct search_provider search_provider_brave = {
	.name = "brave",
	.url = "https://api.search.brave.com",
	.key_header = "X-Subscription-Token",
	.advice = "the operator must check its key and plan",
	.ask = ask,
	.results = results,
	.describe = describe,
};

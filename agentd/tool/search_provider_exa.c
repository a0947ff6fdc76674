/* Exa: POST /search with x-api-key, see its documentation of the search API. */
#include <errno.h>
#include <event2/buffer.h>

#include "agentd/tool/search_provider.h"

static int ask(const struct search_query *query, struct evbuffer *url, json_t **ret_body)
{
	json_t *body = json_pack("{s:s,s:i,s:{s:{s:i}}}", "query", query->text, "numResults",
		(int)query->count, "contents", "text", "maxCharacters",
		query->with_content ? SEARCH_CONTENT_MAX : SEARCH_SNIPPET_MAX);

	if (!body)
		return -ENOMEM;
	if (json_array_size(query->include) > 0)
		json_object_set(body, "includeDomains", (json_t *)query->include);
	if (json_array_size(query->exclude) > 0)
		json_object_set(body, "excludeDomains", (json_t *)query->exclude);
	*ret_body = body;
	return evbuffer_add_printf(url, "/search") < 0 ? -ENOMEM : 0;
}

static const json_t *results(const json_t *answer)
{
	return json_object_get(answer, "results");
}

static void describe(const json_t *one, struct search_result *ret_result)
{
	ret_result->title = json_string_value(json_object_get(one, "title"));
	ret_result->url = json_string_value(json_object_get(one, "url"));
	ret_result->text = json_string_value(json_object_get(one, "text"));
}

const struct search_provider search_provider_exa = {
	.name = "exa",
	.url = "https://api.exa.ai",
	.key_header = "x-api-key",
	.has_contents = true,
	.advice = "the operator must check its key",
	.ask = ask,
	.results = results,
	.describe = describe,
};

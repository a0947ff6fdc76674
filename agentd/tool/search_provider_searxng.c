/* SearXNG: GET /search?format=json, see its documentation of the search API. */
#include <errno.h>
#include <event2/buffer.h>

#include "agentd/tool/search_provider.h"
#include "base/cleanup.h"

/* How many results there are is the instance's; what is too much is cut here. */
static int ask(const struct search_query *query, struct evbuffer *url, json_t **ret_body)
{
	auto_free char *text = search_with_sites(query);

	(void)ret_body;
	if (!text || evbuffer_add_printf(url, "/search?format=json") < 0)
		return -ENOMEM;
	return search_add_parameter(url, "q", text);
}

static const json_t *results(const json_t *answer)
{
	return json_object_get(answer, "results");
}

static void describe(const json_t *one, struct search_result *ret_result)
{
	ret_result->title = json_string_value(json_object_get(one, "title"));
	ret_result->url = json_string_value(json_object_get(one, "url"));
	ret_result->text = json_string_value(json_object_get(one, "content"));
}

const struct search_provider search_provider_searxng = {
	.name = "searxng",
	.advice = "the instance must have json among search.formats in its settings.yml",
	.ask = ask,
	.results = results,
	.describe = describe,
};

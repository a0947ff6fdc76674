/* The web by a configured provider: from agentd, with its key, and without a sandbox. */
#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/tool/search_provider.h"
#include "agentd/tool/tool.h"
#include "base/cleanup.h"
#include "base/error.h"

#define TITLE_MAX 200u
#define URL_MAX	  1000u

struct asking {
	struct transfer *transfer;
	const struct search_provider *provider;
	void (*cancel)(struct transfer *transfer);
};

static struct search_query query_of(const struct tool_run *run)
{
	const json_t *arguments = run->request.arguments;

	return (struct search_query){.text = tool_string(run, "query", ""),
		.count = (unsigned)tool_number(run, "numResults", SEARCH_RESULTS),
		.with_content = tool_flag(run, "includeContent"),
		.include = json_object_get(arguments, "includeDomains"),
		.exclude = json_object_get(arguments, "excludeDomains")};
}

static size_t length_of(const char *text)
{
	return text ? strlen(text) : 0;
}

static void say_result(struct tool_run *run, unsigned number, const struct search_result *result,
	const struct search_query *query)
{
	tool_say(run, "%u. ", number);
	if (length_of(result->title) > 0)
		tool_say_line(run, result->title, strlen(result->title), TITLE_MAX);
	else
		tool_say(run, "(no title)");
	tool_say(run, "\n   ");
	tool_say_line(run, result->url, strlen(result->url), URL_MAX);
	if (length_of(result->text) > 0) {
		tool_say(run, "\n   ");
		tool_say_line(run, result->text, strlen(result->text),
			query->with_content ? SEARCH_CONTENT_MAX : SEARCH_SNIPPET_MAX);
	}
	tool_say(run, "\n");
}

/* Of those that the query wants, since not every provider takes its domains for more than a hint. */
static unsigned say_results(
	struct tool_run *run, const struct search_provider *provider, const json_t *results)
{
	const struct search_query query = query_of(run);
	unsigned shown = 0;
	size_t index;
	json_t *one;

	json_array_foreach(results, index, one)
	{
		struct search_result result = {.url = NULL};

		provider->describe(one, &result);
		if (shown == query.count || length_of(result.url) == 0 ||
			!search_wants(&query, result.url))
			continue;
		say_result(run, ++shown, &result, &query);
	}
	if (shown > 0 && query.with_content && !provider->has_contents)
		tool_say(run, "(%s gives no page contents: read them with http_fetch)\n",
			provider->name);
	return shown;
}

static void say_none(struct tool_run *run)
{
	const char *query = tool_string(run, "query", "");

	tool_say(run, "No results for ");
	tool_say_line(run, query, strlen(query), TITLE_MAX);
}

static void say_answer(struct tool_run *run, const struct search_provider *provider)
{
	size_t size;
	const char *data = tool_data(run, &size);
	/* A NUL in a text of somebody's page ends that text, not the answer. */
	json_auto_t *answer = json_loadb(data, size, JSON_ALLOW_NUL, NULL);
	const json_t *results = provider->results(answer);

	if (!json_is_array(results))
		tool_fail(run, "search by %s: its answer is not understood: %s", provider->name,
			provider->advice);
	else if (say_results(run, provider, results) == 0)
		say_none(run);
}

static void say_refused(struct tool_run *run, const struct search_provider *provider,
	const struct transfer_end *end)
{
	tool_fail(run, "search by %s: HTTP %ld: ", provider->name, end->http_status);
	if (end->http_status == 429 && end->retry_after_s >= 0)
		tool_say(run, "too many searches: try again in %ld s", end->retry_after_s);
	else if (end->http_status == 429)
		tool_say(run, "too many searches: try again later");
	else if (end->http_status == 400 || end->http_status == 422)
		tool_say(run, "it does not take this query: make it shorter and plainer");
	else if (end->http_status >= 500)
		tool_say(run, "it fails: try again later");
	else
		tool_say(run, "%s", provider->advice);
}

static void on_done(void *arg, const struct transfer_end *end)
{
	struct tool_run *run = arg;
	const struct asking *asking = run->state;
	const char *name = asking->provider->name;

	if (end->status == -ECANCELED)
		tool_fail(run, "cancelled");
	else if (end->status == -ETIMEDOUT)
		tool_fail(run, "search by %s: no answer in %u s: try again", name,
			SEARCH_TIMEOUT_MS / 1000);
	else if (end->status < 0)
		tool_fail(
			run, "search by %s: %s: try again, or tell the operator", name, end->error);
	else if (end->http_status < 200 || end->http_status > 299)
		say_refused(run, asking->provider, end);
	else
		say_answer(run, asking->provider);
	tool_finish(run);
}

static bool on_data(void *arg, const char *data, size_t size)
{
	struct tool_run *run = arg;

	if (evbuffer_add(run->data, data, size) < 0)
		run->is_out_of_memory = true;
	return !run->is_out_of_memory;
}

static void on_cancel(struct tool_run *run)
{
	const struct asking *asking = run->state;

	asking->cancel(asking->transfer);
}

static bool is_domain(const char *domain)
{
	size_t length = length_of(domain);

	if (length == 0 || length > SEARCH_DOMAIN_MAX || domain[0] == '-')
		return false;
	for (; *domain; domain++) {
		bool is_letter = (*domain | 0x20) >= 'a' && (*domain | 0x20) <= 'z';

		if (!is_letter && !(*domain >= '0' && *domain <= '9') && *domain != '-' &&
			*domain != '.' && !((unsigned char)*domain & 0x80))
			return false;
	}
	return true;
}

static int check_domains(const struct tool_run *run, const char *name, struct error *err)
{
	size_t index;
	json_t *domain;

	json_array_foreach(json_object_get(run->request.arguments, name), index, domain)
	{
		if (!is_domain(json_string_value(domain)))
			return error_set(err, EINVAL,
				"%s[%zu]: is no domain, such as docs.example.com", name, index);
	}
	return 0;
}

static int send_to(struct tool_run *run, const struct tool_search *search, const char *url,
	const char *body, struct error *err)
{
	static const char *const headers[] = {
		"Accept: application/json", "Content-Type: application/json", NULL};
	static const char *const headers_of_get[] = {"Accept: application/json", NULL};
	const struct transfer_request request = {.method = body ? "POST" : "GET",
		.url = url,
		.headers = body ? headers : headers_of_get,
		.secret_header = search->secret_header,
		.body = body,
		.body_size = length_of(body),
		.connect_timeout_ms = SEARCH_CONNECT_TIMEOUT_MS,
		.stall_timeout_ms = SEARCH_TIMEOUT_MS,
		.total_timeout_ms = SEARCH_TIMEOUT_MS,
		.response_max = SEARCH_RESPONSE_MAX};
	const struct transfer_callbacks callbacks = {
		.on_data = on_data, .on_done = on_done, .arg = run};
	struct asking *asking = calloc(1, sizeof(*asking));

	run->state = asking;
	if (!asking)
		return error_set(err, ENOMEM, "out of memory");
	asking->provider = search->provider;
	asking->cancel = search->options.cancel;
	run->on_cancel = on_cancel;
	return search->options.start(
		search->options.transfers, &request, &callbacks, &asking->transfer, err);
}

static int ask(struct tool_run *run, const struct tool_search *search, struct error *err)
{
	const struct search_query query = query_of(run);
	struct evbuffer *url = evbuffer_new();
	json_auto_t *json = NULL;
	auto_free char *body = NULL;
	int r = -ENOMEM;

	if (url && evbuffer_add(url, search->url, strlen(search->url)) == 0)
		r = search->provider->ask(&query, url, &json);
	if (r == 0 && json)
		body = json_dumps(json, JSON_COMPACT);
	if (r < 0 || (json && !body) || evbuffer_add(url, "", 1) < 0)
		r = error_set(err, ENOMEM, "out of memory");
	else
		r = send_to(run, search, (const char *)evbuffer_pullup(url, -1), body, err);
	if (url)
		evbuffer_free(url);
	return r;
}

static int start(struct tool_run *run, struct error *err)
{
	const struct tool_search *search = run->request.search;
	struct error why = {.text = ""};
	int r;

	r = check_domains(run, "includeDomains", err);
	if (r == 0)
		r = check_domains(run, "excludeDomains", err);
	if (r < 0)
		return r;
	if (!search) {
		tool_fail(run,
			"no search provider is configured: the operator sets one for agentd, "
			"searxng with its url, or exa or brave with a key");
		return tool_finish_later(run, err);
	}
	if (ask(run, search, &why) == 0)
		return 0;
	run->on_cancel = NULL;
	tool_fail(run, "search by %s: %s: try again", search->provider->name, why.text);
	return tool_finish_later(run, err);
}

#define DOMAINS(name, description)                                                                 \
	"\"" name "\":{\"type\":\"array\",\"maxItems\":20,\"items\":{\"type\":\"string\"},"        \
	"\"description\":\"" description "\"}"

const struct tool tool_search_web = {
	.name = "search_web",
	.place = TOOL_IN_AGENTD,
	.description = "Search the web. Answers title, address and snippet of each result.",
	.parameters =
		"{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"query\"],"
		"\"properties\":{"
		"\"query\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":2000,"
		"\"description\":\"Words to search for\"},"
		"\"numResults\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":20,"
		"\"description\":\"Number of results (5)\"},"
		"\"includeContent\":{\"type\":\"boolean\","
		"\"description\":\"More of each page, where the provider has it\"}," DOMAINS(
			"includeDomains",
			"Only results from these and below them") "," DOMAINS("excludeDomains",
			"No results from these and below them") "}}",
	.start = start,
};

/* search_web with transfers that this test plays: what providers are asked, and what their answers become. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "agentd/tool/search.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "tests/unit/agent_tools_world.h"

/* The one transfer under way. */
struct transfer {
	struct transfer_callbacks callbacks;
	char method[8], url[8192], body[8192], headers[256], secret[128];
	struct transfer_request request; /* numbers only */
	bool is_cancelled;
};

struct transfers {
	struct transfer one;
	int started;
	int fails; /* errno of the next start */
};

struct fixture {
	struct world *w;
	struct transfers transfers;
	struct tool_search *search;
};

static int start_transfer(struct transfers *transfers, const struct transfer_request *request,
	const struct transfer_callbacks *callbacks, struct transfer **ret_transfer,
	struct error *err)
{
	struct transfer *one = &transfers->one;

	if (transfers->fails)
		return error_set(err, transfers->fails, "too many transfers");
	memset(one, 0, sizeof(*one));
	one->callbacks = *callbacks;
	one->request = *request;
	strcpy(one->method, request->method);
	strcpy(one->url, request->url);
	assert_true(request->body_size < sizeof(one->body));
	if (request->body)
		memcpy(one->body, request->body, request->body_size);
	for (const char *const *header = request->headers; *header; header++)
		strcat(strcat(one->headers, *header), "|");
	strcpy(one->secret, request->secret_header ? request->secret_header : "none");
	transfers->started++;
	*ret_transfer = one;
	return 0;
}

static void cancel_transfer(struct transfer *transfer)
{
	transfer->is_cancelled = true;
}

static void configure(struct fixture *f, const char *provider, const char *url, const char *key)
{
	const struct tool_search_options options = {.provider = provider,
		.url = url,
		.key = key,
		.transfers = &f->transfers,
		.start = start_transfer,
		.cancel = cancel_transfer};
	struct error err;

	tool_search_destroy(f->search);
	f->search = NULL;
	if (tool_search_create(&options, &f->search, &err) < 0)
		fail_msg("%s", err.text);
	f->w->request.search = f->search;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->w = world_create();
	f->w->request.guest = NULL; /* it takes no sandbox */
	configure(f, "searxng", "http://localhost:8888/", NULL);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	world_destroy(f->w);
	tool_search_destroy(f->search);
	free(f);
	return 0;
}

static void end(struct fixture *f, struct transfer_end end)
{
	f->transfers.one.callbacks.on_done(f->transfers.one.callbacks.arg, &end);
}

static void start(struct fixture *f, const char *arguments)
{
	int before = f->transfers.started;

	world_start(f->w, &tool_search_web, arguments);
	assert_int_equal(f->transfers.started, before + 1);
}

/* In two pieces. */
static const char *answer(struct fixture *f, const char *arguments, const char *data)
{
	struct transfer *one = &f->transfers.one;
	size_t size = strlen(data);

	start(f, arguments);
	assert_true(one->callbacks.on_data(one->callbacks.arg, data, size / 2));
	assert_true(one->callbacks.on_data(one->callbacks.arg, data + size / 2, size - size / 2));
	end(f, (struct transfer_end){.http_status = 200});
	assert_int_equal(f->w->done, 1);
	return f->w->text;
}

static void searxng_is_asked_by_get(void **state)
{
	struct fixture *f = *state;

	start(f, "{\"query\":\"a b&c=\xc3\xa4?#%\"}");
	assert_string_equal(f->transfers.one.method, "GET");
	assert_string_equal(f->transfers.one.url,
		"http://localhost:8888/search?format=json&q=a%20b%26c%3D%C3%A4%3F%23%25");
	assert_string_equal(f->transfers.one.headers, "Accept: application/json|");
	assert_string_equal(f->transfers.one.secret, "none");
	assert_int_equal(f->transfers.one.request.total_timeout_ms, 15000);
	assert_int_equal(f->transfers.one.request.response_max, 2 << 20);
	end(f, (struct transfer_end){.status = -ECANCELED});
	start(f, "{\"query\":\"a\",\"includeDomains\":[\"b.c\",\"d\"],\"excludeDomains\":[\"e\","
		 "\"f\"]}");
	assert_string_equal(f->transfers.one.url,
		"http://localhost:8888/search?format=json&q="
		"a%20%28site%3Ab.c%20OR%20site%3Ad%29%20-site%3Ae%20-site%3Af");
	end(f, (struct transfer_end){.status = -ECANCELED});
}

static void brave_is_asked_with_its_key(void **state)
{
	struct fixture *f = *state;

	configure(f, "brave", NULL, "secret");
	start(f, "{\"query\":\"a\",\"numResults\":20,\"excludeDomains\":[\"e\"]}");
	assert_string_equal(f->transfers.one.url,
		"https://api.search.brave.com/res/v1/web/"
		"search?text_decorations=false&count=20&q=a%20-site%3Ae");
	assert_string_equal(f->transfers.one.secret, "X-Subscription-Token: secret");
	end(f, (struct transfer_end){.http_status = 403});
	world_says(f->w, true,
		"Error: search by brave: HTTP 403: the operator must check its key and plan\n");
	answer(f, "{\"query\":\"a\"}",
		"{\"web\":{\"results\":[{\"title\":\"T\",\"url\":\"https://x/\","
		"\"description\":\"D\"}]}}");
	world_says(f->w, false, "1. T\n   https://x/\n   D\n");
}

static void exa_is_asked_by_post(void **state)
{
	struct fixture *f = *state;

	configure(f, "exa", "", "secret");
	start(f, "{\"query\":\"a \\\"b\",\"includeContent\":true,\"includeDomains\":[\"x.y\"]}");
	assert_string_equal(f->transfers.one.method, "POST");
	assert_string_equal(f->transfers.one.url, "https://api.exa.ai/search");
	assert_string_equal(f->transfers.one.headers,
		"Accept: application/json|Content-Type: application/json|");
	assert_string_equal(f->transfers.one.secret, "x-api-key: secret");
	assert_string_equal(f->transfers.one.body,
		"{\"query\":\"a "
		"\\\"b\",\"numResults\":5,\"contents\":{\"text\":{\"maxCharacters\":4000}},"
		"\"includeDomains\":[\"x.y\"]}");
	end(f, (struct transfer_end){.status = -ECANCELED});
	world_says(f->w, true, "Error: cancelled\n");
	answer(f, "{\"query\":\"a\"}",
		"{\"results\":[{\"title\":null,\"url\":\"https://x/\",\"text\":\"\\n a\\n\\n\\tb "
		"\"}]}");
	world_says(f->w, false, "1. (no title)\n   https://x/\n   a b\n");
}

static void results_are_cut_and_filtered(void **state)
{
	static const char data[] =
		"{\"results\":[{\"title\":\"1\",\"url\":\"https://a.example/1\"},"
		"{\"title\":\"2\",\"url\":\"https://evil-b.example/2\"},"
		"{\"title\":\"3\",\"url\":\"http://x.B.example:80/3\"},"
		"{\"title\":\"4\",\"url\":\"https://b.example/4\"},"
		"{\"title\":\"5\",\"url\":\"https://c.example?b.example\"},"
		"{\"title\":\"none\"},7,{\"title\":8,\"url\":9},"
		"{\"title\":\"6\",\"url\":\"https://y.b.example/6\"}]}";
	static const char disguised[] =
		"{\"results\":[{\"title\":\"1\",\"url\":\"https://b.example@evil.example/\"},"
		"{\"title\":\"2\",\"url\":\"https://evil.example\\\\.b.example/\"},"
		"{\"title\":\"3\",\"url\":\"b.example\"},"
		"{\"title\":\"4\",\"url\":\"https://evil@b.example:1/\"}]}";
	struct fixture *f = *state;

	assert_string_equal(
		answer(f, "{\"query\":\"q\",\"includeDomains\":[\"b.example\"]}", disguised),
		"1. 4\n   https://evil@b.example:1/\n");
	assert_string_equal(answer(f, "{\"query\":\"q\",\"numResults\":2}", data),
		"1. 1\n   https://a.example/1\n2. 2\n   https://evil-b.example/2\n");
	assert_string_equal(answer(f, "{\"query\":\"q\",\"includeDomains\":[\"b.example\"]}", data),
		"1. 3\n   http://x.B.example:80/3\n2. 4\n   https://b.example/4\n"
		"3. 6\n   https://y.b.example/6\n");
	assert_string_equal(answer(f, "{\"query\":\"q\",\"excludeDomains\":[\"example\"]}", data),
		"No results for q\n");
	assert_string_equal(answer(f,
				    "{\"query\":\"q\",\"includeContent\":true,"
				    "\"includeDomains\":[\"c.example\"]}",
				    data),
		"1. 5\n   https://c.example?b.example\n"
		"(searxng gives no page contents: read them with http_fetch)\n");
}

static void texts_of_others_stay_on_their_line(void **state)
{
	struct fixture *f = *state;
	char data[2000];
	int n = snprintf(data, sizeof(data),
		"{\"results\":[{\"title\":\"a\\n2. "
		"forged\\u0000b\",\"url\":\"https://x/\\u001b[m\","
		"\"content\":\"");

	memset(data + n, 'x', 600);
	strcpy(data + n + 600, "\"}]}");
	answer(f, "{\"query\":\"q\"}", data);
	assert_int_equal(strncmp(f->w->text, "1. a 2. forged\n   https://x/ [m\n   xxx", 38), 0);
	assert_non_null(strstr(f->w->text, "x [... cut]\n"));
	assert_true(strlen(f->w->text) < 600);
}

static void answers_that_are_none_are_errors(void **state)
{
	static const char *const answers[] = {"", "<html>", "[]", "{}", "{\"results\":7}", "null",
		"{\"results\":[{\"title\":\"x\"", "\xff"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		answer(f, "{\"query\":\"q\"}", answers[i]);
		world_says(f->w, true,
			"Error: search by searxng: its answer is not understood: the instance must "
			"have json among search.formats in its settings.yml\n");
	}
}

static void failures_say_what_to_do(void **state)
{
	static const struct {
		struct transfer_end end;
		const char *text;
	} cases[] = {{{.status = -ETIMEDOUT, .error = "x"}, "no answer in 15 s: try again\n"},
		{{.status = -ECONNREFUSED, .error = "connection refused"},
			"connection refused: try again, or tell the operator\n"},
		{{.http_status = 429, .retry_after_s = 7},
			"HTTP 429: too many searches: try again in 7 s\n"},
		{{.http_status = 429, .retry_after_s = -1},
			"HTTP 429: too many searches: try again later\n"},
		{{.http_status = 422}, "HTTP 422: it does not take this query: make it shorter and "
				       "plainer\n"},
		{{.http_status = 302}, "HTTP 302: the instance must have json among search.formats "
				       "in its settings.yml\n"},
		{{.http_status = 503}, "HTTP 503: it fails: try again later\n"}};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start(f, "{\"query\":\"q\"}");
		end(f, cases[i].end);
		assert_true(f->w->is_error);
		assert_int_equal(strncmp(f->w->text, "Error: search by searxng: ", 26), 0);
		assert_string_equal(f->w->text + 26, cases[i].text);
	}
}

static void without_a_provider_it_says_what_to_configure(void **state)
{
	struct fixture *f = *state;

	f->w->request.search = NULL;
	world_start(f->w, &tool_search_web, "{\"query\":\"q\"}");
	world_finish(f->w);
	world_says(f->w, true,
		"Error: no search provider is configured: the operator sets one for agentd, "
		"searxng "
		"with its url, or exa or brave with a key\n");
}

static void a_search_that_cannot_start_is_an_error(void **state)
{
	struct fixture *f = *state;

	f->transfers.fails = EBUSY;
	world_start(f->w, &tool_search_web, "{\"query\":\"q\"}");
	tool_cancel(f->w->run);
	world_finish(f->w);
	world_says(f->w, true, "Error: search by searxng: too many transfers: try again\n");
}

static void a_cancel_ends_the_transfer(void **state)
{
	struct fixture *f = *state;

	start(f, "{\"query\":\"q\"}");
	tool_cancel(f->w->run);
	assert_true(f->transfers.one.is_cancelled);
	assert_int_equal(f->w->done, 0);
	end(f, (struct transfer_end){.status = -ECANCELED});
	world_says(f->w, true, "Error: cancelled\n");
}

static void domains_that_are_none_are_refused(void **state)
{
	static const char *const domains[] = {
		"\"\"", "\"a b\"", "\"-x\"", "\"http://a\"", "\"a OR b\"", "\"a)\"", "\"a\\n\""};
	struct fixture *f = *state;
	char arguments[128];
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		snprintf(arguments, sizeof(arguments),
			"{\"query\":\"q\",\"excludeDomains\":[\"ok.example\",%s]}", domains[i]);
		assert_int_equal(world_try(f->w, &tool_search_web, arguments, &err), -EINVAL);
		assert_string_equal(
			err.text, "excludeDomains[1]: is no domain, such as docs.example.com");
	}
	assert_int_equal(f->transfers.started, 0);
}

static void a_wrong_configuration_is_refused(void **state)
{
	static const struct {
		const char *provider, *url, *key, *why;
	} cases[] = {{"bing", NULL, NULL, "search provider bing: not known: searxng, exa or brave"},
		{"searxng", NULL, NULL, "search provider searxng: its url is missing"},
		{"searxng", "", NULL, "search provider searxng: its url is missing"},
		{"searxng", "file:///x", NULL,
			"search provider searxng: url: must be http or https"},
		{"exa", NULL, NULL, "search provider exa: its key is missing"},
		{"brave", NULL, "", "search provider brave: its key is missing"},
		{"brave", NULL, "a\r\nX: b",
			"search provider brave: key: has a blank, a control character or more than "
			"4096 bytes"}};
	struct tool_search *search = NULL;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct tool_search_options options = {
			.provider = cases[i].provider, .url = cases[i].url, .key = cases[i].key};

		assert_int_equal(tool_search_create(&options, &search, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].why);
		assert_null(search);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(searxng_is_asked_by_get),
		TEST(brave_is_asked_with_its_key),
		TEST(exa_is_asked_by_post),
		TEST(results_are_cut_and_filtered),
		TEST(texts_of_others_stay_on_their_line),
		TEST(answers_that_are_none_are_errors),
		TEST(failures_say_what_to_do),
		TEST(without_a_provider_it_says_what_to_configure),
		TEST(a_search_that_cannot_start_is_an_error),
		TEST(a_cancel_ends_the_transfer),
		TEST(domains_that_are_none_are_refused),
		TEST(a_wrong_configuration_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

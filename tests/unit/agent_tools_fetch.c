/* http_fetch: what of a model's words reaches curl, and what becomes of an answer. A real curl: agent_tools_http.py. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agentd/tool/http_head.h"
#include "agentd/tool/http_request.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "tests/unit/agent_tools_world.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"

static int set_up(void **state)
{
	*state = world_create();
	return 0;
}

static int tear_down(void **state)
{
	world_destroy(*state);
	return 0;
}

static void urls_that_are_no_plain_http_are_refused(void **state)
{
	static const struct {
		const char *url, *why; /* NULL: taken */
	} cases[] = {{"http://a", NULL}, {"https://a.b:8080/x?y=[1]{2}#z", NULL},
		{"HTTP://A", NULL}, {"http://127.1", NULL}, {"http://0x7f.1/", NULL},
		{"http://[::ffff:7f00:1]/", NULL}, {"http://a/@b", NULL}, {"http://a?@b", NULL},
		{"http://b\xc3\xbc"
		 "cher.example/",
			NULL},
		{"file:///etc/passwd", "neither"}, {"ftp://a/", "neither"},
		{"gopher://a/", "neither"}, {"a.b/c", "neither"}, {"-o/etc/passwd", "neither"},
		{"--config=x", "neither"}, {"@file", "neither"}, {"http:/a", "neither"},
		{"http:a", "neither"}, {" http://a", "blank"}, {"http://a b", "blank"},
		{"http://a/\n-o x", "blank"}, {"http://a/\t", "blank"},
		{"http://a\r\nX: y", "blank"}, {"http://a/\x7f", "blank"},
		{"http://u@a", "user or password"}, {"http://u:p@a/", "user or password"},
		{"http://@a/", "user or password"}, {"http://a\\@b/", "user or password"},
		{"http://a\\b/", "backslash"}, {"http://", "no host"}, {"http:///etc", "no host"},
		{"http://:80/", "no host"}, {"https://?a", "no host"}, {"https://#", "no host"}};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = http_request_check_url(cases[i].url, &err);

		if (r != (cases[i].why ? -EINVAL : 0) ||
			(cases[i].why && !strstr(err.text, cases[i].why)))
			fail_msg("%s: %d %s", cases[i].url, r, r < 0 ? err.text : "");
	}
}

static void what_is_refused_never_reaches_the_guest(void **state)
{
	static const struct {
		const char *arguments, *why;
	} cases[] = {{"{\"url\":\"file:///etc/passwd\"}", "url: "},
		{"{\"url\":\"http://a\",\"headers\":{\"A b\":\"c\"}}", "a name must"},
		{"{\"url\":\"http://a\",\"headers\":{\"\":\"c\"}}", "a name must"},
		{"{\"url\":\"http://a\",\"headers\":{\"@file\":\"c\"}}", "a name must"},
		{"{\"url\":\"http://a\",\"headers\":{\"-A\":\"c\"}}", "a name must"},
		{"{\"url\":\"http://a\",\"headers\":{\"A:\":\"c\"}}", "a name must"},
		{"{\"url\":\"http://a\",\"headers\":{\"A\\nB\":\"c\"}}", "a name must"},
		{"{\"url\":\"http://a\",\"headers\":{\"A\":\"b\\r\\nC: d\"}}", "line break"},
		{"{\"url\":\"http://a\",\"headers\":{\"A\":\"b\\u0001\"}}", "control"},
		{"{\"url\":\"http://a\",\"headers\":{\"A\":1}}", "headers.A: must be a string"},
		{"{\"url\":\"http://a\",\"body\":\"x\"}", "GET takes none"},
		{"{\"url\":\"http://a\",\"body\":\"x\",\"method\":\"HEAD\"}", "HEAD takes none"}};
	struct world *w = *state;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(world_try(w, &tool_http_fetch, cases[i].arguments, &err), -EINVAL);
		if (!strstr(err.text, cases[i].why))
			fail_msg("%s: %s", cases[i].arguments, err.text);
		assert_int_equal(guest_client_in_flight(w->client), 0);
	}
}

static void headers_have_limits(void **state)
{
	json_auto_t *many = json_object();
	json_auto_t *large = json_object();
	json_auto_t *all = json_object();
	char value[HTTP_HEADER_MAX + 1], name[16];
	struct http_request request;

	(void)state;
	memset(value, 'v', sizeof(value));
	value[HTTP_HEADER_MAX] = '\0';
	json_object_set_new(large, "A", json_string(value));
	for (int i = 0; i <= HTTP_HEADERS_MAX; i++) {
		snprintf(name, sizeof(name), "A%d", i);
		json_object_set_new(many, name, json_string("x"));
		if (i < 9)
			json_object_set_new(all, name, json_string(value + 8));
	}
	assert_int_equal(
		http_request_init(&request, "http://a", "GET", many, NULL, 1, NULL), -EINVAL);
	http_request_finish(&request);
	assert_int_equal(
		http_request_init(&request, "http://a", "GET", large, NULL, 1, NULL), -EINVAL);
	http_request_finish(&request);
	assert_int_equal(
		http_request_init(&request, "http://a", "GET", all, NULL, 1, NULL), -EINVAL);
	http_request_finish(&request);
	json_object_del(many, "A0");
	assert_int_equal(http_request_init(&request, "http://a", "PATCH", many, "x", 1, NULL), 0);
	assert_true(request.argc < HTTP_ARGUMENTS_MAX); /* and a NULL behind */
	http_request_finish(&request);
}

static void curl_gets_words_not_options(void **state)
{
	struct world *w = *state;
	const struct guest_exec *m;

	world_start(w, &tool_http_fetch,
		"{\"url\":\"http://a/{x}[1-9]?q=-o\",\"timeout\":1500,"
		"\"headers\":{\"X-A\":\"-o /etc/x; $(id) @f\",\"X-Empty\":\"\"}}");
	m = (const void *)world_receive(w);
	assert_int_equal(m->header.type, GUEST_EXEC);
	assert_int_equal(m->flags, 0);
	assert_int_equal(m->timeout_ms, 6500);
	assert_string_equal(w->strings[0], "curl");
	assert_string_equal(w->strings[1], "--disable"); /* counts as the first one only */
	assert_true(world_has(w, "--globoff", NULL));
	assert_true(world_has(w, "--proto", "=http,https"));
	assert_true(world_has(w, "--proto-redir", "=http,https"));
	assert_true(world_has(w, "--max-redirs", "10"));
	assert_true(world_has(w, "--location", NULL));
	assert_true(world_has(w, "--max-time", "1.500"));
	assert_true(world_has(w, "--header", "X-A: -o /etc/x; $(id) @f"));
	assert_true(world_has(w, "--header", "X-Empty;"));
	assert_true(world_has(w, "--url", "http://a/{x}[1-9]?q=-o"));
	assert_false(world_has(w, "--request", NULL));
	assert_false(world_has(w, "--data-binary", NULL));
	world_reply(w, (struct guest_reply){.end = GUEST_END_CANCELLED});
	world_says(w, true, "Error: cancelled\n");
}

static void a_body_goes_by_stdin_with_its_type(void **state)
{
	static const struct {
		const char *arguments, *type;
	} cases[] = {{"{\"url\":\"http://a\",\"method\":\"POST\",\"body\":\"{\\\"a\\\":1}\"}",
			     "Content-Type: application/json"},
		{"{\"url\":\"http://a\",\"method\":\"PUT\",\"body\":\"@/etc/passwd\"}",
			"Content-Type: text/plain; charset=utf-8"},
		{"{\"url\":\"http://a\",\"method\":\"POST\",\"body\":\"a=b\","
		 "\"headers\":{\"content-type\":\"x/y\"}}",
			"content-type: x/y"}};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct guest_exec *m;
		const struct guest_input *input;
		const char *body;

		world_start(w, &tool_http_fetch, cases[i].arguments);
		m = (const void *)world_receive(w);
		assert_int_equal(m->flags, GUEST_EXEC_STDIN);
		assert_true(world_has(w, "--header", cases[i].type));
		assert_true(world_has(w, "--data-binary", "@-"));
		assert_int_equal(world_has(w, "--request", "PUT"), i == 1);
		assert_int_equal(world_has(w, "--location", NULL), i != 1);
		input = (const void *)world_receive(w);
		body = json_string_value(json_object_get(w->arguments, "body"));
		assert_int_equal(input->header.type, GUEST_INPUT);
		assert_int_equal(input->header.size - sizeof(*input), strlen(body));
		assert_memory_equal(input + 1, body, strlen(body));
		assert_int_equal(input->is_end, 1);
		world_reply(w, (struct guest_reply){.end = GUEST_END_CANCELLED});
	}
}

/* What curl writes, and how it ends. */
static const char *answer(struct world *w, const char *arguments, const char *head,
	const char *body, size_t size, const char *errors, struct guest_reply reply)
{
	world_start(w, &tool_http_fetch, arguments);
	world_receive(w);
	world_output(w, GUEST_STDOUT, head, strlen(head));
	world_output(w, GUEST_STDOUT, body, size);
	world_output(w, GUEST_STDERR, errors, strlen(errors));
	world_reply(w, reply);
	assert_int_equal(w->done, 1);
	return w->text;
}

static const char *answered(struct world *w, const char *head, const char *body, size_t size)
{
	char errors[64];

	snprintf(errors, sizeof(errors), "\n200 %zu 0 http://a/\n", strlen(head));
	return answer(w, "{\"url\":\"http://a\"}", head, body, size, errors,
		(struct guest_reply){.exit_status = 0});
}

static void an_answer_is_status_headers_and_body(void **state)
{
	struct world *w = *state;

	answered(w,
		"HTTP/2 200 \r\nserver: x\r\ncontent-type:  text/html; charset=utf-8 \r\nETag: "
		"\"1\"\r\n"
		"set-cookie: a=b\x1b[m\r\n\r\n",
		"<p>\n", 4);
	world_says(w, false,
		"HTTP 200 text/html; charset=utf-8\nETag: \"1\"\nset-cookie: a=b [m\n\n<p>\n");
	answered(w, "HTTP/1.1 204 No Content\r\n\r\n", "", 0);
	world_says(w, false, "HTTP 200\n\n(no body)\n");
	answered(w, OK_HEAD, "HTTP/1.1 500 x\r\nLocation: /forged\r\n\r\nbody", 41);
	world_says(w, false,
		"HTTP 200 text/html\n\nHTTP/1.1 500 x\r\nLocation: /forged\r\n\r\nbody\n");
	answered(w, "HTTP/1.1 100 Continue\r\n\r\n" OK_HEAD, "x", 1);
	world_says(w, false, "HTTP 200 text/html\n\nx\n");
	assert_int_equal(w->streamed, 0); /* nobody wants to see how curl talks to us */
}

static void redirects_are_told_and_of_head_all_headers(void **state)
{
	static const char head[] = "HTTP/1.1 302 Found\r\nLocation: http://b/\r\n\r\n"
				   "HTTP/1.1 200 OK\nServer: s\nContent-Length: 5\n\n";
	struct world *w = *state;
	char errors[64];

	snprintf(errors, sizeof(errors), "\n200 %zu 1 http://b/\n", sizeof(head) - 1);
	answer(w, "{\"url\":\"http://a\",\"method\":\"HEAD\"}", head, "", 0, errors,
		(struct guest_reply){.exit_status = 0});
	assert_true(world_has(w, "--head", NULL));
	world_says(w, false,
		"HTTP 200\nURL: http://b/ (redirects: 1)\nServer: s\nContent-Length: 5\n\n(no "
		"body)\n");
}

static void a_long_body_has_head_and_tail(void **state)
{
	struct world *w = *state;
	size_t size = 1000000;
	auto_free char *body = malloc(size);
	auto_free char *head = malloc(60000);
	int n = sprintf(head, "HTTP/1.1 200 OK\r\nX: ");
	const char *text;

	memset(head + n, 'h', 50000);
	strcpy(head + n + 50000, "\r\n\r\n");
	memset(body, 'b', size);
	body[0] = 'B';
	body[size - 1] = 'E';
	text = answered(w, head, body, size);
	assert_int_equal(strncmp(text, "HTTP 200\n\nBbbb", 14), 0);
	assert_non_null(strstr(text, "b\n[... 900000 bytes cut ...]\nb"));
	assert_int_equal(strlen(text), 10 + 100000 + strlen("\n[... 900000 bytes cut ...]\n") + 1);
	assert_string_equal(text + strlen(text) - 3, "bE\n");
	text = answered(w, head, body, 100000);
	assert_null(strstr(text, "cut"));
	assert_int_equal(strlen(text), 10 + 100000 + 1);
	text = answered(w, head, body, 100001);
	assert_non_null(strstr(text, "[... 1 bytes cut ...]"));
}

static void headers_without_end_are_an_error(void **state)
{
	struct world *w = *state;
	auto_free char *head = malloc(80000);
	int n = sprintf(head, "HTTP/1.1 200 OK\r\nX: ");

	memset(head + n, 'h', 70000);
	strcpy(head + n + 70000, "\r\n\r\n");
	answered(w, head, "x", 1);
	assert_true(w->is_error);
	assert_non_null(strstr(w->text, "of headers, at most 65536"));
}

static void what_is_no_text_is_named(void **state)
{
	struct world *w = *state;

	answered(w, OK_HEAD, "a\0b", 3);
	world_says(w, false,
		"HTTP 200 text/html\n\n(binary, 3 bytes, not shown as text: save it by bash: curl "
		"-o "
		"FILE URL)\n");
	answered(w, "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n", "abc", 3);
	assert_non_null(strstr(w->text, "(binary, 3 bytes"));
	answered(w, "HTTP/1.1 200 OK\r\nContent-Type: image/svg+xml\r\n\r\n", "<svg>", 5);
	assert_non_null(strstr(w->text, "<svg>"));
}

static void failures_say_what_to_do(void **state)
{
	static const struct {
		unsigned exit;
		const char *errors, *text;
	} cases[] = {{6, "curl: (6) Could not resolve host: x\n\n000 0 0 http://x/\n",
			     "Error: Could not resolve host: x: check the name; the sandbox's "
			     "network may "
			     "not let it be found\n"},
		{7, "curl: (7) Failed to connect\x1b[31m\n\n000 0 0 http://x/\n",
			"Error: Failed to connect [31m: nothing listens there, or the sandbox's "
			"network does not let it be reached\n"},
		{47, "curl: (47) Maximum (10) redirects followed\n\n302 90 10 http://x/\n",
			"Error: Maximum (10) redirects followed: fetch the address that it leads "
			"to\n"},
		{2, "curl: option --x: is unknown\ncurl: try 'curl --help'\n",
			"Error: try 'curl --help': try another way\n"},
		{99, "", "Error: curl ended with exit code 99: try another way\n"},
		{0, "", "Error: curl did not say how it went: use bash with curl -v\n"},
		{0, "\n200 999999999 0 x\n",
			"Error: the answer has 999999999 bytes of headers, at most 65536: use bash "
			"with curl\n"},
		{0, "\n200 999999999 0 x\n200 1\nx 1 1 x\n",
			"Error: the answer has 999999999 bytes of headers, at most 65536: use bash "
			"with curl\n"}};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		answer(w, "{\"url\":\"http://x\"}", "", "", 0, cases[i].errors,
			(struct guest_reply){.exit_status = cases[i].exit});
		world_says(w, true, cases[i].text);
	}
}

static void of_an_answer_that_was_cut_what_came_is_shown(void **state)
{
	struct world *w = *state;

	answer(w, "{\"url\":\"http://x\"}", OK_HEAD, "part", 4,
		"curl: (28) Operation timed out after 5 ms\n\n200 44 0 http://x/\n",
		(struct guest_reply){.exit_status = 28});
	world_says(w, true,
		"Error: Operation timed out after 5 ms: set a longer timeout, at most 120000, or "
		"use "
		"bash with background\nHTTP 200 text/html\n\npart\n");
}

static void an_image_without_curl_is_told(void **state)
{
	struct world *w = *state;

	answer(w, "{\"url\":\"http://x\"}", "", "", 0, "",
		(struct guest_reply){.end = GUEST_END_FAILED, .error = ENOENT, .exit_status = 127});
	world_says(w, true,
		"Error: the sandbox's image has no curl: use bash with what it has (wget, "
		"python3), "
		"or an image with curl\n");
	answer(w, "{\"url\":\"http://x\"}", "", "", 0, "",
		(struct guest_reply){.end = GUEST_END_FAILED, .error = EAGAIN, .exit_status = 126});
	assert_non_null(strstr(w->text, "Error: curl: "));
	answer(w, "{\"url\":\"http://x\"}", "", "", 0, "",
		(struct guest_reply){.end = GUEST_END_TIMEOUT, .exit_status = 124});
	assert_int_equal(strncmp(w->text, "Error: timed out: set a longer", 30), 0);
	answer(w, "{\"url\":\"http://x\"}", "", "", 0, "",
		(struct guest_reply){
			.exit_status = 137, .signal = 9, .limits_hit = LIMIT_HIT_MEMORY});
	assert_non_null(strstr(w->text, "killed by signal 9: out of memory"));
}

static void fields_are_read_as_they_stand(void **state)
{
	static const char data[] = "HTTP/1.1 200 a:b\r\nA: 1\r\n folded: 2\r\n:none\r\nno colon\r\n"
				   "B:\r\nC:3 \t\r\n\r\nD: body\r\n\r\n";
	struct http_head head = http_head_find(data, sizeof(data) - 1, SIZE_MAX);
	const char *at = head.start;
	struct http_field field;

	(void)state;
	assert_true(http_head_next(&at, head.end, &field));
	assert_true(http_field_is(&field, "a"));
	assert_true(http_head_next(&at, head.end, &field));
	assert_true(http_field_is(&field, "b"));
	assert_int_equal(field.value_length, 0);
	assert_true(http_head_next(&at, head.end, &field));
	assert_int_equal(field.value_length, 1);
	assert_false(http_head_next(&at, head.end, &field));
	assert_string_equal(head.end, "D: body\r\n\r\n");
	assert_false(http_head_get(&head, "D", &field));
	head = http_head_find(data, sizeof(data) - 1, 20);
	assert_null(head.start);
	assert_ptr_equal(head.end, data);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(urls_that_are_no_plain_http_are_refused),
		TEST(what_is_refused_never_reaches_the_guest),
		TEST(headers_have_limits),
		TEST(curl_gets_words_not_options),
		TEST(a_body_goes_by_stdin_with_its_type),
		TEST(an_answer_is_status_headers_and_body),
		TEST(redirects_are_told_and_of_head_all_headers),
		TEST(a_long_body_has_head_and_tail),
		TEST(headers_without_end_are_an_error),
		TEST(what_is_no_text_is_named),
		TEST(failures_say_what_to_do),
		TEST(of_an_answer_that_was_cut_what_came_is_shown),
		TEST(an_image_without_curl_is_told),
		TEST(fields_are_read_as_they_stand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* framing.h: where requests end, what is refused, and that it does not matter how the bytes come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/framing_trace.h"

#define ALL SIZE_MAX

struct sample {
	const char *bytes, *trace;
};

#define GET	 "GET / HTTP/1.1\r\n"
#define PUT	 "PUT /x HTTP/1.1\r\n"
#define PUT_HEAD "HEAD PUT /x 1.1; "

static const struct sample good[] = {
	{GET "\r\n", "HEAD GET / 1.1; END; "},
	{"\r\n" GET "Host: a\r\n\r\n", "HEAD GET / 1.1; END; "},
	{"GET /a?b=c%20d HTTP/1.0\r\n\r\n", "HEAD GET /a?b=c%20d 1.0 close; END; "},
	{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "HEAD GET / 1.0; END; "},
	{GET "Connection: x, close ,y\r\n\r\n", "HEAD GET / 1.1 close; END; "},
	{GET "Connection: a\r\nConnection: CLOSE\r\n\r\n", "HEAD GET / 1.1 close; END; "},
	{GET "Connection: closed\r\n\r\n", "HEAD GET / 1.1; END; "},
	{GET "X:\r\nY: \t \r\n\r\n", "HEAD GET / 1.1; END; "},
	{GET "\r\n" GET "\r\n", "HEAD GET / 1.1; END; HEAD GET / 1.1; END; "},
	{PUT "Content-Length: 0\r\n\r\n", PUT_HEAD "END; "},
	{PUT "Content-Length: 003\r\n\r\nabc" GET "\r\n",
		PUT_HEAD "BODY abc; END; HEAD GET / 1.1; END; "},
	{PUT "Content-Length: 5\r\n\r\nabc", PUT_HEAD "BODY abc"},
	{PUT "content-length:  3 \t\r\n\r\nabc", PUT_HEAD "BODY abc; END; "},
	{PUT "Content-Length: 1000\r\n\r\n", PUT_HEAD},
	{PUT "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", "HEAD PUT /x 1.1 expect; "},
	{PUT "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", PUT_HEAD "END; "},
	{PUT "Transfer-Encoding: "
	     "chunked\r\n\r\n3\r\nabc\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\n\r\n" GET "\r\n",
		PUT_HEAD "BODY abc0123456789; END; HEAD GET / 1.1; END; "},
	{PUT "Transfer-Encoding: chunked\r\n\r\n1\r\n\r\r\n0;\r\nA: b\r\nC: d\r\n\r\n" GET "\r\n",
		PUT_HEAD "BODY \r; END; HEAD GET / 1.1; END; "},
	{GET "X: \xc3\xa4\r\n\r\n", "HEAD GET / 1.1; END; "},
};

/* Each is refused before a second request can be made of it. */
static const struct {
	const char *bytes;
	enum api_fault fault;
} refused[] = {
	{PUT "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", API_INVALID_REQUEST},
	{PUT "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", API_INVALID_REQUEST},
	{PUT "Content-Length: 3, 3\r\n\r\nabc", API_INVALID_REQUEST},
	{PUT "Content-Length: +3\r\n\r\nabc", API_INVALID_REQUEST},
	{PUT "Content-Length: -1\r\n\r\n", API_INVALID_REQUEST},
	{PUT "Content-Length: 0x3\r\n\r\nabc", API_INVALID_REQUEST},
	{PUT "Content-Length: 3 3\r\n\r\nabc", API_INVALID_REQUEST},
	{PUT "Content-Length:\r\n\r\nabc", API_INVALID_REQUEST},
	{PUT "Content-Length: 1001\r\n\r\n", API_TOO_LARGE},
	{PUT "Content-Length: 18446744073709551616\r\n\r\n", API_TOO_LARGE},
	{PUT "Content-Length: 99999999999999999999999\r\n\r\n", API_TOO_LARGE},
	{PUT "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		API_INVALID_REQUEST},
	{PUT "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
		API_INVALID_REQUEST},
	{PUT "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		API_INVALID_REQUEST},
	{PUT "Transfer-Encoding: gzip, chunked\r\n\r\n", API_NOT_IMPLEMENTED},
	{PUT "Transfer-Encoding: chunked, identity\r\n\r\n", API_NOT_IMPLEMENTED},
	{PUT "Transfer-Encoding: xchunked\r\n\r\n", API_NOT_IMPLEMENTED},
	{PUT "Transfer-Encoding:\vchunked\r\n\r\n", API_INVALID_REQUEST},
	{PUT "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", API_INVALID_REQUEST},
	{"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", API_INVALID_REQUEST},
	{"GET / HTTP/1.1\nHost: a\n\n", API_INVALID_REQUEST},
	{GET "Host: a\nX: b\r\n\r\n", API_INVALID_REQUEST},
	{GET "Host: a\rX: b\r\n\r\n", API_INVALID_REQUEST},
	{GET "Host: a\r\n\n", API_INVALID_REQUEST},
	{GET "Host: a\r\nHost: b\r\n\r\n", API_INVALID_REQUEST},
	{GET "Authorization: a\r\nauthorization: a\r\n\r\n", API_INVALID_REQUEST},
	{GET "Host: a\r\n b\r\n\r\n", API_INVALID_REQUEST},
	{GET "Host: a\r\n\tb\r\n\r\n", API_INVALID_REQUEST},
	{GET " Host: a\r\n\r\n", API_INVALID_REQUEST},
	{GET "Host\r\n\r\n", API_INVALID_REQUEST},
	{GET ": a\r\n\r\n", API_INVALID_REQUEST},
	{GET "a b: c\r\n\r\n", API_INVALID_REQUEST},
	{GET "\x80: c\r\n\r\n", API_INVALID_REQUEST},
	{GET "X: \x01\r\n\r\n", API_INVALID_REQUEST},
	{GET "X: \x7f\r\n\r\n", API_INVALID_REQUEST},
	{GET "Expect: 200-ok\r\n\r\n", API_EXPECTATION_FAILED},
	{"\r\n\r\n" GET "\r\n", API_INVALID_REQUEST},
	{"\n" GET "\r\n", API_INVALID_REQUEST},
	{"GET /\r\n", API_INVALID_REQUEST},
	{"GET\r\n", API_INVALID_REQUEST},
	{"GET  / HTTP/1.1\r\n", API_INVALID_REQUEST},
	{"GET / HTTP/1.1 \r\n", API_INVALID_REQUEST},
	{"GET / x HTTP/1.1\r\n", API_INVALID_REQUEST},
	{"GET\t/ HTTP/1.1\r\n", API_INVALID_REQUEST},
	{" GET / HTTP/1.1\r\n", API_INVALID_REQUEST},
	{"G(T / HTTP/1.1\r\n", API_INVALID_REQUEST},
	{"GETGETGETGETGETGET / HTTP/1.1\r\n", API_INVALID_REQUEST},
	{"GET * HTTP/1.1\r\n", API_INVALID_REQUEST},
	{"GET a HTTP/1.1\r\n", API_INVALID_REQUEST},
	{"GET http://a/ HTTP/1.1\r\n", API_INVALID_REQUEST},
	{"CONNECT a:1 HTTP/1.1\r\n", API_INVALID_REQUEST},
	{"GET /a#b HTTP/1.1\r\n", API_INVALID_REQUEST},
	{"GET /\xc3\xa4 HTTP/1.1\r\n", API_INVALID_REQUEST},
	{"GET / http/1.1\r\n", API_INVALID_REQUEST},
	{"GET / HTTP/11\r\n", API_INVALID_REQUEST},
	{"GET / HTTP/1.10\r\n", API_INVALID_REQUEST},
	{"GET / HTTP/1.2\r\n", API_BAD_VERSION},
	{"GET / HTTP/0.9\r\n", API_BAD_VERSION},
	{"GET / HTTP/3.0\r\n", API_BAD_VERSION},
	{"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n", API_BAD_VERSION},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", API_BAD_VERSION},
	{"\x16\x03\x01\x02", API_INVALID_REQUEST},
#define CHUNKED PUT "Transfer-Encoding: chunked\r\n\r\n"
	{CHUNKED "\r\n", API_INVALID_REQUEST},
	{CHUNKED "-1\r\n", API_INVALID_REQUEST},
	{CHUNKED "+1\r\n", API_INVALID_REQUEST},
	{CHUNKED " 1\r\n", API_INVALID_REQUEST},
	{CHUNKED "1 \r\n", API_INVALID_REQUEST},
	{CHUNKED "0x1\r\n", API_INVALID_REQUEST},
	{CHUNKED "g\r\n", API_INVALID_REQUEST},
	{CHUNKED "1\na\r\n0\r\n\r\n", API_INVALID_REQUEST},
	{CHUNKED "1\r\nab\r\n", API_INVALID_REQUEST},
	{CHUNKED "1\r\na\n0\r\n\r\n", API_INVALID_REQUEST},
	{CHUNKED "1\r\na0\r\n\r\n", API_INVALID_REQUEST},
	{CHUNKED "1;a\x01\r\na\r\n", API_INVALID_REQUEST},
	{CHUNKED "3e9\r\n", API_TOO_LARGE},
	{CHUNKED "fffffffffffffff\r\n", API_TOO_LARGE},
	{CHUNKED "10000000000000001\r\na\r\n", API_INVALID_REQUEST},
	{CHUNKED "0\r\n\r" GET "\r\n", API_INVALID_REQUEST},
	{CHUNKED "0\r\n\n", API_INVALID_REQUEST},
	{CHUNKED "0\r\n a: b\r\n\r\n", API_INVALID_REQUEST},
	{CHUNKED "0\r\na: b\n\r\n", API_INVALID_REQUEST},
};

static void expect_trace(const char *bytes, size_t size, const char *wanted)
{
	for (size_t first = 0; first <= size; first++) {
		auto_free char *trace = trace_framing(bytes, size, first, ALL);

		if (strcmp(trace, wanted) != 0)
			fail_msg("cut at %zu, '%s' gives '%s', not '%s'", first, bytes, trace,
				wanted);
	}
}

static void requests_end_where_they_say_however_the_bytes_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		const struct sample *sample = &good[i];
		size_t size = strlen(sample->bytes);
		auto_free char *single = trace_framing(sample->bytes, size, 1, 1);

		expect_trace(sample->bytes, size, sample->trace);
		assert_string_equal(single, sample->trace);
	}
}

static void what_is_ambiguous_is_refused_and_nothing_behind_it_is_read(void **state)
{
	static const char second[] = "\r\n\r\n0\r\n\r\nGET /second HTTP/1.1\r\n\r\n";
	char bytes[1200], fault[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		auto_free char *trace = NULL, *single = NULL;
		size_t size =
			(size_t)snprintf(bytes, sizeof(bytes), "%s%s", refused[i].bytes, second);

		trace = trace_framing(bytes, size, ALL, ALL);
		snprintf(fault, sizeof(fault), "BAD %d ", (int)refused[i].fault);
		if (!strstr(trace, fault) || strstr(trace, "/second"))
			fail_msg("'%s' gives '%s', not %s", refused[i].bytes, trace, fault);
		single = trace_framing(bytes, size, 1, 1);
		assert_string_equal(single, trace);
		expect_trace(bytes, size, trace);
	}
}

static void a_nul_is_refused_wherever_it_stands(void **state)
{
	static const char bytes[] = PUT "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n"
					"0\r\nT: x\r\n\r\n";
	char changed[sizeof(bytes)];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
		auto_free char *trace = NULL;

		if (bytes[i] == 'a' && bytes[i + 1] == '\r' && bytes[i - 1] == '\n')
			continue; /* the body's own byte */
		memcpy(changed, bytes, sizeof(bytes));
		changed[i] = '\0';
		trace = trace_framing(changed, sizeof(changed) - 1, ALL, ALL);
		if (!strstr(trace, "BAD ") || strstr(trace, "END; "))
			fail_msg("a NUL at %zu gives '%s'", i, trace);
	}
}

static void headers_are_found_by_name_without_their_blanks(void **state)
{
	static const char bytes[] = GET "HOST: \t a:1 \t\r\nX-Empty:\r\nX: 1\r\nx: 2\r\n\r\n";
	enum framing_event event;
	struct framing f;

	(void)state;
	framing_init(&f);
	assert_true(framing_is_idle(&f));
	assert_int_equal(framing_push(&f, bytes, 5, &event), 5);
	assert_false(framing_is_idle(&f));
	framing_push(&f, bytes + 5, sizeof(bytes) - 6, &event);
	assert_int_equal(event, FRAMING_HEAD);
	assert_string_equal(framing_find(&f, "host"), "a:1");
	assert_string_equal(framing_find(&f, "x-empty"), "");
	assert_string_equal(framing_find(&f, "x"), "1");
	assert_null(framing_find(&f, "y"));
	assert_false(framing_has_body(&f));
	framing_push(&f, NULL, 0, &event);
	assert_int_equal(event, FRAMING_END);
	assert_true(framing_is_idle(&f));
	framing_finish(&f);
}

/* head, count times unit, tail. */
static char *repeat(const char *head, const char *unit, size_t count, const char *tail)
{
	size_t size = strlen(head) + count * strlen(unit) + strlen(tail) + 1;
	char *text = malloc(size), *at = text;

	assert_non_null(text);
	at = stpcpy(at, head);
	while (count-- > 0)
		at = stpcpy(at, unit);
	strcpy(at, tail);
	return text;
}

static void expect_fault(char *bytes, enum api_fault fault)
{
	auto_free char *trace = trace_framing(bytes, strlen(bytes), ALL, ALL);
	auto_free char *pieces = trace_framing(bytes, strlen(bytes), 1, 7);
	char wanted[16];

	snprintf(wanted, sizeof(wanted), "BAD %d ", (int)fault);
	assert_non_null(strstr(trace, wanted));
	assert_string_equal(trace, pieces);
	free(bytes);
}

static void expect_end(char *bytes)
{
	auto_free char *trace = trace_framing(bytes, strlen(bytes), ALL, ALL);

	assert_non_null(strstr(trace, "END; "));
	free(bytes);
}

static void every_limit_holds_at_its_last_byte(void **state)
{
	(void)state;
	expect_end(repeat("GET /", "a", FRAMING_TARGET_MAX - 1, " HTTP/1.1\r\n\r\n"));
	expect_fault(
		repeat("GET /", "a", FRAMING_TARGET_MAX, " HTTP/1.1\r\n\r\n"), API_TARGET_TOO_LONG);
	expect_fault(repeat("GET /", "a", 100 * 1024, ""), API_TARGET_TOO_LONG);
	expect_end(repeat(GET, "a:b\r\n", FRAMING_HEADERS_MAX, "\r\n"));
	expect_fault(repeat(GET, "a:b\r\n", FRAMING_HEADERS_MAX + 1, "\r\n"), API_HEAD_TOO_LARGE);
	expect_fault(repeat(GET "X: ", "a", FRAMING_HEAD_MAX, ""), API_HEAD_TOO_LARGE);
	expect_fault(repeat(CHUNKED "1;", "a", FRAMING_CHUNK_LINE_MAX, "\r\na\r\n"),
		API_INVALID_REQUEST);
	expect_fault(repeat(CHUNKED, "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\na\r\n",
			     FRAMING_EXTENSIONS_MAX / 32 + 1, ""),
		API_INVALID_REQUEST);
	expect_fault(repeat(CHUNKED "0\r\n", "a: b\r\n", FRAMING_TRAILER_MAX / 5 + 1, "\r\n"),
		API_HEAD_TOO_LARGE);
	expect_end(repeat(PUT "Content-Length: 1000\r\n\r\n", "a", 1000, ""));
	expect_end(repeat(CHUNKED "3e8\r\n", "a", 1000, "\r\n0\r\n\r\n"));
	expect_fault(repeat(CHUNKED "3e8\r\n", "a", 1000, "\r\n1\r\na\r\n"), API_TOO_LARGE);
	expect_fault(repeat(CHUNKED "3e8\r\n", "a", 1001, ""), API_INVALID_REQUEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_end_where_they_say_however_the_bytes_are_cut),
		cmocka_unit_test(what_is_ambiguous_is_refused_and_nothing_behind_it_is_read),
		cmocka_unit_test(a_nul_is_refused_wherever_it_stands),
		cmocka_unit_test(headers_are_found_by_name_without_their_blanks),
		cmocka_unit_test(every_limit_holds_at_its_last_byte),
	};

	return cmocka_run_group_tests_name("api_framing", tests, NULL, NULL);
}

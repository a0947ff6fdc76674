/* transfer.h: requests on a loop, before a server on the same loop that says what the test tells it to. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agentd/upstream/transfer.h"
#include "base/cleanup.h"
#include "base/error.h"

#define PATIENCE_S 20
#define TEXT_SIZE  4096
#define OK_HEAD	   "HTTP/1.1 200 OK\r\nConnection: close\r\n"

struct world {
	struct event_base *base;
	struct evconnlistener *listener;
	struct transfers *transfers;
	struct transfer *transfer;
	char url[64];
	/* The server. */
	const char *answer;
	bool is_silent; /* keeps the connection behind its answer */
	struct bufferevent *streams[2];
	unsigned stream_count;
	char asked[TEXT_SIZE];
	/* Who asks. */
	struct transfer_request request;
	char body[TEXT_SIZE];
	long http_status; /* as on_status has it */
	unsigned done, left;
	struct transfer_end end;
	bool refuses_data, cancels_at_data;
};

static void on_written(struct bufferevent *stream, void *arg)
{
	struct world *w = arg;

	if (w->is_silent)
		return;
	shutdown(bufferevent_getfd(stream), SHUT_WR);
}

static void on_asked(struct bufferevent *stream, void *arg)
{
	struct world *w = arg;
	size_t used = strlen(w->asked);
	size_t size = bufferevent_read(stream, w->asked + used, sizeof(w->asked) - used - 1);

	w->asked[used + size] = '\0';
	if (!strstr(w->asked, "\r\n\r\n"))
		return;
	bufferevent_setcb(stream, NULL, on_written, NULL, w);
	bufferevent_write(stream, w->answer, strlen(w->answer));
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
	struct sockaddr *address, int length, void *arg)
{
	struct world *w = arg;

	(void)listener;
	(void)address;
	(void)length;
	assert_in_range(w->stream_count, 0, ARRAY_SIZE(w->streams) - 1);
	w->streams[w->stream_count] = bufferevent_socket_new(w->base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(w->streams[w->stream_count], on_asked, NULL, NULL, w);
	bufferevent_enable(w->streams[w->stream_count++], EV_READ | EV_WRITE);
}

static int set_up(void **state)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->base = event_base_new();
	w->listener = evconnlistener_new_bind(w->base, on_connection, w,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 8, (struct sockaddr *)&address,
		(int)size);
	assert_non_null(w->listener);
	getsockname(evconnlistener_get_fd(w->listener), (struct sockaddr *)&address, &size);
	snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u/x", ntohs(address.sin_port));
	assert_int_equal(transfers_create(w->base, &w->transfers, NULL), 0);
	w->request = (struct transfer_request){.method = "GET",
		.url = w->url,
		.connect_timeout_ms = 10000,
		.stall_timeout_ms = 10000,
		.response_max = TEXT_SIZE - 1};
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	transfers_destroy(w->transfers);
	for (unsigned i = 0; i < w->stream_count; i++)
		bufferevent_free(w->streams[i]);
	evconnlistener_free(w->listener);
	event_base_free(w->base);
	free(w);
	return 0;
}

static void on_status(void *arg, long http_status)
{
	struct world *w = arg;

	assert_int_equal(w->http_status, 0);
	assert_int_equal(w->body[0], '\0');
	w->http_status = http_status;
}

static bool on_data(void *arg, const char *data, size_t size)
{
	struct world *w = arg;
	size_t used = strlen(w->body);

	assert_in_range(used + size, 1, sizeof(w->body) - 1);
	memcpy(w->body + used, data, size);
	w->body[used + size] = '\0';
	if (w->cancels_at_data)
		transfer_cancel(w->transfer);
	return !w->refuses_data;
}

static void on_done(void *arg, const struct transfer_end *end)
{
	struct world *w = arg;

	w->done++;
	w->end = *end;
	w->end.error = NULL; /* borrowed */
	if (--w->left == 0)
		event_base_loopbreak(w->base);
}

static void start(struct world *w)
{
	const struct transfer_callbacks callbacks = {
		.on_status = on_status, .on_data = on_data, .on_done = on_done, .arg = w};

	assert_int_equal(
		transfer_start(w->transfers, &w->request, &callbacks, &w->transfer, NULL), 0);
	w->left++;
}

static void run(struct world *w)
{
	const struct timeval patience = {PATIENCE_S, 0};
	unsigned expected = w->done + w->left;

	event_base_loopexit(w->base, &patience);
	event_base_dispatch(w->base);
	assert_int_equal(w->done, expected);
}

static void ask(struct world *w, const char *answer)
{
	w->answer = answer;
	start(w);
	run(w);
}

static void an_answer_comes_with_its_status_and_body(void **state)
{
	struct world *w = *state;

	ask(w, OK_HEAD "\r\nhello");
	assert_int_equal(w->end.status, 0);
	assert_int_equal(w->end.http_status, 200);
	assert_int_equal(w->http_status, 200);
	assert_int_equal(w->end.body_bytes, 5);
	assert_int_equal(w->end.retry_after_s, -1);
	assert_string_equal(w->body, "hello");
	assert_int_equal(strncmp(w->asked, "GET /x HTTP/1.1\r\n", 17), 0);
}

static void an_error_without_a_body_has_its_status_too(void **state)
{
	struct world *w = *state;

	ask(w, "HTTP/1.1 429 No\r\nRetry-After: 12\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(w->end.status, 0);
	assert_int_equal(w->http_status, 429);
	assert_int_equal(w->end.http_status, 429);
	assert_int_equal(w->end.retry_after_s, 12);
}

static void headers_and_a_body_are_sent(void **state)
{
	static const char *const headers[] = {"X-One: 1", "X-Two: 2", NULL};
	struct world *w = *state;

	w->request.method = "POST";
	w->request.headers = headers;
	w->request.secret_header = "X-Secret: s";
	w->request.body = "b\0dy";
	w->request.body_size = 4;
	ask(w, OK_HEAD "\r\n");
	assert_int_equal(w->end.status, 0);
	assert_int_equal(strncmp(w->asked, "POST /x HTTP/1.1\r\n", 18), 0);
	assert_non_null(strstr(w->asked, "\r\nX-One: 1\r\n"));
	assert_non_null(strstr(w->asked, "\r\nX-Two: 2\r\n"));
	assert_non_null(strstr(w->asked, "\r\nX-Secret: s\r\n"));
	assert_non_null(strstr(w->asked, "\r\nContent-Length: 4\r\n"));
	assert_null(strstr(w->asked, "Expect"));
}

static void a_redirect_is_an_answer_like_others(void **state)
{
	struct world *w = *state;

	ask(w, "HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(w->end.http_status, 302);
	assert_int_equal(w->stream_count, 1);
}

static void a_body_beyond_its_limit_ends_it(void **state)
{
	struct world *w = *state;

	w->request.response_max = 4;
	ask(w, OK_HEAD "\r\nhello");
	assert_int_equal(w->end.status, -EFBIG);
	assert_string_equal(w->body, "");
}

static void a_body_that_ends_early_is_a_cut(void **state)
{
	struct world *w = *state;

	ask(w, OK_HEAD "Content-Length: 9\r\n\r\nhello");
	assert_int_equal(w->end.status, -ECONNRESET);
	assert_string_equal(w->body, "hello");
}

static void what_is_no_http_is_an_error(void **state)
{
	struct world *w = *state;

	ask(w, "SSH-2.0-x\r\n");
	assert_int_equal(w->end.status, -EIO);
	assert_int_equal(w->end.http_status, 0);
}

static void silence_and_slowness_have_their_limits(void **state)
{
	struct world *w = *state;

	w->is_silent = true;
	w->request.stall_timeout_ms = 50;
	ask(w, OK_HEAD "\r\n");
	assert_int_equal(w->end.status, -ETIMEDOUT);
	w->request.stall_timeout_ms = 0;
	w->request.total_timeout_ms = 50;
	w->asked[0] = '\0';
	ask(w, OK_HEAD "\r\n");
	assert_int_equal(w->end.status, -ETIMEDOUT);
}

static void a_reader_may_end_it(void **state)
{
	struct world *w = *state;

	w->refuses_data = true;
	w->is_silent = true;
	ask(w, OK_HEAD "\r\nhello");
	assert_int_equal(w->end.status, -ECANCELED);
}

static void it_may_be_cancelled_before_and_during_its_answer(void **state)
{
	struct world *w = *state;

	w->is_silent = true;
	w->answer = OK_HEAD "\r\nhello";
	start(w);
	transfer_cancel(w->transfer);
	transfer_cancel(w->transfer);
	assert_int_equal(w->done, 0); /* not from within */
	run(w);
	assert_int_equal(w->end.status, -ECANCELED);
	w->cancels_at_data = true;
	start(w);
	run(w);
	assert_int_equal(w->end.status, -ECANCELED);
	assert_string_equal(w->body, "hello");
}

static void other_schemes_are_not_asked(void **state)
{
	static const char *const urls[] = {"file:///etc/passwd", "ftp://127.0.0.1/x",
		"gopher://127.0.0.1/x", "127.0.0.1/x", "", "httpx://127.0.0.1/x"};
	const struct transfer_callbacks callbacks = {.on_data = on_data, .on_done = on_done};
	struct world *w = *state;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		w->request.url = urls[i];
		assert_int_equal(
			transfer_start(w->transfers, &w->request, &callbacks, &w->transfer, &err),
			-EINVAL);
	}
	w->request.url = "http://";
	start(w);
	run(w);
	assert_int_equal(w->end.status, -EINVAL);
}

static void those_under_way_end_with_all(void **state)
{
	struct world *w = *state;

	w->answer = "";
	start(w);
	start(w);
	transfer_cancel(w->transfer);
	transfers_destroy(take_ptr(&w->transfers));
	assert_int_equal(w->done, 2);
	assert_int_equal(w->end.status, -ECANCELED);
}

static void more_than_there_is_room_for_are_refused(void **state)
{
	const struct transfer_callbacks callbacks = {.on_data = on_data, .on_done = on_done};
	struct world *w = *state;
	struct error err;

	for (unsigned i = 0; i < TRANSFERS_MAX; i++)
		start(w);
	assert_int_equal(
		transfer_start(w->transfers, &w->request, &callbacks, &w->transfer, &err), -EBUSY);
	transfers_destroy(take_ptr(&w->transfers));
	assert_int_equal(w->done, TRANSFERS_MAX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_comes_with_its_status_and_body),
		TEST(an_error_without_a_body_has_its_status_too),
		TEST(headers_and_a_body_are_sent),
		TEST(a_redirect_is_an_answer_like_others),
		TEST(a_body_beyond_its_limit_ends_it),
		TEST(a_body_that_ends_early_is_a_cut),
		TEST(what_is_no_http_is_an_error),
		TEST(silence_and_slowness_have_their_limits),
		TEST(a_reader_may_end_it),
		TEST(it_may_be_cancelled_before_and_during_its_answer),
		TEST(other_schemes_are_not_asked),
		TEST(those_under_way_end_with_all),
		TEST(more_than_there_is_room_for_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* GET /metrics before a supervisor that is the test itself, and what agentd counts. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agentd/metrics.h"
#include "agentd/loopback.h"
#include "agentd/metrics_http.h"
#include "agentd/server.h"
#include "agentd/tool/tool.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/unix_socket.h"

#define PATIENCE_MS 20000
#define TEXT_SIZE   (1 << 17)

struct world {
	struct server server;
	unsigned port;
	int fds_before;
	unsigned clients_gone;
	/* The supervisor: what it was asked last, and how it answers. */
	control_answer_fn on_answer;
	void *arg;
	unsigned asked;
	bool is_slow, is_full;
};

static struct world *the_world; /* of the stand-ins for server.c */

static void answer_rows(struct world *w, unsigned rows)
{
	struct control_stat_row row = {.sample = stat_sample(STAT_POOL_TARGET, "tiny", NULL, NULL)};
	struct control_done done;

	row.sample.value = 7;
	control_header(&row.header, CONTROL_STAT_ROW, sizeof(row), 1);
	for (unsigned i = 0; i < rows; i++)
		w->on_answer(w->arg, &row.header, -1, false);
	control_header(&done.header, CONTROL_DONE, sizeof(done), 1);
	w->on_answer(w->arg, &done.header, -1, true);
}

static void answer_refused(struct world *w)
{
	struct control_refused refused = {.refusal = REFUSED_STOPPING};

	control_header(&refused.header, CONTROL_REFUSED, sizeof(refused), 1);
	w->on_answer(w->arg, &refused.header, -1, true);
}

int server_ask(struct server *server, uint16_t type, void *request, uint32_t size,
	control_answer_fn on_answer, void *arg, struct error *err)
{
	struct world *w = the_world;

	(void)request;
	assert_ptr_equal(server, &w->server);
	assert_int_equal(type, CONTROL_STATS);
	assert_int_equal(size, sizeof(struct control_query));
	if (w->is_full)
		return error_set(err, EBUSY, "too much");
	w->asked++;
	server->asked_count++;
	w->on_answer = on_answer;
	w->arg = arg;
	if (!w->is_slow)
		answer_rows(w, 1);
	return 0;
}

void server_answered(struct server *server)
{
	server->asked_count--;
}

void server_on_client_gone(struct server *server)
{
	(void)server;
	the_world->clients_gone++;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	struct error err = {0};
	int fd;

	assert_non_null(w);
	*state = the_world = w;
	w->fds_before = fd_count_open();
	w->server.base = event_base_new();
	assert_non_null(w->server.base);
	fd = loopback_listen(0, &err);
	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(address.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	w->port = ntohs(address.sin_port);
	assert_int_equal(metrics_http_init(&w->server.metrics_http, &w->server, &err), 0);
	assert_int_equal(metrics_http_listen(&w->server.metrics_http, fd, &err), 0);
	return 0;
}

/* Fails when a connection or a request has leaked. */
static int tear_down(void **state)
{
	struct world *w = *state;

	metrics_http_finish(&w->server.metrics_http);
	event_base_free(w->server.base);
	assert_int_equal(w->server.metrics_http.connections, 0);
	assert_int_equal(w->server.asked_count, 0);
	assert_int_equal(fd_count_open(), w->fds_before);
	free(w);
	return 0;
}

static void turn(struct world *w)
{
	event_base_loop(w->server.base, EVLOOP_NONBLOCK);
	poll(NULL, 0, 1);
}

static int dial(struct world *w)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)w->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(fd_set_nonblocking(fd, true), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Until the connection is closed. Returns what came, the caller's to free; fd is closed. */
static char *hear(struct world *w, int fd)
{
	uint64_t until_ms = clock_now_ms() + PATIENCE_MS;
	char *text = calloc(1, TEXT_SIZE);
	size_t size = 0;

	assert_non_null(text);
	for (;;) {
		ssize_t n = recv(fd, text + size, TEXT_SIZE - 1 - size, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		if (n > 0)
			size += (size_t)n;
		if (clock_now_ms() > until_ms)
			fail_msg("the connection stays open");
		turn(w);
	}
	close(fd);
	return text;
}

static char *ask(struct world *w, const char *request)
{
	int fd = dial(w);

	say(fd, request);
	return hear(w, fd);
}

#define GET "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"

static void expect(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text);
}

static void a_scrape_shows_what_supervisor_and_agentd_have_counted(void **state)
{
	struct world *w = *state;
	auto_free char *text = NULL;

	metrics_count_exec(&w->server.metrics, 3 * NS_PER_MS);
	metrics_count_tool(&w->server.metrics, tool_table[0], METRICS_TOOL_ERROR);
	text = ask(w, GET);
	expect(text, "HTTP/1.1 200 OK\r\n");
	expect(text, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
	expect(text, "\nhearth_pool_target{template=\"tiny\"} 7\n");
	expect(text, "\nhearth_exec_duration_seconds_sum 0.003\n");
	expect(text, "\",result=\"error\"} 1\n");
	free(take_ptr(&text));
	text = ask(w, GET);
	expect(text, "\nhearth_http_requests_total{route=\"/metrics\",code=\"200\"} 1\n");
	assert_int_equal(w->asked, 2);
}

static void many_rows_are_shown_up_to_a_cap(void **state)
{
	struct world *w = *state;
	auto_free char *text = NULL;
	unsigned count = 0;
	int fd = dial(w);

	w->is_slow = true;
	say(fd, GET);
	while (w->asked == 0)
		turn(w);
	answer_rows(w, 1000);
	text = hear(w, fd);
	for (const char *at = text; (at = strstr(at, "hearth_pool_target{")); at++)
		count++;
	assert_int_equal(count, 1000);
	free(take_ptr(&text));
	fd = dial(w);
	say(fd, GET);
	while (w->asked == 1)
		turn(w);
	answer_rows(w, METRICS_ROWS_MAX + 1);
	text = hear(w, fd);
	expect(text, "HTTP/1.1 200 OK\r\n");
}

static void another_path_is_not_found(void **state)
{
	struct world *w = *state;
	auto_free char *text = ask(w, "GET /metrics/ HTTP/1.1\r\nHost: localhost\r\n\r\n");

	expect(text, "HTTP/1.1 404 ");
	assert_int_equal(w->asked, 0);
	assert_int_equal(w->server.metrics.counter_count, 1);
	assert_string_equal(w->server.metrics.counters[0].first, "other");
	assert_string_equal(w->server.metrics.counters[0].second, "404");
}

static void another_method_is_not_allowed(void **state)
{
	static const char *const methods[] = {"POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		auto_free char *text = NULL;
		char request[128];

		snprintf(request, sizeof(request),
			"%s /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
			methods[i]);
		text = ask(w, request);
		expect(text, "HTTP/1.1 405 ");
		expect(text, "Allow: GET\r\n");
	}
	assert_int_equal(w->asked, 0);
}

static void a_query_in_the_address_changes_nothing(void **state)
{
	auto_free char *text = ask(*state, "GET /metrics?x=1 HTTP/1.0\r\n\r\n");

	expect(text, " 200 OK\r\n");
}

static void what_is_too_large_or_no_http_is_refused(void **state)
{
	struct world *w = *state;
	auto_free char *headers = NULL, *body = NULL, *noise = NULL;
	char request[METRICS_HEADERS_MAX + 256];
	int head = snprintf(request, sizeof(request), "GET /metrics HTTP/1.1\r\nX: ");

	memset(request + head, 'a', METRICS_HEADERS_MAX);
	strcpy(request + head + METRICS_HEADERS_MAX, "\r\n\r\n");
	headers = ask(w, request);
	assert_null(strstr(headers, " 200 "));
	body = ask(w, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
	assert_null(strstr(body, " 200 "));
	noise = ask(w, "\1\2\3\r\n\r\n");
	assert_null(strstr(noise, " 200 "));
	assert_int_equal(w->asked, 0);
}

static void without_the_supervisor_it_is_unavailable(void **state)
{
	struct world *w = *state;
	auto_free char *full = NULL, *refused = NULL;
	int fd;

	w->is_full = true;
	full = ask(w, GET);
	expect(full, "HTTP/1.1 503 ");
	w->is_full = false;
	w->is_slow = true;
	fd = dial(w);
	say(fd, GET);
	while (w->asked == 0)
		turn(w);
	answer_refused(w);
	refused = hear(w, fd);
	expect(refused, "HTTP/1.1 503 ");
}

static void a_client_that_leaves_early_leaks_nothing(void **state)
{
	struct world *w = *state;
	int fd = dial(w);

	w->is_slow = true;
	say(fd, GET);
	while (w->asked == 0)
		turn(w);
	close(fd);
	turn(w);
	answer_rows(w, 1);
	while (metrics_http_is_busy(&w->server.metrics_http))
		turn(w);
	assert_int_equal(w->clients_gone, 1);
}

static void more_connections_than_there_is_room_for_wait(void **state)
{
	struct world *w = *state;
	auto_free char *text = NULL;
	int idle[METRICS_CONNECTIONS_MAX], late;

	for (size_t i = 0; i < ARRAY_SIZE(idle); i++)
		idle[i] = dial(w);
	while (w->server.metrics_http.connections < METRICS_CONNECTIONS_MAX)
		turn(w);
	late = dial(w);
	say(late, GET);
	for (int i = 0; i < 50; i++)
		turn(w);
	assert_int_equal(w->server.metrics_http.connections, METRICS_CONNECTIONS_MAX);
	assert_int_equal(w->asked, 0);
	close(idle[0]);
	text = hear(w, late);
	expect(text, "HTTP/1.1 200 OK\r\n");
	for (size_t i = 1; i < ARRAY_SIZE(idle); i++)
		close(idle[i]);
	while (metrics_http_is_busy(&w->server.metrics_http))
		turn(w);
}

static void a_unix_socket_serves_as_well(void **state)
{
	struct world *w = *state;
	char directory[] = "/tmp/hearth-unit.XXXXXX", path[64];
	auto_free char *text = NULL;
	struct error err = {0};
	int fd;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/metrics.sock", directory);
	fd = unix_socket_listen(AT_FDCWD, path, SOCK_STREAM, 0600, (gid_t)-1, &err);
	assert_true(fd >= 0);
	assert_int_equal(metrics_http_listen(&w->server.metrics_http, fd, &err), 0);
	fd = unix_socket_connect(AT_FDCWD, path, SOCK_STREAM, &err);
	unlink(path);
	rmdir(directory);
	assert_true(fd >= 0);
	say(fd, GET);
	text = hear(w, fd);
	expect(text, "HTTP/1.1 200 OK\r\n");
}

static void a_port_that_is_taken_is_told(void **state)
{
	struct world *w = *state;
	struct error err = {0};

	assert_int_equal(loopback_listen(w->port, &err), -EADDRINUSE);
	expect(err.text, "127.0.0.1:");
}

static void every_tool_has_room_to_be_counted(void **state)
{
	struct stat_sample samples[METRICS_SAMPLES_MAX];
	struct metrics metrics = {0};
	size_t count;

	(void)state;
	assert_int_equal(metrics_samples(&metrics, samples), 2); /* the histograms */
	for (size_t i = 0; i < tool_count; i++)
		for (unsigned j = 0; j < METRICS_TOOL_RESULTS; j++)
			metrics_count_tool(&metrics, tool_table[i], j);
	count = metrics_samples(&metrics, samples);
	assert_int_equal(count, 2 + tool_count * METRICS_TOOL_RESULTS);
	for (size_t i = 2; i < count; i++)
		assert_int_equal(samples[i].value, 1);
}

static void labels_without_room_are_counted_as_others(void **state)
{
	struct stat_sample samples[METRICS_SAMPLES_MAX];
	struct metrics metrics = {0};
	uint64_t turns = 0;
	size_t count;

	(void)state;
	for (unsigned i = 0; i < 2 * METRICS_COUNTERS_MAX; i++) {
		char agent[16];

		snprintf(agent, sizeof(agent), "agent%u", i);
		metrics_count_turn(&metrics, agent, "stop");
	}
	metrics_count_request(&metrics, "/health", 200);
	count = metrics_samples(&metrics, samples);
	assert_true(count <= METRICS_SAMPLES_MAX);
	for (size_t i = 2; i < count; i++)
		turns += samples[i].family == STAT_TURNS ? samples[i].value : 0;
	assert_int_equal(turns, 2 * METRICS_COUNTERS_MAX);
	assert_int_equal(samples[count - 1].family, STAT_HTTP_REQUESTS);
	assert_string_equal(samples[count - 1].labels[0], "other");
}

static void what_a_model_took_is_shown(void **state)
{
	struct stat_sample samples[METRICS_SAMPLES_MAX];
	struct metrics metrics = {0};

	(void)state;
	metrics_count_model(&metrics, 3 * NS_PER_MS, 100, 0);
	assert_int_equal(metrics_samples(&metrics, samples), 3);
	assert_int_equal(samples[1].family, STAT_MODEL_DURATION);
	assert_int_equal(samples[1].histogram.count, 1);
	assert_string_equal(samples[2].labels[0], "in");
	assert_int_equal(samples[2].value, 100);
}

#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HTTP_TEST(a_scrape_shows_what_supervisor_and_agentd_have_counted),
		HTTP_TEST(many_rows_are_shown_up_to_a_cap),
		HTTP_TEST(another_path_is_not_found),
		HTTP_TEST(another_method_is_not_allowed),
		HTTP_TEST(a_query_in_the_address_changes_nothing),
		HTTP_TEST(what_is_too_large_or_no_http_is_refused),
		HTTP_TEST(without_the_supervisor_it_is_unavailable),
		HTTP_TEST(a_client_that_leaves_early_leaks_nothing),
		HTTP_TEST(more_connections_than_there_is_room_for_wait),
		HTTP_TEST(a_unix_socket_serves_as_well),
		HTTP_TEST(a_port_that_is_taken_is_told),
		cmocka_unit_test(every_tool_has_room_to_be_counted),
		cmocka_unit_test(labels_without_room_are_counted_as_others),
		cmocka_unit_test(what_a_model_took_is_shown),
	};

	return cmocka_run_group_tests_name("agentd_metrics", tests, NULL, NULL);
}

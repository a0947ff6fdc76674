/* Connecting to a supervisor and waiting for its answers, which here stand in the socket before. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "tests/unit/control_client_world.h"

static int call(struct world *w, uint16_t type, void *ret_answer, uint32_t ret_size, int *ret_fd,
	enum control_refusal *ret_refusal)
{
	struct control_acquire request;
	uint32_t size = world_request(type, &request);

	return control_client_call(w->client, type, &request, size, ret_answer, ret_size, ret_fd, 0,
		ret_refusal, &w->err);
}

static void acquire_returns_the_lease_and_its_channel(void **state)
{
	struct world *w = *state;
	struct control_leased leased;
	struct message_header h;

	world_answer(w, CONTROL_LEASED, 1);
	assert_int_equal(call(w, CONTROL_ACQUIRE, &leased, sizeof(leased), &w->seen.fd, NULL), 0);
	assert_int_equal(leased.handle.sandbox, 4);
	assert_int_equal(leased.rung, RUNG_BUILT);
	assert_int_equal(fcntl(w->seen.fd, F_GETFD), FD_CLOEXEC);
	assert_true(world_read(w, &h));
	assert_int_equal(h.type, CONTROL_ACQUIRE);
}

static void calls_follow_each_other(void **state)
{
	struct world *w = *state;
	struct control_done done;

	for (uint32_t id = 1; id <= 3; id++) {
		world_answer(w, CONTROL_DONE, id);
		assert_int_equal(call(w, CONTROL_TOUCH, &done, sizeof(done), NULL, NULL), 0);
		assert_int_equal(done.header.id, id);
	}
}

static void ids_wrap_around_past_zero(void **state)
{
	struct world *w = *state;

	w->client->last_id = UINT32_MAX;
	world_answer(w, CONTROL_DONE, 1);
	assert_int_equal(call(w, CONTROL_TOUCH, NULL, 0, NULL, NULL), 0);
}

static void answer_nobody_wants_is_dropped_and_its_fd_closed(void **state)
{
	struct world *w = *state;

	world_answer(w, CONTROL_LEASED, 1);
	assert_int_equal(call(w, CONTROL_ACQUIRE, NULL, 0, NULL, NULL), 0);
}

static void no_more_of_the_answer_is_kept_than_fits(void **state)
{
	struct world *w = *state;
	char answer[sizeof(struct message_header) + 1];

	memset(answer, 'x', sizeof(answer));
	world_answer(w, CONTROL_LEASED, 1);
	assert_int_equal(call(w, CONTROL_ACQUIRE, answer, sizeof(answer) - 1, NULL, NULL), 0);
	assert_int_equal(answer[sizeof(answer) - 1], 'x');
}

static void every_refusal_is_an_error_with_its_text(void **state)
{
	static const int codes[] = {
		[REFUSED_DENIED] = EACCES,
		[REFUSED_NO_TEMPLATE] = ENOENT,
		[REFUSED_EMPTY] = EAGAIN,
		[REFUSED_TIMEOUT] = ETIMEDOUT,
		[REFUSED_LIMIT] = EDQUOT,
		[REFUSED_STALE] = ESTALE,
		[REFUSED_UNSUPPORTED] = EOPNOTSUPP,
		[REFUSED_BROKEN] = EIO,
		[REFUSED_STOPPING] = EHOSTDOWN,
	};
	struct world *w = *state;

	for (uint32_t i = REFUSED_DENIED; i < ARRAY_SIZE(codes); i++) {
		enum control_refusal refusal = 0;

		world_answer_refused(w, i, i, "because");
		assert_int_equal(call(w, CONTROL_ACQUIRE, NULL, 0, NULL, &refusal), -codes[i]);
		assert_int_equal(refusal, i);
		assert_int_equal(w->err.code, codes[i]);
		assert_string_equal(w->err.text, "because");
	}
}

static void after_what_a_refused_request_may_be_tried_again_is_told(void **state)
{
	static const uint32_t times[] = {20, 0};
	struct world *w = *state;

	assert_int_equal(control_client_retry_ms(w->client), 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(times); i++) {
		struct control_refused m = {.refusal = REFUSED_LIMIT, .retry_ms = times[i]};

		control_header(&m.header, CONTROL_REFUSED, sizeof(m), i + 1);
		world_answer_raw(w, &m, sizeof(m), NULL, 0);
		assert_int_equal(call(w, CONTROL_ACQUIRE, NULL, 0, NULL, NULL), -EDQUOT);
		assert_int_equal(control_client_retry_ms(w->client), times[i]);
	}
}

static void refusal_without_a_text_is_told_by_its_name(void **state)
{
	struct world *w = *state;

	world_answer_refused(w, 1, REFUSED_STALE, "");
	assert_int_equal(call(w, CONTROL_RELEASE, NULL, 0, NULL, NULL), -ESTALE);
	assert_string_equal(w->err.text, "stale");
}

static void lease_that_ends_meanwhile_is_told_and_the_wait_goes_on(void **state)
{
	struct world *w = *state;

	control_client_on_ended(w->client, world_on_ended, w);
	world_answer(w, CONTROL_LEASE_ENDED, 0);
	world_answer(w, CONTROL_LEASE_ENDED, 0);
	world_answer(w, CONTROL_DONE, 1);
	assert_int_equal(call(w, CONTROL_TOUCH, NULL, 0, NULL, NULL), 0);
	assert_int_equal(w->seen.ended, 2);
}

static void answer_that_comes_in_time_is_taken(void **state)
{
	struct world *w = *state;
	struct control_lease lease;
	uint32_t size = world_request(CONTROL_TOUCH, &lease);

	world_answer(w, CONTROL_LEASE_ENDED, 0);
	world_answer(w, CONTROL_DONE, 1);
	assert_int_equal(control_client_call(w->client, CONTROL_TOUCH, &lease, size, NULL, 0, NULL,
				 600000, NULL, &w->err),
		0);
	world_answer(w, CONTROL_DONE, 2);
	assert_int_equal(call(w, CONTROL_TOUCH, NULL, 0, NULL, NULL), 0);
	assert_int_equal(w->client->timeout_ms, 0); /* for ever again */
}

static void no_answer_in_time_ends_the_connection(void **state)
{
	struct world *w = *state;
	struct control_acquire request;
	uint32_t size = world_request(CONTROL_ACQUIRE, &request);
	enum control_refusal refusal = 0;

	assert_int_equal(control_client_call(w->client, CONTROL_ACQUIRE, &request, size, NULL, 0,
				 NULL, 1, &refusal, &w->err),
		-ETIMEDOUT);
	assert_string_equal(w->err.text, "no answer within 1 ms");
	assert_int_equal(refusal, 0);
	assert_true(world_client_is_gone(w));
	assert_int_equal(call(w, CONTROL_ACQUIRE, NULL, 0, NULL, NULL), -ETIMEDOUT);
}

static void assert_call_ends_the_connection(struct world *w, int code)
{
	assert_int_equal(call(w, CONTROL_ACQUIRE, NULL, 0, NULL, NULL), -code);
	assert_int_equal(call(w, CONTROL_ACQUIRE, NULL, 0, NULL, NULL), -code);
	assert_true(world_client_is_gone(w));
}

static void answer_to_another_id_ends_the_connection(void **state)
{
	world_answer(*state, CONTROL_LEASED, 2); /* its fd must not leak: tear down counts */
	assert_call_ends_the_connection(*state, EPROTO);
}

static void answer_that_does_not_fit_ends_the_connection(void **state)
{
	world_answer(*state, CONTROL_DONE, 1);
	assert_call_ends_the_connection(*state, EPROTO);
}

static void answer_that_fails_its_check_ends_the_connection(void **state)
{
	world_answer_raw(*state, "short", 5, NULL, 0);
	assert_call_ends_the_connection(*state, EMSGSIZE);
}

static void supervisor_that_has_gone_is_an_error(void **state)
{
	struct world *w = *state;

	fd_close(take_fd(&w->supervisor));
	assert_int_equal(call(w, CONTROL_ACQUIRE, NULL, 0, NULL, NULL), -EPIPE);
	assert_string_equal(w->err.text, "the supervisor has closed the connection");
}

static void supervisor_that_goes_while_we_wait_is_an_error(void **state)
{
	struct world *w = *state;

	assert_int_equal(shutdown(w->supervisor, SHUT_WR), 0);
	assert_int_equal(call(w, CONTROL_ACQUIRE, NULL, 0, NULL, NULL), -EPIPE);
}

static void request_that_the_protocol_does_not_allow_is_not_sent(void **state)
{
	struct world *w = *state;
	struct control_acquire request = {.template_name = "No Name"};
	struct message_header h;

	assert_int_equal(control_client_call(w->client, CONTROL_ACQUIRE, &request, sizeof(request),
				 NULL, 0, NULL, 0, NULL, &w->err),
		-EINVAL);
	assert_non_null(strstr(w->err.text, "template_name"));
	assert_false(world_read(w, &h));
	world_answer(w, CONTROL_DONE, 2);
	assert_int_equal(call(w, CONTROL_TOUCH, NULL, 0, NULL, NULL), 0); /* all is well */
}

static void rows_cannot_be_waited_for(void **state)
{
	struct world *w = *state;
	struct message_header h;

	assert_int_equal(call(w, CONTROL_LIST, NULL, 0, NULL, NULL), -EINVAL);
	assert_int_equal(call(w, CONTROL_POOLS, NULL, 0, NULL, NULL), -EINVAL);
	assert_false(world_read(w, &h));
}

static void the_two_ways_do_not_mix(void **state)
{
	struct world *w = *state;

	world_send(w, CONTROL_TOUCH);
	assert_int_equal(call(w, CONTROL_TOUCH, NULL, 0, NULL, NULL), -EINVAL);
	world_answer(w, CONTROL_DONE, 1);
	assert_int_equal(control_client_process(w->client, NULL), 0);
	world_answer(w, CONTROL_DONE, 2);
	assert_int_equal(call(w, CONTROL_TOUCH, NULL, 0, NULL, NULL), 0);
	assert_int_equal(control_client_process(w->client, NULL), 0); /* does not wait */
}

/* An instance's directory in a place of its own. */
struct instance {
	char directory[PATH_MAX];
	struct control_client *client;
	struct error err;
};

static int instance_set_up(void **state)
{
	static struct instance instance;

	instance = (struct instance){0};
	snprintf(instance.directory, sizeof(instance.directory), "%s/hearth-test-XXXXXX",
		getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	*state = &instance;
	return mkdtemp(instance.directory) ? 0 : -1;
}

static int instance_tear_down(void **state)
{
	struct instance *instance = *state;
	auto_close int directory_fd = -1;

	control_client_destroy(instance->client);
	chmod(instance->directory, 0700);
	directory_fd = open(instance->directory, O_PATH | O_CLOEXEC);
	unlinkat(directory_fd, "control.sock", 0);
	return rmdir(instance->directory);
}

static int connect_to(struct instance *instance)
{
	return control_client_connect(instance->directory, &instance->client, &instance->err);
}

/* A listener as the supervisor has it. */
static int listen_in(struct instance *instance, int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock",
			    instance->directory) < sizeof(address.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void assert_says_how_to_start_one(const struct instance *instance)
{
	char advice[2 * PATH_MAX];

	snprintf(advice, sizeof(advice), "hearth up --dir %s ", instance->directory);
	assert_non_null(strstr(instance->err.text, "no supervisor answers at "));
	assert_non_null(strstr(instance->err.text, advice));
	assert_null(instance->client);
}

static void directory_that_is_not_there_says_how_to_start_a_supervisor(void **state)
{
	struct instance *instance = *state;
	size_t length = strlen(instance->directory);

	strcat(instance->directory, "/none");
	assert_int_equal(connect_to(instance), -ENOENT);
	assert_says_how_to_start_one(instance);
	instance->directory[length] = '\0';
}

static void directory_without_a_socket_says_how_to_start_a_supervisor(void **state)
{
	struct instance *instance = *state;

	assert_int_equal(connect_to(instance), -ENOENT);
	assert_int_equal(instance->err.code, ENOENT);
	assert_says_how_to_start_one(instance);
}

static void socket_that_nobody_serves_says_how_to_start_a_supervisor(void **state)
{
	struct instance *instance = *state;

	close(listen_in(instance, 1));
	assert_int_equal(connect_to(instance), -ECONNREFUSED);
	assert_says_how_to_start_one(instance);
}

/* Root may everything, so that it must not be root for a moment. */
static void directory_that_may_not_be_entered_says_who_may(void **state)
{
	struct instance *instance = *state;
	uid_t uid = geteuid();
	int r;

	assert_int_equal(chmod(instance->directory, 0), 0);
	if (uid == 0)
		assert_int_equal(seteuid(65534), 0);
	r = connect_to(instance);
	if (uid == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(r, -EACCES);
	assert_non_null(strstr(instance->err.text, "it serves root and the user hearth"));
}

static void directory_that_is_none_is_an_error(void **state)
{
	struct instance *instance = *state;
	struct control_client *client = NULL;

	assert_int_equal(control_client_connect("/dev/null", &client, &instance->err), -ENOTDIR);
	assert_string_equal(instance->err.text, "/dev/null/control.sock: Not a directory");
}

static void supervisor_with_a_full_queue_says_to_try_again(void **state)
{
	struct instance *instance = *state;
	auto_close int listener = listen_in(instance, 0);
	struct control_client *clients[64] = {0};
	size_t count = 0;
	int r = 0;

	while (count < ARRAY_SIZE(clients) && r == 0) {
		r = control_client_connect(instance->directory, &clients[count], &instance->err);
		count += r == 0;
	}
	for (size_t i = 0; i < count; i++)
		control_client_destroy(clients[i]);
	assert_int_equal(r, -EAGAIN);
	assert_non_null(strstr(instance->err.text, "try again"));
	assert_true(listener >= 0);
}

static void connection_reaches_the_supervisor(void **state)
{
	struct instance *instance = *state;
	auto_close int listener = listen_in(instance, 1);
	auto_close int accepted = -1;
	struct world w = {0};
	struct control_lease lease;
	uint32_t size = world_request(CONTROL_TOUCH, &lease);

	assert_int_equal(connect_to(instance), 0);
	accepted = accept(listener, NULL, NULL);
	w.supervisor = accepted;
	world_answer(&w, CONTROL_DONE, 1);
	assert_int_equal(control_client_call(instance->client, CONTROL_TOUCH, &lease, size, NULL, 0,
				 NULL, 0, NULL, NULL),
		0);
}

int main(void)
{
#define INSTANCE_TEST(name)                                                                        \
	cmocka_unit_test_setup_teardown(name, instance_set_up, instance_tear_down)
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(acquire_returns_the_lease_and_its_channel),
		WORLD_TEST(calls_follow_each_other),
		WORLD_TEST(ids_wrap_around_past_zero),
		WORLD_TEST(answer_nobody_wants_is_dropped_and_its_fd_closed),
		WORLD_TEST(no_more_of_the_answer_is_kept_than_fits),
		WORLD_TEST(every_refusal_is_an_error_with_its_text),
		WORLD_TEST(after_what_a_refused_request_may_be_tried_again_is_told),
		WORLD_TEST(refusal_without_a_text_is_told_by_its_name),
		WORLD_TEST(lease_that_ends_meanwhile_is_told_and_the_wait_goes_on),
		WORLD_TEST(answer_that_comes_in_time_is_taken),
		WORLD_TEST(no_answer_in_time_ends_the_connection),
		WORLD_TEST(answer_to_another_id_ends_the_connection),
		WORLD_TEST(answer_that_does_not_fit_ends_the_connection),
		WORLD_TEST(answer_that_fails_its_check_ends_the_connection),
		WORLD_TEST(supervisor_that_has_gone_is_an_error),
		WORLD_TEST(supervisor_that_goes_while_we_wait_is_an_error),
		WORLD_TEST(request_that_the_protocol_does_not_allow_is_not_sent),
		WORLD_TEST(rows_cannot_be_waited_for),
		WORLD_TEST(the_two_ways_do_not_mix),
		INSTANCE_TEST(directory_that_is_not_there_says_how_to_start_a_supervisor),
		INSTANCE_TEST(directory_without_a_socket_says_how_to_start_a_supervisor),
		INSTANCE_TEST(socket_that_nobody_serves_says_how_to_start_a_supervisor),
		INSTANCE_TEST(directory_that_may_not_be_entered_says_who_may),
		INSTANCE_TEST(directory_that_is_none_is_an_error),
		INSTANCE_TEST(supervisor_with_a_full_queue_says_to_try_again),
		INSTANCE_TEST(connection_reaches_the_supervisor),
	};

	return cmocka_run_group_tests_name("control_client_call", tests, NULL, NULL);
}

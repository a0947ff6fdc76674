/* What an owner is told when its lease ends: why, at once; what it used, when all of it is dead. And KILL. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "supervisor/client.h"
#include "supervisor/sandbox.h"
#include "tests/unit/supervisor_world.h"

#define PLAIN "[instance]\nbuilders = 1\n[pool \"tiny\"]\nmin = 2\nmax = 4\n"

static void expect_receipt(const struct answer *answer, const struct control_handle *handle,
	enum lease_end_reason reason, uint32_t limits_hit)
{
	const struct control_receipt *m = &answer->receipt;

	assert_int_equal(m->handle.sandbox, handle->sandbox);
	assert_int_equal(m->handle.epoch, handle->epoch);
	assert_string_equal(control_reason_name(m->reason), control_reason_name(reason));
	assert_int_equal(m->limits_hit, limits_hit);
	assert_true(m->wall_ns > 0);
}

static void expect_usage(const struct answer *answer)
{
	const struct lease_usage *usage = &answer->receipt.usage;

	assert_int_equal(usage->cpu_ns, 1000);
	assert_int_equal(usage->memory_peak_bytes, 4096);
	assert_int_equal(usage->read_bytes, 1);
	assert_int_equal(usage->write_bytes, 2);
	assert_int_equal(usage->pids_peak, 3);
}

/* Nothing more comes before the answer to a question. */
static void expect_silence(struct world *w, int client)
{
	struct answer answer;

	world_query(client, CONTROL_LIST, 99);
	do
		answer = world_await(w, client);
	while (answer.header.type == CONTROL_SANDBOX_ROW);
	assert_int_equal(answer.header.type, CONTROL_DONE);
	assert_int_equal(answer.header.id, 99);
}

static void a_released_lease_has_one_receipt_and_no_other_word(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client), receipt;

	(void)state;
	world_lease_request(client, CONTROL_RELEASE, 2, &a.leased.handle);
	world_expect(w, client, CONTROL_DONE, 2);
	receipt = world_await(w, client);
	assert_int_equal(receipt.header.type, CONTROL_RECEIPT);
	expect_receipt(&receipt, &a.leased.handle, LEASE_RELEASED, 0);
	expect_usage(&receipt);
	world_until_ready(w, 2);
	expect_silence(w, client);
	close(a.fd);
	close(client);
	world_close(w);
}

/* It ends by itself for `reason`: that first, then one receipt. */
static void end_by_itself(
	const char *config, const char *word, enum lease_end_reason reason, uint32_t limits_hit)
{
	struct world *w = world_open(config, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client), told;

	if (word)
		assert_int_equal(world_send(a.fd, word, strlen(word), -1), 0);
	told = world_await(w, client);
	if (reason == LEASE_IDLE) {
		assert_int_equal(told.header.type, CONTROL_LEASE_FROZEN);
		told = world_await(w, client);
	}
	assert_int_equal(told.header.type, CONTROL_LEASE_ENDED);
	assert_string_equal(control_reason_name(told.ended.reason), control_reason_name(reason));
	told = world_await(w, client);
	assert_int_equal(told.header.type, CONTROL_RECEIPT);
	expect_receipt(&told, &a.leased.handle, reason, limits_hit);
	expect_usage(&told);
	assert_int_equal(told.receipt.usage.oom_kills, reason == LEASE_OOM ? 1 : 0);
	world_until_ready(w, 2);
	expect_silence(w, client);
	close(a.fd);
	close(client);
	world_close(w);
}

static void a_lease_that_ends_by_itself_is_told_first_and_receipted_then(void **state)
{
	(void)state;
	end_by_itself(PLAIN, "die", LEASE_GUEST_DIED, 0);
	end_by_itself(PLAIN, "oom", LEASE_OOM, LIMIT_HIT_MEMORY);
	end_by_itself(PLAIN "lease = 30ms\n", NULL, LEASE_DEADLINE, 0);
	end_by_itself(PLAIN "idle = 30ms\n", NULL, LEASE_IDLE, 0);
}

/* PID 1 exits although nothing killed it: the memory that ran out earlier is not why. */
static void a_guest_that_outlived_an_oom_did_not_die_of_it(void **state)
{
	(void)state;
	end_by_itself(PLAIN, "late", LEASE_GUEST_DIED, LIMIT_HIT_MEMORY);
}

static void a_lease_whose_builder_died_has_a_receipt_without_usage(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client), told;
	static const struct lease_usage nothing;

	(void)state;
	kill(w->builder, SIGKILL);
	told = world_expect(w, client, CONTROL_LEASE_ENDED, 0);
	assert_int_equal(told.ended.reason, LEASE_BUILDER_LOST);
	told = world_expect(w, client, CONTROL_RECEIPT, 0);
	expect_receipt(&told, &a.leased.handle, LEASE_BUILDER_LOST, 0);
	assert_memory_equal(&told.receipt.usage, &nothing, sizeof(nothing));
	world_until_ready(w, 2);
	expect_silence(w, client);
	close(a.fd);
	close(client);
	world_close(w);
}

static void a_stopping_supervisor_still_sends_receipts(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client), told;

	(void)state;
	supervisor_drain(w->supervisor);
	assert_int_equal(world_run(w), 0);
	told = world_expect(w, client, CONTROL_LEASE_ENDED, 0);
	assert_int_equal(told.ended.reason, LEASE_SHUTDOWN);
	told = world_expect(w, client, CONTROL_RECEIPT, 0);
	expect_receipt(&told, &a.leased.handle, LEASE_SHUTDOWN, 0);
	close(a.fd);
	close(client);
	world_close(w);
}

/* Releases, and leaves before the sandbox is dead: the supervisor must not write to what is gone. */
static void an_owner_that_left_meanwhile_is_forgotten(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int other = world_connect(w);

	(void)state;
	world_until_ready(w, 2);
	for (int i = 0; i < 20; i++) {
		int client = world_connect(w);
		struct answer a = world_lease(w, client);

		world_lease_request(client, CONTROL_RELEASE, 2, &a.leased.handle);
		close(client);
		close(a.fd);
	}
	world_until_leased(w, 0);
	world_until_ready(w, 2);
	expect_silence(w, other);
	close(other);
	world_close(w);
}

struct log_file {
	int fd, saved;
};

static struct log_file log_to_file(void)
{
	struct log_file log = {.saved = dup(STDERR_FILENO)};
	char path[] = "/tmp/hearth-unit-log.XXXXXX";

	log.fd = mkstemp(path);
	assert_true(log.fd >= 0 && log.saved >= 0);
	unlink(path);
	assert_true(dup2(log.fd, STDERR_FILENO) >= 0);
	return log;
}

static void read_log(struct log_file *log, char *text, size_t size)
{
	ssize_t n = pread(log->fd, text, size - 1, 0);

	dup2(log->saved, STDERR_FILENO);
	close(log->saved);
	close(log->fd);
	assert_true(n > 0);
	text[n] = '\0';
}

static void each_lease_is_one_line_of_the_log(void **state)
{
	static const char *const words[] = {"\"sandbox\":\"", "\"pool\":\"tiny\"",
		"\"reason\":\"released\"", "\"wall_ms\":\"", "\"cpu_ms\":\"0\"",
		"\"memory_peak_bytes\":\"4096\"", "\"read_bytes\":\"1\"", "\"write_bytes\":\"2\"",
		"\"pids_peak\":\"3\"", "\"oom_kills\":\"0\"", "\"limits_hit\":\"\""};
	struct log_file log = log_to_file();
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);
	char text[16384], *line;

	(void)state;
	world_lease_request(client, CONTROL_RELEASE, 2, &a.leased.handle);
	world_expect(w, client, CONTROL_DONE, 2);
	world_expect(w, client, CONTROL_RECEIPT, 0);
	close(a.fd);
	close(client);
	world_close(w);
	read_log(&log, text, sizeof(text));
	line = strstr(text, "\"event\":\"lease_ended\"");
	assert_non_null(line);
	assert_null(strstr(line + 1, "\"event\":\"lease_ended\"")); /* ready ones have none */
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strstr(line, words[i]))
			fail_msg("%s is not in %s", words[i], line);
}

static void kill_ends_a_lease_of_another_connection(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int owner = world_connect(w), killer = world_connect(w);
	struct answer a = world_lease(w, owner), told;

	(void)state;
	world_lease_request(killer, CONTROL_KILL, 7, &a.leased.handle);
	world_expect(w, killer, CONTROL_DONE, 7);
	told = world_await(w, owner);
	assert_int_equal(told.header.type, CONTROL_LEASE_ENDED);
	assert_int_equal(told.ended.reason, LEASE_KILLED);
	assert_int_equal(told.ended.limit, 0);
	told = world_await(w, owner);
	assert_int_equal(told.header.type, CONTROL_RECEIPT);
	expect_receipt(&told, &a.leased.handle, LEASE_KILLED, 0);
	expect_usage(&told);
	/* Once more, and a release, come too late. */
	world_lease_request(killer, CONTROL_KILL, 8, &a.leased.handle);
	world_expect_refused(w, killer, 8, REFUSED_STALE, "leased to nobody");
	world_lease_request(owner, CONTROL_RELEASE, 2, &a.leased.handle);
	world_expect_refused(w, owner, 2, REFUSED_STALE, "no lease");
	world_until_ready(w, 2);
	expect_silence(w, killer);
	close(a.fd);
	close(owner);
	close(killer);
	world_close(w);
}

static void kill_wants_the_handle_exactly(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int owner = world_connect(w), killer = world_connect(w);
	struct answer a = world_lease(w, owner);
	struct control_handle other_epoch = a.leased.handle, ready = a.leased.handle;

	(void)state;
	other_epoch.epoch--;
	world_lease_request(killer, CONTROL_KILL, 7, &other_epoch);
	world_expect_refused(w, killer, 7, REFUSED_STALE, "leased to nobody");
	world_until_ready(w, 2);
	ready.sandbox++; /* built next, leased to nobody */
	world_lease_request(killer, CONTROL_KILL, 8, &ready);
	world_expect_refused(w, killer, 8, REFUSED_STALE, "leased to nobody");
	world_lease_request(owner, CONTROL_TOUCH, 2, &a.leased.handle);
	world_expect(w, owner, CONTROL_DONE, 2);
	close(a.fd);
	close(owner);
	close(killer);
	world_close(w);
}

/* Whoever owns the lease, as the supervisor sees him. */
static struct client *owner_of(struct world *w, const struct answer *lease)
{
	return sandbox_find(w->supervisor, lease->leased.handle.sandbox)->owner;
}

static void kill_of_another_users_lease_is_for_root_only(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int owner = world_connect(w), killer = world_connect(w);
	struct answer a = world_lease(w, owner), b = world_lease(w, killer), told;

	(void)state;
	owner_of(w, &a)->peer.uid = geteuid() + 1;
	owner_of(w, &b)->role = ROLE_USER;
	world_lease_request(killer, CONTROL_KILL, 7, &a.leased.handle);
	world_expect_refused(w, killer, 7, REFUSED_DENIED, "is leased to uid");
	world_lease_request(owner, CONTROL_TOUCH, 2, &a.leased.handle);
	world_expect(w, owner, CONTROL_DONE, 2); /* it goes on */
	owner_of(w, &b)->role = ROLE_ROOT;
	world_lease_request(killer, CONTROL_KILL, 8, &a.leased.handle);
	world_expect(w, killer, CONTROL_DONE, 8);
	told = world_expect(w, owner, CONTROL_LEASE_ENDED, 0);
	assert_int_equal(told.ended.reason, LEASE_KILLED);
	close(a.fd);
	close(b.fd);
	close(owner);
	close(killer);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_released_lease_has_one_receipt_and_no_other_word),
		cmocka_unit_test(a_lease_that_ends_by_itself_is_told_first_and_receipted_then),
		cmocka_unit_test(a_guest_that_outlived_an_oom_did_not_die_of_it),
		cmocka_unit_test(a_lease_whose_builder_died_has_a_receipt_without_usage),
		cmocka_unit_test(a_stopping_supervisor_still_sends_receipts),
		cmocka_unit_test(an_owner_that_left_meanwhile_is_forgotten),
		cmocka_unit_test(each_lease_is_one_line_of_the_log),
		cmocka_unit_test(kill_ends_a_lease_of_another_connection),
		cmocka_unit_test(kill_wants_the_handle_exactly),
		cmocka_unit_test(kill_of_another_users_lease_is_for_root_only),
	};

	return cmocka_run_group_tests_name("supervisor_receipts", tests, NULL, NULL);
}

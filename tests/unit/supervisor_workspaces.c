#define _GNU_SOURCE 1 /* nftw */
/*
 * Workspaces: whose limit no file system holds, how they are measured, and what that is good for; that one lease
 * has one at a time.
 */
#include "tests/unit/supervisor_world.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "supervisor/binding.h"
#include "supervisor/builder_link.h"
#include "supervisor/sandbox.h"
#include "supervisor/workspace_lock.h"
#include "supervisor/workspace_size.h"
#include "supervisor/workspace_watch.h"

#define PLAIN                                                                                      \
	"[instance]\nbuilders = 1\n[workspaces]\nlimit = 1M\n"                                     \
	"[pool \"tiny\"]\nmin = 2\nmax = 4\n"

#define MIB	 (1u << 20)
#define TOO_MUCH "workspace w holds more than its limit of 1048576 bytes"

static char directory[64];
static int dirfd;

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/hearth-unit.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd < 0 ? -1 : mkdirat(dirfd, "w", 0755);
}

static int remove_one(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	(void)st;
	(void)what;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	close(dirfd);
	return nftw(directory, remove_one, 64, FTW_DEPTH | FTW_PHYS);
}

static void write_file(int at, const char *name, size_t size)
{
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	static const char bytes[4096] = "x";

	assert_true(fd >= 0);
	for (size_t i = 0; i < size; i += sizeof(bytes))
		assert_int_equal(fd_write_full(fd, bytes, sizeof(bytes)), 0);
	assert_int_equal(fsync(fd), 0); /* or its blocks are not counted yet */
	close(fd);
}

static void assert_about(uint64_t bytes, uint64_t least)
{
	assert_in_range(bytes, least, least + 256 * 1024); /* directories count too */
}

static void files_and_directories_are_added_up(void **state)
{
	(void)state;
	write_file(dirfd, "w/a", MIB);
	assert_int_equal(mkdirat(dirfd, "w/d", 0700), 0);
	write_file(dirfd, "w/d/b", MIB);
	write_file(dirfd, "beside", 4 * MIB);
	assert_about(workspace_size(dirfd, "w", UINT64_MAX - 1), 2 * MIB);
	assert_int_equal(workspace_size(dirfd, "missing", UINT64_MAX - 1), 0);
}

static void holes_cost_nothing_and_a_second_name_neither(void **state)
{
	(void)state;
	write_file(dirfd, "w/a", MIB);
	assert_int_equal(linkat(dirfd, "w/a", dirfd, "w/b", 0), 0);
	assert_int_equal(linkat(dirfd, "w/a", dirfd, "w/c", 0), 0);
	write_file(dirfd, "w/hole", 0);
	assert_int_equal(
		truncate(strcat(strcpy((char[128]){0}, directory), "/w/hole"), 64 * MIB), 0);
	assert_about(workspace_size(dirfd, "w", UINT64_MAX - 1), MIB - 4096);
}

static void empty_files_and_links_are_not_free(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i < 512; i++) {
		snprintf(name, sizeof(name), "w/%d", i);
		if (i % 2)
			write_file(dirfd, name, 0);
		else
			assert_int_equal(symlinkat("x", dirfd, name), 0);
	}
	assert_about(workspace_size(dirfd, "w", UINT64_MAX - 1), 512 * 4096);
}

static void what_is_no_file_or_leads_elsewhere_is_not_followed(void **state)
{
	(void)state;
	write_file(dirfd, "beside", 4 * MIB);
	assert_int_equal(mkdirat(dirfd, "other", 0755), 0);
	write_file(dirfd, "other/big", 4 * MIB);
	assert_int_equal(symlinkat("../beside", dirfd, "w/file"), 0);
	assert_int_equal(symlinkat("../other", dirfd, "w/directory"), 0);
	assert_int_equal(symlinkat("loop", dirfd, "w/loop"), 0);
	assert_int_equal(mkfifoat(dirfd, "w/fifo", 0644), 0);
	assert_about(workspace_size(dirfd, "w", UINT64_MAX - 1), 0);
	assert_int_equal(symlinkat("other", dirfd, "link"), 0);
	assert_int_equal(workspace_size(dirfd, "link", UINT64_MAX - 1), 0);
}

static void it_is_enough_to_know_that_it_is_too_much(void **state)
{
	char name[32];
	uint64_t bytes;

	(void)state;
	for (int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "w/%d", i);
		write_file(dirfd, name, MIB);
	}
	bytes = workspace_size(dirfd, "w", MIB);
	assert_in_range(bytes, MIB + 1, 3 * MIB);
}

/* A tree as deep as that is not looked into: it counts as too much. */
static void a_tree_that_is_too_deep_cannot_be_measured(void **state)
{
	int fd = openat(dirfd, "w", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	for (int depth = 1; depth <= WORKSPACE_DEPTH_MAX + 1; depth++) {
		int next;

		assert_true(workspace_size(dirfd, "w", UINT64_MAX - 1) < UINT64_MAX);
		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_true(workspace_size(dirfd, "w", UINT64_MAX - 1) == UINT64_MAX);
}

static const struct control_acquire own = {.workspace = "w"};

static struct answer acquire(struct world *w, int client)
{
	struct answer answer;

	world_acquire_own(client, 1, &own);
	do
		answer = world_await(w, client);
	while (answer.header.type == CONTROL_RECEIPT);
	return answer;
}

/* The world's directory is that of its workspaces; what is written is removed before its end. */
static struct world *open_world(const char *behaviour)
{
	struct world *w = world_open(PLAIN, behaviour);

	assert_int_equal(mkdirat(w->workspaces_fd, "w", 0755), 0);
	world_until_ready(w, 2);
	return w;
}

static void close_world(struct world *w)
{
	unlinkat(w->workspaces_fd, "w/big", 0);
	unlinkat(w->workspaces_fd, "w", AT_REMOVEDIR);
	world_close(w);
}

struct question {
	int client;
	uint16_t type;
	const char *text; /* of a refusal */
	struct answer answer;
};

/* Asks again and again. */
static bool is_answered_so(struct world *w, void *arg)
{
	struct question *q = arg;

	q->answer = acquire(w, q->client);
	if (q->answer.header.type == q->type)
		return q->type == CONTROL_LEASED || strstr(q->answer.refused.text, q->text);
	if (q->answer.header.type == CONTROL_LEASED)
		world_release(w, q->client, &q->answer);
	return false;
}

static void who_left_too_much_gets_it_back_once_there_is_less(void **state)
{
	struct world *w = open_world("soft=1");
	struct question q = {.client = world_connect(w), .type = CONTROL_REFUSED, .text = TOO_MUCH};
	struct answer a = acquire(w, q.client);

	(void)state;
	assert_int_equal(a.leased.is_soft, 1);
	write_file(w->workspaces_fd, "w/big", 2 * MIB);
	world_release(w, q.client, &a);
	world_until(w, is_answered_so, &q);
	assert_int_equal(q.answer.refused.refusal, REFUSED_LIMIT);
	assert_int_equal(unlinkat(w->workspaces_fd, "w/big", 0), 0);
	q.type = CONTROL_LEASED;
	world_until(w, is_answered_so, &q);
	close(q.answer.fd);
	close(q.client);
	close_world(w);
}

static void it_is_looked_after_while_it_is_leased(void **state)
{
	struct world *w = open_world("soft=1");
	struct question q = {.client = world_connect(w), .type = CONTROL_REFUSED, .text = TOO_MUCH};
	int client = world_connect(w);
	struct answer a = acquire(w, client);

	(void)state;
	write_file(w->workspaces_fd, "w/big", 2 * MIB);
	workspace_watch_look(w->supervisor->workspace_watch); /* as once a minute */
	world_until(w, is_answered_so, &q);
	assert_int_equal(q.answer.refused.refusal, REFUSED_LIMIT);
	close(a.fd);
	close(client);
	close(q.client);
	close_world(w);
}

#define ANOTHERS "another instance"

static bool can_be_had(struct world *w, void *arg)
{
	(void)w;
	return workspace_lock_take(*(const int *)arg, "w");
}

/* Of two instances that share the folder: the other one's is played by a second look at the locks. */
static void what_another_instance_has_is_refused_until_it_gives_it_back(void **state)
{
	struct world *w = open_world("");
	struct question q = {.client = world_connect(w), .type = CONTROL_REFUSED, .text = ANOTHERS};
	struct control_workspace removal = {.workspace = "w"};
	struct answer answer;
	struct error err;
	int locks = workspace_locks_open(w->workspaces_fd, &err);

	(void)state;
	assert_true(locks >= 0);
	assert_true(workspace_lock_take(locks, "w"));
	world_until(w, is_answered_so, &q);
	assert_int_equal(q.answer.refused.refusal, REFUSED_LIMIT);
	assert_int_equal(q.answer.refused.retry_ms, BINDING_WORKSPACE_RETRY_MS);
	control_header(&removal.header, CONTROL_WORKSPACE_REMOVE, sizeof(removal), 2);
	world_send(q.client, &removal, sizeof(removal), -1);
	answer = world_await(w, q.client);
	assert_int_equal(answer.header.type, CONTROL_REFUSED);
	assert_non_null(strstr(answer.refused.text, ANOTHERS));
	workspace_lock_give(locks, "w");
	q.type = CONTROL_LEASED;
	world_until(w, is_answered_so, &q);
	assert_false(workspace_lock_take(locks, "w"));
	assert_true(workspace_lock_take(locks, "another"));
	world_release(w, q.client, &q.answer);
	world_until(w, can_be_had, &locks);
	close(locks);
	close(q.answer.fd);
	close(q.client);
	close_world(w);
}

/* Each minute comes while one is being measured, which is due again at once. */
static void minutes_pass_until_it_is_over(struct world *w, const char *name)
{
	struct workspace_watch *watch = w->supervisor->workspace_watch;
	uint64_t until_ms = clock_now_ms() + WORLD_PATIENCE_MS;

	workspace_watch_look(watch);
	while (!workspace_watch_is_over(watch, name)) {
		assert_true(clock_now_ms() < until_ms);
		workspace_watch_look(watch);
		event_base_loop(w->supervisor->events, EVLOOP_NONBLOCK | EVLOOP_ONCE);
		poll(NULL, 0, 1);
	}
}

static void none_is_passed_over_for_one_that_is_always_due(void **state)
{
	static const struct control_acquire slow = {.workspace = "slow"};
	struct world *w = open_world("soft=1");
	int client = world_connect(w);
	struct answer a, b;

	(void)state;
	world_acquire_own(client, 1, &slow);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	b = acquire(w, client);
	write_file(w->workspaces_fd, "w/big", 2 * MIB);
	minutes_pass_until_it_is_over(w, "w");
	close(a.fd);
	close(b.fd);
	close(client);
	close_world(w);
}

static void a_limit_that_the_file_system_holds_is_not_looked_after(void **state)
{
	struct world *w = open_world(NULL);
	int client = world_connect(w), events;
	struct answer a = acquire(w, client);

	(void)state;
	assert_int_equal(a.leased.is_soft, 0);
	write_file(w->workspaces_fd, "w/big", 2 * MIB);
	events = event_base_get_num_events(w->supervisor->events, EVENT_BASE_COUNT_ADDED);
	workspace_watch_look(w->supervisor->workspace_watch);
	/* Nothing is being measured, nor will be in a minute: each would be an event. */
	assert_int_equal(
		event_base_get_num_events(w->supervisor->events, EVENT_BASE_COUNT_ADDED), events);
	world_release(w, client, &a);
	a = acquire(w, client);
	assert_int_equal(a.header.type, CONTROL_LEASED);
	close(a.fd);
	close(client);
	close_world(w);
}

/* A child that measures is ended with the supervisor: world_close() sees that none is left. */
static void an_end_in_the_middle_of_a_measure_leaves_nothing(void **state)
{
	struct world *w = open_world("soft=1");
	int client = world_connect(w);
	struct answer a = acquire(w, client);

	(void)state;
	workspace_watch_look(w->supervisor->workspace_watch);
	close(a.fd);
	close(client);
	close_world(w);
}

/* Its workspace is in use, by whom ever. */
static void expect_in_use(struct world *w, int client)
{
	struct answer a;

	world_acquire_own(client, 50, &own);
	a = world_expect(w, client, CONTROL_REFUSED, 50);
	assert_int_equal(a.refused.refusal, REFUSED_LIMIT);
	assert_int_equal(a.refused.retry_ms, 20);
	assert_string_equal(
		a.refused.text, "workspace w: another lease has it, or has just given it back");
}

static struct answer expect_free(struct world *w, int client)
{
	struct answer a;

	world_acquire_own(client, 51, &own);
	a = world_expect(w, client, CONTROL_LEASED, 51);
	assert_string_equal(a.leased.workspace, "w");
	return a;
}

static void a_workspace_is_one_leases_until_its_sandbox_is_proven_dead(void **state)
{
	static const struct control_acquire another = {.workspace = "v"};
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w), other = world_connect(w);
	struct answer a, b;

	(void)state;
	world_until_ready(w, 2);
	a = expect_free(w, client);
	expect_in_use(w, client);
	expect_in_use(w, other);
	world_acquire_own(other, 1, &another);
	b = world_expect(w, other, CONTROL_LEASED, 1);
	close(b.fd);
	kill(w->builder, SIGSTOP);
	close(a.fd);
	world_lease_request(client, CONTROL_RELEASE, 2, &a.leased.handle);
	world_expect(w, client, CONTROL_DONE, 2);
	expect_in_use(w, other);
	kill(w->builder, SIGCONT);
	world_expect(w, client, CONTROL_RECEIPT, 0);
	a = expect_free(w, other);
	close(a.fd);
	close(client);
	close(other);
	world_close(w);
}

static void a_workspace_is_in_use_while_its_acquire_waits(void **state)
{
	struct world *w =
		world_open("[instance]\nbuilders = 1\n[pool \"tiny\"]\nmin = 0\nmax = 1\n", NULL);
	int client = world_connect(w), waiter = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	world_acquire_own(waiter, 1, &own);
	world_query(waiter, CONTROL_POOLS, 99);
	world_expect(w, waiter, CONTROL_POOL_ROW, 99);
	world_expect(w, waiter, CONTROL_DONE, 99);
	expect_in_use(w, client);
	world_expect_closed(w, (shutdown(waiter, SHUT_WR), waiter));
	world_lease_request(client, CONTROL_RELEASE, 2, &a.leased.handle);
	world_expect(w, client, CONTROL_DONE, 2);
	close(a.fd);
	a = expect_free(w, client);
	close(a.fd);
	close(client);
	world_close(w);
}

static void what_is_refused_or_fails_leaves_its_workspace_free(void **state)
{
	static const struct control_acquire wrong = {.workspace = "w", .memory_bytes = 1};
	struct world *w = world_open(PLAIN, "fail_binds=1");
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_until_ready(w, 2);
	world_acquire_own(client, 1, &wrong);
	world_expect_refused(w, client, 1, REFUSED_LIMIT, "memory");
	world_acquire_own(client, 2, &own);
	world_expect_refused(w, client, 2, REFUSED_BROKEN, "cannot be bound");
	world_until_leased(w, 0);
	world_until_ready(w, 2);
	a = expect_free(w, client);
	close(a.fd);
	close(client);
	world_close(w);
}

static bool has_started(struct world *w, void *arg)
{
	return w->starts == *(unsigned *)arg;
}

static bool is_gone(struct world *w, void *arg)
{
	(void)arg;
	return list_is_empty(&w->supervisor->workspaces);
}

/* Its processes end with the start of its replacement; until then another builder has sandboxes. */
static void a_lost_builders_workspaces_are_in_use_until_it_is_replaced(void **state)
{
	struct world *w =
		world_open("[instance]\nbuilders = 2\n[pool \"tiny\"]\nmin = 2\nmax = 4\n", NULL);
	int client = world_connect(w);
	unsigned starts = 3;
	struct answer a, b;

	(void)state;
	world_until_ready(w, 2);
	a = expect_free(w, client);
	w->behaviour = "hang_at=1";
	kill(sandbox_find(w->supervisor, a.leased.handle.sandbox)->builder->process.pid, SIGKILL);
	world_expect(w, client, CONTROL_LEASE_ENDED, 0);
	close(a.fd);
	world_until(w, has_started, &starts);
	expect_in_use(w, client);
	b = world_lease(w, client); /* of the other builder */
	close(b.fd);
	kill(w->builder, SIGKILL);
	world_until(w, is_gone, NULL);
	assert_int_equal(w->starts, 4);
	a = expect_free(w, client);
	close(a.fd);
	close(client);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			files_and_directories_are_added_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			holes_cost_nothing_and_a_second_name_neither, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			empty_files_and_links_are_not_free, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_no_file_or_leads_elsewhere_is_not_followed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			it_is_enough_to_know_that_it_is_too_much, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_tree_that_is_too_deep_cannot_be_measured, set_up, tear_down),
		cmocka_unit_test(what_another_instance_has_is_refused_until_it_gives_it_back),
		cmocka_unit_test(who_left_too_much_gets_it_back_once_there_is_less),
		cmocka_unit_test(it_is_looked_after_while_it_is_leased),
		cmocka_unit_test(none_is_passed_over_for_one_that_is_always_due),
		cmocka_unit_test(a_limit_that_the_file_system_holds_is_not_looked_after),
		cmocka_unit_test(an_end_in_the_middle_of_a_measure_leaves_nothing),
		cmocka_unit_test(a_workspace_is_one_leases_until_its_sandbox_is_proven_dead),
		cmocka_unit_test(a_workspace_is_in_use_while_its_acquire_waits),
		cmocka_unit_test(what_is_refused_or_fails_leaves_its_workspace_free),
		cmocka_unit_test(a_lost_builders_workspaces_are_in_use_until_it_is_replaced),
	};

	return cmocka_run_group_tests_name("supervisor_workspaces", tests, NULL, NULL);
}

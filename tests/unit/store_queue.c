/* store.h: answers come in the order of asking, each once, also at the end; what waits is bounded. */
#include "tests/unit/store_world.h"

#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct log {
	struct world *w;
	unsigned count;
	int answers[STORE_PENDING_MAX + 1];
	int ask_again;
};

struct ticket {
	struct log *log;
	int number;
};

static void note(void *arg, int r, json_t *result, const struct error *err)
{
	struct ticket *ticket = arg;

	(void)result;
	(void)err;
	ticket->log->answers[ticket->log->count++] = r < 0 ? r : ticket->number;
}

static void answers_come_in_the_order_of_asking_whatever_they_are(void **state)
{
	struct world *w = *state;
	struct log log = {.w = w};
	struct ticket tickets[400];
	json_t *events = world_json(w, "[{'seq':1,'type':'x','data':{}}]");

	world_create_session(w, "s");
	world_begin_run(w, "r", "s");
	for (int i = 0; i < 400; i++) {
		int kind = i % 4;
		int r = -1;

		tickets[i] = (struct ticket){&log, i};
		json_object_set_new(json_array_get(events, 0), "seq", json_integer(i));
		if (kind == 0)
			r = store_event_append(w->store, "r", events, note, &tickets[i]);
		if (kind == 1)
			r = store_session_get(w->store, "s", note, &tickets[i]);
		if (kind == 2)
			r = store_session_get(w->store, "nobody", note, &tickets[i]);
		if (kind == 3)
			r = store_session_update(w->store, "s", world_json(w, "{'title':'%d'}", i),
				note, &tickets[i]);
		assert_int_equal(r, 0);
	}
	ASK(w, store_session_get, "s");
	world_expect(w, "{'title':'399'}");
	assert_int_equal(log.count, 400);
	for (int i = 0; i < 400; i++)
		assert_int_equal(log.answers[i], i % 4 == 2 ? -ENOENT : i);
}

static void an_operation_sees_what_was_asked_before_it(void **state)
{
	struct world *w = *state;

	assert_int_equal(
		store_session_create(w->store, world_json(w, "{'id':'s','agent':'a'}"), NULL, NULL),
		0);
	assert_int_equal(
		store_session_update(w->store, "s", world_json(w, "{'title':'T'}"), NULL, NULL), 0);
	ASK(w, store_session_get, "s");
	world_expect(w, "{'title':'T'}");
}

static atomic_int synced;
static sem_t gate;

static int sync_once_let(void)
{
	synced++;
	return sem_wait(&gate);
}

static void what_waits_for_a_sync_shares_the_next_one(void **state)
{
	struct world *w = *state;
	struct log log = {.w = w};
	struct ticket ticket = {&log, 1};
	int first;
	unsigned early;

	world_create_session(w, "s");
	sem_init(&gate, 0, 0);
	world_sync = sync_once_let;
	ASK(w, store_session_get, "s");
	assert_int_equal(synced, 0);
	store_session_update(w->store, "s", world_json(w, "{'title':'a'}"), note, &ticket);
	while (synced == 0 && log.count == 0)
		assert_int_equal(event_base_loop(w->base, EVLOOP_NONBLOCK), 0);
	first = synced;
	for (int i = 0; i < 100; i++)
		store_session_update(w->store, "s", world_json(w, "{'title':'b'}"), NULL, NULL);
	/* There is no answer as long as the disk has none. */
	event_base_loop(w->base, EVLOOP_NONBLOCK);
	early = log.count;
	assert_int_equal(
		store_session_update(w->store, "s", world_json(w, "{'title':'c'}"), world_done, w),
		0);
	sem_post(&gate);
	sem_post(&gate);
	world_wait(w, 0);
	world_expect(w, "{'title':'c'}");
	world_sync = NULL;
	assert_int_equal(first, 1);
	assert_int_equal(early, 0);
	assert_int_equal(log.count, 1);
	assert_int_equal(synced, 2);
}

static void an_argument_is_copied_when_asked(void **state)
{
	struct world *w = *state;
	json_t *session = world_json(w, "{'id':'s','agent':'a'}");
	char id[] = "s";

	assert_int_equal(store_session_create(w->store, session, NULL, NULL), 0);
	json_object_set_new(session, "agent", json_string("changed"));
	assert_int_equal(store_session_get(w->store, id, world_done, w), 0);
	id[0] = 'x';
	world_wait(w, 0);
	world_expect(w, "{'id':'s','agent':'a'}");
}

static void one_more_than_may_wait_is_refused_and_the_others_are_answered(void **state)
{
	static struct ticket tickets[STORE_PENDING_MAX];
	struct world *w = *state;
	struct log log = {.w = w};

	for (int i = 0; i < STORE_PENDING_MAX; i++) {
		tickets[i] = (struct ticket){&log, i};
		assert_int_equal(store_session_get(w->store, "s", note, &tickets[i]), 0);
	}
	assert_int_equal(store_session_get(w->store, "s", note, NULL), -EBUSY);
	while (log.count < STORE_PENDING_MAX)
		event_base_loop(w->base, EVLOOP_ONCE);
	ASK(w, store_session_get, "s");
	world_expect_error(w, -ENOENT, "no session s");
}

static void events_alone_are_answered_too(void **state)
{
	struct world *w = *state;

	world_create_session(w, "s");
	world_begin_run(w, "r", "s");
	ASK(w, store_event_append, "r", world_json(w, "[{'seq':1,'type':'x','data':{}}]"));
	world_expect(w, "{'seq':1}");
	world_reopen(w);
	ASK(w, store_event_list, "r", 0);
	world_expect(w, "{'events':[{'seq':1}]}");
}

static void a_callback_may_ask(void *arg, int r, json_t *result, const struct error *err)
{
	struct log *log = arg;

	(void)result;
	(void)err;
	log->answers[log->count++] = r;
	log->ask_again = store_session_get(log->w->store, "s", note, NULL);
}

static void closing_answers_what_was_asked_and_refuses_more(void **state)
{
	struct world *w = *state;
	struct log log = {.w = w};

	assert_int_equal(store_session_create(w->store, world_json(w, "{'id':'s','agent':'a'}"),
				 a_callback_may_ask, &log),
		0);
	store_close(w->store);
	w->store = NULL;
	assert_int_equal(log.count, 1);
	assert_int_equal(log.answers[0], 0);
	assert_int_equal(log.ask_again, -ECANCELED);
	world_open(w);
	ASK(w, store_session_get, "s");
	world_expect(w, "{'id':'s'}");
}

static void closing_does_not_wait_for_events_to_share(void **state)
{
	struct world *w = *state;
	struct log log = {.w = w};
	struct ticket ticket = {&log, 7};

	world_create_session(w, "s");
	world_begin_run(w, "r", "s");
	assert_int_equal(store_event_append(w->store, "r",
				 world_json(w, "[{'seq':1,'type':'x','data':{}}]"), note, &ticket),
		0);
	world_close(w);
	assert_int_equal(log.count, 1);
	assert_int_equal(log.answers[0], 7);
}

static void ask_from_within(void *arg, int r, json_t *result, const struct error *err)
{
	struct world *w = arg;

	(void)result;
	(void)err;
	assert_int_equal(r, 0);
	assert_int_equal(store_session_get(w->store, "s", world_done, w), 0);
}

static void a_callback_may_ask_for_more(void **state)
{
	struct world *w = *state;

	world_wait(w, store_session_create(w->store, world_json(w, "{'id':'s','agent':'a'}"),
			      ask_from_within, w));
	world_expect(w, "{'id':'s'}");
}

static volatile sig_atomic_t handled;

static void on_signal(int number)
{
	(void)number;
	handled++;
}

static void the_stores_thread_takes_no_signal(void **state)
{
	const struct timespec none = {0};
	struct world *w = *state;
	sigset_t set, before;

	world_create_session(w, "s");
	signal(SIGUSR1, on_signal);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &before);
	kill(getpid(), SIGUSR1);
	ASK(w, store_session_get, "s");
	assert_int_equal(handled, 0);
	assert_int_equal(sigtimedwait(&set, NULL, &none), SIGUSR1);
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGUSR1, SIG_DFL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(answers_come_in_the_order_of_asking_whatever_they_are),
		T(an_operation_sees_what_was_asked_before_it),
		T(what_waits_for_a_sync_shares_the_next_one),
		T(an_argument_is_copied_when_asked),
		T(one_more_than_may_wait_is_refused_and_the_others_are_answered),
		T(events_alone_are_answered_too),
		T(closing_answers_what_was_asked_and_refuses_more),
		T(closing_does_not_wait_for_events_to_share),
		T(a_callback_may_ask_for_more),
		T(the_stores_thread_takes_no_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

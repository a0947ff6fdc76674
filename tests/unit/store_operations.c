/* store.h: what each operation does, what it refuses, and the order of answers. */
#include "tests/unit/store_world.h"

#include <stdio.h>

static void a_session_is_created_found_and_kept(void **state)
{
	struct world *w = *state;

	ASK(w, store_session_create,
		world_json(w, "{'id':'s1','agent':'coder','workspace':'w-1','title':'T'}"));
	world_expect(w, "{'id':'s1','agent':'coder','title':'T','workspace':'w-1','cwd':null,'"
			"messages':0}");
	assert_true(json_integer_value(json_object_get(w->result, "created_ms")) > 1500000000000);

	world_reopen(w);
	ASK(w, store_session_get, "s1");
	world_expect(w, "{'id':'s1','agent':'coder','title':'T','workspace':'w-1','cwd':null,'"
			"messages':0}");
}

static void a_session_that_is_not_there_is_told_by_every_operation(void **state)
{
	struct world *w = *state;

	ASK(w, store_session_get, "nobody");
	world_expect_error(w, -ENOENT, "store: get session: no session nobody");
	ASK(w, store_session_update, "nobody", world_json(w, "{'title':'x'}"));
	world_expect_error(w, -ENOENT, "no session nobody");
	ASK(w, store_session_summarize, "nobody", "x", 0);
	world_expect_error(w, -ENOENT, "no session nobody");
	ASK(w, store_history, "nobody");
	world_expect_error(w, -ENOENT, "no session nobody");
	ASK(w, store_session_delete, "nobody");
	world_expect_error(w, -ENOENT, "no session nobody");
	ASK(w, store_message_list, "nobody", 1, 0);
	world_expect_error(w, -ENOENT, "no session nobody");
	ASK(w, store_run_begin, world_json(w, "{'id':'r','session':'nobody','agent':'a'}"),
		world_json(w, "[]"));
	world_expect_error(w, -ENOENT, "no session nobody");
	ASK(w, store_run_get, "r");
	world_expect_error(w, -ENOENT, "no run r");
}

static void a_second_session_of_that_id_is_refused(void **state)
{
	struct world *w = *state;

	world_create_session(w, "s1");
	ASK(w, store_session_create, world_json(w, "{'id':'s1','agent':'other'}"));
	world_expect_error(w, -EEXIST, "s1 is there already");
	ASK(w, store_session_get, "s1");
	world_expect(w, "{'agent':'coder'}");
}

static void sessions_are_listed_last_used_first_by_pages_and_by_agent(void **state)
{
	struct world *w = *state;

	ASK(w, store_session_list, NULL, 10, 0);
	world_expect(w, "{'sessions':[],'total':0}");
	world_create_session(w, "s1");
	world_create_session(w, "s2");
	ASK(w, store_session_create, world_json(w, "{'id':'s3','agent':'other'}"));
	ASK(w, store_session_list, NULL, 10, 0);
	world_expect(w, "{'sessions':[{'id':'s3'},{'id':'s2'},{'id':'s1'}],'total':3}");
	ASK(w, store_session_list, NULL, 1, 1);
	world_expect(w, "{'sessions':[{'id':'s2'}],'total':3}");
	ASK(w, store_session_list, NULL, 10, 3);
	world_expect(w, "{'sessions':[],'total':3}");
	ASK(w, store_session_list, "coder", 10, 0);
	world_expect(w, "{'sessions':[{'id':'s2'},{'id':'s1'}],'total':2}");
	ASK(w, store_session_list, "no\xff", 10, 0);
	world_expect(w, "{'sessions':[],'total':0}");
	ASK(w, store_session_list, NULL, 0, 0);
	world_expect(w, "{'sessions':[],'total':3}");
}

static void a_list_of_sessions_is_capped(void **state)
{
	struct world *w = *state;
	char id[16];

	for (int i = 0; i <= STORE_SESSIONS_MAX; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		assert_int_equal(store_session_create(w->store,
					 world_json(w, "{'id':'%s','agent':'a'}", id), NULL, NULL),
			0);
	}
	ASK(w, store_session_list, NULL, UINT32_MAX, 0);
	assert_int_equal(
		json_array_size(json_object_get(w->result, "sessions")), STORE_SESSIONS_MAX);
	world_expect(w, "{'total':%d}", STORE_SESSIONS_MAX + 1);
}

static void what_an_update_does_not_name_stays(void **state)
{
	struct world *w = *state;

	world_create_session(w, "s1");
	ASK(w, store_session_update, "s1", world_json(w, "{'title':'T','id':'x','messages':7}"));
	world_expect(w, "{'id':'s1','title':'T','agent':'coder','cwd':null,'messages':0}");
	ASK(w, store_session_update, "s1", world_json(w, "{'cwd':'/w','agent':'other'}"));
	world_expect(w, "{'title':'T','agent':'other','cwd':'/w'}");
	ASK(w, store_session_update, "s1", world_json(w, "{'title':null,'cwd':''}"));
	world_expect(w, "{'title':'T','cwd':''}");
	ASK(w, store_session_update, "s1", world_json(w, "{}"));
	world_expect(w, "{'title':'T','agent':'other','cwd':''}");
}

static void a_deleted_session_takes_all_that_is_its_own(void **state)
{
	struct world *w = *state;

	world_create_session(w, "s1");
	world_create_session(w, "s2");
	world_begin_run(w, "r1", "s1");
	world_begin_run(w, "r2", "s2");
	world_commit_turn(w, "r1", 1);
	ASK(w, store_event_append, "r1", world_json(w, "[{'seq':1,'type':'t','data':{}}]"));

	ASK(w, store_session_delete, "s1");
	world_expect_error(w, -EBUSY, "run r1 of it is running");
	ASK(w, store_run_end, "r1", "cancelled", NULL);
	ASK(w, store_session_delete, "s1");
	world_expect(w, "{'id':'s1','messages':2}");

	ASK(w, store_run_get, "r1");
	world_expect_error(w, -ENOENT, "no run r1");
	ASK(w, store_event_list, "r1", 0);
	world_expect_error(w, -ENOENT, "no run r1");
	ASK(w, store_call_start, "r1", 1, 0);
	world_expect_error(w, -ENOENT, "has no call 0 of turn 1");
	ASK(w, store_message_list, "s2", 1, 0);
	world_expect(w, "{'total':1}");

	/* Its ids are free again, and nothing of it is found under them. */
	world_create_session(w, "s1");
	world_begin_run(w, "r1", "s1");
	ASK(w, store_message_list, "s1", 1, 0);
	world_expect(w, "{'total':1,'messages':[{'seq':1,'role':'user'}]}");
	ASK(w, store_event_list, "r1", 0);
	world_expect(w, "{'events':[]}");
}

static void a_summary_stands_for_the_messages_before_it(void **state)
{
	struct world *w = *state;

	world_create_session(w, "s1");
	world_begin_run(w, "r1", "s1");
	ASK(w, store_run_begin, world_json(w, "{'id':'r2','session':'s1','agent':'a'}"),
		world_json(w, "[{'role':'user','content':'x'},{'role':'user','content':'y'}]"));
	ASK(w, store_history, "s1");
	world_expect(
		w, "{'summary':null,'summarized':0,'messages':[{'seq':1},{'seq':2},{'seq':3}]}");
	assert_int_equal(json_array_size(json_object_get(w->result, "messages")), 3);

	ASK(w, store_session_summarize, "s1", "all of it", 2);
	assert_int_equal(w->r, 0);
	world_reopen(w);
	ASK(w, store_history, "s1");
	world_expect(w, "{'summary':'all of "
			"it','summarized':2,'messages':[{'seq':3,'message':{'content':'y'}}]}");
	assert_int_equal(json_array_size(json_object_get(w->result, "messages")), 1);
	ASK(w, store_message_list, "s1", 1, 0);
	world_expect(w, "{'total':3}");

	ASK(w, store_session_summarize, "s1", "less", 1);
	world_expect_error(w, -ENOENT, "no session s1");
	ASK(w, store_session_summarize, "s1", "more", 4);
	world_expect_error(w, -ENOENT, "no session s1");
	ASK(w, store_session_summarize, "s1", "everything", 3);
	ASK(w, store_history, "s1");
	world_expect(w, "{'summary':'everything','summarized':3,'messages':[]}");
}

static void a_history_tells_which_run_of_its_session_has_not_ended(void **state)
{
	struct world *w = *state;

	world_create_session(w, "s1");
	world_create_session(w, "s2");
	world_begin_run(w, "r1", "s1");
	ASK(w, store_history, "s2");
	world_expect(w, "{'running':null}");
	world_reopen(w); /* as after a crash */
	ASK(w, store_history, "s1");
	world_expect(w, "{'running':'r1'}");
	ASK(w, store_run_end, "r1", "failed", NULL);
	ASK(w, store_history, "s1");
	world_expect(w, "{'running':null}");
}

static void a_workspace_is_to_be_removed_until_it_is_said_to_be_gone(void **state)
{
	struct world *w = *state;

	ASK(w, store_session_create, world_json(w, "{'id':'s1','agent':'a','workspace':'w1'}"));
	ASK(w, store_session_create, world_json(w, "{'id':'s2','agent':'a','workspace':'w2'}"));
	ASK(w, store_session_create, world_json(w, "{'id':'s3','agent':'a','workspace':''}"));
	ASK(w, store_removal_list);
	world_expect(w, "{'removals':[]}");
	for (int i = 1; i <= 3; i++)
		ASK(w, store_session_delete, (char[]){'s', (char)('0' + i), '\0'});
	world_reopen(w);
	ASK(w, store_removal_list);
	world_expect(w, "{'removals':[{'workspace':'w1'},{'workspace':'w2'}]}");
	for (int i = 0; i < 2; i++) {
		ASK(w, store_removal_done, "w1");
		assert_int_equal(w->r, 0);
	}
	world_reopen(w);
	ASK(w, store_removal_list);
	world_expect(w, "{'removals':[{'workspace':'w2'}]}");
}

static void a_run_begins_with_its_messages_or_not_at_all(void **state)
{
	struct world *w = *state;

	world_create_session(w, "s1");
	ASK(w, store_run_begin, world_json(w, "{'id':'r1','session':'s1','agent':'a'}"),
		world_json(w, "[{'role':'user','content':'x'},{'content':'no role'}]"));
	world_expect_error(w, -EINVAL, "message: role: is required");
	ASK(w, store_run_get, "r1");
	world_expect_error(w, -ENOENT, "no run r1");
	ASK(w, store_message_list, "s1", 1, 0);
	world_expect(w, "{'messages':[],'total':0}");

	ASK(w, store_run_begin, world_json(w, "{'id':'r1','session':'s1','agent':'a'}"),
		world_json(
			w, "[{'role':'system','content':'x'},{'role':'user','content':[1,{}]}]"));
	world_expect(w,
		"{'id':'r1','session':'s1','agent':'a','status':'running','options':{},'turn':0,"
		"'epoch':1,'error':null,'finish':null,'prompt_tokens':0,'completion_tokens':0}");
	ASK(w, store_message_list, "s1", 1, 0);
	world_expect(w,
		"{'messages':["
		"{'seq':1,'role':'system','run':'r1','message':{'role':'system','content':'x'}},"
		"{'seq':2,'role':'user','run':'r1','message':{'role':'user','content':[1,{}]}}],"
		"'total':2}");
	ASK(w, store_run_begin, world_json(w, "{'id':'r1','session':'s1','agent':'a'}"),
		world_json(w, "[]"));
	world_expect_error(w, -EEXIST, "r1 is there already");
}

static void messages_are_listed_from_a_number_on(void **state)
{
	struct world *w = *state;

	world_create_session(w, "s1");
	for (int i = 0; i < 5; i++)
		world_begin_run(w, (char[]){'r', (char)('0' + i), '\0'}, "s1");
	ASK(w, store_message_list, "s1", 2, 2);
	world_expect(w, "{'messages':[{'seq':2,'run':'r1'},{'seq':3,'run':'r2'}],'total':5}");
	ASK(w, store_message_list, "s1", 4, 0);
	world_expect(w, "{'messages':[{'seq':4},{'seq':5}],'total':5}");
	ASK(w, store_message_list, "s1", 0, 1);
	world_expect(w, "{'messages':[{'seq':1}],'total':5}");
	ASK(w, store_message_list, "s1", UINT64_MAX, 0);
	world_expect(w, "{'messages':[],'total':5}");
}

static void a_turn_is_committed_once_and_in_order(void **state)
{
	struct world *w = *state;
	const json_t *message = world_json(w, "{'role':'assistant','content':'x'}");

	world_create_session(w, "s1");
	world_begin_run(w, "r1", "s1");
	ASK(w, store_turn_commit, "r1", 2, message, NULL, NULL);
	world_expect_error(w, -EINVAL, "turn 2 does not follow turn 0");
	world_commit_turn(w, "r1", 1);
	ASK(w, store_turn_commit, "r1", 1, message, NULL, NULL);
	world_expect_error(w, -EEXIST, "turn 1 is committed already");
	ASK(w, store_turn_commit, "r1", 2, message, NULL,
		world_json(
			w, "{'prompt_tokens':20,'completion_tokens':3,'finish':'stop','more':1}"));
	world_expect(w, "{'turn':2,'prompt_tokens':30,'completion_tokens':5,'finish':'stop',"
			"'status':'running','options':{'x':[1]}}");
	ASK(w, store_message_list, "s1", 1, 0);
	world_expect(w, "{'messages':[{'role':'user'},{'role':'assistant'},"
			"{'role':'assistant','message':{'content':'x'}}],'total':3}");

	ASK(w, store_turn_commit, "r2", 1, message, NULL, NULL);
	world_expect_error(w, -ENOENT, "no run r2");
	ASK(w, store_run_end, "r1", "failed", NULL);
	ASK(w, store_turn_commit, "r1", 3, message, NULL, NULL);
	world_expect_error(w, -ENOENT, "run r1 has ended");
}

static void a_turn_with_a_call_that_does_not_fit_leaves_nothing(void **state)
{
	struct world *w = *state;

	world_create_session(w, "s1");
	world_begin_run(w, "r1", "s1");
	ASK(w, store_turn_commit, "r1", 1, world_json(w, "{'role':'assistant'}"),
		world_json(w, "[{'id':'a','name':'bash','arguments':'{}'},{'id':'b','name':'x'}]"),
		NULL);
	world_expect_error(w, -EINVAL, "calls[1]: arguments: is required");
	ASK(w, store_run_get, "r1");
	world_expect(w, "{'turn':0}");
	ASK(w, store_message_list, "s1", 1, 0);
	world_expect(w, "{'total':1}");
	ASK(w, store_call_start, "r1", 1, 0);
	world_expect_error(w, -ENOENT, "has no call 0");
}

static void a_call_goes_from_intended_to_running_to_done(void **state)
{
	struct world *w = *state;
	const json_t *message = world_json(w, "{'role':'tool','tool_call_id':'c1','content':'ok'}");

	world_create_session(w, "s1");
	world_begin_run(w, "r1", "s1");
	world_commit_turn(w, "r1", 1);
	ASK(w, store_call_start, "r1", 1, 0);
	world_expect(w, "{'id':'c1','run':'r1','turn':1,'position':0,'name':'bash',"
			"'arguments':'{}','state':'running','receipt':null}");
	ASK(w, store_call_start, "r1", 1, 0);
	world_expect_error(w, -ENOENT, "call 0 of turn 1 is running");
	ASK(w, store_call_finish, "r1", 1, 0, message, world_json(w, "{'exit':0}"));
	world_expect(w, "{'id':'c1','state':'done','receipt':{'exit':0}}");
	ASK(w, store_call_finish, "r1", 1, 0, message, NULL);
	world_expect_error(w, -ENOENT, "call 0 of turn 1 is done");
	ASK(w, store_call_start, "r1", 1, 0);
	world_expect_error(w, -ENOENT, "call 0 of turn 1 is done");
	ASK(w, store_call_start, "r1", 1, 2);
	world_expect_error(w, -ENOENT, "run r1 has no call 2 of turn 1");
	ASK(w, store_message_list, "s1", 3, 0);
	world_expect(w, "{'messages':[{'seq':3,'role':'tool','run':'r1',"
			"'message':{'tool_call_id':'c1','content':'ok'}}],'total':3}");
}

static void a_call_of_a_run_that_ended_is_not_started_but_finished(void **state)
{
	struct world *w = *state;

	world_create_session(w, "s1");
	world_begin_run(w, "r1", "s1");
	world_commit_turn(w, "r1", 1);
	ASK(w, store_run_end, "r1", "cancelled", NULL);
	ASK(w, store_call_start, "r1", 1, 0);
	world_expect_error(w, -ENOENT, "is intended, or its run has ended");
	ASK(w, store_call_finish, "r1", 1, 0, world_json(w, "{'role':'tool'}"), NULL);
	world_expect(w, "{'state':'done','receipt':null}");
}

static void a_run_ends_once(void **state)
{
	struct world *w = *state;

	world_create_session(w, "s1");
	world_begin_run(w, "r1", "s1");
	ASK(w, store_run_end, "r1", "running", NULL);
	world_expect_error(w, -EINVAL, "status: must be completed, failed or cancelled");
	ASK(w, store_run_end, "r1", "failed",
		world_json(w, "{'finish':'error','error':{'code':'upstream_error'}}"));
	world_expect(w, "{'status':'failed','finish':'error','error':{'code':'upstream_error'}}");
	ASK(w, store_run_end, "r1", "completed", NULL);
	world_expect_error(w, -EEXIST, "run r1 has ended already");
	ASK(w, store_run_get, "r1");
	world_expect(w, "{'status':'failed'}");
	ASK(w, store_run_end, "r2", "completed", NULL);
	world_expect_error(w, -ENOENT, "no run r2");
}

static void open_runs_are_listed_with_the_calls_of_their_last_turn(void **state)
{
	struct world *w = *state;

	world_create_session(w, "s1");
	for (int i = 1; i <= 3; i++)
		world_begin_run(w, (char[]){'r', (char)('0' + i), '\0'}, "s1");
	world_commit_turn(w, "r1", 1);
	world_commit_turn(w, "r1", 2);
	ASK(w, store_call_start, "r1", 2, 1);
	ASK(w, store_event_append, "r1",
		world_json(w, "[{'seq':1,'type':'x','data':{}},{'seq':2,'type':'x','data':{}}]"));
	ASK(w, store_run_end, "r2", "completed", NULL);

	world_reopen(w);
	ASK(w, store_run_open_list);
	world_expect(w, "{'runs':[{'id':'r1','turn':2,'epoch':2,'last_event':2,'calls':["
			"{'id':'c1','turn':2,'position':0,'state':'intended'},"
			"{'id':'c2','turn':2,'position':1,'state':'running'}]},"
			"{'id':'r3','turn':0,'epoch':2,'last_event':0,'calls':[]}]}");
	ASK(w, store_run_get, "r2");
	world_expect(w, "{'epoch':1}");
	ASK(w, store_run_open_list);
	world_expect(w, "{'runs':[{'id':'r1','epoch':3},{'id':'r3','epoch':3}]}");
}

static void events_are_appended_all_or_none_and_followed(void **state)
{
	struct world *w = *state;

	world_create_session(w, "s1");
	world_begin_run(w, "r1", "s1");
	ASK(w, store_event_append, "r1",
		world_json(w, "[{'seq':1,'type':'delta','data':{'text':'a'},'run':'r9'},"
			      "{'seq':2,'type':'delta','data':{'text':'b'}}]"));
	world_expect(w, "{'seq':2}");
	ASK(w, store_event_append, "r1",
		world_json(w, "[{'seq':3,'type':'x','data':{}},{'seq':2,'type':'x','data':{}}]"));
	world_expect_error(w, -EEXIST, "there is an event 2 already");
	ASK(w, store_event_append, "r2", world_json(w, "[{'seq':3,'type':'x','data':{}}]"));
	world_expect_error(w, -ENOENT, "no run r2");
	ASK(w, store_event_append, "r1", world_json(w, "[{'seq':3,'type':'x'}]"));
	world_expect_error(w, -EINVAL, "data: is required");
	ASK(w, store_event_list, "r1", 0);
	world_expect(w, "{'events':[{'seq':1,'type':'delta','data':{'text':'a'}},"
			"{'seq':2,'data':{'text':'b'}}]}");
	ASK(w, store_event_list, "r1", 1);
	world_expect(w, "{'events':[{'seq':2}]}");
	ASK(w, store_event_list, "r1", 2);
	world_expect(w, "{'events':[]}");
}

static void a_list_of_events_is_capped_and_goes_on_after_the_last(void **state)
{
	struct world *w = *state;
	json_t *events = world_json(w, "[]");

	for (int i = 1; i <= STORE_EVENTS_MAX + 5; i++)
		json_array_append(events, world_json(w, "{'seq':%d,'type':'x','data':{}}", i));
	world_create_session(w, "s1");
	world_begin_run(w, "r1", "s1");
	ASK(w, store_event_append, "r1", events);
	ASK(w, store_event_list, "r1", 0);
	assert_int_equal(json_array_size(json_object_get(w->result, "events")), STORE_EVENTS_MAX);
	ASK(w, store_event_list, "r1", STORE_EVENTS_MAX);
	world_expect(w, "{'events':[{'seq':1001},{'seq':1002},{'seq':1003},{'seq':1004},"
			"{'seq':1005}]}");
}

static void keys_are_created_listed_and_revoked(void **state)
{
	static const char hash[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct world *w = *state;
	const json_t *key = world_json(
		w, "{'id':'k1','name':'ci','prefix':'sk_live_ab','hash':'%s','key':'x'}", hash);

	ASK(w, store_key_create, key);
	world_expect(
		w, "{'keys':[{'id':'k1','name':'ci','prefix':'sk_live_ab','hash':'%s'}]}", hash);
	assert_null(json_object_get(json_array_get(json_object_get(w->result, "keys"), 0), "key"));
	ASK(w, store_key_create, key);
	world_expect_error(w, -EEXIST, "its id or hash is there already");
	ASK(w, store_key_create,
		world_json(w, "{'id':'k2','name':'a','prefix':'b','hash':'sk_live_secret'}"));
	world_expect_error(w, -EINVAL, "hash: must be SHA-256");
	assert_null(strstr(w->err.text, "secret"));

	world_reopen(w);
	ASK(w, store_key_list);
	world_expect(w, "{'keys':[{'id':'k1','name':'ci','hash':'%s'}]}", hash);
	ASK(w, store_key_revoke, "k1");
	world_expect(w, "{'keys':[]}");
	ASK(w, store_key_revoke, "k1");
	world_expect_error(w, -ENOENT, "no key k1");
	ASK(w, store_key_list);
	world_expect(w, "{'keys':[]}");
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_session_is_created_found_and_kept),
		T(a_session_that_is_not_there_is_told_by_every_operation),
		T(a_second_session_of_that_id_is_refused),
		T(sessions_are_listed_last_used_first_by_pages_and_by_agent),
		T(a_list_of_sessions_is_capped),
		T(what_an_update_does_not_name_stays),
		T(a_deleted_session_takes_all_that_is_its_own),
		T(a_summary_stands_for_the_messages_before_it),
		T(a_history_tells_which_run_of_its_session_has_not_ended),
		T(a_workspace_is_to_be_removed_until_it_is_said_to_be_gone),
		T(a_run_begins_with_its_messages_or_not_at_all),
		T(messages_are_listed_from_a_number_on),
		T(a_turn_is_committed_once_and_in_order),
		T(a_turn_with_a_call_that_does_not_fit_leaves_nothing),
		T(a_call_goes_from_intended_to_running_to_done),
		T(a_call_of_a_run_that_ended_is_not_started_but_finished),
		T(a_run_ends_once),
		T(open_runs_are_listed_with_the_calls_of_their_last_turn),
		T(events_are_appended_all_or_none_and_followed),
		T(a_list_of_events_is_capped_and_goes_on_after_the_last),
		T(keys_are_created_listed_and_revoked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

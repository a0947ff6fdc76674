/* dialect.h: what a chat becomes in each dialect. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agentd/upstream/dialect.h"
#include "agentd/upstream/provider.h"
#include "agentd/upstream/tools_text.h"
#include "base/cleanup.h"
#include "base/error.h"

/* Texts in single quotes are JSON that a reader can read. */
static json_t *parse(const char *text)
{
	json_error_t why;
	auto_free char *copy = strdup(text);
	json_t *json;

	assert_non_null(copy);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	json = json_loads(copy, JSON_DECODE_ANY, &why);
	if (!json)
		fail_msg("%s: %s", text, why.text);
	return json;
}

/* A request: messages, tools and options as texts; NULL: none. */
struct asked {
	const char *messages, *tools, *options, *reasoning;
	unsigned traits;
};

static json_t *encode(const struct dialect *dialect, const struct asked *asked)
{
	json_auto_t *messages = parse(asked->messages);
	json_auto_t *tools = asked->tools ? parse(asked->tools) : NULL;
	json_auto_t *options = asked->options ? parse(asked->options) : NULL;
	const struct dialect_ask ask = {.model = "m",
		.messages = messages,
		.tools = tools,
		.options = options,
		.reasoning = asked->reasoning,
		.traits = asked->traits};
	struct error err;
	json_t *body;

	if (dialect->encode(&ask, &body, &err) < 0)
		fail_msg("%s", err.text);
	assert_null(json_object_get(body, "tools"));
	if (tools)
		json_object_set_new(body, "tools", dialect->encode_tools(tools));
	return body;
}

/* This member of the body is this. */
static void gives(const struct dialect *dialect, const struct asked *asked, const char *member,
	const char *text)
{
	json_auto_t *body = encode(dialect, asked);
	json_auto_t *expected = text ? parse(text) : NULL;
	const json_t *is = json_object_get(body, member);
	auto_free char *dumped = is ? json_dumps(is, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	if (!expected ? is != NULL : !json_equal(is, expected))
		fail_msg("%s is %s, not %s", member, dumped ? dumped : "absent",
			text ? text : "absent");
}

static void openai_gets_messages_without_what_is_ours(void **state)
{
	const struct asked asked = {
		.messages =
			"[{'role':'user','content':[{'type':'text','text':'a'}],'seq':1},"
			"{'role':'assistant','content':null,'thinking_blocks':[{}],'tool_calls':["
			"{'id':'1','type':'function','extra_content':{'g':1},'function':{'name':"
			"'f','arguments':'{}'}}]},"
			"{'role':'tool','tool_call_id':'1','content':'r','receipt':{}}]"};
	struct asked google = asked;

	(void)state;
	gives(&dialect_openai, &asked, "messages",
		"[{'role':'user','content':[{'type':'text','text':'a'}]},"
		"{'role':'assistant','content':null,'tool_calls':[{'id':'1','type':'function',"
		"'function':{'name':'f','arguments':'{}'}}]},"
		"{'role':'tool','tool_call_id':'1','content':'r'}]");
	google.traits = PROVIDER_TAKES_EXTRA_CONTENT;
	google.messages = "[{'role':'assistant','tool_calls':[{'id':'1','extra_content':{'g':1},"
			  "'function':{'name':'f','arguments':'{}'}}]}]";
	gives(&dialect_openai, &google, "messages",
		"[{'role':'assistant','tool_calls':[{'id':'1','type':'function','extra_content':"
		"{'g':1},'function':{'name':'f','arguments':'{}'}}]}]");
}

/* json_dumps() of {"invalid_arguments": text}, as a string in single-quoted JSON. */
static void arguments_that_are_no_object_are_wrapped(void **state)
{
	static const char *const bad[] = {"", "{", "[]", "1", "tru", "null"};
	char messages[256], expected[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct asked asked = {.messages = messages};

		snprintf(messages, sizeof(messages),
			"[{'role':'user','content':'a'},{'role':'assistant','tool_calls':[{'id':'1'"
			","
			"'function':{'name':'f','arguments':'%s'}}]}]",
			bad[i]);
		snprintf(expected, sizeof(expected),
			"[{'role':'user','content':'a'},{'role':'assistant','tool_calls':[{'id':'1'"
			","
			"'type':'function','function':{'name':'f','arguments':"
			"'{\\'invalid_arguments\\':\\'%s\\'}'}}]}]",
			bad[i]);
		gives(&dialect_openai, &asked, "messages", expected);
		snprintf(expected, sizeof(expected),
			"[{'role':'user','content':[{'type':'text','text':'a'}]},{'role':'"
			"assistant',"
			"'content':[{'type':'tool_use','id':'1','name':'f','input':"
			"{'invalid_arguments':'%s'},'cache_control':{'type':'ephemeral'}}]}]",
			bad[i]);
		gives(&dialect_anthropic, &asked, "messages", expected);
	}
}

static void openai_gets_options_under_the_name_that_it_takes(void **state)
{
	struct asked asked = {.messages = "[]",
		.options = "{'max_tokens':9,'stop':'x','top_p':0.5,'parallel_tool_calls':false,"
			   "'model':'other','stream':false}"};

	(void)state;
	gives(&dialect_openai, &asked, "max_tokens", "9");
	gives(&dialect_openai, &asked, "stop", "'x'");
	gives(&dialect_openai, &asked, "top_p", "0.5");
	gives(&dialect_openai, &asked, "model", "'m'");
	gives(&dialect_openai, &asked, "stream", "true");
	gives(&dialect_openai, &asked, "parallel_tool_calls", NULL);
	gives(&dialect_openai, &asked, "stream_options", NULL);
	asked.tools = "[{'type':'function','function':{'name':'f'}}]";
	asked.traits = PROVIDER_TAKES_COMPLETION_MAX | PROVIDER_TAKES_STREAM_OPTIONS;
	gives(&dialect_openai, &asked, "parallel_tool_calls", "false");
	gives(&dialect_openai, &asked, "tools", asked.tools);
	gives(&dialect_openai, &asked, "max_tokens", NULL);
	gives(&dialect_openai, &asked, "max_completion_tokens", "9");
	gives(&dialect_openai, &asked, "stream_options", "{'include_usage':true}");
}

static void anthropic_gets_system_texts_apart(void **state)
{
	const struct asked asked = {
		.messages = "[{'role':'system','content':'a'},{'role':'user','content':'u'},"
			    "{'role':'developer','content':[{'type':'text','text':'b'}]},"
			    "{'role':'system','content':'  '}]"};
	const struct asked none = {.messages = "[{'role':'user','content':'u'}]"};

	(void)state;
	gives(&dialect_anthropic, &asked, "system",
		"[{'type':'text','text':'a'},{'type':'text','text':'b','cache_control':"
		"{'type':'ephemeral'}}]");
	gives(&dialect_anthropic, &asked, "messages",
		"[{'role':'user','content':[{'type':'text','text':'u','cache_control':"
		"{'type':'ephemeral'}}]}]");
	gives(&dialect_anthropic, &none, "system", NULL);
	gives(&dialect_anthropic, &none, "max_tokens", "8192");
	gives(&dialect_anthropic, &none, "stream", "true");
}

static void anthropic_gets_alternating_roles_with_results_merged(void **state)
{
	const struct asked asked = {
		.messages = "[{'role':'user','content':'a'},{'role':'user','content':'b'},"
			    "{'role':'assistant','content':'t','tool_calls':["
			    "{'id':'1','function':{'name':'f','arguments':'{\\'x\\':1}'}},"
			    "{'id':'2','function':{'name':'g','arguments':'{}'}}]},"
			    "{'role':'tool','tool_call_id':'1','content':'r1'},"
			    "{'role':'tool','tool_call_id':'2','content':''},"
			    "{'role':'user','content':'c'}]"};

	(void)state;
	gives(&dialect_anthropic, &asked, "messages",
		"[{'role':'user','content':[{'type':'text','text':'a'},{'type':'text','text':'b'}]}"
		","
		"{'role':'assistant','content':[{'type':'text','text':'t'},"
		"{'type':'tool_use','id':'1','name':'f','input':{'x':1}},"
		"{'type':'tool_use','id':'2','name':'g','input':{}}]},"
		"{'role':'user','content':["
		"{'type':'tool_result','tool_use_id':'1','content':[{'type':'text','text':'r1'}]},"
		"{'type':'tool_result','tool_use_id':'2','content':[]},"
		"{'type':'text','text':'c','cache_control':{'type':'ephemeral'}}]}]");
}

static void anthropic_gets_a_user_first_and_no_empty_message(void **state)
{
	const struct asked asked = {
		.messages = "[{'role':'user','content':' '},{'role':'assistant','content':'t'}]"};

	(void)state;
	gives(&dialect_anthropic, &asked, "messages",
		"[{'role':'user','content':[{'type':'text','text':"
		"'(The beginning of this conversation is not shown.)'}]},"
		"{'role':'assistant','content':[{'type':'text','text':'t','cache_control':"
		"{'type':'ephemeral'}}]}]");
}

static void anthropic_gets_images(void **state)
{
	const struct asked asked = {
		.messages = "[{'role':'user','content':["
			    "{'type':'image_url','image_url':{'url':'data:image/png;base64,AAAA'}},"
			    "{'type':'image_url','image_url':{'url':'https://x/y.png'}},"
			    "{'type':'text','text':'a'}]}]"};

	(void)state;
	gives(&dialect_anthropic, &asked, "messages",
		"[{'role':'user','content':["
		"{'type':'image','source':{'type':'base64','media_type':'image/"
		"png','data':'AAAA'}},"
		"{'type':'image','source':{'type':'url','url':'https://x/y.png'}},"
		"{'type':'text','text':'a','cache_control':{'type':'ephemeral'}}]}]");
}

static void anthropic_gets_tools_and_options_in_its_words(void **state)
{
	struct asked asked = {.messages = "[]",
		.tools =
			"[{'type':'function','function':{'name':'f','description':'d','parameters':"
			"{'type':'object','x':1}}},{'type':'function','function':{'name':'g'}}]",
		.options = "{'stop':'x','temperature':0.5,'max_tokens':100,'parallel_tool_calls':"
			   "false}"};

	(void)state;
	gives(&dialect_anthropic, &asked, "tools",
		"[{'name':'f','description':'d','input_schema':{'type':'object','x':1}},"
		"{'name':'g','description':'','input_schema':{'type':'object'}}]");
	gives(&dialect_anthropic, &asked, "tool_choice",
		"{'type':'auto','disable_parallel_tool_use':true}");
	gives(&dialect_anthropic, &asked, "stop_sequences", "['x']");
	gives(&dialect_anthropic, &asked, "temperature", "0.5");
	gives(&dialect_anthropic, &asked, "max_tokens", "100");
	asked.tools = NULL;
	asked.options = "{'stop':['x','y']}";
	gives(&dialect_anthropic, &asked, "tools", NULL);
	gives(&dialect_anthropic, &asked, "tool_choice", NULL);
	gives(&dialect_anthropic, &asked, "stop_sequences", "['x','y']");
}

static void anthropic_thinks_within_a_budget(void **state)
{
	struct asked asked = {.messages = "[]", .reasoning = "high"};

	(void)state;
	gives(&dialect_anthropic, &asked, "thinking", "{'type':'enabled','budget_tokens':16384}");
	gives(&dialect_anthropic, &asked, "max_tokens", "24576");
	asked.options = "{'max_tokens':4000,'temperature':0.5}";
	gives(&dialect_anthropic, &asked, "thinking", "{'type':'enabled','budget_tokens':2000}");
	gives(&dialect_anthropic, &asked, "max_tokens", "4000");
	gives(&dialect_anthropic, &asked, "temperature", NULL);
	asked.options = "{'max_tokens':2000,'temperature':0.5}";
	gives(&dialect_anthropic, &asked, "thinking", NULL);
	gives(&dialect_anthropic, &asked, "temperature", "0.5");
	asked.options = NULL;
	asked.reasoning = "off";
	gives(&dialect_anthropic, &asked, "thinking", NULL);
	gives(&dialect_anthropic, &asked, "max_tokens", "8192");
}

#define CALLED "'content':null,'tool_calls':[{'id':'1','function':{'name':'f','arguments':'{}'}}]}"
#define RESULT "{'role':'tool','tool_call_id':'1','content':'r'}"

static void anthropic_thinks_on_only_with_what_it_thought_before_its_calls(void **state)
{
	static const char budget[] = "{'type':'enabled','budget_tokens':1024}";
	struct asked asked = {.reasoning = "minimal"};

	(void)state;
	asked.messages =
		"[{'role':'user','content':'a'},{'role':'assistant',"
		"'thinking_blocks':[{'type':'thinking','thinking':'t','signature':'s'}]," CALLED
		"," RESULT "]";
	gives(&dialect_anthropic, &asked, "thinking", budget);
	gives(&dialect_anthropic, &asked, "messages",
		"[{'role':'user','content':[{'type':'text','text':'a'}]},{'role':'assistant',"
		"'content':[{'type':'thinking','thinking':'t','signature':'s'},"
		"{'type':'tool_use','id':'1','name':'f','input':{}}]},{'role':'user','content':["
		"{'type':'tool_result','tool_use_id':'1','content':[{'type':'text','text':'r'}],"
		"'cache_control':{'type':'ephemeral'}}]}]");
	asked.reasoning = NULL;
	gives(&dialect_anthropic, &asked, "messages",
		"[{'role':'user','content':[{'type':'text','text':'a'}]},{'role':'assistant',"
		"'content':[{'type':'tool_use','id':'1','name':'f','input':{}}]},"
		"{'role':'user','content':["
		"{'type':'tool_result','tool_use_id':'1','content':[{'type':'text','text':'r'}],"
		"'cache_control':{'type':'ephemeral'}}]}]");
	asked.reasoning = "minimal";
	asked.messages =
		"[{'role':'user','content':'a'},{'role':'assistant'," CALLED "," RESULT "]";
	gives(&dialect_anthropic, &asked, "thinking", NULL);
	asked.messages = "[{'role':'user','content':'a'},{'role':'assistant'," CALLED "," RESULT
			 ",{'role':'assistant','content':'t'},{'role':'user','content':'b'}]";
	gives(&dialect_anthropic, &asked, "thinking", budget);
}

static void what_anthropic_cannot_be_told_is_an_error(void **state)
{
	static const char *const bad[] = {"[{'role':'user','content':[{'type':'input_audio'}]}]",
		"[{'role':'nobody','content':'x'}]", "[1]"};
	struct error err;
	json_t *body = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_auto_t *messages = parse(bad[i]);
		const struct dialect_ask ask = {.model = "m", .messages = messages};

		assert_int_equal(dialect_anthropic.encode(&ask, &body, &err), -EINVAL);
		assert_int_equal(strncmp(err.text, "messages: ", 10), 0);
		assert_null(body);
	}
}

static void a_line_of_a_server_is_one_line_of_text(void **state)
{
	static const struct {
		const char *bytes, *line;
	} rows[] = {
		{"", ""},
		{"a\r\n\tb", "a b"},
		{"\n\na", "a"},
		{"a\x1b[31mb", "a [31mb"},
		{"\xff\xc3\xa9", "?\xc3\xa9"},
	};
	char line[REPLY_FAULT_MAX], bytes[2 * REPLY_FAULT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		dialect_line(rows[i].bytes, strlen(rows[i].bytes), line);
		assert_string_equal(line, rows[i].line);
	}
	for (size_t i = 0; i < sizeof(bytes); i++) /* an e with an accent, again and again */
		bytes[i] = i % 2 ? '\xa9' : '\xc3';
	dialect_line(bytes, sizeof(bytes), line);
	assert_int_equal(strlen(line), REPLY_FAULT_MAX - 2);
}

static void a_list_of_tools_is_written_once_in_each_dialect(void **state)
{
	json_auto_t *list = parse("[{'type':'function','function':{'name':'f'}}]");
	struct tools_text texts = {0};
	const char *openai = tools_text_get(&texts, &dialect_openai, list);
	const char *anthropic = tools_text_get(&texts, &dialect_anthropic, list);

	(void)state;
	assert_string_equal(openai, "[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]");
	assert_string_equal(anthropic,
		"[{\"name\":\"f\",\"description\":\"\",\"input_schema\":{\"type\":\"object\"}}]");
	assert_ptr_equal(tools_text_get(&texts, &dialect_openai, list), openai);
	for (int i = 0; i < TOOLS_TEXT_KEPT; i++) {
		json_auto_t *other = json_pack("[i]", i);

		assert_non_null(tools_text_get(&texts, &dialect_openai, other));
	}
	assert_string_equal(tools_text_get(&texts, &dialect_openai, list),
		"[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]");
	tools_text_finish(&texts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openai_gets_messages_without_what_is_ours),
		cmocka_unit_test(arguments_that_are_no_object_are_wrapped),
		cmocka_unit_test(openai_gets_options_under_the_name_that_it_takes),
		cmocka_unit_test(anthropic_gets_system_texts_apart),
		cmocka_unit_test(anthropic_gets_alternating_roles_with_results_merged),
		cmocka_unit_test(anthropic_gets_a_user_first_and_no_empty_message),
		cmocka_unit_test(anthropic_gets_images),
		cmocka_unit_test(anthropic_gets_tools_and_options_in_its_words),
		cmocka_unit_test(a_list_of_tools_is_written_once_in_each_dialect),
		cmocka_unit_test(anthropic_thinks_within_a_budget),
		cmocka_unit_test(anthropic_thinks_on_only_with_what_it_thought_before_its_calls),
		cmocka_unit_test(what_anthropic_cannot_be_told_is_an_error),
		cmocka_unit_test(a_line_of_a_server_is_one_line_of_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

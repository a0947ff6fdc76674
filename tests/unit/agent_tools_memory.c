/* The memory tools, before a memory that this test keeps; and how a tool in agentd ends. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "agentd/schema.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "tests/unit/agent_tools_world.h"

struct fixture {
	struct world *w;
	struct tool_memory memory;
	char *text;
	int fails; /* errno of the next call */
};

static int memory_read(void *arg, char **ret_text, struct error *err)
{
	struct fixture *f = arg;

	if (f->fails)
		return error_set(err, f->fails, "memory.md: broken");
	*ret_text = strdup(f->text);
	return 0;
}

static int memory_write(void *arg, const char *text, struct error *err)
{
	struct fixture *f = arg;

	if (f->fails)
		return error_set(err, f->fails, "memory.md: full");
	free(f->text);
	f->text = strdup(text);
	return 0;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->w = world_create();
	f->text = strdup("");
	f->memory = (struct tool_memory){.read = memory_read, .write = memory_write, .arg = f};
	f->w->request.memory = &f->memory;
	f->w->request.guest = NULL; /* they take no sandbox */
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	world_destroy(f->w);
	free(f->text);
	free(f);
	return 0;
}

static const char *call(struct fixture *f, const struct tool *tool, const char *arguments)
{
	world_start(f->w, tool, arguments);
	world_finish(f->w);
	return f->w->text;
}

static void memory_is_saved_appended_to_and_read(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(call(f, &tool_memory_get, "{}"), "(empty)\n");
	call(f, &tool_memory_append, "{\"text\":\"one\"}");
	assert_string_equal(f->text, "one");
	assert_string_equal(
		call(f, &tool_memory_append, "{\"text\":\"two\\n\"}"), "Memory has 8 bytes now\n");
	call(f, &tool_memory_append, "{\"text\":\"three\"}");
	assert_string_equal(f->text, "one\ntwo\nthree");
	assert_string_equal(call(f, &tool_memory_get, "{}"), "one\ntwo\nthree\n");
	call(f, &tool_memory_save, "{\"content\":\"$& %s \\\\1\"}");
	assert_string_equal(f->text, "$& %s \\1");
	assert_string_equal(
		call(f, &tool_memory_save, "{\"content\":\"\"}"), "Memory has 0 bytes now\n");
	assert_string_equal(f->text, "");
}

static void an_update_wants_one_occurrence(void **state)
{
	struct fixture *f = *state;

	call(f, &tool_memory_save, "{\"content\":\"a b b c\"}");
	call(f, &tool_memory_update, "{\"old_text\":\"a \",\"new_text\":\"%d$&\"}");
	world_says(f->w, false, "Memory has 9 bytes now\n");
	assert_string_equal(f->text, "%d$&b b c");
	call(f, &tool_memory_update, "{\"old_text\":\" c\",\"new_text\":\"\"}");
	assert_string_equal(f->text, "%d$&b b");
	call(f, &tool_memory_update, "{\"old_text\":\"b\",\"new_text\":\"x\"}");
	world_says(f->w, true,
		"Error: old_text was found 2 times in the memory: add text around it until it is "
		"unique\n");
	call(f, &tool_memory_update, "{\"old_text\":\"x\",\"new_text\":\"y\"}");
	world_says(f->w, true,
		"Error: old_text was not found in the memory: read it with memory_get\n");
	assert_string_equal(f->text, "%d$&b b");
}

/* {"NAME":"xxx...","new_text":"..."} of size bytes each. */
static char *arguments_of(const char *name, size_t size, const char *rest)
{
	char *text = malloc(size + 128);
	int n = sprintf(text, "{\"%s\":\"", name);

	memset(text + n, 'x', size);
	sprintf(text + n + size, "\"%s}", rest);
	return text;
}

static void memory_has_256_kib_at_most(void **state)
{
	struct fixture *f = *state;
	auto_free char *all = arguments_of("content", TOOL_MEMORY_MAX, "");
	auto_free char *more = arguments_of("content", TOOL_MEMORY_MAX + 1, "");
	auto_free char *grown = arguments_of("new_text", TOOL_MEMORY_MAX, ",\"old_text\":\"ab\"");
	json_auto_t *schema = json_loads(tool_memory_save.parameters, 0, NULL);
	json_auto_t *refused = json_loads(more, 0, NULL);

	assert_int_equal(schema_check(schema, refused, "arguments", NULL), -EINVAL);
	call(f, &tool_memory_save, all);
	assert_int_equal(strlen(f->text), TOOL_MEMORY_MAX);
	call(f, &tool_memory_append, "{\"text\":\"y\"}");
	world_says(f->w, true,
		"Error: memory would have 262146 bytes, at most 262144: shorten it with "
		"memory_save\n");
	assert_int_equal(strlen(f->text), TOOL_MEMORY_MAX);
	call(f, &tool_memory_save, "{\"content\":\"abc\"}");
	call(f, &tool_memory_update, grown);
	assert_true(f->w->is_error);
	assert_string_equal(f->text, "abc");
}

static void a_longer_file_of_its_owner_is_shown_in_part(void **state)
{
	struct fixture *f = *state;

	free(f->text);
	f->text = calloc(1, TOOL_MEMORY_MAX + 11);
	memset(f->text, 'x', TOOL_MEMORY_MAX - 1);
	strcpy(f->text + TOOL_MEMORY_MAX - 1, "\xc3\xa4"
					      "and more");
	call(f, &tool_memory_get, "{}");
	assert_int_equal(
		strlen(f->w->text), TOOL_MEMORY_MAX - 1 + strlen("\n[... 10 bytes cut ...]\n"));
	assert_non_null(strstr(f->w->text, "x\n[... 10 bytes cut ...]\n"));
}

static void what_fails_is_said(void **state)
{
	struct fixture *f = *state;

	f->fails = EIO;
	call(f, &tool_memory_get, "{}");
	world_says(f->w, true, "Error: memory: memory.md: broken: try again\n");
	call(f, &tool_memory_save, "{\"content\":\"a\"}");
	world_says(f->w, true, "Error: memory: memory.md: full: try again\n");
	call(f, &tool_memory_append, "{\"text\":\"a\"}");
	world_says(f->w, true, "Error: memory: memory.md: broken: try again\n");
	call(f, &tool_memory_update, "{\"old_text\":\"a\",\"new_text\":\"b\"}");
	assert_true(f->w->is_error);
	assert_string_equal(f->text, "");
}

static void without_a_memory_it_says_so(void **state)
{
	static const struct tool *const tools[] = {
		&tool_memory_get, &tool_memory_save, &tool_memory_append, &tool_memory_update};
	static const char *const arguments[] = {"{}", "{\"content\":\"a\"}", "{\"text\":\"a\"}",
		"{\"old_text\":\"a\",\"new_text\":\"b\"}"};
	struct fixture *f = *state;

	f->w->request.memory = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
		call(f, tools[i], arguments[i]);
		world_says(
			f->w, true, "Error: this agent has no memory here: keep notes in a file\n");
	}
}

static void the_receipt_of_a_tool_in_agentd_has_its_time_only(void **state)
{
	struct fixture *f = *state;

	call(f, &tool_memory_get, "{}");
	assert_int_equal(f->w->reply.end, GUEST_END_DONE);
	assert_true(f->w->reply.wall_ns > 0);
	assert_int_equal(f->w->reply.exit_status, 0);
	assert_int_equal(f->w->reply.max_rss_bytes, 0);
}

static void a_cancel_comes_too_late_for_what_is_done(void **state)
{
	struct fixture *f = *state;

	world_start(f->w, &tool_memory_save, "{\"content\":\"a\"}");
	tool_cancel(f->w->run);
	assert_int_equal(f->w->done, 0);
	world_finish(f->w);
	world_says(f->w, false, "Memory has 1 bytes now\n");
}

static void tools_in_agentd_stand_behind_those_in_a_sandbox(void **state)
{
	(void)state;
	for (size_t i = 1; i < tool_count; i++)
		assert_true(tool_table[i - 1]->place <= tool_table[i]->place);
	assert_int_equal(tool_table[0]->place, TOOL_IN_SANDBOX);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(memory_is_saved_appended_to_and_read),
		TEST(an_update_wants_one_occurrence),
		TEST(memory_has_256_kib_at_most),
		TEST(a_longer_file_of_its_owner_is_shown_in_part),
		TEST(what_fails_is_said),
		TEST(without_a_memory_it_says_so),
		TEST(the_receipt_of_a_tool_in_agentd_has_its_time_only),
		TEST(a_cancel_comes_too_late_for_what_is_done),
		TEST(tools_in_agentd_stand_behind_those_in_a_sandbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

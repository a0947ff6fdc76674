/*
 * Any bytes as a SKILL.md. What is accepted is text whose lists and nesting are bounded; what is refused has a problem
 * with a line that the text has.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/project/skill.h"
#include "base/error.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

static void check_list(const char *const *list)
{
	size_t count = 0;

	for (; list[count]; count++)
		if (list[count][0] == '\0' || !text_is_utf8(list[count], strlen(list[count])))
			abort();
	if (count > FRONT_MATTER_LIST_MAX)
		abort();
}

static void check_skill(const struct skill *skill, size_t size)
{
	const char *body = skill->public.body;

	if (strcmp(skill->public.name, "name") != 0 ||
		!text_is_utf8(skill->public.description, strlen(skill->public.description)))
		abort();
	if (body < skill->text || body + strlen(body) != skill->text + strlen(skill->text) ||
		strlen(body) > size)
		abort();
	check_list(skill->public.tools);
	check_list(skill->public.tags);
}

static void check_problems(const struct problems *problems, size_t lines)
{
	for (size_t i = 0; i < problems->count; i++) {
		const struct project_problem *row = &problems->rows[i];

		if (row->line > lines || !row->text[0] || !row->fix[0] ||
			!text_is_utf8(row->text, strlen(row->text)))
			abort();
		for (const char *at = row->text; *at; at++)
			if ((unsigned char)*at < 0x20)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problems problems = {.rows = NULL};
	struct error err = {0};
	struct skill skill = {.text = NULL};
	char *text = malloc(size + 1);
	size_t lines = 1;
	int r;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	/* folder.c lets nothing else through. */
	if (strlen(text) != size || !text_is_utf8(text, size)) {
		free(text);
		return 0;
	}
	/* All that YAML takes for a line end: CR, LF, NEL, LS, PS. */
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n' || data[i] == '\r' || data[i] == 0x85 || data[i] == 0xa8 ||
			 data[i] == 0xa9;
	r = skill_parse("name", "SKILL.md", text, &problems, &skill, &err);
	if (r == 0)
		check_skill(&skill, size);
	else if (r != -EINVAL || problems.errors == 0)
		abort();
	if (r == 0 && problems.errors > 0)
		abort();
	check_problems(&problems, lines);
	skill_finish(&skill);
	problems_finish(&problems);
	return 0;
}

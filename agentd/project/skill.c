#include "agentd/project/skill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

static const char *const nothing[] = {NULL};

/* CRLF becomes LF, in place. */
static void join_line_ends(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if (from[0] != '\r' || from[1] != '\n')
			*to++ = *from;
	*to = '\0';
}

static int read_matter(
	struct skill *skill, const char *file, struct problems *problems, struct error *err)
{
	struct front_matter_span span;
	int r = front_matter_find(skill->text, &span);

	if (r < 0) {
		problems_add(problems, PROJECT_ERROR, file, 1,
			"write a line --- behind the front matter", "the front matter has no end");
		return error_set(err, EINVAL, "%s: the front matter has no end", file);
	}
	skill->public.body = span.body;
	return r == 0 ? 0 : front_matter_parse(&span, file, problems, &skill->matter, err);
}

/* What the model misses, though it can go on without it. */
static void check(const struct skill *skill, const char *file, struct problems *problems)
{
	if (skill->matter.name && strcmp(skill->matter.name, skill->name) != 0)
		problems_add(problems, PROJECT_WARNING, file, 0,
			"agents call a skill by its folder: make both the same",
			"its name is '%.64s', that of its folder '%s'", skill->matter.name,
			skill->name);
	if (skill->public.description[0] == '\0')
		problems_add(problems, PROJECT_WARNING, file, 0,
			"write `description: ...` between two lines --- at its top",
			"has no description");
	if (skill->public.body[0] == '\0')
		problems_add(problems, PROJECT_WARNING, file, 0, "write what the agent is to know",
			"has no text");
}

int skill_parse(const char *name, const char *file, char *text, struct problems *problems,
	struct skill *ret_skill, struct error *err)
{
	struct skill skill = {.text = text, .name = strdup(name)};
	int r;

	if (!skill.name) {
		skill_finish(&skill);
		return error_set(err, ENOMEM, "%s: out of memory", file);
	}
	join_line_ends(text);
	r = read_matter(&skill, file, problems, err);
	if (r < 0) {
		skill_finish(&skill);
		return r;
	}
	skill.public.name = skill.name;
	skill.public.description = skill.matter.description ? skill.matter.description : "";
	skill.public.tools = skill.matter.tools ? (const char *const *)skill.matter.tools : nothing;
	skill.public.tags = skill.matter.tags ? (const char *const *)skill.matter.tags : nothing;
	check(&skill, file, problems);
	*ret_skill = skill;
	return 0;
}

void skill_finish(struct skill *skill)
{
	front_matter_finish(&skill->matter);
	free(skill->name);
	free(skill->text);
	memset(skill, 0, sizeof(*skill));
}

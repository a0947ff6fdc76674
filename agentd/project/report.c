#include <jansson.h>
#include <stdio.h>

#include "agentd/project/content.h"

static const char *level_name(enum project_level level)
{
	switch (level) {
	case PROJECT_ERROR:
		return "error";
	case PROJECT_WARNING:
		return "warning";
	}
	return "?";
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static void write_problem(const struct project_problem *problem, FILE *to)
{
	if (problem->line > 0)
		fprintf(to, "%s:%u: ", problem->file, problem->line);
	else
		fprintf(to, "%s: ", problem->file);
	fprintf(to, "%s: %s: %s\n", level_name(problem->level), problem->text, problem->fix);
}

static void write_lines(const struct content *content, FILE *to)
{
	const struct problems *problems = &content->problems;
	size_t hidden = problems->errors + problems->warnings - problems->count;

	for (size_t i = 0; i < problems->count; i++)
		write_problem(&problems->rows[i], to);
	if (hidden > 0)
		fprintf(to, "... and %zu more\n", hidden);
	fprintf(to, "%s: %zu agent%s, %zu skill%s, %zu memory file%s; %zu error%s, %zu warning%s\n",
		content->base[0] ? content->base : "nothing", content->agents.count,
		plural(content->agents.count), content->skill_count, plural(content->skill_count),
		content->memory_count, plural(content->memory_count), problems->errors,
		plural(problems->errors), problems->warnings, plural(problems->warnings));
}

/* NULL: out of memory. */
static json_t *describe(const struct content *content)
{
	const struct problems *problems = &content->problems;
	json_t *rows = json_array();

	for (size_t i = 0; i < problems->count; i++) {
		const struct project_problem *row = &problems->rows[i];

		json_array_append_new(
			rows, json_pack("{s:s, s:s, s:I, s:s, s:s}", "level",
				      level_name(row->level), "file", row->file, "line",
				      (json_int_t)row->line, "text", row->text, "fix", row->fix));
	}
	return json_pack("{s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "ok", problems->errors == 0,
		"folder", content->base, "agents", (json_int_t)content->agents.count, "skills",
		(json_int_t)content->skill_count, "memory_files", (json_int_t)content->memory_count,
		"errors", (json_int_t)problems->errors, "warnings", (json_int_t)problems->warnings,
		"problems", rows);
}

void project_report(const struct project *project, bool as_json, FILE *to)
{
	json_auto_t *report = NULL;

	if (!as_json) {
		write_lines(project->latest, to);
		return;
	}
	report = describe(project->latest);
	if (report)
		json_dumpf(report, to, JSON_INDENT(2));
	fputc('\n', to);
}

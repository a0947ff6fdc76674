#include "agentd/project/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

static void free_row(const struct project_problem *row)
{
	free((char *)row->file);
	free((char *)row->text);
	free((char *)row->fix);
}

void problems_finish(struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		free_row(&problems->rows[i]);
	free(problems->rows);
	memset(problems, 0, sizeof(*problems));
}

bool problems_has_room(const struct problems *problems, enum project_level level)
{
	/* So that a thousand unknown fields do not hide the error behind them. */
	size_t max = level == PROJECT_ERROR ? PROJECT_PROBLEMS_MAX : PROJECT_PROBLEMS_MAX / 2;

	return problems->count < max;
}

/* Control characters (C0, DEL, and C1, which is two bytes) and what is not UTF-8 become '?'. */
static char *clean_copy(const char *text)
{
	size_t length = strlen(text), used = 0;
	char *copy = malloc(length + 1);

	if (!copy)
		return NULL;
	for (size_t i = 0, n; i < length; i += n) {
		unsigned char c = (unsigned char)text[i];

		n = text_utf8_sequence(text + i, length - i);
		if (n == 0 || c < 0x20 || c == 0x7f ||
			(c == 0xc2 && (unsigned char)text[i + 1] < 0xa0)) {
			copy[used++] = '?';
			n = n == 0 ? 1 : n;
			continue;
		}
		memcpy(copy + used, text + i, n);
		used += n;
	}
	copy[used] = '\0';
	return copy;
}

static int make_row(
	struct project_problem *row, const char *file, const char *text, const char *fix)
{
	row->file = clean_copy(file);
	row->text = clean_copy(text);
	row->fix = clean_copy(fix);
	if (row->file && row->text && row->fix)
		return 0;
	free_row(row);
	return -ENOMEM;
}

void problems_add(struct problems *problems, enum project_level level, const char *file,
	unsigned line, const char *fix, const char *format, ...)
{
	char text[PROBLEM_TEXT_MAX];
	struct project_problem row = {.level = level, .line = line};
	struct project_problem *rows;
	va_list ap;

	*(level == PROJECT_ERROR ? &problems->errors : &problems->warnings) += 1;
	if (!problems_has_room(problems, level))
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	rows = realloc(problems->rows, (problems->count + 1) * sizeof(*rows));
	if (rows)
		problems->rows = rows;
	if (!rows || make_row(&row, file, text, fix) < 0) {
		problems->is_short_of_memory = true;
		return;
	}
	rows[problems->count++] = row;
}

int problems_end(const struct problems *problems, struct error *err)
{
	size_t i = 0;

	if (problems->is_short_of_memory)
		return error_set(err, ENOMEM, "out of memory");
	if (problems->errors == 0)
		return 0;
	while (problems->rows[i].level != PROJECT_ERROR)
		i++;
	if (problems->rows[i].line == 0)
		return error_set(err, EINVAL, "%s: %s: %s", problems->rows[i].file,
			problems->rows[i].text, problems->rows[i].fix);
	return error_set(err, EINVAL, "%s:%u: %s: %s", problems->rows[i].file,
		problems->rows[i].line, problems->rows[i].text, problems->rows[i].fix);
}

/* table.c - rows and columns by libsmartcols. */
#include "cli/table.h"

#include <errno.h>
#include <libsmartcols.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/plain.h"

struct cli_table {
	struct libscols_table *table;
	struct libscols_line *line;
	const char *name;
	unsigned columns, next; /* next: column of the next cell; 0: a new row */
	unsigned rows;
	bool is_json, is_quiet, is_broken; /* broken: memory ran out, said when printed */
};

static int add_column(struct cli_table *t, const struct cli_column *column)
{
	struct libscols_column *c = scols_table_new_column(
		t->table, column->name, 0, column->is_number ? SCOLS_FL_RIGHT : 0);

	if (!c)
		return -ENOMEM;
	return scols_column_set_json_type(
		c, column->is_number ? SCOLS_JSON_NUMBER : SCOLS_JSON_STRING);
}

int cli_table_create(const struct cli *cli, const char *name, const struct cli_column *columns,
	unsigned column_count, struct cli_table **ret_table, struct error *err)
{
	struct cli_table *t = calloc(1, sizeof(*t));
	int r = 0;

	if (!t)
		return error_set(err, ENOMEM, "table: out of memory");
	/* libsmartcols shows what the locale can. Only here: hearth run is not to pay for its file. */
	setlocale(LC_CTYPE, "");
	t->name = name;
	t->columns = column_count;
	t->is_json = cli->json;
	t->is_quiet = cli->quiet && !cli->json;
	t->table = scols_new_table();
	if (!t->table || scols_table_set_name(t->table, name) < 0)
		r = -ENOMEM;
	for (unsigned i = 0; r == 0 && i < column_count; i++)
		r = add_column(t, &columns[i]);
	if (r < 0) {
		cli_table_destroy(t);
		return error_set(err, ENOMEM, "table: out of memory");
	}
	scols_table_enable_json(t->table, t->is_json);
	*ret_table = t;
	return 0;
}

int cli_table_add(struct cli_table *t, const char *format, ...)
{
	unsigned column = t->next;
	char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	t->next = (column + 1) % t->columns;
	if (text && !t->is_json)
		plain_clean(text);
	if (column == 0) {
		t->line = scols_table_new_line(t->table, NULL);
		t->rows++;
		if (t->is_quiet && text)
			printf("%s\n", text);
	}
	if (!text || !t->line || scols_line_refer_data(t->line, column, text) != 0) {
		free(text);
		t->is_broken = true;
		return -ENOMEM;
	}
	return 0;
}

int cli_table_print(struct cli_table *t, struct error *err)
{
	if (t->is_broken)
		return error_set(err, ENOMEM, "table: out of memory");
	if (t->is_quiet)
		return 0;
	/* libsmartcols prints nothing at all for a table without lines. */
	if (t->rows == 0 && t->is_json)
		printf("{\"%s\": []}\n", t->name);
	else if (scols_print_table(t->table) != 0)
		return error_set(err, ENOMEM, "table: out of memory");
	return 0;
}

void cli_table_destroy(struct cli_table *t)
{
	if (!t)
		return;
	scols_unref_table(t->table);
	free(t);
}

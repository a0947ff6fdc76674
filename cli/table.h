/*
 * table.h - rows and columns for people, the same rows as JSON for programs (libsmartcols does both).
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H
#include <stdbool.h>

struct cli;
struct error;
struct cli_table;

struct cli_column {
	const char *name; /* upper case in the table's head, lower case as the JSON key */
	bool is_number;	  /* to the right; a number in JSON */
};

/*
 * name is the JSON array's key. With --quiet only the first column is printed, without a head.
 * ENOMEM is the only failure.
 */
int cli_table_create(const struct cli *cli, const char *name, const struct cli_column *columns,
	unsigned column_count, struct cli_table **ret_table, struct error *err);
/* One printf format and its values per cell: adds the text to the current row's next column, beginning a row after the last column. */
int cli_table_add(struct cli_table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Print to stdout. */
int cli_table_print(struct cli_table *table, struct error *err);
/* Accepts NULL. */
void cli_table_destroy(struct cli_table *table);
#endif

/*
 * database.h - the SQLite file: opened, judged, brought up to date, its statements prepared.
 *
 * Opened by the loop's thread, then used by the worker's alone, one thread at a time. The file and its log
 * (NAME-wal) are reached through a directory fd that is kept, so that neither chdir nor a move of the
 * directory matters.
 */
#ifndef AGENTD_STORE_DATABASE_H
#define AGENTD_STORE_DATABASE_H
#include <sqlite3.h>
#include <stdbool.h>

#include "agentd/store/statement.h"

struct error;

#define DATABASE_APPLICATION_ID 0x48727468	    /* "Hrth", in the header of each of our files */
#define DATABASE_NAME_MAX	200		    /* bytes of the file's name */
#define DATABASE_BUSY_MS	500		    /* to wait for a process that is about to end */
#define DATABASE_ROW_MAX	(128 * 1024 * 1024) /* bytes of a row; more is -EMSGSIZE */
#define DATABASE_LOG_MAX	(16 * 1024 * 1024)  /* bytes that an idle log keeps */
#define DATABASE_CHECKED_MAX	(64LL * 1024 * 1024) /* a file up to this is read whole at the start */

struct database {
	sqlite3 *handle;
	sqlite3_vfs vfs;
	bool has_vfs;
	int dir_fd;
	char name[DATABASE_NAME_MAX + 1];
	char path[DATABASE_NAME_MAX + 32]; /* /proc/self/fd/N/NAME; also the name of the vfs */
	sqlite3_stmt *statements[STATEMENT_COUNT];
};

/* dirfd is borrowed. Errors as store_open(); what is not ours is not written to. */
int database_open(int dirfd, const char *name, struct database **ret_database, struct error *err);
/* Moves the log into the file. Accepts NULL and half-opened ones. */
void database_close(struct database *database);

/* Says in *err what SQLite just failed with, as a negative errno; rc is its (extended) result code. */
int database_error(struct database *database, int rc, struct error *err);

/* False once an error of the disk or of memory has ended the transaction by itself. */
bool database_is_in_transaction(const struct database *database);
#endif

#include "agentd/store/migration.h"

#include <errno.h>
#include <stdio.h>

#include "agentd/store/database.h"
#include "base/cleanup.h"
#include "base/error.h"

/*
 * Sequence numbers of messages are dense: session.messages is their count and the last one. WITHOUT ROWID where
 * rows are small and read in the order of their key.
 */
static const char conversations[] =
	"CREATE TABLE session ("
	" id TEXT NOT NULL PRIMARY KEY,"
	" agent TEXT NOT NULL,"
	" title TEXT,"
	" workspace TEXT,"
	" cwd TEXT,"
	" messages INTEGER NOT NULL DEFAULT 0,"
	" created_ms INTEGER NOT NULL,"
	" updated_ms INTEGER NOT NULL"
	") STRICT;"
	"CREATE INDEX session_updated ON session (updated_ms);"
	"CREATE TABLE message ("
	" session TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,"
	" seq INTEGER NOT NULL,"
	" run TEXT,"
	" role TEXT NOT NULL,"
	" message TEXT NOT NULL,"
	" created_ms INTEGER NOT NULL,"
	" UNIQUE (session, seq)"
	") STRICT;"
	"CREATE TABLE run ("
	" id TEXT NOT NULL PRIMARY KEY,"
	" session TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,"
	" agent TEXT NOT NULL,"
	" status TEXT NOT NULL DEFAULT 'running'"
	"  CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),"
	" options TEXT NOT NULL,"
	" turn INTEGER NOT NULL DEFAULT 0,"
	" epoch INTEGER NOT NULL DEFAULT 1,"
	" error TEXT,"
	" finish TEXT,"
	" prompt_tokens INTEGER NOT NULL DEFAULT 0,"
	" completion_tokens INTEGER NOT NULL DEFAULT 0,"
	" created_ms INTEGER NOT NULL,"
	" updated_ms INTEGER NOT NULL"
	") STRICT;"
	"CREATE INDEX run_session ON run (session);"
	"CREATE INDEX run_running ON run (created_ms) WHERE status = 'running';"
	"CREATE TABLE call ("
	" run TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,"
	" turn INTEGER NOT NULL,"
	" position INTEGER NOT NULL,"
	" id TEXT NOT NULL,"
	" name TEXT NOT NULL,"
	" arguments TEXT NOT NULL,"
	" state TEXT NOT NULL DEFAULT 'intended'"
	"  CHECK (state IN ('intended', 'running', 'done')),"
	" receipt TEXT,"
	" UNIQUE (run, turn, position)"
	") STRICT;"
	"CREATE TABLE event ("
	" run TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,"
	" seq INTEGER NOT NULL,"
	" type TEXT NOT NULL,"
	" data TEXT NOT NULL,"
	" created_ms INTEGER NOT NULL,"
	" PRIMARY KEY (run, seq)"
	") STRICT, WITHOUT ROWID;";

static const char keys[] = "CREATE TABLE key ("
			   " id TEXT NOT NULL PRIMARY KEY,"
			   " name TEXT NOT NULL,"
			   " prefix TEXT NOT NULL,"
			   " hash TEXT NOT NULL UNIQUE,"
			   " created_ms INTEGER NOT NULL"
			   ") STRICT;";

static const char long_lives[] =
	"ALTER TABLE session ADD COLUMN summary TEXT;"
	"ALTER TABLE session ADD COLUMN summarized INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE removal (workspace TEXT NOT NULL UNIQUE) STRICT;";

static const char *const versions[MIGRATION_NEWEST + 1] = {
	[1] = conversations,
	[2] = keys,
	[3] = long_lives,
};

static int read_version(struct database *database, int *ret_version, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int rc;

	rc = sqlite3_prepare_v2(database->handle, "PRAGMA user_version", -1, &statement, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*ret_version = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return rc == SQLITE_ROW ? 0 : database_error(database, rc, err);
}

static int apply(struct database *database, int version, struct error *err)
{
	char end[64];
	int r = 0, rc;

	snprintf(end, sizeof(end), "PRAGMA user_version = %d; COMMIT", version);
	rc = sqlite3_exec(database->handle, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(database->handle, versions[version], NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(database->handle, end, NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		r = database_error(database, rc, err);
		sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
	}
	return r;
}

int migration_run(struct database *database, int version, struct error *err)
{
	int from = 0, r;

	r = read_version(database, &from, err);
	if (r < 0)
		return r;
	if (from < 0 || from > MIGRATION_NEWEST)
		return error_set(err, EPROTO,
			"of version %d, this program knows up to %d: use the newer program, or a "
			"backup",
			from, MIGRATION_NEWEST);
	for (int next = from + 1; next <= version; next++) {
		r = apply(database, next, err);
		if (r < 0)
			return error_prefix(err, r, "to version %d", next);
	}
	return 0;
}

#include "agentd/store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agentd/store/migration.h"
#include "base/cleanup.h"
#include "base/error.h"

/* https://www.sqlite.org/fileformat2.html#the_database_header */
#define HEADER_SIZE	      100
#define HEADER_APPLICATION_ID 68
static const char magic[16] = "SQLite format 3";

static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE;" /* first: then there is no -shm */
			      "PRAGMA temp_store = MEMORY;"
			      "PRAGMA synchronous = FULL;"
			      "PRAGMA foreign_keys = ON;"
			      "PRAGMA cell_size_check = ON;"
			      "PRAGMA secure_delete = ON;"; /* a deleted conversation is gone */

static int code_of(int rc, int system_errno)
{
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return EBADMSG;
	case SQLITE_TOOBIG:
		return EMSGSIZE;
	case SQLITE_CONSTRAINT:
		if (rc == SQLITE_CONSTRAINT_PRIMARYKEY || rc == SQLITE_CONSTRAINT_UNIQUE)
			return EEXIST;
		return rc == SQLITE_CONSTRAINT_FOREIGNKEY ? ENOENT : EINVAL;
	case SQLITE_CANTOPEN:
		return system_errno ? system_errno : EIO;
	case SQLITE_IOERR:
		if (rc == SQLITE_IOERR_NOMEM)
			return ENOMEM;
		return system_errno == ENOSPC || system_errno == EDQUOT ? ENOSPC : EIO;
	}
	return EIO;
}

/* SQLite forgets it where a commit fails; then the file of the log knows. */
static int system_errno_of(struct database *database, int rc)
{
	sqlite3_file *log = NULL;
	int code = 0;

	switch (rc) {
	case SQLITE_IOERR_WRITE:
	case SQLITE_IOERR_FSYNC:
		sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
		if (log && log->pMethods)
			log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &code);
	}
	if (code == 0 && ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_IOERR))
		code = sqlite3_system_errno(database->handle);
	return code;
}

int database_error(struct database *database, int rc, struct error *err)
{
	int system_errno = system_errno_of(database, rc);
	int code = code_of(rc, system_errno);

	switch (code) {
	case ENOMEM:
		return error_set(err, code, "out of memory");
	case ENOSPC:
		return error_set(err, code, "the disk is full: make room on it");
	case EROFS:
		return error_set(err, code,
			"it or its directory cannot be written to: mend owner and mode, or the "
			"mount");
	case EBADMSG:
		return error_set(err, code,
			"the file is damaged (%s): stop, move it away, restore a backup",
			sqlite3_errstr(rc));
	}
	if (system_errno)
		return error_set(err, code, "%s: %s", sqlite3_errstr(rc), strerror(system_errno));
	return error_set(err, code, "%s", sqlite3_errmsg(database->handle));
}

bool database_is_in_transaction(const struct database *database)
{
	return !sqlite3_get_autocommit(database->handle);
}

/* SQLite would resolve the link in /proc, and go on with a path that stops being true. */
static int keep_path(sqlite3_vfs *vfs, const char *name, int size, char *to)
{
	(void)vfs;
	return snprintf(to, (size_t)size, "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int register_vfs(struct database *database, struct error *err)
{
	const sqlite3_vfs *standard;

	/* What a savepoint may have to undo stays in memory too; too late once SQLite is in use, which is fine. */
	sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
	standard = sqlite3_vfs_find(NULL);
	if (!standard)
		return error_set(err, ENOMEM, "out of memory");
	database->vfs = *standard;
	database->vfs.pNext = NULL;
	database->vfs.zName = database->path;
	database->vfs.xFullPathname = keep_path;
	if (sqlite3_vfs_register(&database->vfs, 0) != SQLITE_OK)
		return error_set(err, ENOMEM, "out of memory");
	database->has_vfs = true;
	return 0;
}

/* SQLite would make it readable by all. One that stands is not opened: to close it would end the locks on it. */
static int make_file(struct database *database, struct error *err)
{
	auto_close int fd = openat(database->dir_fd, database->name,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;

	if (fd >= 0)
		return fsync(database->dir_fd) < 0 ? error_errno(err, "fsync") : 0;
	if (errno != EEXIST)
		return error_errno(err, "cannot be made");
	if (fstatat(database->dir_fd, database->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "stat");
	if (!S_ISREG(st.st_mode))
		return error_set(err, EBADMSG, "not a regular file: name another one");
	return 0;
}

static int run(struct database *database, const char *sql, struct error *err)
{
	int rc = sqlite3_exec(database->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : database_error(database, rc, err);
}

static int open_handle(struct database *database, struct error *err)
{
	int rc = sqlite3_open_v2(database->path, &database->handle,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
			SQLITE_OPEN_EXRESCODE,
		database->path);

	if (!database->handle)
		return error_set(err, ENOMEM, "out of memory");
	if (rc != SQLITE_OK)
		return database_error(database, rc, err);
	if (sqlite3_db_readonly(database->handle, "main") != 0)
		return database_error(database, SQLITE_READONLY, err);
	sqlite3_busy_timeout(database->handle, DATABASE_BUSY_MS);
	sqlite3_limit(database->handle, SQLITE_LIMIT_LENGTH, DATABASE_ROW_MAX);
	sqlite3_db_config(database->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(database->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(database->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return 0;
}

/*
 * Ours by its header, before SQLite gets to repair a journal or write a log beside what is somebody else's. The
 * application id is put there before the first log is, so it never stands in the log alone.
 */
static int judge_header(struct database *database, bool *ret_is_new, struct error *err)
{
	unsigned char header[HEADER_SIZE];
	const unsigned char *id = &header[HEADER_APPLICATION_ID];
	sqlite3_file *file = NULL;
	sqlite3_int64 size = 0;
	int rc;

	rc = sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	if (rc == SQLITE_OK)
		rc = file->pMethods->xFileSize(file, &size);
	if (rc == SQLITE_OK && size >= HEADER_SIZE)
		rc = file->pMethods->xRead(file, header, HEADER_SIZE, 0);
	if (rc != SQLITE_OK)
		return database_error(database, rc, err);
	*ret_is_new = size == 0;
	if (size == 0)
		return 0;
	if (size < HEADER_SIZE || memcmp(header, magic, sizeof(magic)) != 0)
		return error_set(err, EBADMSG,
			"not a database: it was left as it is; move it away, restore a backup");
	if (((unsigned)id[0] << 24 | (unsigned)id[1] << 16 | (unsigned)id[2] << 8 | id[3]) !=
		DATABASE_APPLICATION_ID)
		return error_set(err, EBADMSG,
			"a database of another program: it was left as it is; name another file");
	return 0;
}

static int set_up(struct database *database, bool is_new, struct error *err)
{
	char text[96];
	int r = run(database, pragmas, err);

	if (r == 0 && is_new) {
		snprintf(text, sizeof(text), "PRAGMA application_id = %d", DATABASE_APPLICATION_ID);
		r = run(database, text, err);
	}
	if (r == 0) {
		snprintf(text, sizeof(text),
			"PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = %d",
			DATABASE_LOG_MAX);
		r = run(database, text, err);
	}
	/* The lock of the file, and the proof that it can be written. */
	if (r == 0)
		r = run(database, "BEGIN EXCLUSIVE; COMMIT", err);
	if (r == -EBUSY)
		return error_set(err, EBUSY,
			"in use by another process: end that one, or name another file");
	return r;
}

/* What a reader would stumble over later: told at the start, where somebody looks. */
static int check_pages(struct database *database, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	sqlite3_file *file = NULL;
	const char *text = NULL;
	sqlite3_int64 size = 0;
	int r = 0, rc;

	rc = sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	if (rc == SQLITE_OK)
		rc = file->pMethods->xFileSize(file, &size);
	if (rc == SQLITE_OK && size > DATABASE_CHECKED_MAX)
		return 0;
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(
			database->handle, "PRAGMA quick_check(1)", -1, &statement, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		text = (const char *)sqlite3_column_text(statement, 0);
	if (!text)
		r = database_error(database, rc == SQLITE_ROW ? SQLITE_NOMEM : rc, err);
	else if (strcmp(text, "ok") != 0)
		r = error_set(err, EBADMSG, "the file is damaged: move it away, restore a backup");
	sqlite3_finalize(statement);
	return r;
}

static int open_below(struct database *database, struct error *err)
{
	bool is_new = false;
	int r;

	r = make_file(database, err);
	if (r == 0)
		r = register_vfs(database, err);
	if (r == 0)
		r = open_handle(database, err);
	if (r == 0)
		r = judge_header(database, &is_new, err);
	if (r == 0)
		r = set_up(database, is_new, err);
	if (r == 0)
		r = migration_run(database, MIGRATION_NEWEST, err);
	if (r == 0)
		r = check_pages(database, err);
	if (r == 0)
		r = statement_prepare_all(database, err);
	if (r == 0)
		sqlite3_db_config(database->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return r;
}

int database_open(int dirfd, const char *name, struct database **ret_database, struct error *err)
{
	struct database *database;
	int r;

	if (!*name || strlen(name) > DATABASE_NAME_MAX || strchr(name, '/'))
		return error_set(err, EINVAL, "store: not the name of a file: %.64s", name);
	database = calloc(1, sizeof(*database));
	if (!database)
		return error_set(err, ENOMEM, "store %s: out of memory", name);
	database->dir_fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (database->dir_fd < 0) {
		r = error_errno(err, "its directory");
	} else {
		snprintf(database->name, sizeof(database->name), "%s", name);
		snprintf(database->path, sizeof(database->path), "/proc/self/fd/%d/%s",
			database->dir_fd, name);
		r = open_below(database, err);
	}
	if (r < 0) {
		database_close(database);
		return error_prefix(err, r, "store %s", name);
	}
	*ret_database = database;
	return 0;
}

void database_close(struct database *database)
{
	if (!database)
		return;
	statement_finish_all(database);
	sqlite3_close(database->handle);
	if (database->has_vfs)
		sqlite3_vfs_unregister(&database->vfs);
	fd_close(database->dir_fd);
	free(database);
}

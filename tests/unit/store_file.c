/* store_open(): which files it takes, what it makes of them, and what it leaves as it was. */
#include "tests/unit/store_world.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agentd/store/database.h"
#include "agentd/store/migration.h"

static void a_new_file_is_its_owners_alone_and_closes_into_one(void **state)
{
	struct world *w = *state;
	mode_t before = umask(0);
	struct stat st;

	world_open(w);
	umask(before);
	world_create_session(w, "s");
	assert_int_equal(fstatat(w->dir_fd, WORLD_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(fstatat(w->dir_fd, WORLD_LOG, &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_false(world_has_file(w, WORLD_FILE "-shm"));
	world_close(w);
	assert_false(world_has_file(w, WORLD_LOG));
	world_open(w);
	ASK(w, store_session_get, "s");
	world_expect(w, "{'id':'s'}");
}

static void a_deleted_conversation_is_in_the_file_no_more(void **state)
{
	static const char secret[] = "the-secret-of-it";
	struct world *w = *state;
	struct world_copy file;

	for (int round = 0; round < 2; round++) {
		world_open(w);
		if (round == 0) {
			world_create_session(w, "s");
			ASK(w, store_run_begin,
				world_json(w, "{'id':'r','session':'s','agent':'a'}"),
				world_json(
					w, "[{'role':'user','content':'%09000d %s'}]", 1, secret));
			ASK(w, store_run_end, "r", "completed",
				world_json(w, "{'error':'%s'}", secret));
		} else {
			ASK(w, store_session_delete, "s");
		}
		assert_int_equal(w->r, 0);
		world_close(w);
		file = world_copy_file(w, WORLD_FILE);
		assert_int_equal(
			memmem(file.data, file.size, secret, strlen(secret)) != NULL, round == 0);
		free(file.data);
	}
}

static void an_empty_file_becomes_a_new_one(void **state)
{
	struct world *w = *state;

	world_write_file(w, WORLD_FILE, "", 0);
	world_open(w);
	world_create_session(w, "s");
}

static void it_works_after_chdir_and_after_its_directory_was_moved(void **state)
{
	struct world *w = *state;
	char moved[96];

	world_open(w);
	world_create_session(w, "s1");
	snprintf(moved, sizeof(moved), "%s-moved", w->path);
	assert_int_equal(rename(w->path, moved), 0);
	assert_int_equal(chdir("/"), 0);
	world_create_session(w, "s2");
	world_close(w);
	assert_int_equal(access(w->path, F_OK), -1);
	assert_false(world_has_file(w, WORLD_LOG));
	world_open(w);
	ASK(w, store_session_list, NULL, 9, 0);
	world_expect(w, "{'total':2}");
	strcpy(w->path, moved);
}

static void its_directory_fd_is_not_needed_later(void **state)
{
	struct world *w = *state;
	int fd = dup(w->dir_fd), ours = w->dir_fd;

	w->dir_fd = fd;
	world_open(w);
	close(fd);
	w->dir_fd = ours;
	world_create_session(w, "s");
	world_close(w);
	assert_false(world_has_file(w, WORLD_LOG));
}

/* Much, so that the log is moved into the file meanwhile; 0: all of it was answered so. */
static int use_without_privilege(struct world *w)
{
	int failures = 0;

	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		return 1;
	world_create_session(w, "s");
	for (int i = 0; i < 300; i++) {
		ASK(w, store_session_update, "s", world_json(w, "{'title':'%020000d'}", i));
		failures += w->r < 0;
	}
	world_close(w);
	return failures ? 2 : 0;
}

static void it_works_when_the_right_to_open_it_is_gone(void **state)
{
	struct world *w = *state;
	int status;
	pid_t child = fork();

	if (child == 0) {
		world_open(w);
		if (fchmod(w->dir_fd, 0) < 0)
			_exit(3);
		_exit(use_without_privilege(w));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(fchmod(w->dir_fd, 0700), 0);
	world_open(w);
	ASK(w, store_session_get, "s");
	world_expect(w, "{'title':'%020000d'}", 299);
}

static void garbage_is_refused_and_left_as_it_is(void **state)
{
	static const char *const garbage[] = {"xy", "SQLite format 3", "\1\2\3\4"};
	struct world *w = *state;
	char text[5000];

	for (size_t i = 0; i < 3; i++) {
		memset(text, 'g', sizeof(text));
		memcpy(text, garbage[i], strlen(garbage[i]) + 1);
		world_write_file(w, WORLD_FILE, text, i == 0 ? 2 : sizeof(text));
		world_is_refused(w, -EBADMSG, "left as it is");
		world_file_is(w, WORLD_FILE,
			(struct world_copy){memcpy(malloc(sizeof(text)), text, sizeof(text)),
				i == 0 ? 2 : sizeof(text)});
		assert_false(world_has_file(w, WORLD_LOG));
	}
}

static void a_database_of_another_program_is_refused_and_left_as_it_is(void **state)
{
	struct world *w = *state;
	struct world_copy before;

	world_run_plainly(
		w, "PRAGMA application_id = 7; CREATE TABLE session (x); PRAGMA user_version = 2");
	before = world_copy_file(w, WORLD_FILE);
	world_is_refused(w, -EBADMSG, "store agent.db: a database of another program");
	world_file_is(w, WORLD_FILE, before);
	assert_false(world_has_file(w, WORLD_LOG));
}

static void the_log_of_another_program_is_left_as_it_is(void **state)
{
	struct world *w = *state;
	struct world_copy file, log;
	sqlite3 *plain = world_open_plainly(w);

	assert_int_equal(sqlite3_exec(plain, "PRAGMA journal_mode = WAL; CREATE TABLE t (x)", NULL,
				 NULL, NULL),
		SQLITE_OK);
	file = world_copy_file(w, WORLD_FILE);
	log = world_copy_file(w, WORLD_LOG);
	assert_true(log.size > 0);
	world_is_refused(w, -EBADMSG, "another program");
	world_file_is(w, WORLD_FILE, file);
	world_file_is(w, WORLD_LOG, log);
	sqlite3_close(plain);
}

static void what_is_no_regular_file_is_refused(void **state)
{
	struct world *w = *state;

	assert_int_equal(mkdirat(w->dir_fd, WORLD_FILE, 0700), 0);
	world_is_refused(w, -EBADMSG, "not a regular file");
	assert_int_equal(unlinkat(w->dir_fd, WORLD_FILE, AT_REMOVEDIR), 0);
	assert_int_equal(mkfifoat(w->dir_fd, WORLD_FILE, 0600), 0);
	world_is_refused(w, -EBADMSG, "not a regular file");
	assert_int_equal(unlinkat(w->dir_fd, WORLD_FILE, 0), 0);
	world_write_file(w, "elsewhere", "", 0);
	assert_int_equal(symlinkat("elsewhere", w->dir_fd, WORLD_FILE), 0);
	world_is_refused(w, -EBADMSG, "not a regular file");
	assert_int_equal(world_file_size(w, "elsewhere"), 0);
}

static void a_name_that_is_a_path_is_refused(void **state)
{
	static const char *const names[] = {"", "a/b", "../x", "/x"};
	struct world *w = *state;
	char name[DATABASE_NAME_MAX + 2];

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
			store_open(w->base, w->dir_fd, names[i], &w->store, &w->err), -EINVAL);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(store_open(w->base, w->dir_fd, name, &w->store, &w->err), -EINVAL);
	name[DATABASE_NAME_MAX] = '\0';
	assert_int_equal(store_open(w->base, w->dir_fd, name, &w->store, &w->err), 0);
	world_create_session(w, "s");
	assert_int_equal(store_open(w->base, -1, "x", &w->store, &w->err), -EBADF);
}

static void a_file_of_a_newer_version_is_refused(void **state)
{
	struct world *w = *state;
	char sql[64];

	world_open(w);
	world_close(w);
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", MIGRATION_NEWEST + 1);
	world_run_plainly(w, sql);
	world_is_refused(w, -EPROTO, "use the newer program");
	world_run_plainly(w, "PRAGMA user_version = -1");
	world_is_refused(w, -EPROTO, "of version -1");
}

static void the_log_of_a_newer_version_is_left_as_it_is(void **state)
{
	struct world *w = *state;
	struct world_copy file, log;
	sqlite3 *plain;
	char sql[64];

	world_open(w);
	world_close(w);
	plain = world_open_plainly(w);
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", MIGRATION_NEWEST + 1);
	assert_int_equal(sqlite3_exec(plain, sql, NULL, NULL, NULL), SQLITE_OK);
	file = world_copy_file(w, WORLD_FILE);
	log = world_copy_file(w, WORLD_LOG);
	assert_true(log.size > 0);
	sqlite3_close(plain);
	world_write_file(w, WORLD_FILE, file.data, file.size);
	world_write_file(w, WORLD_LOG, log.data, log.size);

	world_is_refused(w, -EPROTO, "use the newer program");
	world_file_is(w, WORLD_FILE, file);
	world_file_is(w, WORLD_LOG, log);
}

static void a_file_without_its_tables_is_refused(void **state)
{
	struct world *w = *state;

	world_open(w);
	world_close(w);
	world_run_plainly(w, "DROP TABLE event");
	world_is_refused(w, -EBADMSG, "no such table");
}

static void a_file_in_use_is_busy_and_its_user_goes_on(void **state)
{
	struct world *w = *state;
	struct store *first;

	world_open(w);
	first = w->store;
	w->store = NULL;
	world_is_refused(w, -EBUSY, "in use by another process");
	w->store = first;
	world_create_session(w, "s");
	world_reopen(w);
	ASK(w, store_session_get, "s");
	world_expect(w, "{'id':'s'}");
}

/* Opens it, says so, and ends once it is told to. */
static void hold_in_child(struct world *w, int said, int told)
{
	struct world other = {.dir_fd = w->dir_fd, .base = event_base_new()};
	char byte = 'x';

	if (world_try_open(&other) < 0 || write(said, &byte, 1) != 1)
		_exit(1);
	if (read(told, &byte, 1) != 0)
		_exit(2);
	_exit(0);
}

static void a_file_of_another_process_is_busy_until_that_has_ended(void **state)
{
	struct world *w = *state;
	int said[2], told[2], status;
	char byte;
	pid_t child;

	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		close(told[1]);
		hold_in_child(w, said[1], told[0]);
	}
	assert_int_equal(read(said[0], &byte, 1), 1);
	world_is_refused(w, -EBUSY, "in use by another process");
	close(told[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	world_open(w);
	close(said[0]);
	close(said[1]);
	close(told[0]);
}

static int (*real_open)(const char *, int, int);

static int open_of_a_read_only_disk(const char *path, int flags, int mode)
{
	if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT)) {
		errno = EROFS;
		return -1;
	}
	return real_open(path, flags, mode);
}

static int open_of_a_read_only_directory(const char *path, int flags, int mode)
{
	if (flags & O_CREAT) {
		errno = EACCES;
		return -1;
	}
	return real_open(path, flags, mode);
}

static void try_open_with(struct world *w, int (*instead)(const char *, int, int))
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	real_open = (int (*)(const char *, int, int))(void *)vfs->xGetSystemCall(vfs, "open");
	vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)(void *)instead);
	world_try_open(w);
	vfs->xSetSystemCall(vfs, "open", NULL);
}

static void a_file_or_directory_that_cannot_be_written_is_refused(void **state)
{
	struct world *w = *state;

	world_open(w);
	world_close(w);
	try_open_with(w, open_of_a_read_only_disk);
	world_expect_error(w, -EROFS, "it or its directory cannot be written to");
	try_open_with(w, open_of_a_read_only_directory);
	world_expect_error(w, -EROFS, "it or its directory cannot be written to");
	world_open(w);
}

/* The file as this program left it at its first version, with something in it. */
static void make_first_version(struct world *w)
{
	struct database *database;

	assert_int_equal(database_open(w->dir_fd, WORLD_FILE, &database, &w->err), 0);
	assert_int_equal(sqlite3_exec(database->handle,
				 "DROP TABLE key; DROP TABLE removal;"
				 "ALTER TABLE session DROP COLUMN summary;"
				 "ALTER TABLE session DROP COLUMN summarized;"
				 "PRAGMA user_version = 1",
				 NULL, NULL, NULL),
		SQLITE_OK);
	database_close(database);
}

static void a_file_of_the_first_version_is_brought_up_to_date(void **state)
{
	struct world *w = *state;

	world_open(w);
	world_create_session(w, "s");
	world_begin_run(w, "r", "s");
	world_close(w);
	make_first_version(w);

	world_open(w);
	ASK(w, store_key_list);
	world_expect(w, "{'keys':[]}");
	ASK(w, store_message_list, "s", 1, 0);
	world_expect(w, "{'total':1,'messages':[{'message':{'content':'do it'}}]}");
	ASK(w, store_history, "s");
	world_expect(w, "{'summary':null,'summarized':0,'messages':[{'seq':1}]}");
	ASK(w, store_removal_list);
	world_expect(w, "{'removals':[]}");
}

static void one_key_too_many_is_not_made(void **state)
{
	static const char fill[] =
		"WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1023)"
		" INSERT INTO key SELECT 'k' || i, '', '', printf('%064d', i), 0 FROM n";
	struct world *w = *state;

	world_open(w);
	world_close(w);
	world_run_plainly(w, fill);
	world_open(w);
	ASK(w, store_key_create,
		world_json(w, "{'id':'last','name':'','prefix':'','hash':'%064d'}", 0));
	assert_int_equal(json_array_size(json_object_get(w->result, "keys")), STORE_KEYS_MAX);
	ASK(w, store_key_create,
		world_json(w, "{'id':'more','name':'','prefix':'','hash':'%064x'}", 0xff));
	world_expect_error(w, -E2BIG, "there are 1024 keys: revoke some");
	ASK(w, store_key_list);
	assert_int_equal(json_array_size(json_object_get(w->result, "keys")), STORE_KEYS_MAX);
	ASK(w, store_key_revoke, "k7");
	ASK(w, store_key_create,
		world_json(w, "{'id':'more','name':'','prefix':'','hash':'%064x'}", 0xff));
	assert_int_equal(json_array_size(json_object_get(w->result, "keys")), STORE_KEYS_MAX);
}

static void a_migration_that_fails_leaves_the_older_version(void **state)
{
	struct world *w = *state;

	world_open(w);
	world_create_session(w, "s");
	world_close(w);
	make_first_version(w);
	world_run_plainly(w, "CREATE TABLE key (mine)");
	world_is_refused(w, -EIO, "to version 2: table key already exists");
	world_run_plainly(w, "DROP TABLE key");
	world_open(w);
	ASK(w, store_session_get, "s");
	world_expect(w, "{'id':'s'}");
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up_closed, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_new_file_is_its_owners_alone_and_closes_into_one),
		T(a_deleted_conversation_is_in_the_file_no_more),
		T(an_empty_file_becomes_a_new_one),
		T(it_works_after_chdir_and_after_its_directory_was_moved),
		T(its_directory_fd_is_not_needed_later),
		T(it_works_when_the_right_to_open_it_is_gone),
		T(garbage_is_refused_and_left_as_it_is),
		T(a_database_of_another_program_is_refused_and_left_as_it_is),
		T(the_log_of_another_program_is_left_as_it_is),
		T(what_is_no_regular_file_is_refused),
		T(a_name_that_is_a_path_is_refused),
		T(a_file_of_a_newer_version_is_refused),
		T(the_log_of_a_newer_version_is_left_as_it_is),
		T(a_file_without_its_tables_is_refused),
		T(a_file_in_use_is_busy_and_its_user_goes_on),
		T(a_file_of_another_process_is_busy_until_that_has_ended),
		T(a_file_or_directory_that_cannot_be_written_is_refused),
		T(a_file_of_the_first_version_is_brought_up_to_date),
		T(one_key_too_many_is_not_made),
		T(a_migration_that_fails_leaves_the_older_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * store.h: when the disk or memory fails at any one moment, each operation is answered, what is answered with 0 is
 * kept, what is answered with an error has left nothing, and the store goes on.
 */
#include "tests/unit/store_world.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agentd/store/operation.h"

/* The n-th of what is counted fails, and `more` after it; 0: none. */
static atomic_long countdown, more;
static atomic_long failed;
static atomic_int fault_errno;
static atomic_bool spares_main; /* and nothing of this thread fails */
static pthread_t main_thread;

static void arm(long nth, long and_more, int code)
{
	failed = 0;
	fault_errno = code;
	more = and_more;
	countdown = nth;
}

static void disarm(void)
{
	countdown = 0;
	more = 0;
}

static bool is_due(void)
{
	if (countdown == 0 || (spares_main && pthread_equal(pthread_self(), main_thread)))
		return false;
	if (atomic_fetch_sub(&countdown, 1) != 1)
		return false;
	failed++;
	if (more-- > 0)
		countdown = 1;
	return true;
}

static sqlite3_mem_methods real_memory;
static bool fails_memory, fails_writes, fails_syncs;

static void *failing_malloc(int size)
{
	return fails_memory && is_due() ? NULL : real_memory.xMalloc(size);
}

static void *failing_realloc(void *old, int size)
{
	return fails_memory && is_due() ? NULL : real_memory.xRealloc(old, size);
}

static void *failing_json_malloc(size_t size)
{
	return fails_memory && is_due() ? NULL : malloc(size);
}

static ssize_t failing_pwrite(int fd, const void *data, size_t size, off_t offset)
{
	if (fails_writes && is_due()) {
		errno = fault_errno;
		return -1;
	}
	return pwrite(fd, data, size, offset);
}

static int failing_sync(void)
{
	if (fails_syncs && is_due()) {
		errno = fault_errno;
		return -1;
	}
	return 0;
}

static atomic_int opened_elsewhere;
static int (*real_open)(const char *, int, int);

static int watched_open(const char *path, int flags, int mode)
{
	opened_elsewhere += strncmp(path, "/proc/self/fd/", strlen("/proc/self/fd/")) != 0;
	return real_open(path, flags, mode);
}

#define OPERATIONS 6
#define READERS	   9 /* and a deletion */

struct script {
	struct world *w;
	unsigned count;
	int answers[READERS];
};

static void note(void *arg, int r, json_t *result, const struct error *err)
{
	struct script *script = arg;

	assert_true((r == 0) == (result != NULL));
	assert_int_equal(err->code, -r);
	script->answers[script->count++] = r;
}

/* A session n with a run, a turn, a call under way, an event, a title: asked at once, so that they share. */
static void play(struct world *w, long n, struct script *script)
{
	char session[24], run[24];
	json_t *big = world_json(w, "[{'role':'user','content':'%09000ld'}]", n);

	snprintf(session, sizeof(session), "s%ld", n);
	snprintf(run, sizeof(run), "r%ld", n);
	script->w = w;
	script->count = 0;
	assert_int_equal(store_session_create(w->store,
				 world_json(w, "{'id':'%s','agent':'a'}", session), note, script),
		0);
	assert_int_equal(
		store_run_begin(w->store,
			world_json(w, "{'id':'%s','session':'%s','agent':'a'}", run, session), big,
			note, script),
		0);
	assert_int_equal(store_turn_commit(w->store, run, 1, world_json(w, "{'role':'assistant'}"),
				 world_json(w, "[{'id':'c','name':'n','arguments':''}]"), NULL,
				 note, script),
		0);
	assert_int_equal(store_call_start(w->store, run, 1, 0, note, script), 0);
	assert_int_equal(store_event_append(w->store, run,
				 world_json(w, "[{'seq':1,'type':'x','data':{}}]"), note, script),
		0);
	assert_int_equal(store_session_update(
				 w->store, session, world_json(w, "{'title':'T'}"), note, script),
		0);
	while (script->count < OPERATIONS)
		assert_int_equal(event_base_loop(w->base, EVLOOP_ONCE), 0);
}

static void is_as_answered(struct world *w, long n, const struct script *script)
{
	const int *a = script->answers;
	char session[24], run[24];

	snprintf(session, sizeof(session), "s%ld", n);
	snprintf(run, sizeof(run), "r%ld", n);
	ASK(w, store_session_get, session);
	assert_int_equal(w->r, a[0] == 0 ? 0 : -ENOENT);
	if (a[0] < 0) {
		assert_true(a[1] < 0 && a[5] < 0);
		return;
	}
	world_expect(w, "{'title':%s,'messages':%d}", a[5] == 0 ? "'T'" : "null",
		(a[1] == 0) + (a[2] == 0));
	ASK(w, store_run_get, run);
	assert_int_equal(w->r, a[1] == 0 ? 0 : -ENOENT);
	if (a[1] < 0) {
		assert_true(a[2] < 0 && a[3] < 0 && a[4] < 0);
		return;
	}
	world_expect(w, "{'turn':%d}", a[2] == 0);
	ASK(w, store_event_list, run, 0);
	world_expect(w, a[4] == 0 ? "{'events':[{'seq':1}]}" : "{'events':[]}");
	ASK(w, store_call_start, run, 1, 0);
	assert_int_equal(w->r, a[2] == 0 && a[3] < 0 ? 0 : -ENOENT);
}

/* Fails the first, one `stride` later, ... until there is no such one any more. Returns how many there were. */
static long fail_each(
	struct world *w, long first, long stride, long and_more, int code, const int expected[2])
{
	long n;

	for (n = 1; n < 3000; n += stride) {
		struct script script;

		arm(n, and_more, code);
		play(w, first + n, &script);
		disarm();
		for (int i = 0; i < OPERATIONS; i++) {
			int r = script.answers[i];

			if (r != 0 && r != -ENOENT && r != expected[0] && r != expected[1])
				fail_msg("fault %ld: operation %d: %d", n, i, r);
		}
		if (n % 16 == 0)
			world_reopen(w);
		is_as_answered(w, first + n, &script);
		if (failed == 0)
			return n - stride;
	}
	fail_msg("there is no end");
	return 0;
}

static void each_failing_allocation_is_answered(void **state)
{
	struct world *w = *state;

	fails_memory = spares_main = true;
	assert_true(fail_each(w, 0, 1, 0, ENOMEM, (int[]){-ENOMEM, -EBADMSG}) > 20);
	assert_true(fail_each(w, 10000, 5, 20, ENOMEM, (int[]){-ENOMEM, -EBADMSG}) > 20);
}

/* Everything that reads, and a deletion; each is answered with all of it or not at all. */
static void each_failing_allocation_of_a_reader_is_answered(void **state)
{
	struct world *w = *state;
	struct script script;
	char id[24];

	fails_memory = spares_main = true;
	for (long n = 1;; n++) {
		disarm();
		play(w, n, &script);
		snprintf(id, sizeof(id), "s%ld", n);
		arm(n, 0, ENOMEM);
		script.count = 0;
		store_session_list(w->store, NULL, 2, 0, note, &script);
		store_message_list(w->store, id, 1, 0, note, &script);
		store_run_open_list(w->store, note, &script);
		store_history(w->store, id, note, &script);
		store_removal_list(w->store, note, &script);
		store_session_summarize(w->store, id, "all", 1, note, &script);
		id[0] = 'r';
		store_event_list(w->store, id, 0, note, &script);
		store_run_end(w->store, id, "failed", NULL, note, &script);
		id[0] = 's';
		store_session_delete(w->store, id, note, &script);
		while (script.count < READERS)
			event_base_loop(w->base, EVLOOP_ONCE);
		for (int i = 0; i < READERS; i++) {
			int r = script.answers[i];

			/* jansson takes some of its own for malformed text. */
			if (r != 0 && r != -ENOMEM && r != -EBADMSG &&
				(i != READERS - 1 || r != -EBUSY))
				fail_msg("fault %ld: operation %d: %d", n, i, r);
		}
		if (failed == 0)
			break;
		/* So that there is not ever more to list. */
		id[0] = 'r';
		disarm();
		store_run_end(w->store, id, "failed", NULL, NULL, NULL);
		id[0] = 's';
		ASK(w, store_session_delete, id);
		assert_int_equal(w->r, script.answers[READERS - 1] == 0 ? -ENOENT : 0);
	}
	assert_int_equal(script.answers[READERS - 1], 0);
}

static void each_failing_write_is_answered(void **state)
{
	struct world *w = *state;

	fails_writes = true;
	assert_true(fail_each(w, 0, 1, 0, ENOSPC, (int[]){-ENOSPC, -ENOSPC}) >= 2);
	assert_true(fail_each(w, 1000, 1, 0, EIO, (int[]){-EIO, -EIO}) >= 2);
	assert_true(fail_each(w, 2000, 1, 3, EFBIG, (int[]){-EIO, -EIO}) >= 2);
}

static void each_failing_sync_is_answered(void **state)
{
	struct world *w = *state;

	fails_syncs = true;
	assert_true(fail_each(w, 0, 1, 0, EIO, (int[]){-EIO, -EIO}) >= 1);
	assert_true(fail_each(w, 1000, 1, 3, ENOSPC, (int[]){-ENOSPC, -ENOSPC}) >= 1);
}

static void a_full_disk_is_told_reading_goes_on_and_so_does_all_when_there_is_room(void **state)
{
	struct world *w = *state;
	struct script script;

	world_create_session(w, "s");
	fails_writes = true;
	arm(1, 1000000, ENOSPC);
	for (int i = 0; i < 20; i++) {
		ASK(w, store_session_update, "s", world_json(w, "{'title':'x'}"));
		world_expect_error(w, -ENOSPC, "the disk is full: make room on it");
		ASK(w, store_session_get, "s");
		world_expect(w, "{'title':null}");
	}
	play(w, 1, &script);
	assert_int_equal(script.answers[0], -ENOSPC);
	assert_int_equal(script.answers[5], -ENOENT);
	disarm();
	play(w, 1, &script);
	is_as_answered(w, 1, &script);
	assert_int_equal(script.answers[0], 0);
	world_reopen(w);
	is_as_answered(w, 1, &script);
}

/* Its signal, which ends a process, is blocked in the thread that writes. */
static void a_limit_of_the_file_size_is_an_error_and_no_end(void **state)
{
	struct rlimit before, now;
	struct world *w = *state;

	world_create_session(w, "s");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	now = before;
	now.rlim_cur = world_file_size(w, WORLD_LOG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	ASK(w, store_session_update, "s", world_json(w, "{'title':'%0100000d'}", 1));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	world_expect_error(w, -EIO, "File too large");
	ASK(w, store_session_update, "s", world_json(w, "{'title':'T'}"));
	world_expect(w, "{'title':'T'}");
}

/* Each time from no file at all; the file that a failure leaves is taken by the next one. */
static void opening_with_each_failing(struct world *w, long step, int expected)
{
	long n;

	for (n = 1;; n += 1 + n / step) {
		arm(n, 0, ENOSPC);
		world_try_open(w);
		disarm();
		if (failed == 0)
			break;
		/* What fails may be something that is done without. */
		if (w->r < 0)
			assert_int_equal(w->r, expected);
		if (w->r < 0)
			world_open(w);
		world_create_session(w, "s");
		world_close(w);
		unlinkat(w->dir_fd, WORLD_FILE, 0);
	}
	assert_int_equal(w->r, 0);
	assert_true(n > 5);
}

static void opening_survives_each_failing_allocation(void **state)
{
	struct world *w = *state;

	world_close(w);
	unlinkat(w->dir_fd, WORLD_FILE, 0);
	fails_memory = true;
	spares_main = false;
	opening_with_each_failing(w, 8, -ENOMEM);
}

static void opening_survives_each_failing_write(void **state)
{
	struct world *w = *state;

	world_close(w);
	unlinkat(w->dir_fd, WORLD_FILE, 0);
	fails_writes = true;
	opening_with_each_failing(w, 1000, -ENOSPC);
}

static void asking_without_memory_is_refused_and_never_answered(void **state)
{
	struct world *w = *state;
	const json_t *session = world_json(w, "{'id':'s','agent':'a'}");
	const json_t *run = world_json(w, "{'id':'r','session':'s','agent':'a'}");
	const json_t *messages = world_json(w, "[{'role':'user','content':['x']}]");
	long n;

	fails_memory = true;
	spares_main = false;
	for (n = 1;; n++) {
		struct script script = {.w = w};
		int r[2];

		/* The other thread allocates as well: the n-th may be one of its own. */
		arm(n, 0, ENOMEM);
		r[0] = store_session_create(w->store, session, note, &script);
		r[1] = store_run_begin(w->store, run, messages, note, &script);
		while (script.count < (unsigned)(r[0] == 0) + (r[1] == 0))
			event_base_loop(w->base, EVLOOP_ONCE);
		disarm();
		assert_true(r[0] == 0 || r[0] == -ENOMEM);
		assert_true(r[1] == 0 || r[1] == -ENOMEM);
		store_run_end(w->store, "r", "failed", NULL, NULL, NULL);
		store_session_delete(w->store, "s", NULL, NULL);
		if (failed == 0)
			break;
	}
	assert_true(n > 10);
}

static void no_temporary_file_is_opened(void **state)
{
	struct world *w = *state;
	struct script script;
	json_t *changes = world_json(w, "{}");
	char *text = malloc(OPERATION_TEXT_MAX + 1);

	memset(text, 'x', OPERATION_TEXT_MAX);
	text[OPERATION_TEXT_MAX] = '\0';
	json_object_set_new(changes, "title", json_string(text));
	free(text);
	opened_elsewhere = 0;
	world_reopen(w);
	/* Much to undo, within a transaction that others share. */
	for (long n = 0; n < 20; n++)
		play(w, n, &script);
	ASK(w, store_session_update, "s1", changes);
	for (int i = 0; i < 20; i++)
		store_run_end(w->store, "r1", "completed", changes, NULL, NULL);
	ASK(w, store_session_delete, "s1");
	assert_int_equal(w->r, 0);
	assert_int_equal(opened_elsewhere, 0);
}

static int set_up(void **state)
{
	disarm();
	fails_memory = fails_writes = fails_syncs = false;
	spares_main = false;
	return world_set_up(state);
}

static void intercept(void)
{
	sqlite3_mem_methods memory;
	sqlite3_vfs *vfs;

	main_thread = pthread_self();
	world_sync = failing_sync;
	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory);
	memory = real_memory;
	memory.xMalloc = failing_malloc;
	memory.xRealloc = failing_realloc;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
	/* As the store itself says; here SQLite begins before it does. */
	sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
	json_set_alloc_funcs(failing_json_malloc, free);
	vfs = sqlite3_vfs_find(NULL);
	vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)(void *)failing_pwrite);
	vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)(void *)failing_pwrite);
	real_open = (int (*)(const char *, int, int))(void *)vfs->xGetSystemCall(vfs, "open");
	vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)(void *)watched_open);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_failing_allocation_is_answered),
		T(each_failing_allocation_of_a_reader_is_answered),
		T(each_failing_write_is_answered),
		T(each_failing_sync_is_answered),
		T(a_full_disk_is_told_reading_goes_on_and_so_does_all_when_there_is_room),
		T(a_limit_of_the_file_size_is_an_error_and_no_end),
		T(opening_survives_each_failing_allocation),
		T(opening_survives_each_failing_write),
		T(asking_without_memory_is_refused_and_never_answered),
		T(no_temporary_file_is_opened),
	};

	intercept();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

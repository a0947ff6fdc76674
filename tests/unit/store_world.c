#include "tests/unit/store_world.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"

int (*world_sync)(void);

/* Taken instead of the C library's by libsqlite3 too. */
int fdatasync(int fd)
{
	(void)fd;
	return world_sync ? world_sync() : 0;
}

int fsync(int fd)
{
	return fdatasync(fd);
}

int world_set_up_closed(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	strcpy(w->path, "/tmp/hearth-store-XXXXXX");
	if (!mkdtemp(w->path))
		return -1;
	w->dir_fd = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w->base = event_base_new();
	w->kept = json_array();
	*state = w;
	return w->dir_fd < 0 || !w->base ? -1 : 0;
}

int world_set_up(void **state)
{
	int r = world_set_up_closed(state);

	return r < 0 ? r : world_try_open(*state);
}

static void remove_all(struct world *w)
{
	DIR *directory = fdopendir(dup(w->dir_fd));
	const struct dirent *entry;

	if (!directory)
		return;
	rewinddir(directory);
	while ((entry = readdir(directory)))
		if (unlinkat(w->dir_fd, entry->d_name, 0) < 0)
			unlinkat(w->dir_fd, entry->d_name, AT_REMOVEDIR);
	closedir(directory);
	rmdir(w->path);
}

int world_tear_down(void **state)
{
	struct world *w = *state;

	store_close(w->store);
	event_base_free(w->base);
	remove_all(w);
	close(w->dir_fd);
	json_decref(w->result);
	json_decref(w->kept);
	free(w);
	return 0;
}

int world_try_open(struct world *w)
{
	memset(&w->err, 0, sizeof(w->err));
	w->r = store_open(w->base, w->dir_fd, WORLD_FILE, &w->store, &w->err);
	return w->r;
}

void world_open(struct world *w)
{
	if (world_try_open(w) < 0)
		fail_msg("%s", w->err.text);
}

void world_close(struct world *w)
{
	store_close(w->store);
	w->store = NULL;
}

void world_reopen(struct world *w)
{
	world_close(w);
	world_open(w);
}

void world_done(void *arg, int r, json_t *result, const struct error *err)
{
	struct world *w = arg;

	assert_false(w->is_answered);
	w->is_answered = true;
	w->r = r;
	json_decref(w->result);
	w->result = json_incref(result);
	w->err = *err;
	assert_true((r == 0) == (result != NULL));
	assert_int_equal(err->code, -r);
}

int world_wait(struct world *w, int asked)
{
	assert_int_equal(asked, 0);
	w->is_answered = false;
	while (!w->is_answered)
		assert_int_equal(event_base_loop(w->base, EVLOOP_ONCE), 0);
	return w->r;
}

static json_t *parse(const char *format, va_list ap)
{
	json_error_t why;
	json_t *value;
	char *text;

	assert_true(vasprintf(&text, format, ap) >= 0);
	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
	if (!value)
		fail_msg("%s: %s", text, why.text);
	free(text);
	return value;
}

json_t *world_keep(struct world *w, json_t *value)
{
	assert_int_equal(json_array_append_new(w->kept, value), 0);
	return value;
}

json_t *world_json(struct world *w, const char *format, ...)
{
	json_t *value;
	va_list ap;

	va_start(ap, format);
	value = parse(format, ap);
	va_end(ap);
	return world_keep(w, value);
}

static bool matches(const json_t *value, const json_t *pattern)
{
	const char *key;
	json_t *member;
	size_t index;

	if (json_is_object(pattern)) {
		json_object_foreach((json_t *)pattern, key, member)
		{
			if (!matches(json_object_get(value, key), member))
				return false;
		}
		return true;
	}
	if (!json_is_array(pattern))
		return json_equal(value, pattern);
	if (json_array_size(value) != json_array_size(pattern))
		return false;
	json_array_foreach(pattern, index, member)
	{
		if (!matches(json_array_get(value, index), member))
			return false;
	}
	return true;
}

void world_expect(struct world *w, const char *format, ...)
{
	json_t *pattern;
	va_list ap;

	if (w->r < 0)
		fail_msg("%s", w->err.text);
	va_start(ap, format);
	pattern = parse(format, ap);
	va_end(ap);
	if (!matches(w->result, pattern))
		fail_msg("%s\nis not as\n%s", json_dumps(w->result, JSON_ENCODE_ANY),
			json_dumps(pattern, JSON_ENCODE_ANY));
	json_decref(pattern);
}

void world_expect_error(struct world *w, int r, const char *part)
{
	if (w->r != r || !strstr(w->err.text, part))
		fail_msg("%d (%s), not %d (%s)", w->r, w->err.text, r, part);
}

void world_create_session(struct world *w, const char *id)
{
	ASK(w, store_session_create, world_json(w, "{'id':'%s','agent':'coder'}", id));
	world_expect(w, "{'id':'%s','messages':0}", id);
}

void world_begin_run(struct world *w, const char *id, const char *session)
{
	ASK(w, store_run_begin,
		world_json(w, "{'id':'%s','session':'%s','agent':'coder','options':{'x':[1]}}", id,
			session),
		world_json(w, "[{'role':'user','content':'do it'}]"));
	world_expect(w, "{'id':'%s','status':'running','turn':0}", id);
}

void world_commit_turn(struct world *w, const char *run, uint32_t turn)
{
	ASK(w, store_turn_commit, run, turn, world_json(w, "{'role':'assistant','content':null}"),
		world_json(w, "[{'id':'c1','name':'bash','arguments':'{}'},"
			      "{'id':'c2','name':'read','arguments':'{'}]"),
		world_json(w, "{'prompt_tokens':10,'completion_tokens':2}"));
	world_expect(w, "{'id':'%s','turn':%u}", run, turn);
}

void world_write_file(struct world *w, const char *name, const void *data, size_t size)
{
	int fd = openat(w->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, data, size), 0);
	close(fd);
}

size_t world_file_size(struct world *w, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(w->dir_fd, name, &st, 0), 0);
	return (size_t)st.st_size;
}

bool world_has_file(struct world *w, const char *name)
{
	return faccessat(w->dir_fd, name, F_OK, 0) == 0;
}

struct world_copy world_copy_file(struct world *w, const char *name)
{
	struct world_copy copy;
	ssize_t size = file_read_all_at(w->dir_fd, name, 16 << 20, &copy.data, NULL);

	assert_true(size >= 0);
	copy.size = (size_t)size;
	return copy;
}

/* It is as it was; frees the copy. */
void world_file_is(struct world *w, const char *name, struct world_copy before)
{
	struct world_copy now = world_copy_file(w, name);

	assert_int_equal(now.size, before.size);
	assert_memory_equal(now.data, before.data, now.size);
	free(now.data);
	free(before.data);
}

/* As another program has it. */
sqlite3 *world_open_plainly(struct world *w)
{
	char path[128];
	sqlite3 *plain;

	snprintf(path, sizeof(path), "%s/%s", w->path, WORLD_FILE);
	assert_int_equal(sqlite3_open(path, &plain), SQLITE_OK);
	return plain;
}

void world_run_plainly(struct world *w, const char *sql)
{
	sqlite3 *plain = world_open_plainly(w);
	char *why = NULL;

	if (sqlite3_exec(plain, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	sqlite3_close(plain);
}

void world_is_refused(struct world *w, int r, const char *part)
{
	world_try_open(w);
	world_expect_error(w, r, part);
	assert_null(w->store);
	assert_int_equal(strncmp(w->err.text, "store ", strlen("store ")), 0);
}

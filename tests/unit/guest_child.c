#include "tests/unit/guest_child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "nsjail-lite/guest/guest.h"
#include "proto/channel.h"

#define CONTENT_MAX (1u << 20)

static void start(struct guest_child *child, const struct guest_events *events)
{
	static const char *const env[] = {
		"PATH=/usr/local/bin:/usr/bin:/bin", "COLOUR=blue", "SHAPE=round", NULL};
	const struct guest_defaults defaults = {.cwd = child->root, .env = env};
	int ends[2];

	memset(child, 0, sizeof(*child));
	snprintf(child->root, sizeof(child->root), "/tmp/hearth-guest-XXXXXX");
	assert_non_null(mkdtemp(child->root));
	assert_int_equal(channel_pair(ends, NULL), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0) {
		close(ends[0]);
		guest_main(ends[1], events, &defaults);
	}
	close(ends[1]);
	child->channel = ends[0];
}

void guest_child_start_raw(struct guest_child *child)
{
	const struct guest_events none = {-1, -1, -1};

	start(child, &none);
}

void guest_child_start(struct guest_child *child)
{
	const struct guest_events none = {-1, -1, -1};

	guest_child_start_with(child, &none);
}

void guest_child_start_with(struct guest_child *child, const struct guest_events *events)
{
	start(child, events);
	assert_int_equal(guest_client_create(child->channel, &child->client, NULL), 0);
}

void guest_child_wait_gone(struct guest_child *child)
{
	int status;

	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	child->pid = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void guest_child_stop(struct guest_child *child)
{
	if (child->client)
		guest_client_destroy(child->client);
	else
		fd_close(child->channel);
	child->client = NULL;
	child->channel = -1;
	if (child->root[0])
		nftw(child->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	child->root[0] = '\0';
	if (child->pid > 0)
		guest_child_wait_gone(child);
}

static const char *path_of(const struct guest_child *child, const char *name)
{
	static char path[GUEST_CHILD_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", child->root, name);
	return path;
}

void guest_child_put(struct guest_child *child, const char *name, const char *content)
{
	char parent[GUEST_CHILD_PATH_MAX];
	auto_close int fd = -1;

	snprintf(parent, sizeof(parent), "%s", path_of(child, name));
	*strrchr(parent, '/') = '\0';
	assert_int_equal(file_make_directories(parent, 0755, NULL), 0);
	if (name[strlen(name) - 1] == '/')
		return;
	fd = open(path_of(child, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, content, strlen(content)), 0);
}

const char *guest_child_get(struct guest_child *child, const char *name)
{
	static char content[CONTENT_MAX];
	auto_close int fd = open(path_of(child, name), O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		fail_msg("%s: %s", name, strerror(errno));
	n = fd_read_full(fd, content, sizeof(content) - 1);
	assert_true(n >= 0);
	content[n] = '\0';
	return content;
}

int guest_child_count_names(struct guest_child *child, const char *directory)
{
	DIR *dir = opendir(path_of(child, directory));
	int count = -2; /* "." and ".." */

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

void guest_child_ask(struct guest_child *child, struct call *call,
	const struct guest_file_options *options, const char *input)
{
	call_finish(call);
	call_file(child->client, call, options, input, input ? strlen(input) : 0);
	call_wait(child->client, call);
}

void guest_child_run(struct guest_child *child, struct call *call, const char *command,
	const struct guest_exec_options *options)
{
	call_finish(call);
	call_command(child->client, call, command, options);
	call_wait(child->client, call);
}

static void on_output(void *arg, enum guest_stream stream, const void *data, uint32_t size)
{
	struct call *call = arg;
	size_t room = CALL_OUTPUT_MAX - call->size;
	size_t n = size < room ? size : room;

	memcpy(call->output + call->size, data, n);
	call->size += n;
	call->bytes[stream] += size;
}

static void on_reply(void *arg, const struct guest_reply *reply)
{
	struct call *call = arg;

	call->reply = *reply;
	call->replies++;
	call->request = NULL;
}

static void feed(struct call *call)
{
	while (call->request && call->has_input) {
		size_t left = call->input_size - call->input_sent;
		uint32_t credit = guest_request_credit(call->request);
		uint32_t size = left < GUEST_CHUNK_MAX ? (uint32_t)left : GUEST_CHUNK_MAX;

		size = size < credit ? size : credit;
		if (size == 0 && left > 0)
			return;
		assert_int_equal(guest_request_input(call->request, call->input + call->input_sent,
					 size, size == left),
			0);
		call->input_sent += size;
		call->has_input = size < left;
	}
}

static void on_credit(void *arg)
{
	feed(arg);
}

void guest_child_exec(struct guest_child *child, struct call *call,
	const struct guest_exec_options *options, const char *input, size_t input_size)
{
	const struct guest_callbacks callbacks = {on_output, on_credit, on_reply, call};

	call_finish(call);
	memset(call, 0, sizeof(*call));
	call->output = calloc(1, CALL_OUTPUT_MAX + 1);
	assert_non_null(call->output);
	call->input = input;
	call->input_size = input_size;
	call->has_input = input != NULL;
	assert_int_equal(
		guest_client_exec(child->client, options, &callbacks, &call->request, NULL), 0);
	feed(call);
	call_wait(child->client, call);
}

const char *guest_child_output(const struct call *call)
{
	return call->output ? call->output : "";
}

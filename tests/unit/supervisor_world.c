#define _GNU_SOURCE 1 /* O_PATH */
#include "tests/unit/supervisor_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/unix_socket.h"
#include "nsjail-lite/builder/link.h"
#include "nsjail-lite/network/network_link.h"
#include "nsjail-lite/program.h"
#include "pool/pool.h"
#include "proto/channel.h"
#include "proto/instance.h"
#include "supervisor/pool_host.h"
#include "supervisor/workspace_lock.h"

#define LINK_FD 3

/* In a forked child: tests/fake/NAME with its end of a link; the variable says what goes wrong. */
static _Noreturn void exec_fake(
	const char *name, int link_fd, const char *variable, const char *behaviour)
{
	const char *top = getenv("top_builddir");
	char path[256];

	snprintf(path, sizeof(path), "%s/tests/fake/%s", top ? top : ".", name);
	if (behaviour)
		setenv(variable, behaviour, 1);
	/* The pair may itself stand on 3: then only its flag is in the way. */
	if (link_fd == LINK_FD ? fcntl(LINK_FD, F_SETFD, 0) : dup2(link_fd, LINK_FD) < 0)
		_exit(126);
	execl(path, name, (char *)NULL);
	_exit(127);
}

static int start_fake(void *arg, uint32_t index, struct builder *ret_builder, struct error *err)
{
	struct world *w = arg;
	struct link_start start;
	int pair[2];

	(void)index;
	if (w->cannot_start)
		return error_set(err, EAGAIN, "pretended: fork");
	assert_int_equal(channel_pair(pair, err), 0);
	ret_builder->pid = fork();
	if (ret_builder->pid == 0)
		exec_fake("fake_builder", pair[1], "FAKE_BUILDER", w->behaviour);
	close(pair[1]);
	w->behaviour = NULL;
	w->starts++;
	w->builder = ret_builder->pid;
	ret_builder->link_fd = pair[0];
	ret_builder->pidfd = pidfd_open(ret_builder->pid, 0);
	assert_true(ret_builder->pid > 0 && ret_builder->pidfd >= 0);
	link_header(&start.header, LINK_START, sizeof(start));
	return channel_send(pair[0], &start, sizeof(start), NULL, 0, NULL, 0);
}

/* Its START says nothing, for it looks at nothing. */
static int start_fake_network(
	void *arg, uint32_t id, struct program *ret_process, struct error *err)
{
	struct world *w = arg;
	struct network_start start = {0};
	int pair[2];

	assert_int_equal(channel_pair(pair, err), 0);
	ret_process->pid = fork();
	if (ret_process->pid == 0)
		exec_fake("fake_network", pair[1], "FAKE_NETWORK", w->network_behaviour);
	close(pair[1]);
	w->network = ret_process->pid;
	ret_process->link_fd = pair[0];
	ret_process->pidfd = pidfd_open(ret_process->pid, 0);
	assert_true(ret_process->pid > 0 && ret_process->pidfd >= 0);
	network_header(&start.header, NETWORK_START, sizeof(start), id);
	return channel_send(pair[0], &start, sizeof(start), NULL, 0, NULL, 0);
}

bool world_can_freeze = true;

struct world *world_open(const char *config, const char *behaviour)
{
	return world_open_network(config, behaviour, NULL);
}

struct world *world_open_network(
	const char *config, const char *behaviour, const char *network_behaviour)
{
	struct world *w = calloc(1, sizeof(*w));
	struct supervisor_host host = {
		.start_builder = start_fake,
		.start_network = start_fake_network,
		.arg = w,
		.workspace_uid = geteuid(),
		.first_uid = 65536,
		.can_freeze = world_can_freeze,
	};
	struct supervisor_config parsed;
	struct error err = {0};
	char path[96];
	int listener;

	assert_non_null(w);
	w->fds_before = fd_count_open();
	snprintf(w->directory, sizeof(w->directory), "/tmp/hearth-unit.XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	chmod(w->directory, 0755);
	w->dirfd = open(w->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->dirfd >= 0);
	assert_int_equal(
		file_replace_at(w->dirfd, INSTANCE_CONFIG, config, strlen(config), 0600, &err), 0);
	snprintf(path, sizeof(path), "%s/" INSTANCE_CONFIG, w->directory);
	if (supervisor_config_load(path, &parsed, &err) < 0)
		fail_msg("%s", err.text);
	listener = unix_socket_listen(
		w->dirfd, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET, 0666, (gid_t)-1, &err);
	assert_true(listener >= 0);
	w->behaviour = behaviour;
	w->network_behaviour = network_behaviour;
	host.user_uid = geteuid();
	host.workspaces_fd = w->workspaces_fd =
		parsed.workspaces.directory[0] ? open(w->directory, O_RDONLY | O_CLOEXEC) : -1;
	assert_int_equal(supervisor_create(&parsed, &host, listener, &w->supervisor, &err), 0);
	assert_int_equal(supervisor_start(w->supervisor, &err), 0);
	return w;
}

void world_close(struct world *w)
{
	supervisor_destroy(w->supervisor);
	unlinkat(w->dirfd, INSTANCE_CONTROL_SOCKET, 0);
	unlinkat(w->dirfd, INSTANCE_CONFIG, 0);
	close(w->dirfd);
	if (w->workspaces_fd >= 0)
		unlinkat(w->workspaces_fd, WORKSPACE_LOCKS, 0);
	fd_close(w->workspaces_fd);
	rmdir(w->directory);
	assert_int_equal(fd_count_open(), w->fds_before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	free(w);
}

void world_until(struct world *w, bool (*check)(struct world *w, void *arg), void *arg)
{
	uint64_t until_ms = clock_now_ms() + WORLD_PATIENCE_MS;

	while (!check(w, arg)) {
		if (clock_now_ms() > until_ms)
			fail_msg("it did not happen within %d ms", WORLD_PATIENCE_MS);
		event_base_loop(w->supervisor->events, EVLOOP_NONBLOCK);
		poll(NULL, 0, 1);
	}
}

struct pool_counters world_counters(const struct world *w)
{
	struct pool_counters c;

	pool_get_counters(w->supervisor->pools[0]->pool, &c);
	return c;
}

bool world_has_died(struct world *w, void *arg)
{
	(void)arg;
	return world_counters(w).deaths > 0;
}

void world_turns(struct world *w)
{
	for (int i = 0; i < 50; i++) {
		event_base_loop(w->supervisor->events, EVLOOP_NONBLOCK);
		poll(NULL, 0, 1);
	}
}

static bool is_ready(struct world *w, void *arg)
{
	return world_counters(w).ready >= *(uint32_t *)arg;
}

void world_until_ready(struct world *w, uint32_t ready)
{
	world_until(w, is_ready, &ready);
}

static bool is_leased(struct world *w, void *arg)
{
	return world_counters(w).leased == *(uint32_t *)arg;
}

void world_until_leased(struct world *w, uint32_t leased)
{
	world_until(w, is_leased, &leased);
}

int world_run(struct world *w)
{
	return supervisor_run(w->supervisor);
}

int world_connect(struct world *w)
{
	struct error err;
	int fd = unix_socket_connect(w->dirfd, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET, &err);

	if (fd < 0)
		fail_msg("%s", err.text);
	return fd;
}

int world_send(int client, const void *bytes, size_t size, int fd)
{
	return channel_send(client, bytes, size, NULL, 0, &fd, fd >= 0 ? 1 : 0);
}

void world_acquire(
	int client, uint32_t id, const char *template_name, uint32_t on_empty, uint32_t wait_ms)
{
	struct control_acquire m = {.on_empty = on_empty, .wait_ms = wait_ms};

	control_header(&m.header, CONTROL_ACQUIRE, sizeof(m), id);
	memcpy(m.template_name, template_name, strlen(template_name));
	assert_int_equal(world_send(client, &m, sizeof(m), -1), 0);
}

void world_acquire_own(int client, uint32_t id, const struct control_acquire *m)
{
	struct control_acquire request = *m;

	control_header(&request.header, CONTROL_ACQUIRE, sizeof(request), id);
	assert_int_equal(world_send(client, &request, sizeof(request), -1), 0);
}

void world_net(int client, uint32_t id, const struct control_handle *handle, const char *net)
{
	struct control_net m = {.handle = *handle};

	control_header(&m.header, CONTROL_NET, sizeof(m), id);
	memcpy(m.net, net, strlen(net));
	assert_int_equal(world_send(client, &m, sizeof(m), -1), 0);
}

void world_lease_request(
	int client, uint16_t type, uint32_t id, const struct control_handle *handle)
{
	struct control_lease m = {.handle = *handle};

	control_header(&m.header, type, sizeof(m), id);
	assert_int_equal(world_send(client, &m, sizeof(m), -1), 0);
}

void world_query(int client, uint16_t type, uint32_t id)
{
	struct control_query m;

	control_header(&m.header, type, sizeof(m), id);
	assert_int_equal(world_send(client, &m, sizeof(m), -1), 0);
}

struct arrival {
	int client;
	ssize_t size;
	struct answer answer;
};

static bool has_arrived(struct world *w, void *arg)
{
	struct arrival *a = arg;
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;

	(void)w;
	a->size = channel_receive(a->client, &a->answer, offsetof(struct answer, fd), fds, &count);
	if (a->size == -EAGAIN)
		return false;
	a->answer.fd = a->size > 0 && count == 1 ? fds[0] : -1;
	return true;
}

struct answer world_await(struct world *w, int client)
{
	struct arrival a = {.client = client};
	const struct message_rule *rule;
	struct error err;

	world_until(w, has_arrived, &a);
	if (a.size <= 0)
		fail_msg("the connection has ended: %zd", a.size);
	if (check_message(&control_protocol, MESSAGE_TO_CLIENT, &a.answer, (size_t)a.size,
		    a.answer.fd >= 0, &rule, &err) < 0)
		fail_msg("%s", err.text);
	return a.answer;
}

struct answer world_expect(struct world *w, int client, uint16_t type, uint32_t id)
{
	struct answer answer;

	do
		answer = world_await(w, client);
	while (answer.header.type == CONTROL_RECEIPT && type != CONTROL_RECEIPT);
	if (answer.header.type == CONTROL_REFUSED && type != CONTROL_REFUSED)
		fail_msg("refused: %s", answer.refused.text);
	assert_int_equal(answer.header.type, type);
	assert_int_equal(answer.header.id, id);
	return answer;
}

void world_expect_closed(struct world *w, int client)
{
	struct arrival a = {.client = client};

	do {
		world_until(w, has_arrived, &a);
		fd_close(a.answer.fd);
	} while (a.size > 0);
	assert_true(a.size == 0 || a.size == -ECONNRESET);
	close(client);
}

struct answer world_lease(struct world *w, int client)
{
	struct answer answer;

	world_acquire(client, 1, "", ON_EMPTY_DEFAULT, 0);
	answer = world_expect(w, client, CONTROL_LEASED, 1);
	assert_true(answer.fd >= 0);
	return answer;
}

void world_expect_refused(
	struct world *w, int client, uint32_t id, enum control_refusal refusal, const char *text)
{
	struct answer answer = world_expect(w, client, CONTROL_REFUSED, id);

	assert_string_equal(
		control_refusal_name(answer.refused.refusal), control_refusal_name(refusal));
	if (!strstr(answer.refused.text, text))
		fail_msg("'%s' is not in '%s'", text, answer.refused.text);
}

void world_release(struct world *w, int client, const struct answer *lease)
{
	close(lease->fd);
	world_lease_request(client, CONTROL_RELEASE, 2, &lease->leased.handle);
	world_expect(w, client, CONTROL_DONE, 2);
	world_expect(w, client, CONTROL_RECEIPT, 0);
}

struct control_sandbox_details world_inspect(
	struct world *w, int client, const struct control_handle *handle)
{
	world_lease_request(client, CONTROL_INSPECT, 77, handle);
	return world_expect(w, client, CONTROL_SANDBOX_DETAILS, 77).details;
}

/*
 * fake_supervisor.c - a control.sock behind which the sandboxes are guests without a jail.
 *
 * For tests of agentd that need no root: the guest is the real code, run as a plain process that
 * works in DIR/root. Usage: fake_supervisor DIR.
 *
 * The template says what an ACQUIRE gets: "none" and "empty" are refused, "never" has no answer,
 * "idle" has an idle limit of 600 ms (which nobody enforces), of "weak" the CPU quota is not enforced,
 * everything else is leased at once. A released lease gets its receipt at once, but one of "slow" not.
 * Events go to stdout, one a line: leased ID, released ID, touched ID, removed WORKSPACE, held WORKSPACE, gone. Commands come by stdin:
 *   end ID REASON LIMITS LIMIT   LEASE_ENDED
 *   receipt ID REASON LIMITS     RECEIPT
 *   count                  answered by an event "total N": leases until now
 *   hold N                 the next N times WORKSPACE_REMOVE is refused: in use
 *   refuse N               likewise, but for good
 *   deny N REFUSAL RETRY   the next N times ACQUIRE is refused so
 *   ignore N               the next N times it has no answer
 *   ready N                how many sandboxes the pool says are ready
 *   kill ID                the guest is killed, without a word to the client
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "nsjail-lite/guest/guest.h"
#include "proto/channel.h"
#include "proto/control.h"

#define CLIENTS_MAX 8
#define LEASES_MAX  8192
#define EPOCH	    UINT64_C(1700000000123456789) /* beyond 2^53, as the real ones are */
#define IDLE_MS	    600

struct fake_lease {
	pid_t guest; /* 0: none */
	int client;
	bool is_slow; /* its receipt comes by command only */
};

static struct pollfd fds[2 + CLIENTS_MAX];   /* stdin, listener, clients */
static struct fake_lease leases[LEASES_MAX]; /* by id; ids begin with 1 */
static uint64_t last_id;
static unsigned holds, refusals;			   /* of the next removals */
static unsigned denials, denial, denial_retry_ms, ignored; /* of the next acquires */
static unsigned ready = 2;
static char root[4096];

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void say(const char *event, uint64_t id)
{
	printf("%s %llu\n", event, (unsigned long long)id);
	fflush(stdout);
}

static pid_t start_guest(int channel)
{
	const char *const env[] = {
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/", NULL};
	const struct guest_events no_events = {-1, -1, -1};
	const struct guest_defaults defaults = {.cwd = root, .env = env};
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (dup2(channel, 3) < 0)
		_exit(1);
	close_range(4, ~0u, 0);
	guest_main(3, &no_events, &defaults);
}

/* A guest whose channel is closed, ends by itself with all it has started. */
static void reap_guests(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (uint64_t id = 1; id <= last_id; id++)
			if (leases[id].guest == pid)
				leases[id].guest = 0;
}

static void reply(int client, void *message, uint16_t type, uint32_t size, uint32_t id, int fd)
{
	control_header(message, type, size, id);
	if (channel_send(client, message, size, NULL, 0, &fd, fd >= 0 ? 1 : 0) < 0)
		fprintf(stderr, "a client does not take its answer\n");
}

static void refuse(int client, uint32_t id, enum control_refusal why, const char *text)
{
	struct control_refused m = {.refusal = why, .retry_ms = 10};

	text_copy(m.text, sizeof(m.text), text);
	reply(client, &m, CONTROL_REFUSED, sizeof(m), id, -1);
}

/* What the lease asks for of its own is bound in. */
static void bind_own(struct control_leased *m, const struct control_acquire *request)
{
	text_copy(m->net, sizeof(m->net), request->net[0] ? request->net : "none");
	text_copy(m->hostname, sizeof(m->hostname),
		request->hostname[0] ? request->hostname : "sandbox");
	if (request->memory_bytes)
		m->memory_bytes = request->memory_bytes;
	if (request->pids)
		m->pids = request->pids;
	if (request->cpu_milli)
		m->cpu_milli = request->cpu_milli;
	if (!request->workspace[0])
		return;
	text_copy(m->workspace, sizeof(m->workspace), request->workspace);
	m->rung = RUNG_BOUND;
	m->bind_ns = 150000;
	m->workspace_bytes = 1u << 30;
	m->is_soft = 1;
}

static void lease(int client, const struct control_acquire *request)
{
	struct control_leased m = {.handle = {++last_id, EPOCH},
		.rung = RUNG_READY,
		.memory_bytes = 256u << 20,
		.disk_bytes = 512u << 20,
		.disk_inodes = 1000,
		.open_files = 4096,
		.pids = 100,
		.cpu_milli = 1500,
		.wait_ns = 2000,
		.build_ns = 700000};
	int pair[2];

	if (last_id >= LEASES_MAX || channel_pair(pair, NULL) < 0)
		fail("lease");
	text_copy(m.template_name, sizeof(m.template_name),
		request->template_name[0] ? request->template_name : "tiny");
	text_copy(m.net, sizeof(m.net), request->net[0] ? request->net : "none");
	text_copy(m.hostname, sizeof(m.hostname), request->hostname);
	if (request->workspace[0]) {
		m.rung = RUNG_BOUND;
		m.bind_ns = 150000;
		text_copy(m.workspace, sizeof(m.workspace), request->workspace);
	}
	if (request->memory_bytes)
		m.memory_bytes = request->memory_bytes;
	if (request->pids)
		m.pids = request->pids;
	if (request->cpu_milli)
		m.cpu_milli = request->cpu_milli;
	bind_own(&m, request);
	if (strcmp(request->template_name, "idle") == 0)
		m.idle_ms = IDLE_MS;
	if (strcmp(request->template_name, "weak") == 0)
		m.unenforced = LIMIT_HIT_CPU;
	leases[last_id] = (struct fake_lease){.guest = start_guest(pair[1]),
		.client = client,
		.is_slow = strcmp(request->template_name, "slow") == 0};
	close(pair[1]);
	reply(client, &m, CONTROL_LEASED, sizeof(m), request->header.id, pair[0]);
	close(pair[0]);
	say("leased", last_id);
}

static void on_acquire(int client, const struct control_acquire *request)
{
	const char *name = request->template_name;

	if (denials > 0) {
		struct control_refused m = {.refusal = denial, .retry_ms = denial_retry_ms};

		denials--;
		reply(client, &m, CONTROL_REFUSED, sizeof(m), request->header.id, -1);
		say("denied", 0);
	} else if (ignored > 0) {
		ignored--;
		say("never", 0);
	} else if (strcmp(name, "none") == 0)
		refuse(client, request->header.id, REFUSED_NO_TEMPLATE, "there is no pool none");
	else if (strcmp(name, "empty") == 0)
		refuse(client, request->header.id, REFUSED_EMPTY, "the pool is empty");
	else if (strcmp(name, "never") == 0)
		say("never", 0);
	else
		lease(client, request);
}

static void send_receipt(int client, uint64_t id, uint32_t reason, uint32_t limits)
{
	struct control_receipt m = {.handle = {id, EPOCH},
		.reason = reason,
		.limits_hit = limits,
		.wall_ns = 5000000,
		.usage = {3000000, 255u << 20, 4096, 8192, 7, 1}};

	reply(client, &m, CONTROL_RECEIPT, sizeof(m), 0, -1);
}

static void on_release(int client, const struct control_lease *request)
{
	struct control_done done;
	uint64_t id = request->handle.sandbox;

	if (id == 0 || id > last_id || leases[id].client != client) {
		refuse(client, request->header.id, REFUSED_STALE, "no such lease");
		return;
	}
	reply(client, &done, CONTROL_DONE, sizeof(done), request->header.id, -1);
	if (!leases[id].is_slow) {
		leases[id].client = -1;
		send_receipt(client, id, LEASE_RELEASED, 0);
	}
	say("released", id);
}

static void on_touch(int client, const struct control_lease *request)
{
	struct control_done done;

	reply(client, &done, CONTROL_DONE, sizeof(done), request->header.id, -1);
	say("touched", request->handle.sandbox);
}

/* The leases, and one sandbox of another client of the supervisor: 1000000. */
static void on_list(int client, uint32_t request)
{
	struct control_sandbox_row row = {.template_name = "tiny", .state = SANDBOX_LEASED};
	struct control_done done;

	row.handle.epoch = EPOCH;
	row.owner_pid = 1;
	row.owner_uid = 4711;
	row.handle.sandbox = 1000000;
	reply(client, &row, CONTROL_SANDBOX_ROW, sizeof(row), request, -1);
	for (uint64_t id = 1; id <= last_id; id++) {
		row.handle.sandbox = id;
		if (leases[id].client >= 0)
			reply(client, &row, CONTROL_SANDBOX_ROW, sizeof(row), request, -1);
	}
	reply(client, &done, CONTROL_DONE, sizeof(done), request, -1);
}

static void on_pools(int client, uint32_t request)
{
	struct control_pool_row row = {.template_name = "tiny",
		.image = "tiny",
		.net = "none",
		.min = 2,
		.max = 12,
		.ready = ready,
		.hits = last_id};
	struct control_done done;

	reply(client, &row, CONTROL_POOL_ROW, sizeof(row), request, -1);
	reply(client, &done, CONTROL_DONE, sizeof(done), request, -1);
}

/* It has counted nothing. */
static void on_stats(int client, uint32_t request)
{
	struct control_done done = {0};

	reply(client, &done, CONTROL_DONE, sizeof(done), request, -1);
}

static void on_workspace_remove(int client, const struct control_workspace *request)
{
	struct control_done done;

	printf("%s %s\n", holds + refusals > 0 ? "held" : "removed", request->workspace);
	fflush(stdout);
	if (holds > 0) {
		holds--;
		refuse(client, request->header.id, REFUSED_LIMIT, "the workspace is in use");
	} else if (refusals > 0) {
		struct control_refused m = {.refusal = REFUSED_BROKEN, .text = "no such luck"};

		refusals--;
		reply(client, &m, CONTROL_REFUSED, sizeof(m), request->header.id, -1);
	} else {
		reply(client, &done, CONTROL_DONE, sizeof(done), request->header.id, -1);
	}
}

static void on_gone(struct pollfd *client)
{
	for (uint64_t id = 1; id <= last_id; id++)
		if (leases[id].client == client->fd)
			leases[id].client = -1;
	close(client->fd);
	client->fd = -1;
	say("gone", 0);
}

static void on_client(struct pollfd *client)
{
	_Alignas(uint64_t) char packet[CONTROL_PACKET_MAX];
	const struct message_header *h = (const void *)packet;
	const struct message_rule *rule;
	int received[CHANNEL_FDS_MAX];
	size_t count;
	ssize_t n = channel_receive(client->fd, packet, sizeof(packet), received, &count);

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		on_gone(client);
		return;
	}
	if (check_message(&control_protocol, MESSAGE_TO_SERVER, packet, (size_t)n, count, &rule,
		    NULL) < 0) {
		fprintf(stderr, "a client breaks the protocol\n");
		exit(1);
	}
	switch (h->type) {
	case CONTROL_ACQUIRE:
		on_acquire(client->fd, (const void *)packet);
		break;
	case CONTROL_RELEASE:
		on_release(client->fd, (const void *)packet);
		break;
	case CONTROL_TOUCH:
		on_touch(client->fd, (const void *)packet);
		break;
	case CONTROL_LIST:
		on_list(client->fd, h->id);
		break;
	case CONTROL_POOLS:
		on_pools(client->fd, h->id);
		break;
	case CONTROL_STATS:
		on_stats(client->fd, h->id);
		break;
	case CONTROL_WORKSPACE_REMOVE:
		on_workspace_remove(client->fd, (const void *)packet);
		break;
	}
}

static void on_connect(int listener)
{
	struct unix_socket_peer peer;
	int fd = unix_socket_accept(listener, &peer, NULL);

	for (size_t i = 2; fd >= 0 && i < ARRAY_SIZE(fds); i++) {
		if (fds[i].fd >= 0)
			continue;
		fd_set_nonblocking(fd, false); /* so that no answer is lost */
		fds[i].fd = take_fd(&fd);
		fds[i].events = POLLIN;
	}
	fd_close(fd);
}

static void end_lease(uint64_t id, uint32_t reason, uint32_t limits, uint64_t limit)
{
	struct control_lease_ended m = {
		.handle = {id, EPOCH}, .reason = reason, .limits_hit = limits, .limit = limit};

	reply(leases[id].client, &m, CONTROL_LEASE_ENDED, sizeof(m), 0, -1);
}

static void on_command(void)
{
	unsigned long long id, limit;
	unsigned reason, limits;
	char line[256];

	if (!fgets(line, sizeof(line), stdin))
		exit(0);
	if (sscanf(line, "end %llu %u %u %llu", &id, &reason, &limits, &limit) == 4)
		end_lease(id, reason, limits, limit);
	else if (sscanf(line, "receipt %llu %u %u", &id, &reason, &limits) == 3)
		send_receipt(leases[id].client, id, reason, limits);
	else if (sscanf(line, "kill %llu", &id) == 1)
		kill(leases[id].guest, SIGKILL);
	else if (sscanf(line, "hold %u", &holds) == 1 || sscanf(line, "refuse %u", &refusals) == 1)
		;
	else if (sscanf(line, "deny %u %u %u", &denials, &denial, &denial_retry_ms) == 3 ||
		 sscanf(line, "ignore %u", &ignored) == 1 || sscanf(line, "ready %u", &ready) == 1)
		;
	else if (strcmp(line, "count\n") == 0)
		say("total", last_id);
	else
		fail(line);
}

int main(int argc, char **argv)
{
	struct error err;
	char path[4096];

	if (argc != 2)
		return 2;
	snprintf(root, sizeof(root), "%s/root", argv[1]);
	snprintf(path, sizeof(path), "%s/control.sock", argv[1]);
	mkdir(root, 0755);
	setvbuf(stdin, NULL, _IONBF, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
	fds[0].fd = 0;
	fds[1].fd = unix_socket_listen(AT_FDCWD, path, SOCK_SEQPACKET, 0600, (gid_t)-1, &err);
	if (fds[1].fd < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	say("ready", 0);
	while (poll(fds, ARRAY_SIZE(fds), -1) >= 0) {
		reap_guests();
		if (fds[0].revents)
			on_command();
		if (fds[1].revents)
			on_connect(fds[1].fd);
		for (size_t i = 2; i < ARRAY_SIZE(fds); i++)
			if (fds[i].fd >= 0 && fds[i].revents)
				on_client(&fds[i]);
	}
	fail("poll");
}

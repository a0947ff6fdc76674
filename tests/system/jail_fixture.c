#include "tests/system/jail_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "nsjail-lite/image_mount.h"
#include "nsjail-lite/kernel.h"
#include "nsjail-lite/uid_ranges.h"
#include "proto/channel.h"
#include "tests/system/patience.h"

#define TINY_ROOT "/var/lib/hearth/images/tiny/root"
#define WAIT_MS	  (20000 * patience())

bool fixture_can_clone_detached(void)
{
	auto_close int fs = kernel_fsopen("tmpfs");
	auto_close int mount_fd = -1;
	auto_close int clone_fd = -1;

	assert_int_equal(kernel_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), 0);
	mount_fd = kernel_fsmount(fs, 0);
	assert_true(mount_fd >= 0);
	clone_fd = kernel_open_tree(mount_fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	return clone_fd >= 0;
}

/* One packet of the builder, within the time. */
static void receive(struct fixture *f, uint16_t expected, void *message, size_t size, int *ret_fd)
{
	static _Alignas(8) char packet[LINK_PACKET_MAX];
	struct pollfd p = {.fd = f->builder.link_fd, .events = POLLIN};
	const struct message_header *h = (const void *)packet;
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;
	ssize_t n;

	assert_int_equal(poll(&p, 1, (int)WAIT_MS), 1);
	n = channel_receive(f->builder.link_fd, packet, sizeof(packet), fds, &count);
	assert_true(n > 0);
	assert_int_equal(check_message(&link_protocol, MESSAGE_TO_CLIENT, packet, (size_t)n, count,
				 &rule, &f->err),
		0);
	if (h->type == LINK_FAILED) {
		memcpy(&f->failed, packet, sizeof(f->failed));
		if (expected != LINK_BUILT && expected != LINK_BOUND && expected != LINK_SLOT_READY)
			fail_msg("builder: %s", f->failed.text);
		return;
	}
	assert_int_equal(h->type, expected);
	memcpy(message, packet, size);
	if (ret_fd)
		*ret_fd = count ? take_fd(&fds[0]) : -1;
	channel_close_fds(fds, count);
}

static void send_with_fd(struct fixture *f, void *message, uint16_t type, size_t size, int fd)
{
	link_header(message, type, (uint32_t)size);
	assert_int_equal(
		channel_send(f->builder.link_fd, message, size, NULL, 0, &fd, fd >= 0 ? 1 : 0), 0);
}

static void send_message(struct fixture *f, void *message, uint16_t type, size_t size)
{
	send_with_fd(f, message, type, size, -1);
}

int fixture_slot(struct fixture *f, unsigned slot, int netns_fd)
{
	struct link_slot message = {.slot = slot, .uid_base = f->first_uid + slot * JAIL_UIDS};
	struct link_slot_ready ready;

	f->failed.error = 0;
	send_with_fd(f, &message, LINK_SLOT, sizeof(message), netns_fd);
	receive(f, LINK_SLOT_READY, &ready, sizeof(ready), NULL);
	return -(int)f->failed.error;
}

static void add_slots(struct fixture *f, unsigned slots)
{
	for (unsigned i = 0; i < slots; i++)
		if (fixture_slot(f, i, -1) < 0)
			fail_msg("slot: %s", f->failed.text);
}

void fixture_start(struct fixture *f, const struct fixture_options *options)
{
	static struct seccomp_program filter;
	static unsigned instances;
	const char *root = options->root ? options->root : getenv("HEARTH_TEST_ROOT");
	unsigned slots = options->slots ? options->slots : 1;
	auto_close int image_fd = open(root ? root : TINY_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int root_fd = -1;
	struct builder_template template = {
		.limits = options->limits, .bind_count = options->bind_count};
	struct builder_config config = {.base = &f->base,
		.prefix = "t-",
		.filter = &filter,
		.templates = &template,
		.template_count = 1,
		.normal_priority = !options->low_priority,
		.workspaces_fd = options->workspaces_fd ? options->workspaces_fd : -1,
		.nameserver = options->nameserver};
	char program[4096];
	bool is_copy;
	struct link_started started;

	memset(f, 0, sizeof(*f));
	f->builder.link_fd = f->builder.pidfd = -1;
	f->base = CGROUP_BASE_INIT;
	if (image_fd < 0)
		fail_msg("no image at %s: hearth image build tiny", root ? root : TINY_ROOT);
	if (image_mount(image_fd, &root_fd, &is_copy, &f->err) < 0)
		fail_msg("%s", f->err.text);
	template.root_fd = root_fd;
	snprintf(program, sizeof(program), "%s/nsjail-lite/hearth-builder",
		getenv("top_builddir") ? getenv("top_builddir") : ".");
	config.program = options->program ? options->program : program;
	snprintf(template.hostname, sizeof(template.hostname), "%s",
		options->hostname ? options->hostname : "test");
	memcpy(template.bind_fds, options->bind_fds, sizeof(template.bind_fds));
	memcpy(template.binds, options->binds, sizeof(template.binds));
	snprintf(f->instance, sizeof(f->instance), "test-%d-%u", getpid(), instances++);
	if (cgroup_base_open(f->instance, options->mounts, &f->base, &f->err) < 0 ||
		uid_ranges_take(f->instance, slots + options->spare_slots, &f->first_uid, &f->err) <
			0 ||
		seccomp_compile(&filter, &f->err) < 0 ||
		builder_start(&config, &f->builder, &f->err) < 0)
		fail_msg("%s", f->err.text);
	receive(f, LINK_STARTED, &started, sizeof(started), NULL);
	add_slots(f, slots);
}

void fixture_stop(struct fixture *f)
{
	fd_close(take_fd(&f->builder.link_fd));
	if (f->builder.pid > 0)
		waitpid(f->builder.pid, NULL, 0);
	fd_close(take_fd(&f->builder.pidfd));
	cgroup_base_close(&f->base);
	assert_int_equal(cgroup_base_destroy(f->instance, &f->err), 0);
	assert_int_equal(uid_ranges_drop(f->instance, &f->err), 0);
}

int fixture_set_up(struct fixture *f, const struct fixture_options *options, void **state)
{
	*state = f;
	fixture_start(f, options);
	return 0;
}

int fixture_tear_down(void **state)
{
	fixture_stop(*state);
	return 0;
}

int fixture_build(struct fixture *f, unsigned slot, struct guest_client **ret_client)
{
	struct link_build build = {.sandbox = ++f->next_sandbox, .slot = slot};
	int channel = -1;

	f->failed.error = 0;
	send_message(f, &build, LINK_BUILD, sizeof(build));
	receive(f, LINK_BUILT, &f->built, sizeof(f->built), &channel);
	if (f->failed.error)
		return -(int)f->failed.error;
	assert_int_equal(guest_client_create(channel, ret_client, &f->err), 0);
	return 0;
}

void fixture_wait_ended(struct fixture *f)
{
	receive(f, LINK_ENDED, &f->ended, sizeof(f->ended), NULL);
}

void fixture_freeze(struct fixture *f, uint64_t sandbox, bool is_frozen)
{
	struct link_freeze message = {.sandbox = sandbox, .is_frozen = is_frozen};

	send_message(f, &message, LINK_FREEZE, sizeof(message));
}

void fixture_kill_sandbox(struct fixture *f, uint64_t sandbox)
{
	struct link_kill message = {.sandbox = sandbox};

	send_message(f, &message, LINK_KILL, sizeof(message));
	fixture_wait_ended(f);
}

void fixture_kill(struct fixture *f)
{
	fixture_kill_sandbox(f, f->next_sandbox);
}

int fixture_bind(struct fixture *f, const struct link_bind *bind)
{
	struct link_bind message = *bind;

	if (message.sandbox == 0)
		message.sandbox = f->next_sandbox;
	f->failed.error = 0;
	send_message(f, &message, LINK_BIND, sizeof(message));
	receive(f, LINK_BOUND, &f->bound, sizeof(f->bound), NULL);
	return -(int)f->failed.error;
}

struct run {
	struct fixture_result *result;
	bool is_done;
};

static void on_output(void *arg, enum guest_stream stream, const void *data, uint32_t size)
{
	struct fixture_result *result = ((struct run *)arg)->result;
	size_t room = sizeof(result->output) - 1 - result->size;
	size_t n = size < room ? size : room;

	(void)stream;
	memcpy(result->output + result->size, data, n);
	result->size += n;
	result->output[result->size] = '\0';
}

static void on_reply(void *arg, const struct guest_reply *reply)
{
	struct run *run = arg;

	run->result->reply = *reply;
	run->is_done = true;
}

void fixture_run(struct guest_client *client, const char *command, uint32_t timeout_ms,
	struct fixture_result *ret_result)
{
	const char *const argv[] = {"sh", "-c", command, NULL};
	const struct guest_exec_options options = {
		.argv = argv, .timeout_ms = timeout_ms ? timeout_ms : WAIT_MS};
	struct run run = {.result = ret_result};
	const struct guest_callbacks callbacks = {
		.on_output = on_output, .on_reply = on_reply, .arg = &run};
	uint64_t until = clock_now_ms() + 2 * WAIT_MS;
	struct error err = {0};

	memset(ret_result, 0, sizeof(*ret_result));
	if (guest_client_exec(client, &options, &callbacks, NULL, &err) < 0)
		fail_msg("exec: %s", err.text);
	while (!run.is_done) {
		struct pollfd p = {.fd = guest_client_fd(client), .events = POLLIN};

		if (guest_client_wants_write(client))
			p.events |= POLLOUT;
		assert_true(poll(&p, 1, (int)WAIT_MS) >= 0);
		assert_true(clock_now_ms() < until);
		guest_client_process(client, &err);
	}
}

void fixture_run_ok(
	struct guest_client *client, const char *command, struct fixture_result *ret_result)
{
	fixture_run(client, command, 0, ret_result);
	if (ret_result->reply.end != GUEST_END_DONE || ret_result->reply.exit_status != 0)
		fail_msg("%s: end %u, exit %u, %s: %s", command, ret_result->reply.end,
			ret_result->reply.exit_status, ret_result->reply.text, ret_result->output);
}

static int count_entries(int dirfd, bool directories_only)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && (!directories_only || entry->d_type == DT_DIR))
			count++;
	closedir(dir);
	return count;
}

int fixture_count_fds(pid_t pid)
{
	char path[64];
	auto_close int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return count_entries(fd, false);
}

int fixture_count_cgroups(const struct fixture *f)
{
	int count = f->base.v2_fd < 0 ? 0 : count_entries(f->base.v2_fd, true);

	for (int c = 0; c < CGROUP_V1_HIERARCHIES; c++)
		if (f->base.v1_fd[c] >= 0)
			count += count_entries(f->base.v1_fd[c], true);
	return count;
}

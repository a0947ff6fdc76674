/*
 * Real sandboxes, built by the builder as any other, in which a probe tries to get out. Each attempt has
 * a sandbox of its own. Their root holds the probe alone: no image is needed.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/drop.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "nsjail-lite/doctor/check.h"
#include "nsjail-lite/doctor/probe.h"
#include "nsjail-lite/doctor/world.h"
#include "nsjail-lite/kernel.h"
#include "nsjail-lite/one_shot.h"
#include "proto/guest_client.h"

#define PROBE	     "hearth-doctor-probe"
#define MARKER	     "/run/hearth-uid-ranges" /* stands on the host while anything is built */
#define ROOT_SIZE    "4m"
#define PROBE_MS     5000
#define NO_RESULT    120 /* of the reader: no status came out */
#define MEMORY_BYTES (UINT64_C(64) << 20)
#define PIDS	     32
#define PROBE_RIGHTS 0755

/* The sandbox's read-only root. name: of a directory in above_fd that has to go again */
struct root {
	int fd, above_fd;
	char name[32];
};

static const char *const results[PROBE_RESULTS] = {
	[PROBE_READ] = "a file of the host can be read by its path",
	[PROBE_READ_ABOVE] = "a file of the host can be read above the root",
	[PROBE_READ_BY_INIT] = "a file of the host can be read through PID 1",
	[PROBE_MOUNT] = "mount works inside",
	[PROBE_FSOPEN] = "fsopen works inside",
	[PROBE_UMOUNT] = "umount works inside",
	[PROBE_UNSHARE_USER] = "a new user namespace can be made inside",
	[PROBE_UNSHARE_MOUNT] = "a new mount namespace can be made inside",
	[PROBE_CLONE_USER] = "a process can be born into a new user namespace inside",
	[PROBE_TRACE_INIT] = "PID 1 can be traced from inside",
	[PROBE_KILL_INIT] = "PID 1's memory can be opened from inside",
};

/* Beside the builder, wherever that is. */
static int open_probe(struct error *err)
{
	char path[PATH_MAX];
	char *slash;
	int r = builder_find(path, sizeof(path) - sizeof(PROBE), err);
	int fd;

	if (r < 0)
		return r;
	slash = strrchr(path, '/');
	strcpy(slash + 1, PROBE);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? error_errno(err, "%s", path) : fd;
}

/* A tmpfs; where that cannot be mapped, as before Linux 6.3, a directory beside the images. */
static int open_root(struct root *root, const char *store, struct error *err)
{
	auto_close int fd = world_tmpfs(ROOT_SIZE, err);
	auto_close int above = -1;
	char path[WORLD_PATH_MAX];

	if (fd < 0)
		return fd;
	if (world_try_idmap(fd, NULL) == 0) {
		root->fd = take_fd(&fd);
		return 0;
	}
	above = world_open_nearest(store, path, err);
	if (above < 0)
		return above;
	snprintf(root->name, sizeof(root->name), ".hearth-doctor-%d", getpid());
	if (mkdirat(above, root->name, PROBE_RIGHTS) < 0 ||
		fchmodat(above, root->name, PROBE_RIGHTS, 0) < 0)
		return error_errno(err, "mkdir %s/%s", path, root->name);
	root->above_fd = take_fd(&above);
	root->fd = openat(root->above_fd, root->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root->fd < 0 ? error_errno(err, "open %s/%s", path, root->name) : 0;
}

static void close_root(struct root *root)
{
	if (root->above_fd >= 0) {
		unlinkat(root->fd, PROBE, 0);
		unlinkat(root->above_fd, root->name, AT_REMOVEDIR);
	}
	fd_close(root->above_fd);
	fd_close(root->fd);
}

static int make_root(struct root *root, const char *store, struct error *err)
{
	auto_close int probe = open_probe(err);
	auto_close int file = -1;
	struct stat st;
	int r = probe < 0 ? probe : open_root(root, store, err);

	if (r < 0)
		return r;
	file = openat(root->fd, PROBE, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, PROBE_RIGHTS);
	if (file < 0 || fstat(probe, &st) < 0 || fchmod(file, PROBE_RIGHTS) < 0 ||
		sendfile(file, probe, NULL, (size_t)st.st_size) != st.st_size)
		return error_errno(err, "root of the sandbox");
	return 0;
}

static void on_reply(void *arg, const struct guest_reply *reply)
{
	int *status = arg;

	*status = reply->end == GUEST_END_DONE && reply->signal == 0 ? (int)reply->exit_status
								     : NO_RESULT;
}

/* In a process of user hearth: whatever the guest says, it is not root who reads it. */
static _Noreturn void read_status(int channel_fd, const char *what)
{
	const char *const argv[] = {"/" PROBE, what, MARKER, NULL};
	const struct guest_exec_options options = {.argv = argv, .timeout_ms = PROBE_MS};
	int status = -1;
	const struct guest_callbacks callbacks = {.on_reply = on_reply, .arg = &status};
	struct guest_client *client;

	if (drop_privileges(NULL) < 0 || guest_client_create(channel_fd, &client, NULL) < 0 ||
		guest_client_exec(client, &options, &callbacks, NULL, NULL) < 0)
		_exit(NO_RESULT);
	while (status < 0) {
		struct pollfd p = {.fd = guest_client_fd(client),
			.events = POLLIN | (guest_client_wants_write(client) ? POLLOUT : 0)};

		poll(&p, 1, -1);
		guest_client_process(client, NULL);
	}
	_exit(status);
}

static int probe_in(struct one_shot *s, const char *what, struct error *err)
{
	pid_t pid = process_fork();
	int status;

	if (pid == 0)
		read_status(s->channel_fd, what);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return error_errno(err, "fork");
	if (!WIFEXITED(status) || WEXITSTATUS(status) >= PROBE_RESULTS)
		return error_set(err, EPROTO, "the sandbox ended, or did not start the probe");
	if (WEXITSTATUS(status) != PROBE_REFUSED)
		return error_set(err, EPERM, "%s", results[WEXITSTATUS(status)]);
	return 0;
}

static int probe_from(struct check_attempt *attempt, const struct root *root, struct error *err)
{
	struct builder_template template = {
		.root_fd = root->fd, .limits = {.memory_bytes = MEMORY_BYTES, .pids = PIDS}};
	struct one_shot s;
	int r = one_shot_start(&s, &template, err);

	if (r == 0)
		r = probe_in(&s, attempt->check->text, err);
	if (r == 0)
		r = one_shot_end(&s, err);
	one_shot_finish(&s);
	return r < 0 ? r : check_found(attempt, "shown in a sandbox of its own");
}

int try_confinement(struct check_attempt *attempt, struct error *err)
{
	struct root root = {.fd = -1, .above_fd = -1};
	int r = make_root(&root, attempt->options->store, err);

	if (r == 0)
		r = probe_from(attempt, &root, err);
	close_root(&root);
	return r;
}

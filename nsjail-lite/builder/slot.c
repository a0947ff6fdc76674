/*
 * A slot's namespaces. The user namespaces are made once, by a process that took an id of its own first, so
 * that no living process owns them; the builder writes the maps. The network namespace belongs to the
 * initial user namespace: root inside cannot reconfigure it. It is made anew when it was used, unless it
 * was given: then whoever gave it cleans it.
 */
#include <errno.h>
#include <linux/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/process.h"
#include "nsjail-lite/builder/builder.h"
#include "nsjail-lite/kernel.h"

/*
 * A /proc for a moment. In one that is used again and again the settings of all namespaces hang in one chain of the
 * kernel's name cache, and each look at one of them walks it: with a thousand sandboxes, milliseconds.
 * -1 and errno.
 */
static int open_settings(void)
{
	auto_close int fs = kernel_fsopen("proc");

	if (fs < 0 || kernel_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return kernel_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

/*
 * No namespace may ever be made inside this one: a second lock behind the filter's. In the maker, whose
 * /proc/sys/user shows its own namespace's. 0 or -errno.
 */
static int forbid_namespaces(int settings)
{
	static const char *const kinds[] = {
		"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int r;

		snprintf(path, sizeof(path), "sys/user/max_%s_namespaces", kinds[i]);
		r = file_write_at(settings, path, "0", NULL);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

/* In the maker: become the owner, make the namespace, say so, and wait for the word to go. */
static _Noreturn void userns_maker(pid_t parent, int settings, uint32_t owner, int link_fd)
{
	char result = 0;

	if (syscall(SYS_setresgid, owner, owner, owner) < 0 ||
		syscall(SYS_setresuid, owner, owner, owner) < 0 || unshare(CLONE_NEWUSER) < 0)
		result = (char)errno;
	else
		result = (char)-forbid_namespaces(settings);
	process_die_with(parent); /* after the change of ids, which undoes it */
	fd_write_full(link_fd, &result, 1);
	fd_read_full(link_fd, &result, 1);
	_exit(0);
}

static int write_maps(int proc_fd, pid_t pid, uint32_t first, uint32_t uid_base, struct error *err)
{
	/* projid_map too: whoever comes first may write it. */
	static const char *const files[] = {"uid_map", "gid_map", "projid_map"};
	char path[64], map[64];
	int r = 0;

	snprintf(map, sizeof(map), "%u %u %u", first, uid_base, JAIL_UIDS);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%d/%s", pid, files[i]);
		r = file_write_at(proc_fd, path, map, err);
	}
	return r;
}

static int open_userns(int proc_fd, pid_t pid, int *ret_fd, struct error *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%d/ns/user", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "open user namespace");
	*ret_fd = fd;
	return 0;
}

static int await_maker(int fd, int pidfd, struct error *err)
{
	char result;

	if (builder_await(fd, pidfd) < 0)
		return error_set(err, ETIMEDOUT, "new user namespace: not there after %d ms",
			BUILDER_CHILD_TIMEOUT_MS);
	if (recv(fd, &result, 1, MSG_DONTWAIT) != 1)
		return error_set(err, ECHILD, "new user namespace: its maker died");
	errno = result;
	return result ? error_errno(err, "new user namespace") : 0;
}

/* Ids first.. of it, on a disk or inside, are the slot's range. */
static int make_userns(
	int proc_fd, uint32_t first, uint32_t uid_base, int *ret_fd, struct error *err)
{
	int pair[2], pidfd = -1;
	/* Sharing the fd table keeps the cost flat however many sandboxes are alive. */
	struct clone_args args = {.flags = CLONE_FILES | CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd};
	auto_close int settings = open_settings();
	pid_t pid, parent = getpid();
	int r;

	if (settings < 0)
		return error_errno(err, "/proc");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, "socketpair");
	pid = (pid_t)kernel_clone3(&args);
	if (pid == 0)
		userns_maker(parent, settings, builder_userns_owner(uid_base), pair[1]);
	if (pid < 0) {
		r = error_errno(err, "clone");
	} else {
		r = await_maker(pair[0], pidfd, err);
		if (r == 0)
			r = write_maps(proc_fd, pid, first, uid_base, err);
		if (r == 0)
			r = open_userns(proc_fd, pid, ret_fd, err);
		if (r == -ETIMEDOUT)
			kernel_pidfd_send_signal(pidfd, SIGKILL);
		fd_write_full(pair[0], "", 1);
		waitpid(pid, NULL, __WALL);
		fd_close(pidfd);
	}
	fd_close(pair[0]);
	fd_close(pair[1]);
	return r;
}

static int loopback_up(struct error *err)
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_flags = IFF_UP | IFF_RUNNING};

	strcpy(request.ifr_name, "lo");
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return error_errno(err, "loopback up");
	return 0;
}

/*
 * In the new namespace, over which no capability inside has power: lo up, ping for the slot's
 * groups, and every port for everybody.
 */
static int set_up_netns(const struct builder *b, uint32_t uid_base, int *ret_fd, struct error *err)
{
	auto_close int settings = open_settings();
	char range[64];
	int r = settings < 0 ? error_errno(err, "/proc") : loopback_up(err);
	int fd;

	if (r < 0)
		return r;
	snprintf(range, sizeof(range), "%u %u", uid_base, uid_base + JAIL_UIDS - 1);
	r = file_write_at(settings, "sys/net/ipv4/ping_group_range", range, err);
	if (r == 0)
		r = file_write_at(settings, "sys/net/ipv4/ip_unprivileged_port_start", "0", err);
	if (r < 0)
		return r;
	fd = openat(b->proc_fd, "self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "open network namespace");
	*ret_fd = fd;
	return 0;
}

/*
 * A digest of what the current network namespace has counted: every packet, and every call of a
 * socket that came to nothing. 0: it cannot be read.
 */
static uint64_t digest_traffic(int proc_fd)
{
	static const char *const files[] = {"self/net/dev", "self/net/snmp", "self/net/snmp6"};
	uint64_t digest = HASH_START;
	char text[8192];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		ssize_t n = file_read_at(proc_fd, files[i], text, sizeof(text), NULL);

		if (n == -ENOENT)
			continue; /* a kernel without IPv6 */
		if (n < 0)
			return 0;
		digest = hash_more(digest, text, (size_t)n);
	}
	return digest;
}

static void leave_netns(const struct builder *b)
{
	if (setns(b->host_netns_fd, CLONE_NEWNET) < 0)
		_exit(1); /* never build with the wrong network */
}

static int make_netns(const struct builder *b, struct slot *slot, struct error *err)
{
	int r;

	if (unshare(CLONE_NEWNET) < 0)
		return error_errno(err, "new network namespace");
	r = set_up_netns(b, slot->uid_base, &slot->netns_fd, err);
	slot->unused_network = digest_traffic(b->proc_fd);
	leave_netns(b);
	return r;
}

/*
 * Connections in TIME_WAIT and all counters outlive the processes, and would be seen by the next
 * tenant. A namespace is dear to make and to end; most sandboxes never use theirs.
 */
int slot_clean_network(const struct builder *b, struct slot *slot, struct error *err)
{
	uint64_t now = 0;

	if (slot->has_given_network)
		return 0;
	if (slot->netns_fd >= 0 && setns(slot->netns_fd, CLONE_NEWNET) == 0) {
		now = digest_traffic(b->proc_fd);
		leave_netns(b);
	}
	if (now != 0 && now == slot->unused_network)
		return 0;
	fd_close(take_fd(&slot->netns_fd));
	return make_netns(b, slot, err);
}

void slot_release_userns(struct slot *slot)
{
	fd_close(take_fd(&slot->userns_fd));
}

/* A namespace of PID 1, which lives; -1 and errno. */
static int namespace_of(
	const struct builder *b, const struct slot *slot, unsigned request, const char *name)
{
	char path[64];
	int fd = ioctl(slot->pidfd, request);

	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "%d/ns/%s", slot->pid, name); /* before 6.11 */
	return openat(b->proc_fd, path, O_RDONLY | O_CLOEXEC);
}

/*
 * Whoever lets go of a mount namespace last takes it away, which is half of the work of an end. PID 1 need not do
 * that before it is dead: the builder has time for it when all has been told, if it is not much.
 */
void slot_before_kill(const struct builder *b, struct slot *slot)
{
	uint64_t bytes = cgroup_read_memory(&b->base, slot->cgroup);

	slot->userns_fd = namespace_of(b, slot, PIDFD_GET_USER_NAMESPACE, "user");
	if (bytes > 0 && bytes <= BUILDER_ROOT_BYTES)
		slot->mntns_fd = namespace_of(b, slot, PIDFD_GET_MNT_NAMESPACE, "mnt");
}

int slot_ensure_userns(const struct builder *b, struct slot *slot, struct error *err)
{
	return slot->userns_fd >= 0
		       ? 0
		       : make_userns(b->proc_fd, 0, slot->uid_base, &slot->userns_fd, err);
}

static int replace_network(const struct builder *b, struct slot *slot, uint32_t uid_base,
	int netns_fd, struct error *err)
{
	if (netns_fd < 0 || slot->uid_base != uid_base) {
		fd_close(netns_fd);
		return error_set(err, EEXIST, "slot %u: exists", slot->index);
	}
	if (b->sandboxes[slot->index]) {
		fd_close(netns_fd);
		return error_set(err, EBUSY, "slot %u: in use", slot->index);
	}
	fd_close(slot->netns_fd);
	slot->netns_fd = netns_fd;
	slot->has_given_network = true;
	return 0;
}

int slot_create(
	struct builder *b, uint32_t index, uint32_t uid_base, int netns_fd, struct error *err)
{
	struct slot *slot = b->slots[index];
	int r;

	if (slot)
		return replace_network(b, slot, uid_base, netns_fd, err);
	slot = malloc(sizeof(*slot));
	if (!slot) {
		fd_close(netns_fd);
		return error_set(err, ENOMEM, "slot %u: out of memory", index);
	}
	*slot = (struct slot){.index = index,
		.uid_base = uid_base,
		.userns_fd = -1,
		.netns_fd = netns_fd,
		.has_given_network = netns_fd >= 0,
		.workspace_userns_fd = -1,
		.pidfd = -1,
		.mntns_fd = -1};
	r = make_userns(b->proc_fd, 0, uid_base, &slot->userns_fd, err);
	if (r == 0 && b->workspaces_fd >= 0)
		r = make_userns(
			b->proc_fd, JAIL_WORKSPACE_UID, uid_base, &slot->workspace_userns_fd, err);
	if (r == 0 && !slot->has_given_network)
		r = make_netns(b, slot, err);
	if (r < 0) {
		fd_close(slot->userns_fd);
		fd_close(slot->workspace_userns_fd);
		fd_close(slot->netns_fd);
		free(slot);
		return error_prefix(err, r, "slot %u", index);
	}
	b->slots[index] = slot;
	list_append(&b->free_slots, &slot->free);
	if (b->slots_end <= index)
		b->slots_end = index + 1;
	return 0;
}

struct slot *slot_find(const struct builder *b, uint64_t sandbox)
{
	for (size_t i = 0; i < b->slots_end; i++)
		if (b->sandboxes[i] == sandbox)
			return b->slots[i];
	return NULL;
}

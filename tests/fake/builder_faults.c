/*
 * builder_faults.c - linked into a builder for tests (--wrap): build number i fails at its step i / 3, bind
 * number i at its step i / 2, with no workspace made ahead when i is even.
 *
 * Three kinds of failure take turns: a call of the child returns EIO; the child is killed at the call;
 * a call of the builder during the build returns EIO. The test asks for builds until several in a row
 * succeed: then every step has had its turn. Of the making of slot 1 the first tries kill the maker of its user
 * namespace at each of its calls, then try number i fails at step i. After the hostname "no-return" a bind cannot leave the sandbox.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include "nsjail-lite/builder/builder.h"
#include "nsjail-lite/kernel.h"

#define MAKER_STEPS 3

enum kind { CHILD_ERROR, CHILD_KILLED, BUILDER_ERROR, KINDS };

static unsigned builds, binds, slots, step;
static bool is_building, is_child, is_making_slot;
static bool is_binding, is_inside, cannot_return;

int __real_build_sandbox(struct builder *b, const struct link_build *m, struct error *err);
int __wrap_build_sandbox(struct builder *b, const struct link_build *m, struct error *err);
int __real_bind_sandbox(struct builder *b, struct slot *slot, const struct link_bind *m,
	struct link_bound *ret_bound, struct error *err);
int __wrap_bind_sandbox(struct builder *b, struct slot *slot, const struct link_bind *m,
	struct link_bound *ret_bound, struct error *err);
_Noreturn void __real_guest_main(
	int channel, const struct guest_events *events, const struct guest_defaults *defaults);
_Noreturn void __wrap_guest_main(
	int channel, const struct guest_events *events, const struct guest_defaults *defaults);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

int __wrap_build_sandbox(struct builder *b, const struct link_build *m, struct error *err)
{
	int r;

	ahead_drop_root(b); /* every step of a root is a step of a build here */
	step = 0;
	is_building = true;
	r = __real_build_sandbox(b, m, err);
	is_building = false;
	builds++;
	return r;
}

int __real_slot_create(
	struct builder *b, uint32_t index, uint32_t uid_base, int netns_fd, struct error *err);
int __wrap_slot_create(
	struct builder *b, uint32_t index, uint32_t uid_base, int netns_fd, struct error *err);

int __wrap_slot_create(
	struct builder *b, uint32_t index, uint32_t uid_base, int netns_fd, struct error *err)
{
	int r;

	step = 0;
	is_making_slot = index == 1;
	r = __real_slot_create(b, index, uid_base, netns_fd, err);
	slots += is_making_slot;
	is_making_slot = false;
	return r;
}

int __wrap_bind_sandbox(struct builder *b, struct slot *slot, const struct link_bind *m,
	struct link_bound *ret_bound, struct error *err)
{
	int r;

	step = 0;
	is_binding = true;
	is_inside = false;
	cannot_return = strcmp(m->hostname, "no-return") == 0;
	r = __real_bind_sandbox(b, slot, m, ret_bound, err);
	is_binding = false;
	if (r != -EALREADY)
		binds++;
	return r;
}

void __real_bind_make_spare(struct builder *b);
void __wrap_bind_make_spare(struct builder *b);

void __wrap_bind_make_spare(struct builder *b)
{
	if (binds % 2)
		__real_bind_make_spare(b);
	b->wants_spare = false;
}

/* The build is over where the guest begins. */
_Noreturn void __wrap_guest_main(
	int channel, const struct guest_events *events, const struct guest_defaults *defaults)
{
	is_building = false;
	__real_guest_main(channel, events, defaults);
}

/* True when this call is the one that fails: errno is set, or the process is gone. */
static bool fails(void)
{
	enum kind kind = (enum kind)(builds % KINDS);

	if (is_binding && step++ == binds / 2) {
		errno = EIO;
		return true;
	}
	if (is_making_slot && is_child && step++ == slots)
		kill(getpid(), SIGKILL);
	if (is_making_slot && !is_child && slots >= MAKER_STEPS && step++ == slots - MAKER_STEPS) {
		errno = EIO;
		return true;
	}
	if (!is_building || is_child != (kind != BUILDER_ERROR) || step++ != builds / KINDS)
		return false;
	if (kind == CHILD_KILLED) {
		/* PID 1 of a namespace takes no SIGKILL from inside: an exit as abrupt serves. */
		_exit(9);
	}
	errno = EIO;
	return true;
}

long __wrap_syscall(long number, ...)
{
	long a[6], r;
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (fails())
		return -1;
	r = __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (number == SYS_clone3 && r == 0 && (is_building || is_making_slot)) {
		is_child = true;
		step = 0;
	}
	return r;
}

int __real_setns(int fd, int type);
int __wrap_setns(int fd, int type);

/* The way back out of a sandbox or a slot's network is no step that may fail: see cannot_return. */
int __wrap_setns(int fd, int type)
{
	int r;

	if (is_inside && cannot_return) {
		errno = EIO;
		return -1;
	}
	if (!is_inside && !is_making_slot && fails())
		return -1;
	r = __real_setns(fd, type);
	is_inside = is_binding && r == 0;
	return r;
}

int __real_unshare(int flags);
int __wrap_unshare(int flags);

/* Outside of a build: the network of the slot; then, when it was used, the next one, which fails. */
int __wrap_unshare(int flags)
{
	static unsigned networks;

	if (!is_building && flags == CLONE_NEWNET && ++networks == 2) {
		errno = ENOSPC;
		return -1;
	}
	return fails() ? -1 : __real_unshare(flags);
}

/* clang-format off */
#define WRAP(type, name, parameters, arguments, ...)                                               \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		return (true __VA_OPT__(&&) __VA_ARGS__) && fails() ? -1 : __real_##name arguments; \
	}

/* Of a slot's, a word that does not reach the maker would be waited for: nor does one get lost in a socketpair. */
WRAP(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), !is_making_slot)
WRAP(ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), !is_making_slot)
WRAP(int, sethostname, (const char *name, size_t size), (name, size))
WRAP(int, setpriority, (int which, id_t who, int value), (which, who, value))
WRAP(pid_t, setsid, (void), ())
WRAP(int, dup2, (int from, int to), (from, to))
WRAP(int, dup3, (int from, int to, int flags), (from, to, flags))
WRAP(int, setrlimit, (int which, const struct rlimit *limit), (which, limit))
WRAP(int, fchdir, (int fd), (fd))
WRAP(int, chroot, (const char *path), (path))
WRAP(int, mount, (const char *source, const char *target, const char *type, unsigned long flags, const void *data), (source, target, type, flags, data))
WRAP(int, umount2, (const char *path, int flags), (path, flags))
WRAP(int, mkdirat, (int fd, const char *name, mode_t mode), (fd, name, mode))
WRAP(int, fchown, (int fd, uid_t u, gid_t g), (fd, u, g))
WRAP(int, fchownat, (int fd, const char *name, uid_t u, gid_t g, int flags), (fd, name, u, g, flags))
WRAP(int, socketpair, (int domain, int type, int protocol, int *fds), (domain, type, protocol, fds))
/* clang-format on */

/*
 * builder.h - the builder's state, shared by its own modules only.
 *
 *   main.c   the link: one message at a time; reaping
 *   given.c  what comes first on it: hierarchies, filter, templates
 *   tree.c   its own tiny mount tree, the /dev template, what to cover in /proc
 *   slot.c   what is recycled: user namespaces and a network namespace per slot
 *   root.c   the private root: tmpfs upper, idmapped lower, overlay
 *   build.c  one sandbox, from cgroup to ready
 *   ahead.c  what the next builds take, made while nobody asks
 *   bind.c   what a lease has of its own, bound to a sandbox that is ready
 *   reap.c   the end of one sandbox, and the sweep of fds after a child died half-way
 *
 * Single-threaded, so that a child may share its fd table: between two builds every open fd is known.
 */
#ifndef NSJAIL_LITE_BUILDER_BUILDER_H
#define NSJAIL_LITE_BUILDER_BUILDER_H
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/list.h"
#include "nsjail-lite/builder/link.h"
#include "nsjail-lite/child/child.h"
#include "proto/control.h"

#define BUILDER_STOCK		 2  /* cgroups made ahead, while there is nothing else to do */
#define BUILDER_MEASURE_EVERY	 64 /* builds of a template between two readings of its footprint */
#define BUILDER_ROOT_BYTES	 (8u << 20) /* what a builder takes away itself, in a millisecond */
#define BUILDER_CHILD_TIMEOUT_MS 5000	    /* a child that is not ready by then is killed */

/*
 * Owner of a slot's user namespace: an id below all ranges that no process has, nor any other slot of
 * the host: the kernel counts inotify instances, pending signals and bytes in message queues against
 * the owner as well, with one limit for all that he owns.
 */
static inline uint32_t builder_userns_owner(uint32_t uid_base)
{
	return 15 * JAIL_UIDS + uid_base / JAIL_UIDS;
}

struct slot {
	uint32_t index;
	uint32_t uid_base;
	int userns_fd;		 /* -1: a sandbox lives in it, or died unasked and took it along */
	int netns_fd;		 /* -1: none could be made after the last sandbox */
	bool has_given_network;	 /* it came with SLOT: others make and clean it */
	uint64_t unused_network; /* how a network namespace looks that nobody has used */
	int workspace_userns_fd; /* maps the owner of workspaces to root inside; -1: no workspaces */
	struct list free;	 /* in the builder's free_slots, or alone */
	/* of the sandbox in it, if there is one */
	pid_t pid;
	int pidfd;
	char cgroup[64];
	bool is_bound; /* BIND came: it is for once */
	bool is_frozen;
	int mntns_fd;		  /* with its root, from KILL on; -1: the sandbox takes it along */
	uint64_t killed_ns;	  /* when KILL came; 0: not asked */
	struct lease_usage usage; /* of it, what was read and written: from the kill on */
};

struct template
{
	bool is_set;
	int image_fd;		    /* mount of the image */
	bool needs_dev, needs_proc; /* the image lacks these directories */
	bool needs_workspace;	    /* it has no plain directory there */
	bool has_etc;		    /* a plain directory, or none: /etc/resolv.conf can be ours */
	mode_t etc_mode;
	uid_t etc_uid;
	gid_t etc_gid;
	struct jail_limits limits;
	char hostname[JAIL_HOSTNAME_MAX];
	unsigned bind_count;
	int bind_fds[JAIL_BINDS_MAX];
	struct jail_bind binds[JAIL_BINDS_MAX];
	char *strings; /* cwd and environment, as received */
	const char **env;
	struct guest_defaults defaults;
	struct cgroup stock[BUILDER_STOCK];
	unsigned stocked;
	uint64_t built;
};

struct private_root {
	int root_fd, shm_fd, dev_fd; /* detached mounts */
	int lower_fd, upper_fd;	     /* its layers, likewise; -1 where they had to be attached */
};
#define PRIVATE_ROOT_NONE                                                                          \
	(struct private_root)                                                                      \
	{                                                                                          \
		-1, -1, -1, -1, -1                                                                 \
	}

/* See ahead.c. */
struct ahead {
	struct private_root root;
	const struct slot *root_slot; /* whose it is; NULL: there is none */
	const struct template
		*root_template; /* whose; the first, then the one that was built last */
	bool has_failed;	/* nothing more is tried before the next message */
};

struct builder {
	int link_fd, epoll_fd;
	int report_fd; /* the reading end */
	int signal_fd; /* of SIGCHLD, which tells of stops */
	int proc_fd;   /* the host's /proc, as fd only: none may stand in the tree */
	int host_netns_fd, host_utsns_fd, mntns_fd; /* mntns_fd: its own */
	int workspaces_fd;			    /* mount of all workspaces; -1: none */
	char spare[40];	      /* a workspace made ahead, whose name can be no id */
	bool wants_spare;     /* while there is nothing else to do */
	char resolv_conf[40]; /* empty: the image's stays */
	/*
	 * An older kernel clones, and takes as an overlay's layers, only mounts that are attached in the own
	 * namespace, and cannot idmap a tmpfs. Then templates stay attached in the tiny tree, layers are for
	 * a moment, and each sandbox has a /dev of its own.
	 */
	bool is_attached;
	int dev_fd, empty_fd,
		null_fd; /* mounts; the last two only when detached: see struct proc_covers */
	struct proc_covers covers;
	struct cgroup_base base;
	char prefix[32];
	uint64_t cgroups_made;
	bool normal_priority;
	bool is_one_shot; /* nothing is made ahead */
	struct sock_fprog filter;
	struct template templates[JAIL_TEMPLATES_MAX];
	struct ahead ahead;
	struct list free_slots; /* the longest free first */
	struct slot *slots[JAIL_SLOTS_MAX];
	uint64_t sandboxes[JAIL_SLOTS_MAX]; /* which is in each; 0: the slot is free */
	size_t slots_end;		    /* there is none from here on */
	char *arguments;
	size_t arguments_size;
};

/* Directories of the tiny tree where layers are attached, if need be. */
#define TREE_LOWER "/lower"
#define TREE_UPPER "/upper"

/* tree.c: once. After it the host's tree is out of reach. */
int tree_set_up(struct builder *b, struct error *err);
/* A detached tmpfs with all of /dev, owned by this id. */
int tree_make_dev(uint32_t owner, struct error *err);

/* slot.c */
/*
 * Make a slot; netns_fd -1: with a network namespace of its own. With one, which is taken in any case, it may
 * exist already and be free: its namespace is replaced. -EEXIST, -EBUSY.
 */
int slot_create(
	struct builder *b, uint32_t index, uint32_t uid_base, int netns_fd, struct error *err);
/*
 * A sandbox that lives keeps the user namespace of its slot: no descriptor has to. Let go of it, or make another
 * when a sandbox took it along.
 */
void slot_release_userns(struct slot *slot);
int slot_ensure_userns(const struct builder *b, struct slot *slot, struct error *err);
/* The sandbox lives and is about to be killed: take from it what outlives it. */
void slot_before_kill(const struct builder *b, struct slot *slot);
/* The slot that this sandbox is in, or NULL. */
struct slot *slot_find(const struct builder *b, uint64_t sandbox);
/* The sandbox is dead: another network namespace for the next one, if this one was used. */
int slot_clean_network(const struct builder *b, struct slot *slot, struct error *err);

/* given.c: what is in fds is taken over as far as it is used. Each but the first: -EPROTO or -ENOMEM. */
void given_base(struct builder *b, const struct link_base *m, int *fds, size_t count);
int given_filter(struct builder *b, const struct link_filter *m);
int given_template(struct builder *b, const struct link_template *m, int *fds, size_t count);
int given_workspaces(struct builder *b, int *fds, size_t count);

/* root.c */
int root_create(const struct builder *b, const struct template *t, const struct slot *slot,
	struct private_root *ret_root, struct error *err);
void root_close(struct private_root *root);
/* Clone of a mount with ids 0.. of the mount shown as uid_base..; attributes added. -1 and errno. */
int root_idmapped_clone(int mount_fd, const char *path, int userns_fd, uint64_t attributes);
/* Whether this kernel's overlay takes as a layer what is mounted nowhere, as this is. */
bool root_takes_detached(int mount_fd);

/* build.c */
/*
 * Until fd is readable or that process has died, whose word was to come there: with a shared table of fds its death is no end
 * of file. 0, or -ETIMEDOUT after BUILDER_CHILD_TIMEOUT_MS.
 */
int builder_await(int fd, int pidfd);
/* Build it and say BUILT; or -errno and the reason, with nothing left. */
int build_sandbox(struct builder *b, const struct link_build *message, struct error *err);

/* ahead.c */
bool ahead_is_wanted(struct builder *b);
/* Make one thing. */
void ahead_make(struct builder *b);
/* Each: what has been made, or else now. */
int ahead_take_cgroup(
	struct builder *b, struct template *t, struct cgroup *ret_cgroup, struct error *err);
int ahead_take_root(struct builder *b, const struct template *t, const struct slot *slot,
	struct private_root *ret_root, struct error *err);
/* Give up a root that was made. */
void ahead_drop_root(struct builder *b);

/*
 * bind.c: all of it, or -errno and the reason; then the sandbox may have a part of it and has to be killed.
 * For once in a sandbox's life, and before anything has run in it, which the caller vouches for.
 */
int bind_sandbox(struct builder *b, struct slot *slot, const struct link_bind *message,
	struct link_bound *ret_bound, struct error *err);

/* The next new workspace, ahead: a file system may take longer to make one than all the rest does. */
void bind_make_spare(struct builder *b);

/* reap.c */
/* SIGKILL to PID 1, whose death ends its namespace. */
void reap_kill(const struct builder *b, struct slot *slot);
void reap_slot(struct builder *b, struct slot *slot);
void reap_sweep_fds(struct builder *b);
void reap_everything(struct builder *b);
#endif

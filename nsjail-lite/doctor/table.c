/* Every check, in the order in which they are made: what a later one needs comes first. */
#include <linux/capability.h>
#include <linux/sched.h>

#include "base/cleanup.h"
#include "nsjail-lite/cgroup/cgroup.h"
#include "nsjail-lite/doctor/check.h"

#define ROOT	 CHECK_ROOT
#define READ	 CHECK_READ
#define REQUIRED (CHECK_REQUIRED | CHECK_ROOT)
#define SANDBOX	 (CHECK_REQUIRED | CHECK_ROOT | CHECK_SANDBOX)

#define GRANT                                                                                      \
	"start it as root with the capability: of a container, --cap-add; of a unit, "             \
	"CapabilityBoundingSet="
#define NAMESPACES "a kernel with all namespaces, and user.max_*_namespaces above 0"
#define MOUNT_API  "Linux 5.12 or newer, outside of a container that filters mounts"
#define CGROUP_V2  "mount -t cgroup2 none /sys/fs/cgroup"
#define WITHOUT	   "until then net = none in every pool"
#define REPORT	   "run no sandbox on this host before the cause is known"

const struct doctor_check doctor_checks[] = {
	{"root", REQUIRED | READ, try_root, "run as root", NULL, 0, 0},
	{"CAP_SYS_ADMIN", REQUIRED | READ, try_capability, GRANT, "mounts and namespaces",
		CAP_SYS_ADMIN, 0},
	{"CAP_SYS_CHROOT", REQUIRED | READ, try_capability, GRANT, "joining mount namespaces",
		CAP_SYS_CHROOT, 0},
	{"CAP_SYS_PTRACE", REQUIRED | READ, try_capability, GRANT, "keeping a user namespace",
		CAP_SYS_PTRACE, 0},
	{"CAP_SYS_NICE", REQUIRED | READ, try_capability, GRANT,
		"builders at the lowest priority, sandboxes at the normal one", CAP_SYS_NICE, 0},
	{"CAP_SETUID", REQUIRED | READ, try_capability, GRANT, "uids of sandboxes", CAP_SETUID, 0},
	{"CAP_SETGID", REQUIRED | READ, try_capability, GRANT, "gids of sandboxes", CAP_SETGID, 0},
	{"CAP_CHOWN", REQUIRED | READ, try_capability, GRANT, "files of sandboxes", CAP_CHOWN, 0},
	{"CAP_DAC_OVERRIDE", REQUIRED | READ, try_capability, GRANT, "cgroups", CAP_DAC_OVERRIDE,
		0},
	{"CAP_KILL", REQUIRED | READ, try_capability, GRANT, "ending sandboxes", CAP_KILL, 0},
	{"CAP_MKNOD", REQUIRED | READ, try_capability, GRANT, "/dev of sandboxes", CAP_MKNOD, 0},
	{"CAP_NET_ADMIN", REQUIRED | READ, try_capability, GRANT, "networks of sandboxes",
		CAP_NET_ADMIN, 0},
	{"CAP_NET_BIND_SERVICE", ROOT | READ, try_capability, GRANT,
		"answering names to sandboxes with a network", CAP_NET_BIND_SERVICE, 0},
	{"CAP_SYS_RESOURCE", ROOT | READ, try_capability, GRANT,
		"raising hard limits, such as that of open files", CAP_SYS_RESOURCE, 0},

	{"mount namespace", REQUIRED, try_namespace, NAMESPACES, "mnt", CLONE_NEWNS, 0},
	{"pid namespace", REQUIRED, try_namespace, NAMESPACES, "pid", CLONE_NEWPID, 0},
	{"ipc namespace", REQUIRED, try_namespace, NAMESPACES, "ipc", CLONE_NEWIPC, 0},
	{"uts namespace", REQUIRED, try_namespace, NAMESPACES, "uts", CLONE_NEWUTS, 0},
	{"cgroup namespace", REQUIRED, try_namespace, NAMESPACES, "cgroup", CLONE_NEWCGROUP, 0},
	{"network namespace", REQUIRED, try_namespace, NAMESPACES, "net", CLONE_NEWNET, 0},
	{"user namespace", REQUIRED, try_namespace, NAMESPACES, "user", CLONE_NEWUSER, 0},
	{"id map", REQUIRED, try_id_map,
		"write access to /proc/PID/uid_map: no container around Hearth that maps ids "
		"itself",
		NULL, 0, 0},
	{"uid ranges", REQUIRED, try_uid_ranges,
		"mend what is named; without a running instance: rm /run/hearth-uid-ranges", NULL,
		0, 0},
	{"pidfd", REQUIRED, try_pidfd,
		"Linux 5.4 or newer, and no filter around Hearth that refuses pidfds", NULL, 0, 0},
	{"close_range", REQUIRED, try_close_range,
		"Linux 5.9 or newer, and no filter around Hearth that refuses it", NULL, 0, 0},
	{"openat2", REQUIRED, try_openat2,
		"Linux 5.6 or newer, and no filter around Hearth that refuses it", NULL, 0, 0},

	{"tmpfs", REQUIRED, try_tmpfs, MOUNT_API, NULL, 0, 0},
	{"disk limit", REQUIRED, try_disk_limit,
		"a kernel whose tmpfs keeps to size= and nr_inodes= (CONFIG_SHMEM)", NULL, 0, 0},
	{"overlay", REQUIRED, try_overlay, "modprobe overlay", NULL, 0, 0},
	{"overlay by fd", ROOT, try_overlay_fds,
		"none needed: layers are named by path, which takes longer; Linux 6.13 takes fds",
		NULL, 0, 0},
	{"image idmap", ROOT, try_image_idmap,
		"none needed: each start copies the images into memory; a store on ext4, xfs, "
		"btrfs or erofs avoids it",
		NULL, 0, 0},
	{"tmpfs idmap", ROOT, try_tmpfs_idmap,
		"none needed: each sandbox gets a /dev of its own, which takes longer; Linux 6.3 "
		"maps ids of tmpfs",
		NULL, 0, 0},

	{"cgroups", REQUIRED, try_cgroups, CGROUP_V2, NULL, 0, 0},
	{"memory limit", REQUIRED, try_cgroup_limit,
		"boot without cgroup_disable=memory, and " CGROUP_V2, NULL, CGROUP_MEMORY, 0},
	{"pids limit", REQUIRED, try_cgroup_limit,
		"a kernel with CONFIG_CGROUP_PIDS, and " CGROUP_V2, NULL, CGROUP_PIDS, 0},
	{"cpu limit", REQUIRED, try_cgroup_limit,
		"a kernel with CONFIG_CFS_BANDWIDTH, and " CGROUP_V2, NULL, CGROUP_CPU, 0},
	{"io limit", ROOT, try_cgroup_limit,
		"a kernel with CONFIG_BLK_DEV_THROTTLING, a store on a disk, and " CGROUP_V2, NULL,
		CGROUP_IO, 0},
	{"cgroup birth", REQUIRED, try_cgroup_birth, CGROUP_V2 ", Linux 5.7 or newer", NULL, 0, 0},
	{"cgroup kill", ROOT, try_cgroup_kill,
		CGROUP_V2 ", Linux 5.14 or newer; until then processes are killed one by one", NULL,
		0, 0},
	{"cgroup freeze", ROOT | CHECK_LATE, try_cgroup_freeze, CGROUP_V2, NULL, 0, 0},

	{"seccomp", REQUIRED, try_filter, "a kernel with CONFIG_SECCOMP_FILTER", NULL, 0, 0},
	{"foreign calls", REQUIRED, try_foreign_abi, REPORT, NULL, 0, 0},

	{"veth", ROOT, try_veth, "modprobe veth; " WITHOUT, NULL, 0, 0},
	{"nftables", ROOT, try_nftables,
		"modprobe nf_tables, of a kernel with CONFIG_NF_TABLES_INET; " WITHOUT, NULL, 0, 0},
	{"connection tracking", ROOT, try_connection_tracking,
		"modprobe -a nf_conntrack_netlink nft_ct nft_connlimit; " WITHOUT, NULL, 0, 0},
	{"forwarding", ROOT, try_forwarding,
		"write access to /proc/sys/net/ipv4, and CAP_NET_ADMIN; " WITHOUT, NULL, 0, 0},
	{"bandwidth limit", ROOT, try_bandwidth,
		"modprobe sch_tbf; until then bandwidth = 0 in [network]", NULL, 0, 0},
	{"socket end", ROOT, try_socket_end,
		"none needed: a network in which connections are left is made anew, which takes "
		"longer; a kernel with CONFIG_INET_DIAG_DESTROY ends them",
		NULL, 0, 0},

	{"open files", CHECK_REQUIRED, try_open_files,
		"raise the hard limit: LimitNOFILE= of a unit, ulimit -Hn of a shell", NULL, 0, 0},
	{"user", CHECK_REQUIRED, try_user, "", NULL, 0, 0},
	{"image tiny", READ, try_image, "hearth image build tiny", "tiny", 0, 0},
	{"image base", READ, try_image, "hearth image build base", "base", 0, 0},

	{"kernel.unprivileged_bpf_disabled", READ, try_sysctl,
		"sysctl -w kernel.unprivileged_bpf_disabled=2", "any user may load BPF programs", 1,
		2},
	{"kernel.kptr_restrict", READ, try_sysctl, "sysctl -w kernel.kptr_restrict=1",
		"addresses of the kernel are shown", 1, 2},
	{"kernel.dmesg_restrict", READ, try_sysctl, "sysctl -w kernel.dmesg_restrict=1",
		"any user may read the kernel's log", 1, 1},
	{"kernel.yama.ptrace_scope", READ, try_sysctl,
		"a kernel with CONFIG_SECURITY_YAMA, then sysctl -w kernel.yama.ptrace_scope=1",
		"a process may trace any other of its user", 1, 3},
	{"kernel.io_uring_disabled", READ, try_sysctl,
		"sysctl -w kernel.io_uring_disabled=2 (Linux 6.6 or newer)",
		"open to every user of the host; sandboxes are refused it anyway", 1, 2},
	{"kernel.core_pattern", READ, try_core_pattern, "sysctl -w kernel.core_pattern=core", NULL,
		0, 0},
	{"kernel.pid_max", READ, try_sysctl, "sysctl -w kernel.pid_max=4194304",
		"all sandboxes and the host share so few process ids", 65536, UINT64_MAX},
	{"fs.protected_symlinks", READ, try_sysctl, "sysctl -w fs.protected_symlinks=1",
		"links of others in /tmp are followed", 1, 1},
	{"fs.protected_hardlinks", READ, try_sysctl, "sysctl -w fs.protected_hardlinks=1",
		"files of others can be linked", 1, 1},
	{"fs.protected_fifos", READ, try_sysctl, "sysctl -w fs.protected_fifos=1",
		"fifos of others in /tmp are opened", 1, 2},
	{"dev.tty.legacy_tiocsti", READ, try_sysctl,
		"sysctl -w dev.tty.legacy_tiocsti=0 (Linux 6.2 or newer)",
		"a program can type into its terminal; sandboxes are refused it anyway", 0, 0},
	{"vm.overcommit_memory", READ, try_sysctl, "sysctl -w vm.overcommit_memory=0",
		"forks fail long before memory is used", 0, 1},
	{"user.max_namespaces", READ, try_max_namespaces, "", NULL, 16384, 0},

	{"sandbox", SANDBOX, try_confinement, "mend the step that is named", "nothing", 0, 0},
	{"host is hidden", SANDBOX, try_confinement, REPORT, "marker", 0, 0},
	{"mounts are refused", SANDBOX, try_confinement, REPORT, "mount", 0, 0},
	{"namespaces are refused", SANDBOX, try_confinement, REPORT, "unshare", 0, 0},
	{"init is safe", SANDBOX, try_confinement, REPORT, "init", 0, 0},
};

const unsigned doctor_check_count = ARRAY_SIZE(doctor_checks);

#include "nsjail-lite/seccomp_policy.h"

const struct seccomp_row seccomp_policy[] = {
	/* clang-format off */
	{ACTION_ALLOW, "files and directories: the private root is all they reach",
		"access chdir chmod chown chroot close close_range copy_file_range creat dup dup2 dup3 "
		"faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchmodat2=452 fchown "
		"fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatfs "
		"fsync ftruncate futimesat getcwd getdents getdents64 getxattr lchown lgetxattr link "
		"linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod "
		"mknodat name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 "
		"pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat "
		"renameat2 rmdir sendfile setxattr splice stat statfs statx symlink symlinkat sync "
		"sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes "
		"vmsplice write writev setxattrat=463 getxattrat=464 listxattrat=465 removexattrat=466"},
	{ACTION_ALLOW, "waiting and events",
		"epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
		"epoll_wait_old eventfd eventfd2 inotify_add_watch inotify_init inotify_init1 "
		"inotify_rm_watch poll ppoll pselect6 select signalfd signalfd4 timerfd_create "
		"timerfd_gettime timerfd_settime io_cancel io_destroy io_getevents io_pgetevents io_setup "
		"io_submit"},
	{ACTION_ALLOW, "memory of one's own",
		"brk get_mempolicy madvise membarrier memfd_create mincore mlock mlock2 mlockall mmap "
		"mprotect mremap mseal=462 msync munlock munlockall munmap pkey_alloc pkey_free "
		"pkey_mprotect remap_file_pages set_mempolicy map_shadow_stack=453"},
	{ACTION_ALLOW, "processes and threads of one's own pid namespace",
		"arch_prctl capget capset execve execveat exit exit_group fork get_robust_list "
		"get_thread_area getpgid getpgrp getpid getppid getpriority getrlimit getrusage getsid "
		"gettid getcpu ioprio_get ioprio_set kill pidfd_open pidfd_send_signal pause prctl "
		"prlimit64 process_mrelease restart_syscall rseq sched_get_priority_max "
		"sched_get_priority_min sched_getaffinity sched_getattr sched_getparam "
		"sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr "
		"sched_setparam sched_setscheduler sched_yield set_robust_list set_thread_area "
		"set_tid_address setpgid setpriority setrlimit setsid tgkill tkill times uname vfork "
		"wait4 waitid sysinfo futex futex_waitv=449 futex_wake=454 futex_wait=455 "
		"futex_requeue=456"},
	{ACTION_ALLOW, "debuggers: PID 1 is out of reach, it has been born before the user namespace",
		"ptrace"},
	{ACTION_ALLOW, "identities within one's own range",
		"getegid geteuid getgid getgroups getresgid getresuid getuid setfsgid "
		"setfsuid setgid setgroups setregid setresgid setresuid setreuid setuid"},
	{ACTION_ALLOW, "signals and timers",
		"alarm clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep "
		"rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
		"rt_sigtimedwait rt_tgsigqueueinfo setitimer sigaltstack time timer_create timer_delete "
		"timer_getoverrun timer_gettime timer_settime"},
	{ACTION_ALLOW, "sockets, once socket() has let one be made",
		"accept accept4 bind connect getpeername getsockname getsockopt listen shutdown"},
	{ACTION_ALLOW, "pipes, System V and POSIX ipc of one's own namespace",
		"mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget "
		"msgrcv msgsnd pipe pipe2 semctl semget semop semtimedop shmat shmctl shmdt shmget"},
	{ACTION_ALLOW, "more confinement is always welcome",
		"landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp"},
	{ACTION_ALLOW, "rest of what programs expect and nothing outside depends on",
		"getrandom sethostname setdomainname"},

	{ACTION_CHECK_CLONE, "no new namespaces", "clone"},
	{ACTION_CHECK_UNSHARE, "no new namespaces", "unshare"},
	{ACTION_CHECK_SOCKET, "unix, inet, inet6 with tcp and udp, route netlink; rare families are "
			      "where kernel bugs are", "socket"},
	{ACTION_CHECK_SOCKETPAIR, "unix only", "socketpair"},
	{ACTION_CHECK_SETSOCKOPT, "no upper-layer protocols, UDP encapsulation, netfilter, eBPF",
		"setsockopt"},
	{ACTION_CHECK_IOCTL, "no input pushed into a terminal (TIOCSTI, TIOCLINUX), no line discipline, "
		"no places on the host's disk (FIBMAP, FIEMAP)",
		"ioctl"},
	{ACTION_CHECK_PERSONALITY, "Linux only, randomised addresses stay", "personality"},
	{ACTION_CHECK_OOB_ARG3, "out-of-band data of unix sockets has had use-after-frees",
		"sendto sendmmsg recvfrom recvmmsg"},
	{ACTION_CHECK_OOB_ARG2, "out-of-band data of unix sockets has had use-after-frees",
		"sendmsg recvmsg"},

	{ACTION_ENOSYS, "flags stand in memory, where no filter sees them: libraries fall back to clone",
		"clone3"},
	{ACTION_ENOSYS, "calls that no filter sees", "io_uring_setup io_uring_enter io_uring_register"},
	{ACTION_ENOSYS, "memory out of the host's sight", "memfd_secret"},
	{ACTION_ENOSYS, "tells which pages of the shared image others have read", "cachestat=451"},
	{ACTION_ENOSYS, "mounts and namespaces: programs fall back to /proc, which shows one's own",
		"statmount=457 listmount=458 listns=470"},
	{ACTION_ENOSYS, "young calls for flags of files: programs fall back to ioctl",
		"file_getattr=468 file_setattr=469"},
	{ACTION_ENOSYS, "for the kernel's own trampolines", "uretprobe=335 uprobe=336"},
	{ACTION_ENOSYS, "never made", "getpmsg putpmsg afs_syscall tuxcall security vserver"},

	{ACTION_EPERM, "mounts are made before the sandbox runs",
		"mount umount2 pivot_root move_mount open_tree open_tree_attr=467 fsopen fsconfig fsmount "
		"fspick mount_setattr"},
	{ACTION_EPERM, "namespaces of others", "setns"},
	{ACTION_EPERM, "the kernel's own machinery",
		"bpf perf_event_open userfaultfd kexec_load kexec_file_load init_module finit_module "
		"delete_module create_module query_module get_kernel_syms reboot iopl ioperm modify_ldt "
		"lookup_dcookie"},
	{ACTION_EPERM, "keyrings are not namespaced", "add_key keyctl request_key"},
	{ACTION_EPERM, "the host's clock",
		"settimeofday clock_settime clock_adjtime adjtimex"},
	{ACTION_EPERM, "the host's administration",
		"acct swapon swapoff quotactl quotactl_fd syslog vhangup ustat uselib nfsservctl _sysctl "
		"sysfs"},
	{ACTION_EPERM, "files by handle reach past the root", "open_by_handle_at"},
	{ACTION_EPERM, "other processes' memory and files",
		"kcmp process_vm_readv process_vm_writev pidfd_getfd process_madvise move_pages "
		"migrate_pages"},
	{ACTION_EPERM, "placement in the host's memory", "mbind set_mempolicy_home_node=450"},
	{ACTION_EPERM, "the host's file events", "fanotify_init fanotify_mark"},
	{ACTION_EPERM, "security modules are the host's",
		"lsm_get_self_attr=459 lsm_set_self_attr=460 lsm_list_modules=461"},
	/* clang-format on */
};

const size_t seccomp_policy_count = sizeof(seccomp_policy) / sizeof(seccomp_policy[0]);

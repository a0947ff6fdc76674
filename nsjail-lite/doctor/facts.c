/* What is good to know and cannot be wrong. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/quota.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "nsjail-lite/doctor/doctor.h"
#include "nsjail-lite/kernel.h"

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#define LANDLOCK_VERSION 1
#define PROJECT_QUOTA	 2

/* Whether the store's file system counts bytes by project, by which workspaces are held to their limit. */
static const char *project_quota(const char *store)
{
	auto_close int fd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* QCMD() shifts into the sign of an int */
	const unsigned command = (unsigned)Q_GETFMT << SUBCMDSHIFT | PROJECT_QUOTA;
	uint32_t format;

	if (fd >= 0 && syscall(SYS_quotactl_fd, fd, command, 0, &format) == 0)
		return "on";
	return fd < 0 || errno == ESRCH ? "off" : "not in this kernel or file system";
}

void doctor_facts(const struct doctor_options *options,
	void (*visit)(void *arg, const char *name, const char *value), void *arg)
{
	struct utsname kernel;
	struct sysinfo memory;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
	char text[256];

	if (uname(&kernel) == 0) {
		snprintf(text, sizeof(text), "%s %s %s", kernel.sysname, kernel.release,
			kernel.machine);
		visit(arg, "kernel", text);
	}
	snprintf(text, sizeof(text), "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	visit(arg, "processors", text);
	if (sysinfo(&memory) == 0) {
		snprintf(text, sizeof(text), "%llu MiB",
			(unsigned long long)memory.totalram * memory.mem_unit >> 20);
		visit(arg, "memory", text);
	}
	visit(arg, "disk limit", "size and inodes of a tmpfs");
	visit(arg, "project quota", project_quota(options->store));
	snprintf(text, sizeof(text), abi < 0 ? "not in this kernel" : "ABI %ld", abi);
	visit(arg, "landlock", text);
}

/*
 * privileges.c - what root's hearth-network may do.
 *
 * Effective are two capabilities: for links, rules and namespaces. Four more stay permitted: hearth-dns is started
 * as root, where an exec makes everything permitted effective, and needs them to become nobody in an empty root; and to
 * end it when it has been taken over it must be killed, which its uid does not allow.
 */
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "nsjail-lite/kernel.h"
#include "nsjail-lite/network/network.h"

#define BIT(capability) (UINT64_C(1) << (capability))
#define EFFECTIVE	(BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_ADMIN))
#define PERMITTED                                                                                  \
	(EFFECTIVE | BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL))

static int set(uint64_t effective)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{.effective = (uint32_t)effective, .permitted = (uint32_t)PERMITTED},
		{.effective = (uint32_t)(effective >> 32),
			.permitted = (uint32_t)(PERMITTED >> 32)},
	};

	return (int)syscall(SYS_capset, &header, data);
}

int privileges_drop(struct error *err)
{
	for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		if (!(PERMITTED & BIT(c)) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			return error_errno(err, "capability %d", c);
	if (set(EFFECTIVE) < 0)
		return error_errno(err, "drop capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, "set no_new_privs");
	return 0;
}

void privileges_kill(int pidfd)
{
	set(EFFECTIVE | BIT(CAP_KILL));
	kernel_pidfd_send_signal(pidfd, SIGKILL);
	set(EFFECTIVE);
}

#include "nsjail-lite/network/network_host.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "nsjail-lite/network/network_link.h"
#include "nsjail-lite/program.h"
#include "proto/channel.h"

#define PROGRAM "hearth-network"

int network_process_start(struct program *ret_process, struct error *err)
{
	char *const argv[] = {PROGRAM, NULL};
	int r = program_start(NULL, argv, ret_process, err);

	return r < 0 ? error_prefix(err, r, PROGRAM) : 0;
}

/* What it says before its end, which is nothing when all went well. */
static int read_failure(int link_fd, struct error *err)
{
	_Alignas(8) char packet[sizeof(struct network_failed)];
	const struct network_failed *failed = (const void *)packet;
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;
	ssize_t n = channel_receive(link_fd, packet, sizeof(packet), fds, &count);
	int r;

	if (n == 0)
		return 0;
	if (n < 0)
		return error_set(err, (int)-n, "link: %s", strerror((int)-n));
	r = check_message(
		&network_protocol, MESSAGE_TO_CLIENT, packet, (size_t)n, count, &rule, err);
	channel_close_fds(fds, count);
	if (r == 0 && rule->type == NETWORK_FAILED)
		r = error_set(err, (int)failed->error, "%s", failed->text);
	return r;
}

/* In a process of its own: the libraries for links and rules are in no other program. */
int network_recover(const char *instance, struct error *err)
{
	char name[NETWORK_INSTANCE_MAX];
	char *const argv[] = {PROGRAM, "--recover", name, NULL};
	struct program program;
	int status = 0, r;

	if (strlen(instance) >= sizeof(name))
		return error_set(err, EINVAL, "%s: no instance's id", instance);
	memcpy(name, instance, strlen(instance) + 1);
	r = program_start(NULL, argv, &program, err);
	if (r < 0)
		return error_prefix(err, r, "recover the network");
	r = read_failure(program.link_fd, err);
	fd_close(program.link_fd);
	fd_close(program.pidfd);
	waitpid(program.pid, &status, 0);
	if (r == 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		r = error_set(err, EIO, "%s has failed", PROGRAM);
	return r < 0 ? error_prefix(err, r, "recover the network") : 0;
}

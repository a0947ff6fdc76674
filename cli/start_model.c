#include "cli/start_model.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/drop.h"
#include "base/error.h"
#include "base/unix_socket.h"
#include "cli/log_reason.h"
#include "cli/up_start.h"

#define SOCKET_MODE   0660
#define KEY_FOLDER    HEARTH_SYSCONFDIR "/keys"
#define READY	      "ready "
#define READY_MS      30000
#define LOOK_EVERY_MS 5

bool start_model_has_key(void)
{
	static const char *const names[] = {"ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GROQ_API_KEY",
		"MISTRAL_API_KEY", "OLLAMA_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY",
		"XAI_API_KEY"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);
		char file[256];

		snprintf(file, sizeof(file), KEY_FOLDER "/%s", names[i]);
		if ((value && *value) || access(file, F_OK) == 0)
			return true;
	}
	return false;
}

void start_model_variable(const char *model, char variable[START_MODEL_VARIABLE_MAX])
{
	snprintf(variable, START_MODEL_VARIABLE_MAX, "%.*s_API_KEY",
		(int)strnlen(model, strcspn(model, "/") < 32 ? strcspn(model, "/") : 32), model);
	for (char *p = variable; *p; p++)
		*p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
}

/* A listener that user hearth, which agentd and the script are, can connect to. */
static int listen_for(const struct up_start *up, struct error *err)
{
	auto_close int dirfd = open(up->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct passwd *user;

	if (dirfd < 0)
		return error_errno(err, "%s", up->directory);
	errno = 0;
	user = getpwnam(DROP_USER);
	if (!user)
		return error_set(err, errno ? errno : ENOENT, "there is no user %s", DROP_USER);
	return unix_socket_listen(
		dirfd, INSTANCE_MODEL_SOCKET, SOCK_STREAM, SOCKET_MODE, user->pw_gid, err);
}

/* It has read its script: then the last that it said is that it is. */
static int wait_until_ready(const struct up_start *up, const char *log, struct error *err)
{
	uint64_t until = clock_now_ms() + READY_MS;
	char said[64];
	int r;

	do {
		log_reason_of_file(log, up->model.log_start, said, sizeof(said));
		if (strncmp(said, READY, strlen(READY)) == 0)
			return 0;
		r = up_start_look(up, LOOK_EVERY_MS, err);
	} while (r == 0 && clock_now_ms() < until);
	return r < 0 ? r
		     : error_set(err, ETIMEDOUT, "%s: it is not ready after %d s", up->model.name,
			       READY_MS / 1000);
}

int start_model(struct up_start *up, const char *scenario, struct error *err)
{
	char program[INSTANCE_PATH_MAX], log[INSTANCE_PATH_MAX + 32], number[16];
	auto_free char *file = scenario ? realpath(scenario, NULL) : NULL;
	const char *argv[] = {program, "--fd", number, file ? "--scenario" : NULL, file, NULL};
	struct instance_child child = {
		.log = log, .cgroup_id = up->id, .fd = -1, .is_dropped = true};
	auto_close int listener = -1;
	int r;

	if (scenario && !file)
		return error_errno(err, "%s", scenario);
	snprintf(number, sizeof(number), "%d", INSTANCE_CHILD_FD);
	up_start_log_path(up, &up->model, log, sizeof(log));
	r = instance_program("libexec/hearth/hearth-scripted-model",
		HEARTH_LIBEXECDIR "/hearth-scripted-model", program, err);
	if (r == 0)
		r = listener = listen_for(up, err);
	if (r >= 0) {
		child.fd = listener;
		r = instance_start((char *const *)argv, &child, err);
	}
	if (r < 0)
		return r;
	up->model.pidfd = r;
	return wait_until_ready(up, log, err);
}

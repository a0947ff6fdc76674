/* What the kernel has been told: not needed to run, but a second wall, or a limit that comes too early. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "nsjail-lite/doctor/check.h"
#include "nsjail-lite/kernel.h"

/* The file of a sysctl's name, its first line. */
static int read_sysctl(const char *name, char *text, size_t size, struct error *err)
{
	char path[128] = "/proc/sys/";
	ssize_t n;

	snprintf(path + strlen(path), sizeof(path) - strlen(path), "%s", name);
	for (char *dot = strchr(path, '.'); dot; dot = strchr(dot, '.'))
		*dot = '/';
	n = file_read_at(AT_FDCWD, path, text, size, err);
	if (n == -ENOENT)
		return error_set(err, ENOENT, "this kernel has no %s", name);
	if (n < 0)
		return (int)n;
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int try_sysctl(struct check_attempt *attempt, struct error *err)
{
	const struct doctor_check *check = attempt->check;
	char text[64], *end;
	uint64_t value;
	int r = read_sysctl(check->name, text, sizeof(text), err);

	if (r < 0)
		return r;
	value = strtoull(text, &end, 10);
	if (end == text || *end)
		return error_set(err, EBADMSG, "%s: not a number", text);
	if (value < check->number || value > check->most)
		return check_bad(err, "%s: %s", text, check->text);
	return check_found(attempt, "%s", text);
}

int try_core_pattern(struct check_attempt *attempt, struct error *err)
{
	char text[256];
	int r = read_sysctl(attempt->check->name, text, sizeof(text), err);

	if (r < 0)
		return r;
	if (text[0] == '|')
		return check_bad(err,
			"%.100s: a crash inside starts this program as the host's root, whatever "
			"the limit of core files is",
			text);
	return check_found(attempt, "%.100s", text);
}

int try_max_namespaces(struct check_attempt *attempt, struct error *err)
{
	static const char *const kinds[] = {"user", "mnt", "pid", "ipc", "uts", "net", "cgroup"};
	uint64_t least = UINT64_MAX;
	char name[64], text[64];
	const char *which = "";

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint64_t value;
		int r;

		snprintf(name, sizeof(name), "user.max_%s_namespaces", kinds[i]);
		r = read_sysctl(name, text, sizeof(text), err);
		if (r < 0)
			return r;
		value = strtoull(text, NULL, 10);
		if (value < least) {
			least = value;
			which = kinds[i];
		}
	}
	if (least >= attempt->check->number)
		return check_found(attempt, "at least %llu of each", (unsigned long long)least);
	snprintf(attempt->result->fix, sizeof(attempt->result->fix),
		"sysctl -w user.max_%s_namespaces=%llu", which,
		(unsigned long long)attempt->check->number);
	return check_bad(err, "user.max_%s_namespaces is %llu: at most so many sandboxes", which,
		(unsigned long long)least);
}

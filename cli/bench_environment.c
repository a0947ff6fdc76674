#include "cli/bench_environment.h"

#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli/commit.h"
#include "config.h"

static bool is_v2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static const char *cgroup_mode(void)
{
	if (is_v2("/sys/fs/cgroup"))
		return "v2";
	return is_v2("/sys/fs/cgroup/unified") ? "hybrid" : "v1";
}

static void read_model(char *model, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	model[0] = '\0';
	while (file && fgets(line, sizeof(line), file)) {
		const char *value = strstr(line, ": ");

		if (strncmp(line, "model name", 10) != 0 || !value)
			continue;
		snprintf(model, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
		break;
	}
	if (file)
		fclose(file);
}

static double load(void)
{
	double load = 0;

	getloadavg(&load, 1);
	return load;
}

void bench_environment_begin(struct bench_environment *environment)
{
	struct utsname host = {0};

	uname(&host);
	memcpy(environment->kernel, host.release, sizeof(environment->kernel));
	read_model(environment->cpu, sizeof(environment->cpu));
	environment->cores = sysconf(_SC_NPROCESSORS_ONLN);
	environment->cgroups = cgroup_mode();
	environment->load_start = load();
}

void bench_environment_end(struct bench_environment *environment)
{
	environment->load_end = load();
}

json_t *bench_environment_json(const struct bench_environment *e)
{
	return json_pack("{s:s, s:s, s:I, s:f, s:f, s:s, s:{s:s, s:s, s:I, s:I, s:I}, s:s, s:s}",
		"kernel", e->kernel, "cpu", e->cpu, "cores", (json_int_t)e->cores, "load_start",
		e->load_start, "load_end", e->load_end, "cgroups", e->cgroups, "pool", "name",
		e->pool.template_name, "image", e->pool.image, "min", (json_int_t)e->pool.min,
		"max", (json_int_t)e->pool.max, "ready", (json_int_t)e->pool.ready, "version",
		PACKAGE_VERSION, "commit", HEARTH_COMMIT);
}

void bench_environment_print(const struct bench_environment *e)
{
	printf("kernel %s, cgroups %s, %ld cores%s%s, load %.2f, at the end %.2f\n", e->kernel,
		e->cgroups, e->cores, e->cpu[0] ? " of " : "", e->cpu, e->load_start, e->load_end);
	printf("pool %s of image %s: min %u, max %u, %u ready; hearth %s, commit %s\n",
		e->pool.template_name, e->pool.image, e->pool.min, e->pool.max, e->pool.ready,
		PACKAGE_VERSION, HEARTH_COMMIT);
}

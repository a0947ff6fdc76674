#include "nsjail-lite/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "config.h"

#define STATUS_USAGE   125 /* the command has not run: the failure is ours */
#define MEMORY_DEFAULT (UINT64_C(1) << 30)
#define PIDS_DEFAULT   512
#define INODES_DEFAULT 200000
#define IMAGE_DEFAULT  "base"
#define DAY_MS	       (24u * 3600u * 1000u)

static const char usage[] =
	"usage: nsjail-lite [OPTION...] -- COMMAND [ARGUMENT...]\n"
	"Run one command as root of a fresh sandbox; pass its exit status on.\n"
	"\n"
	"  --image NAME         root file system from the store (default: base)\n"
	"  --rootfs DIR         a directory instead of an image; it is not written to\n"
	"  --memory SIZE        memory limit (default 1G)\n"
	"  --pids N             processes and threads, at least 3 (default 512)\n"
	"  --cpus N             CPU time, 1.5 is one and a half CPUs (default: no quota)\n"
	"  --cpu-weight N       share of the CPUs beside others, 1 to 10000 (default 100)\n"
	"  --disk SIZE          size of the writable layer (default: half of the memory)\n"
	"  --inodes N           files in it (default 200000)\n"
	"  --open-files N       descriptors of one process (default 4096)\n"
	"  --io-read SIZE       bytes a second from the disk below the image (default: no limit)\n"
	"  --io-write SIZE      bytes a second to it (default: no limit)\n"
	"  --strict             fail where the host cannot enforce a limit, instead of a warning\n"
	"  --timeout TIME       250ms, 30s, 5m: then everything is killed, exit status 124\n"
	"  --env K=V            environment variable; may be repeated\n"
	"  --cwd DIR            working directory inside (default: the image's)\n"
	"  --bind SRC:DST[:ro]  directory of the host to show inside; may be repeated;\n"
	"                       what is mounted below it is left out\n"
	"  --hostname NAME      name inside (default: sandbox)\n"
	"  --tty                a terminal for the command\n"
	"  --help, --version\n"
	"\n"
	"Exit status: the command's; 128+N killed by signal N; 124 timeout; 125 nsjail-lite "
	"failed;\n"
	"126 the command cannot be executed; 127 it is not found.\n";

static int refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int refuse(const char *format, ...)
{
	va_list ap;

	fputs("nsjail-lite: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputs(": see nsjail-lite --help\n", stderr);
	return -1;
}

enum option_kind {
	OPTION_IMAGE = 256,
	OPTION_ROOTFS,
	OPTION_MEMORY,
	OPTION_PIDS,
	OPTION_CPUS,
	OPTION_CPU_WEIGHT,
	OPTION_DISK,
	OPTION_INODES,
	OPTION_OPEN_FILES,
	OPTION_IO_READ,
	OPTION_IO_WRITE,
	OPTION_STRICT,
	OPTION_TIMEOUT,
	OPTION_ENV,
	OPTION_CWD,
	OPTION_BIND,
	OPTION_HOSTNAME,
	OPTION_TTY,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option long_options[] = {
	{"image", required_argument, NULL, OPTION_IMAGE},
	{"rootfs", required_argument, NULL, OPTION_ROOTFS},
	{"memory", required_argument, NULL, OPTION_MEMORY},
	{"pids", required_argument, NULL, OPTION_PIDS},
	{"cpus", required_argument, NULL, OPTION_CPUS},
	{"cpu-weight", required_argument, NULL, OPTION_CPU_WEIGHT},
	{"disk", required_argument, NULL, OPTION_DISK},
	{"inodes", required_argument, NULL, OPTION_INODES},
	{"open-files", required_argument, NULL, OPTION_OPEN_FILES},
	{"io-read", required_argument, NULL, OPTION_IO_READ},
	{"io-write", required_argument, NULL, OPTION_IO_WRITE},
	{"strict", no_argument, NULL, OPTION_STRICT},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"env", required_argument, NULL, OPTION_ENV},
	{"cwd", required_argument, NULL, OPTION_CWD},
	{"bind", required_argument, NULL, OPTION_BIND},
	{"hostname", required_argument, NULL, OPTION_HOSTNAME},
	{"tty", no_argument, NULL, OPTION_TTY},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{NULL, 0, NULL, 0},
};

/* Without doubled slashes, "." and a slash at the end. False: with ".." it leads wherever the image's links do. */
static bool normalise(char *path)
{
	char *to = path, *save = NULL;

	for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		size_t length = strlen(part);

		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0)
			return false;
		*to++ = '/';
		memmove(to, part, length);
		to += length;
	}
	*to = '\0';
	return true;
}

/* The root itself, and what is mounted after the binds. */
static bool is_covered(const char *path)
{
	static const char *const own[] = {"/dev", "/proc"};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		size_t length = strlen(own[i]);

		if (strncmp(path, own[i], length) == 0 && (!path[length] || path[length] == '/'))
			return true;
	}
	return !path[0];
}

static int parse_destination(const char *text, char destination[JAIL_PATH_MAX])
{
	if (text[0] != '/')
		return refuse("--bind: '%s' is no absolute path", text);
	if (text_copy(destination, JAIL_PATH_MAX, text) < 0)
		return refuse("--bind: '%.40s...': longer than %d", text, JAIL_PATH_MAX - 1);
	if (!normalise(destination))
		return refuse("--bind: '%s': '..' is not allowed", text);
	if (is_covered(destination))
		return refuse("--bind: '%s': /, /dev and /proc are the sandbox's own", text);
	return 0;
}

/* SRC:DST[:ro]; SRC is cut out of the argument. */
static int parse_bind(struct options *o, char *text)
{
	struct jail_bind *bind = &o->binds[o->bind_count];
	char *destination = strchr(text, ':'), *mode;

	if (o->bind_count == JAIL_BINDS_MAX)
		return refuse("--bind: at most %d", JAIL_BINDS_MAX);
	if (!destination || destination == text)
		return refuse("--bind '%s': SRC:DST or SRC:DST:ro is wanted", text);
	*destination++ = '\0';
	mode = strchr(destination, ':');
	if (mode) {
		*mode++ = '\0';
		if (strcmp(mode, "ro") != 0)
			return refuse("--bind: ':%s' is not ':ro'", mode);
		bind->is_read_only = 1;
	}
	if (parse_destination(destination, bind->destination) < 0)
		return -1;
	o->bind_sources[o->bind_count++] = text;
	return 0;
}

static int parse_env(struct options *o, const char *text)
{
	if (text[0] == '=' || !strchr(text, '='))
		return refuse("--env '%s': K=V is wanted", text);
	if (o->env_count == OPTIONS_ENV_MAX)
		return refuse("--env: at most %d", OPTIONS_ENV_MAX);
	o->env[o->env_count++] = text;
	return 0;
}

typedef int (*number_parser)(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/* The options that are a number; the value goes to an offset in struct options. */
static const struct {
	int kind;
	const char *name, *wanted;
	number_parser parse;
	uint64_t min, max;
	size_t offset;
} numbers[] = {
#define LIMIT(kind, name, wanted, parse, min, max, member)                                         \
	{                                                                                          \
		kind, name, wanted, parse, min, max, offsetof(struct options, limits.member)       \
	}
	LIMIT(OPTION_MEMORY, "memory", "a size of at least 4M", number_parse_size, 4 << 20,
		UINT64_C(1) << 50, memory_bytes),
	LIMIT(OPTION_DISK, "disk", "a size of at least 64K", number_parse_size, 64 << 10,
		UINT64_C(1) << 50, disk_bytes),
	LIMIT(OPTION_INODES, "inodes", "a number of at least 64", number_parse, 64, 1 << 30,
		disk_inodes),
	LIMIT(OPTION_PIDS, "pids", "a number of at least 3", number_parse, 3, 4 << 20, pids),
	LIMIT(OPTION_OPEN_FILES, "open-files", "64 to 1048576", number_parse, 64, 1 << 20,
		open_files),
	LIMIT(OPTION_CPUS, "cpus", "0.01 to 1000", number_parse_milli, 10, 1000000, cpu_milli),
	LIMIT(OPTION_CPU_WEIGHT, "cpu-weight", "1 to 10000", number_parse, 1, 10000, cpu_weight),
	LIMIT(OPTION_IO_READ, "io-read", "a size of at least 4K", number_parse_size, 4096,
		UINT64_C(1) << 50, io_read_bps),
	LIMIT(OPTION_IO_WRITE, "io-write", "a size of at least 4K", number_parse_size, 4096,
		UINT64_C(1) << 50, io_write_bps),
	{OPTION_TIMEOUT, "timeout", "a time such as 250ms, 30s, 5m, at most 24h,",
		number_parse_duration_ms, 1, DAY_MS, offsetof(struct options, timeout_ms)},
};

static int parse_number(struct options *o, int kind, const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint64_t *value = (void *)((char *)o + numbers[i].offset);

		if (numbers[i].kind == kind &&
			numbers[i].parse(text, numbers[i].min, numbers[i].max, value) < 0)
			return refuse("--%s '%s': %s is wanted", numbers[i].name, text,
				numbers[i].wanted);
	}
	return 0;
}

static int parse_option(struct options *o, int kind, char *text)
{
	switch (kind) {
	case OPTION_IMAGE:
		o->image = text;
		return 0;
	case OPTION_ROOTFS:
		o->rootfs = text;
		return 0;
	case OPTION_ENV:
		return parse_env(o, text);
	case OPTION_CWD:
		o->cwd = text;
		return text[0] == '/' ? 0 : refuse("--cwd '%s': not an absolute path", text);
	case OPTION_BIND:
		return parse_bind(o, text);
	case OPTION_HOSTNAME:
		o->hostname = text;
		return text_is_name(text, JAIL_HOSTNAME_MAX - 1)
			       ? 0
			       : refuse("--hostname '%s': a-z, 0-9, '.', '_' and '-' only", text);
	case OPTION_STRICT:
		o->is_strict = true;
		return 0;
	case OPTION_TTY:
		o->has_tty = true;
		return 0;
	default:
		return parse_number(o, kind, text);
	}
}

/* What getopt_long() has refused. optopt: of a letter or a known option, which it is; word: else where it stands. */
static void refuse_option(int answer, const char *word)
{
	const struct option *option = long_options;
	size_t length = strcspn(word, "=");

	while (option->name && option->val != optopt)
		option++;
	if (option->name)
		refuse(answer == ':' ? "option '--%s' needs a value"
				     : "option '--%s' takes no value",
			option->name);
	else if (optopt)
		refuse("unknown option '-%c'", optopt);
	else {
		for (option = long_options; option->name; option++)
			if (strncmp(option->name, word + 2, length - 2) == 0)
				break;
		refuse(option->name ? "option '%.*s' is ambiguous" : "unknown option '%.*s'",
			(int)length, word);
	}
}

bool options_parse(int argc, char **argv, struct options *ret_options, int *ret_status)
{
	struct options o = {
		.limits = {.memory_bytes = MEMORY_DEFAULT,
			.disk_inodes = INODES_DEFAULT,
			.pids = PIDS_DEFAULT},
		.hostname = "sandbox",
	};
	int kind;

	*ret_status = STATUS_USAGE;
	/* '+': what follows COMMAND is the command's. ':': getopt's own messages are not ours. */
	while ((kind = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
		if (kind == OPTION_HELP || kind == OPTION_VERSION) {
			fputs(kind == OPTION_HELP ? usage : "nsjail-lite " PACKAGE_VERSION "\n",
				stdout);
			*ret_status = 0;
			return false;
		}
		if (kind == '?' || kind == ':') {
			refuse_option(kind, argv[optind - 1]);
			return false;
		}
		if (parse_option(&o, kind, optarg) < 0)
			return false;
	}
	if (optind == argc || (o.image && o.rootfs)) {
		refuse(optind == argc ? "a command is wanted"
				      : "--image and --rootfs exclude each other");
		return false;
	}
	if (!o.image && !o.rootfs)
		o.image = IMAGE_DEFAULT;
	o.command = argv + optind;
	*ret_options = o;
	return true;
}

#include "cli/up_config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "base/text.h"
#include "cli/cli.h"
#include "images/image.h"
#include "proto/instance.h"
#include "proto/network.h"

#define POOL_SIZE_MAX 8000
#define WORD_MAX      128 /* of a list, with terminator: a line of the file is no longer than 190 */

/* Each word of an option that may be repeated and has words with commas between. NULL at the end, or too long. */
struct words {
	const struct cli *cli;
	const char *option, *rest;
	unsigned position;
	char word[WORD_MAX];
};

static const char *next_word(struct words *words)
{
	size_t length;

	if (!words->rest)
		words->rest = cli_option_next(words->cli, words->option, &words->position);
	if (!words->rest)
		return NULL;
	length = strcspn(words->rest, ",");
	snprintf(words->word, sizeof(words->word), "%.*s", (int)length, words->rest);
	words->rest = words->rest[length] ? words->rest + length + 1 : NULL;
	return words->word;
}

/* "10.1.2.0/24" or a single address; that no bit is beyond the prefix is the supervisor's to say. */
static bool is_cidr(const char *word)
{
	char address[INET_ADDRSTRLEN];
	size_t length = strcspn(word, "/");
	struct in_addr parsed;
	uint64_t prefix;

	if (length >= sizeof(address))
		return false;
	snprintf(address, sizeof(address), "%.*s", (int)length, word);
	return inet_pton(AF_INET, address, &parsed) == 1 &&
	       (!word[length] || number_parse(word + length + 1, 0, 32, &prefix) == 0);
}

/* A domain name, or all names below one: "*.npmjs.org". */
static bool is_domain(const char *word)
{
	if (strncmp(word, "*.", 2) == 0)
		word += 2;
	return text_is_name(word, WORD_MAX - 2) && !strchr(word, '_');
}

static int check_lists(const struct cli *cli)
{
	struct words except = {.cli = cli, .option = "except"};
	struct words allow = {.cli = cli, .option = "allow"};
	const char *word;

	while ((word = next_word(&except)))
		if (!is_cidr(word))
			return cli_usage_error(cli,
				"--except '%.40s': an IPv4 address or a range such as 10.1.2.0/24 "
				"is wanted",
				word);
	while ((word = next_word(&allow)))
		if (!is_cidr(word) && !is_domain(word))
			return cli_usage_error(cli,
				"--allow '%.40s': a range such as 203.0.113.0/24, a name or "
				"*.name is wanted",
				word);
	return 0;
}

static const char *option_or(const struct cli *cli, const char *name, const char *otherwise)
{
	const char *value = cli_option(cli, name);

	return value ? value : otherwise;
}

int up_config_parse(
	const struct cli *cli, const struct up_config *defaults, struct up_config *ret_config)
{
	struct up_config *config = ret_config;
	int r;

	config->image = option_or(cli, "image", defaults->image);
	config->net = option_or(cli, "net", defaults->net ? defaults->net : "none");
	if (!config->image)
		return cli_usage_error(cli, "--image is missing");
	if (!text_is_name(config->image, IMAGE_NAME_MAX - 1))
		return cli_usage_error(cli, "--image '%s': 1 to %d of a-z 0-9 . _ - are wanted",
			config->image, IMAGE_NAME_MAX - 1);
	if (!network_profile_find(config->net))
		return cli_usage_error(cli, "--net '%.40s': the profiles are: %s", config->net,
			NETWORK_PROFILE_NAMES);
	if (strcmp(config->net, "none") == 0 &&
		(cli_option(cli, "except") || cli_option(cli, "allow")))
		return cli_usage_error(
			cli, "--except and --allow need a network: give --net, such as default");
	r = check_lists(cli);
	if (r != 0)
		return r;
	if (!cli_option(cli, "pool") && !defaults->pool)
		return cli_usage_error(cli, "--pool is missing");
	return cli_option_number(cli, "pool", 1, POOL_SIZE_MAX, defaults->pool, &config->pool);
}

static void write_list(FILE *file, const struct cli *cli, const char *option)
{
	struct words words = {.cli = cli, .option = option};
	const char *word;

	while ((word = next_word(&words)))
		fprintf(file, "%s = %s\n", option, word);
}

int up_config_write(const struct cli *cli, const struct up_config *config, const char *directory,
	struct error *err)
{
	auto_close int dirfd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_free char *text = NULL;
	size_t size = 0;
	FILE *file;

	if (dirfd < 0)
		return error_errno(err, "%s", directory);
	file = open_memstream(&text, &size);
	if (!file)
		return error_errno(err, "%s", INSTANCE_CONFIG);
	fprintf(file,
		"# Written by hearth %s.\n[pool \"%s\"]\nimage = %s\nnet = %s\nmin = %lu\nmax = "
		"%lu\n",
		cli->command->name, config->image, config->image, config->net, config->pool,
		2 * config->pool + 8);
	if (cli_option(cli, "except") || cli_option(cli, "allow"))
		fprintf(file, "\n[egress]\n");
	write_list(file, cli, "except");
	write_list(file, cli, "allow");
	if (fclose(file) != 0)
		return error_errno(err, "%s", INSTANCE_CONFIG);
	return file_replace_at(dirfd, INSTANCE_CONFIG, text, size, 0644, err);
}

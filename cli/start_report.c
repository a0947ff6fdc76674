#include "cli/start_report.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/plain.h"
#include "cli/rpc_link.h"
#include "cli/start_model.h"
#include "proto/instance.h"

#define NAME_SHOWN_MAX 64

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* A model is a text, or {primary, fallbacks}. */
static const char *model_of(const json_t *agent)
{
	const json_t *model = json_object_get(agent, "model");

	return json_is_object(model) ? text_of(model, "primary") : text_of(agent, "model");
}

static void print_names(const json_t *agents)
{
	const char *between = "";
	size_t i;
	json_t *agent;

	json_array_foreach(agents, i, agent)
	{
		printf("%s", between);
		plain_print_line(stdout, text_of(agent, "name"), NAME_SHOWN_MAX);
		between = ", ";
	}
	if (!*between)
		printf("none");
}

/* In a text of JSON between quotes of the shell. */
static void print_example(const struct start_report *report, const json_t *agents)
{
	const char *name = text_of(json_array_get(agents, 0), "name");

	printf("\n  curl -N http://127.0.0.1:%lu/v1/chat/completions -H 'Content-Type: "
	       "application/json' "
	       "\\\n    -d '{\"agent\":\"",
		report->port);
	for (; *name; name++)
		if (*name >= ' ' && *name < 0x7f && !strchr("'\"\\", *name))
			putchar(*name);
	printf("\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}'\n");
	printf("  hearth chat%s%s\n\n",
		strcmp(report->directory, INSTANCE_DIRECTORY_DEFAULT) == 0 ? "" : " --dir ",
		strcmp(report->directory, INSTANCE_DIRECTORY_DEFAULT) == 0 ? ""
									   : report->directory);
}

static void print_script(const json_t *agents)
{
	const char *model = model_of(json_array_get(agents, 0));
	char variable[START_MODEL_VARIABLE_MAX] = "XAI_API_KEY";

	if (*model)
		start_model_variable(model, variable);
	printf("hearth: answers come from a script, not from a model: set %s in the environment "
	       "and "
	       "start again\n",
		variable);
}

static void print_text(const struct start_report *report, const json_t *agents, bool has_keys)
{
	printf("hearth: API on http://127.0.0.1:%lu/v1 (agents: ", report->port);
	print_names(agents);
	printf(") for %s\n", report->project);
	if (!has_keys)
		printf("hearth: there is no API key: anybody on this host may use the API; hearth "
		       "key create makes one\n");
	if (report->is_scripted)
		print_script(agents);
	if (report->net && strcmp(report->net, "none") == 0)
		printf("hearth: the sandboxes have no network: --net default gives them the "
		       "Internet\n");
	if (json_array_size(agents) > 0)
		print_example(report, agents);
	printf("hearth: Ctrl-C ends it\n");
}

static void print_json(const struct start_report *report, const json_t *agents)
{
	json_t *names = json_array();
	char url[64];
	size_t i;
	json_t *agent;

	json_array_foreach(agents, i, agent)
		json_array_append_new(names, json_string(text_of(agent, "name")));
	snprintf(url, sizeof(url), "http://127.0.0.1:%lu/v1", report->port);
	cli_print_json(json_pack("{s:s, s:o, s:s, s:s, s:b}", "url", url, "agents", names,
		"project", report->project, "directory", report->directory, "scripted",
		report->is_scripted));
}

/* Over one connection: who has no privileges any more may find no way to another. */
static int ask_both(
	const struct cli *cli, json_t **ret_agents, json_t **ret_keys, struct error *err)
{
	struct rpc_link *link;
	int r = ask_open(cli, &link, err);

	if (r < 0)
		return r;
	r = rpc_link_call(link, "agent.list", json_object(), ret_agents, err);
	if (r == 0)
		r = rpc_link_call(link, "key.list", json_object(), ret_keys, err);
	rpc_link_close(link);
	return r;
}

int start_report(const struct cli *cli, const struct start_report *report)
{
	json_auto_t *agents = NULL, *keys = NULL;
	struct error err;

	if (ask_both(cli, &agents, &keys, &err) < 0)
		return cli_fail(cli, &err, NULL);
	if (cli->json)
		print_json(report, agents);
	else if (!cli->quiet)
		print_text(report, agents, json_array_size(json_object_get(keys, "keys")) > 0);
	return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

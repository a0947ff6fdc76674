#include "agentd/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agentd/api/front_http.h"
#include "agentd/agent_config.h"
#include "agentd/loopback.h"
#include "agentd/project/project.h"
#include "agentd/server.h"
#include "agentd/store/store.h"
#include "agentd/tool/search.h"
#include "agentd/tool/tool.h"
#include "agentd/workspace.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/unix_socket.h"
#include "proto/instance.h"

#define SOCKET_MODE	   0660
#define SCRIPTED_PATH_SIZE 108 /* of a Unix socket */
#define STATE_MODE	   0700

static int open_directory(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? error_errno(err, "project %s", path) : fd;
}

/* Where keys are, by PROVIDER_API_KEY; systemd's credentials, when it starts us. */
static void find_keys(const char *directories[static 3])
{
	directories[0] = HEARTH_SYSCONFDIR "/keys";
	directories[1] = getenv("CREDENTIALS_DIRECTORY");
	directories[2] = NULL;
}

/*
 * A path to the socket that still leads there when its directories are closed to us: by a descriptor of the last one.
 */
static int open_scripted(struct agent_parts *parts, const char *path,
	char ret_path[static SCRIPTED_PATH_SIZE], struct error *err)
{
	const char *slash = strrchr(path, '/');
	auto_free char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int n;

	if (!directory)
		return error_set(err, ENOMEM, "out of memory");
	parts->scripted_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parts->scripted_fd < 0)
		return error_errno(err, "scripted model %s", path);
	n = snprintf(ret_path, SCRIPTED_PATH_SIZE, "/proc/self/fd/%d/%s", parts->scripted_fd,
		slash ? slash + 1 : path);
	if (n >= SCRIPTED_PATH_SIZE)
		return error_set(
			err, ENAMETOOLONG, "scripted model %s: the name is too long", path);
	return 0;
}

static int open_upstream(struct agent_parts *parts, const struct agent_options *options,
	struct event_base *base, struct error *err)
{
	struct upstream_provider providers[AGENT_PROVIDERS_MAX + 1] = {0};
	const struct agent_config *config = parts->config;
	const char *directories[3];
	char scripted[SCRIPTED_PATH_SIZE] = "";
	struct upstream_options upstream = {.providers = providers,
		.provider_count = config->provider_count,
		.key_directories = directories,
		.tries = config->tries,
		.stall_timeout_ms = (uint32_t)config->stall_ms};

	find_keys(directories);
	if (options->scripted && open_scripted(parts, options->scripted, scripted, err) < 0)
		return -err->code;
	for (uint32_t i = 0; i < config->provider_count; i++)
		providers[i] = (struct upstream_provider){.name = config->providers[i].name,
			.dialect = (enum upstream_dialect)config->providers[i].dialect,
			.base_url = config->providers[i].base_url,
			.concurrency = config->providers[i].concurrency};
	if (options->scripted)
		providers[upstream.provider_count++] =
			(struct upstream_provider){.name = "scripted",
				.base_url = "http://localhost/v1",
				.socket_path = scripted,
				.is_scripted = true};
	return upstream_create(base, &upstream, &parts->upstream, err);
}

static int open_search(struct agent_parts *parts, struct event_base *base, struct error *err)
{
	const char *key = getenv("SEARCH_API_KEY");
	struct tool_search_options search = {.provider = parts->config->search.provider,
		.url = parts->config->search.url,
		.key = key,
		.start = transfer_start,
		.cancel = transfer_cancel};
	int r;

	if (!search.provider[0])
		return 0;
	r = transfers_create(base, &parts->transfers, err);
	if (r < 0)
		return r;
	search.transfers = parts->transfers;
	r = tool_search_create(&search, &parts->search, err);
	return r < 0 ? error_prefix(err, r, "[search]") : 0;
}

static int open_config(
	struct agent_parts *parts, const struct agent_options *options, struct error *err)
{
	parts->config = calloc(1, sizeof(*parts->config));
	if (!parts->config)
		return error_set(err, ENOMEM, "out of memory");
	return agent_config_load(options->directory, parts->config, err);
}

int agent_open(struct agent_parts *parts, const struct agent_options *options,
	struct event_base *base, int dirfd, gid_t gid, struct error *err)
{
	int r;

	*parts = (struct agent_parts){.project_fd = -1, .scripted_fd = -1, .listeners = {-1, -1}};
	if (!options->project)
		return 0;
	r = open_config(parts, options, err);
	if (r == 0)
		r = parts->project_fd = open_directory(options->project, err);
	if (r >= 0)
		r = parts->listeners[0] = unix_socket_listen(
			dirfd, INSTANCE_API_SOCKET, SOCK_STREAM, SOCKET_MODE, gid, err);
	if (r >= 0 && options->api_port) {
		r = parts->listeners[1] = loopback_listen((unsigned)options->api_port, err);
		if (r < 0)
			error_prefix(err, r, "API");
	}
	if (r >= 0)
		r = open_upstream(parts, options, base, err);
	return r < 0 ? r : open_search(parts, base, err);
}

/* Beside the agents, in whichever folder they stand. */
static int open_state(int project_fd, struct error *err)
{
	static const char *const folders[] = {".hearth", ".polpo"};
	auto_close int folder = -1;
	int fd;

	for (size_t i = 0; folder < 0 && i < ARRAY_SIZE(folders); i++)
		folder = openat(
			project_fd, folders[i], O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (folder < 0)
		return error_errno(err, "project: open .hearth");
	if (mkdirat(folder, "state", STATE_MODE) < 0 && errno != EEXIST)
		return error_errno(err,
			"project: make .hearth/state (user hearth must be able to: hearth start "
			"sees to it)");
	fd = openat(folder, "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? error_errno(err, "project: open .hearth/state") : fd;
}

static int open_project(struct service *service, int fd, struct error *err)
{
	int r = project_open(fd, tool_names(), &service->project, err);

	if (r == -EINVAL && service->project) {
		project_report(service->project, false, stderr);
		return error_set(
			err, EINVAL, "the project has errors: hearth agent validate shows them");
	}
	return r;
}

static void count_answer(struct server *server, const char *route, int status)
{
	metrics_count_request(&server->metrics, route ? route : "other", status);
}

static int open_http(struct server *server, struct agent_parts *parts, struct error *err)
{
	const struct api_http_options options = {.base = server->base,
		.server = server,
		.on_idle = server_on_client_gone,
		.on_answer = count_answer,
		.routes = route_table,
		.route_count = route_count,
		.keys = &server->keys,
		.hosts = server->config->api.hosts,
		.origins = server->config->api.origins[0] ? server->config->api.origins : NULL,
		.limits = api_limits_default};

	for (size_t i = 0; i < ARRAY_SIZE(parts->listeners); i++)
		server->api_listeners[i] = take_fd(&parts->listeners[i]);
	return front_http_create(&options, &server->http, err);
}

/* Nobody is let in before the keys are known: without any, everybody would be. */
static int let_in(struct server *server, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(server->api_listeners); i++) {
		int fd = take_fd(&server->api_listeners[i]);

		if (r == 0 && fd >= 0)
			r = front_http_listen(server->http, fd, err);
		else
			fd_close(fd);
	}
	return r;
}

static int parse_hash(const char *text, unsigned char hash[static API_KEY_HASH_SIZE])
{
	if (!text || strlen(text) != 2 * API_KEY_HASH_SIZE)
		return -EINVAL;
	for (size_t i = 0; i < API_KEY_HASH_SIZE; i++)
		if (sscanf(text + 2 * i, "%2hhx", &hash[i]) != 1)
			return -EINVAL;
	return 0;
}

static int set_keys(struct server *server, const json_t *rows, struct error *err)
{
	auto_free struct api_key *keys = calloc(json_array_size(rows) + 1, sizeof(*keys));
	size_t i;
	json_t *row;
	int r;

	if (!keys)
		return error_set(err, ENOMEM, "out of memory");
	json_array_foreach((json_t *)rows, i, row)
	{
		const char *id = json_string_value(json_object_get(row, "id"));

		snprintf(keys[i].id, sizeof(keys[i].id), "%s", id);
		snprintf(keys[i].prefix, sizeof(keys[i].prefix), "%s",
			json_string_value(json_object_get(row, "prefix")));
		r = parse_hash(json_string_value(json_object_get(row, "hash")), keys[i].hash);
		if (r < 0)
			return error_set(err, -r, "the hash of %s is none", id);
	}
	r = api_keys_set(&server->keys, keys, json_array_size(rows), err);
	if (r == 0 && json_array_size(rows) == 0)
		log_info("no API key: whoever may connect on this host is let in");
	return r;
}

static void lose_keys(struct server *server, const struct error *err)
{
	log_error("API keys: %s", err->text);
	server_stop(server, "keys_lost", 1);
}

int agent_take_keys(struct server *server, const json_t *result, struct error *err)
{
	int r = set_keys(server, json_object_get(result, "keys"), err);

	if (r == 0) {
		front_http_keys_changed(server->http);
		r = let_in(server, err);
	}
	if (r < 0)
		lose_keys(server, err);
	return r;
}

static void on_keys(void *arg, int r, json_t *result, const struct error *err)
{
	struct error why;

	if (r < 0)
		lose_keys(arg, err);
	else
		agent_take_keys(arg, result, &why);
}

int agent_start(struct server *server, struct agent_parts *parts, struct error *err)
{
	auto_close int project_fd = take_fd(&parts->project_fd);
	auto_close int state_fd = -1;
	struct service *service = &server->service;
	int r;

	/* Without a project too: what is asked for is known then, and refused by its name. */
	r = route_set_init(&server->routes, route_table, route_count, err);
	if (r < 0 || project_fd < 0)
		return r;
	server->config = take_ptr(&parts->config);
	service->upstream = take_ptr(&parts->upstream);
	service->transfers = take_ptr(&parts->transfers);
	service->search = take_ptr(&parts->search);
	service->has_workspaces = true;
	r = service_init(service, server, err);
	if (r == 0)
		r = open_project(service, project_fd, err);
	if (r == 0)
		r = state_fd = open_state(project_fd, err);
	if (r >= 0)
		r = store_open(server->base, state_fd, AGENT_STORE_NAME, &service->store, err);
	if (r == 0)
		r = open_http(server, parts, err);
	if (r < 0)
		return r;
	r = store_key_list(service->store, on_keys, server);
	if (r < 0)
		return error_set(err, -r, "API keys: the store takes nothing");
	service_resume(service);
	r = workspace_remove_left(server);
	return r < 0 ? error_set(err, -r, "workspaces: the store takes nothing") : 0;
}

void agent_stop(struct server *server)
{
	if (server->http)
		front_http_stop(server->http);
	service_stop(&server->service);
}

bool agent_is_busy(const struct server *server)
{
	return server->http && front_http_is_busy(server->http);
}

void agent_finish(struct server *server)
{
	service_finish(&server->service);
	for (size_t i = 0; i < ARRAY_SIZE(server->api_listeners); i++)
		fd_close(take_fd(&server->api_listeners[i]));
	front_http_destroy(take_ptr(&server->http));
	route_set_finish(&server->routes);
	api_keys_finish(&server->keys);
	free(take_ptr(&server->config));
}

int agent_check(const char *directory, bool as_json, FILE *to)
{
	struct project *project = NULL;
	struct error err;
	auto_close int fd = open_directory(directory, &err);
	int r = fd < 0 ? fd : project_open(fd, tool_names(), &project, &err);

	if (project)
		project_report(project, as_json, to);
	else
		fprintf(stderr, "hearth: %s\n", err.text);
	project_close(project);
	return r < 0 ? 1 : 0;
}

/* What can be asked: a row each. */
#include "agentd/api/chat.h"
#include "agentd/api/handlers.h"
#include "agentd/api/route.h"
#include "base/cleanup.h"

#define OBJECT(required, properties)                                                               \
	"{\"type\":\"object\",\"required\":[" required "],\"properties\":{" properties "}}"
#define STRICT(required, properties)                                                               \
	"{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required              \
	"],\"properties\":{" properties "}}"
#define NOTHING		  STRICT("", "")
#define STRING(name, max) "\"" name "\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":" max "}"
#define OPTIONAL(name, max)                                                                        \
	"\"" name "\":{\"type\":[\"string\",\"null\"],\"minLength\":1,\"maxLength\":" max "}"
#define TEXT(name) "\"" name "\":{\"type\":\"string\",\"maxLength\":1048576}"
#define NUMBER(name, min, max)                                                                     \
	"\"" name "\":{\"type\":\"integer\",\"minimum\":" min ",\"maximum\":" max "}"
#define BOOLEAN(name) "\"" name "\":{\"type\":[\"boolean\",\"null\"]}"
#define NAMED	      STRICT("\"name\"", STRING("name", "64"))
#define ID	      STRICT("\"id\"", STRING("id", "64"))
#define PAGE	      NUMBER("limit", "1", "1000") "," NUMBER("offset", "0", "1000000000")

#define CHAT                                                                                       \
	OBJECT("\"messages\"",                                                                     \
		"\"messages\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":10000,"              \
		"\"items\":{\"type\":\"object\"}}," OPTIONAL("agent", "64") "," OPTIONAL("model",  \
			"256") ","                                                                 \
			       "\"sessionId\":{\"type\":[\"string\",\"null\"],\"maxLength\":64}"   \
			       "," BOOLEAN("stream") ","                                           \
						     "\"stream_options\":{\"type\":[\"object\","   \
						     "\"null\"]},"                                 \
						     "\"temperature\":{\"type\":[\"number\","      \
						     "\"null\"],\"minimum\":0,\"maximum\":2},"     \
						     "\"top_p\":{\"type\":[\"number\",\"null\"],"  \
						     "\"minimum\":0,\"maximum\":1},"               \
						     "\"max_tokens\":{\"type\":[\"integer\","      \
						     "\"null\"],\"minimum\":1},"                   \
						     "\"max_completion_tokens\":{\"type\":["       \
						     "\"integer\",\"null\"],\"minimum\":1},"       \
						     "\"stop\":{\"type\":[\"string\",\"array\","   \
						     "\"null\"],\"maxItems\":4,"                   \
						     "\"items\":{\"type\":\"string\"}},"           \
						     "\"n\":{\"type\":[\"integer\",\"null\"],"     \
						     "\"minimum\":1,\"maximum\":1}," BOOLEAN(      \
							     "parallel_tool_calls"))

const struct route route_table[] = {
	{"POST", "/chat/completions", "chat.complete", ROUTE_KEY, API_SHAPE_OPENAI, false,
		"Run an agent on messages: a new session, or one that goes on", CHAT, NULL, true,
		true, chat_complete},
	{"GET", "/models", NULL, ROUTE_KEY, API_SHAPE_OPENAI, false, "List the agents as models",
		NOTHING, NULL, false, false, agent_routes_models},
	{"GET", "/models/:id", NULL, ROUTE_KEY, API_SHAPE_OPENAI, false, "Show one of them", ID,
		NULL, false, false, agent_routes_model},
	{"GET", "/health", "agentd.health", ROUTE_OPEN, API_SHAPE_REST, true,
		"Say that it answers, and its version", NOTHING, NULL, false, false,
		status_routes_health},
	{"GET", "/livez", NULL, ROUTE_OPEN, API_SHAPE_REST, true, "Say that it is alive", NOTHING,
		NULL, false, false, status_routes_live},
	{"GET", "/readyz", NULL, ROUTE_OPEN, API_SHAPE_REST, true,
		"Say whether a run would get a sandbox", OBJECT("", ""), NULL, false, false,
		status_routes_ready},
	{"GET", "/openapi.json", NULL, ROUTE_OPEN, API_SHAPE_OPENAI, true, "Show this description",
		NOTHING, NULL, false, false, status_routes_openapi},

	{"GET", "/agents", "agent.list", ROUTE_KEY, API_SHAPE_REST, false, "List the agents",
		NOTHING, NULL, false, false, agent_routes_list},
	{"POST", "/agents", "agent.create", ROUTE_KEY, API_SHAPE_REST, false, "Add an agent",
		OBJECT("\"name\"", STRING("name", "64")), NULL, false, false, agent_routes_create},
	{"GET", "/agents/:name", "agent.get", ROUTE_KEY, API_SHAPE_REST, false, "Show an agent",
		NAMED, NULL, false, false, agent_routes_get},
	{"PATCH", "/agents/:name", "agent.patch", ROUTE_KEY, API_SHAPE_REST, false,
		"Change members of an agent; null removes one",
		OBJECT("\"name\"", STRING("name", "64")), NULL, false, false, agent_routes_patch},
	{"DELETE", "/agents/:name", "agent.delete", ROUTE_KEY, API_SHAPE_REST, false,
		"Remove an agent", NAMED, NULL, false, false, agent_routes_delete},
	{"GET", "/skills", "skill.list", ROUTE_KEY, API_SHAPE_REST, false, "List the skills",
		NOTHING, NULL, false, false, agent_routes_skills},
	{"GET", "/skills/:name/content", "skill.get", ROUTE_KEY, API_SHAPE_REST, false,
		"Show a skill's file", NAMED, NULL, false, false, agent_routes_skill_content},
	{"POST", "/skills/create", "skill.create", ROUTE_KEY, API_SHAPE_REST, false, "Add a skill",
		STRICT("\"name\",\"content\"", STRING("name", "64") "," TEXT("content")), NULL,
		false, false, agent_routes_skill_create},
	{"DELETE", "/skills/:name", "skill.delete", ROUTE_KEY, API_SHAPE_REST, false,
		"Remove a skill", NAMED, NULL, false, false, agent_routes_skill_delete},
	{"GET", "/memory", "memory.get", ROUTE_KEY, API_SHAPE_REST, false, "Show the shared memory",
		NOTHING, NULL, false, false, agent_routes_memory_get},
	{"PUT", "/memory", "memory.put", ROUTE_KEY, API_SHAPE_REST, false,
		"Replace the shared memory", STRICT("\"content\"", TEXT("content")), NULL, false,
		false, agent_routes_memory_put},
	{"GET", "/memory/agent/:name", "memory.agent.get", ROUTE_KEY, API_SHAPE_REST, false,
		"Show an agent's memory", NAMED, NULL, false, false, agent_routes_memory_get},
	{"PUT", "/memory/agent/:name", "memory.agent.put", ROUTE_KEY, API_SHAPE_REST, false,
		"Replace an agent's memory",
		STRICT("\"name\",\"content\"", STRING("name", "64") "," TEXT("content")), NULL,
		false, false, agent_routes_memory_put},

	{"GET", "/chat/sessions", "session.list", ROUTE_KEY, API_SHAPE_REST, false,
		"List the sessions, the newest first", STRICT("", STRING("agent", "64") "," PAGE),
		NULL, false, false, session_routes_list},
	{"GET", "/chat/sessions/:id", "session.get", ROUTE_KEY, API_SHAPE_REST, false,
		"Show a session", ID, NULL, false, false, session_routes_get},
	{"GET", "/chat/sessions/:id/messages", "session.messages", ROUTE_KEY, API_SHAPE_REST, false,
		"Show what was said in a session",
		STRICT("\"id\"", STRING("id", "64") "," NUMBER("from", "1",
					 "1000000000") "," NUMBER("limit", "1", "1000")),
		NULL, false, false, session_routes_messages},
	{"PATCH", "/chat/sessions/:id", "session.patch", ROUTE_KEY, API_SHAPE_REST, false,
		"Give a session a title",
		STRICT("\"id\",\"title\"", STRING("id", "64") "," STRING("title", "1024")), NULL,
		false, false, session_routes_patch},
	{"DELETE", "/chat/sessions/:id", "session.delete", ROUTE_KEY, API_SHAPE_REST, false,
		"Remove a session, all that was said in it and its workspace", ID, NULL, false,
		false, session_routes_delete},

	{"GET", "/runs/:id", "run.get", ROUTE_KEY, API_SHAPE_REST, false, "Show a run", ID, NULL,
		false, false, run_routes_get},
	{"GET", "/runs/:id/events", "run.events", ROUTE_KEY, API_SHAPE_REST, false,
		"Follow a run, from after the event `cursor`",
		STRICT("\"id\"", STRING("id", "64") "," NUMBER("cursor", "0", "9007199254740991")),
		NULL, true, false, run_routes_events},
	{"POST", "/runs/:id/cancel", "run.cancel", ROUTE_KEY, API_SHAPE_REST, false, "End a run",
		ID, NULL, false, false, run_routes_cancel},

	{"GET", "/sandboxes", NULL, ROUTE_KEY, API_SHAPE_REST, false, "List the sandboxes", NOTHING,
		NULL, false, false, sandbox_routes_list},
	{"DELETE", "/sandboxes/:id", NULL, ROUTE_KEY, API_SHAPE_REST, false,
		"Take a run's sandbox away: its next tool gets another",
		STRICT("\"id\"", NUMBER("id", "1", "9007199254740991")), NULL, false, false,
		sandbox_routes_delete},
	{"POST", "/sandboxes/clear-idle", NULL, ROUTE_KEY, API_SHAPE_REST, false,
		"Take away those of runs in which nothing runs just now", NOTHING, NULL, false,
		false, sandbox_routes_clear_idle},

	{NULL, NULL, "key.create", ROUTE_ADMIN, API_SHAPE_REST, false, "Make an API key",
		STRICT("", STRING("name", "64") "," BOOLEAN("test")), NULL, false, false,
		key_routes_create},
	{NULL, NULL, "key.list", ROUTE_ADMIN, API_SHAPE_REST, false, "List the API keys", NOTHING,
		NULL, false, false, key_routes_list},
	{NULL, NULL, "key.revoke", ROUTE_ADMIN, API_SHAPE_REST, false, "Revoke an API key", ID,
		NULL, false, false, key_routes_revoke},
};

const size_t route_count = ARRAY_SIZE(route_table);

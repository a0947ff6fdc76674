# What can be asked over HTTP and JSON-RPC, and by whom. The table of routes is not part of it.
noinst_LIBRARIES += libapi.a
libapi_a_SOURCES = \
	agentd/api/api.c agentd/api/api.h \
	agentd/api/connection.c agentd/api/connection.h \
	agentd/api/api_fault.c agentd/api/api_fault.h \
	agentd/api/connection_set.c agentd/api/connection_set.h \
	agentd/api/framing.c agentd/api/framing.h agentd/api/framing_private.h \
	agentd/api/framing_head.c \
	agentd/api/front.h \
	agentd/api/front_http.c agentd/api/front_http.h \
	agentd/api/http_call.c agentd/api/http_call.h \
	agentd/api/keys.c agentd/api/keys.h \
	agentd/api/limits.c agentd/api/limits.h \
	agentd/api/openapi.c agentd/api/openapi.h \
	agentd/api/origin.c agentd/api/origin.h \
	agentd/api/params.c agentd/api/params.h \
	agentd/api/peer.c agentd/api/peer.h \
	agentd/api/percent.c agentd/api/percent.h \
	agentd/api/route.c agentd/api/route.h \
	agentd/api/http_stream.c agentd/api/http_stream.h
libapi_a_CPPFLAGS = $(AM_CPPFLAGS) $(EVDNS_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
EXTRA_DIST += docs/http-api.md

# The routes' handlers, which know runs, sessions and sandboxes.
route_sources = \
	agentd/api/agent_routes.c \
	agentd/api/chat.c agentd/api/chat.h \
	agentd/api/chat_messages.c \
	agentd/api/chat_private.h \
	agentd/api/chat_reply.c \
	agentd/api/handlers.h \
	agentd/api/key_routes.c \
	agentd/api/routes.c \
	agentd/api/run_routes.c \
	agentd/api/sandbox_routes.c \
	agentd/api/session_routes.c \
	agentd/api/status_routes.c

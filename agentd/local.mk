# Tools know a guest client and nothing of agentd's clients: the unit tests link them alone.
noinst_LIBRARIES += libtool.a
libtool_a_SOURCES = \
	agentd/schema.c agentd/schema.h \
	agentd/utf8.c agentd/utf8.h \
	agentd/tool/bash.c \
	agentd/tool/edit.c \
	agentd/tool/glob.c \
	agentd/tool/grep.c \
	agentd/tool/headtail.c agentd/tool/headtail.h \
	agentd/tool/http_fetch.c \
	agentd/tool/http_head.c agentd/tool/http_head.h \
	agentd/tool/http_request.c agentd/tool/http_request.h \
	agentd/tool/ls.c \
	agentd/tool/memory.c \
	agentd/tool/read.c \
	agentd/tool/search.c agentd/tool/search.h \
	agentd/tool/search_provider.c agentd/tool/search_provider.h \
	agentd/tool/search_provider_brave.c \
	agentd/tool/search_provider_exa.c \
	agentd/tool/search_provider_searxng.c \
	agentd/tool/search_web.c \
	agentd/tool/shell.c agentd/tool/shell.h \
	agentd/tool/table.c \
	agentd/tool/tool.c agentd/tool/tool.h \
	agentd/tool/write.c
libtool_a_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)

sbin_PROGRAMS += hearth-agentd
hearth_agentd_SOURCES = \
	$(loop_sources) $(route_sources) \
	agentd/acquire.c agentd/acquire.h \
	agentd/agent.c agentd/agent.h \
	agentd/call.c agentd/call.h \
	agentd/client.c agentd/client.h \
	agentd/agent_config.c agentd/agent_config.h \
	agentd/exec.c agentd/exec.h \
	agentd/fault.c agentd/fault.h \
	agentd/front_rpc.c agentd/front_rpc.h \
	agentd/handle.c agentd/handle.h \
	agentd/id.c agentd/id.h \
	agentd/listing.c agentd/listing.h \
	agentd/main.c \
	agentd/method.c agentd/method.h \
	agentd/method_exec.c \
	agentd/method_lease.c \
	agentd/method_list.c \
	agentd/method_tool.c \
	agentd/metrics.c agentd/metrics.h \
	agentd/loopback.c agentd/loopback.h \
	agentd/metrics_http.c agentd/metrics_http.h \
	agentd/output.c agentd/output.h \
	agentd/owner.c agentd/owner.h \
	agentd/privilege.c agentd/privilege.h \
	agentd/release.c agentd/release.h \
	agentd/sandbox.c agentd/sandbox.h \
	agentd/server.c agentd/server.h \
	agentd/workspace.c agentd/workspace.h
hearth_agentd_CPPFLAGS = $(AM_CPPFLAGS) $(EVDNS_CFLAGS) $(JANSSON_CFLAGS)
hearth_agentd_LDADD = libapi.a libproject.a libupstream.a libstore.a libtool.a librpc.a libproto.a libbase.a \
	$(EVDNS_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS) $(INIH_LIBS) $(YAML_LIBS) $(CURL_LIBS) $(SQLITE_LIBS) $(CRYPTO_LIBS)
EXTRA_DIST += examples/agent/demo.py examples/agent/demo.json
EXTRA_DIST += docs/rpc.md docs/tools.md examples/main_job.py examples/main_job.json
dist_man_MANS += man/hearth-agentd.8

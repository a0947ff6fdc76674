# The way to the models; knows nothing of sessions or sandboxes.
noinst_LIBRARIES += libupstream.a
libupstream_a_SOURCES = \
	agentd/upstream/attempt.c agentd/upstream/attempt.h \
	agentd/upstream/candidates.c agentd/upstream/candidates.h \
	agentd/upstream/dialect.c agentd/upstream/dialect.h \
	agentd/upstream/dialect_anthropic.c \
	agentd/upstream/dialect_anthropic_encode.c \
	agentd/upstream/dialect_openai.c \
	agentd/upstream/loose_json.c agentd/upstream/loose_json.h \
	agentd/upstream/provider.c agentd/upstream/provider.h \
	agentd/upstream/reply.c agentd/upstream/reply.h \
	agentd/upstream/reply_call.c agentd/upstream/reply_private.h \
	agentd/upstream/request.c agentd/upstream/request.h \
	agentd/upstream/secret.c agentd/upstream/secret.h \
	agentd/upstream/sse.c agentd/upstream/sse.h \
	agentd/upstream/transfer.c agentd/upstream/transfer.h \
	agentd/upstream/transfer_curl.c agentd/upstream/transfer_curl.h \
	agentd/upstream/upstream.c agentd/upstream/upstream.h \
	agentd/upstream/tools_text.c agentd/upstream/tools_text.h \
	agentd/upstream/verdict.c agentd/upstream/verdict.h
libupstream_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
EXTRA_DIST += docs/models.md

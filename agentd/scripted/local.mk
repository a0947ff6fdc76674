# A model that follows a script, over the same wire as real ones. A library, so that tests and fuzzers have its parsers.
noinst_LIBRARIES += libscripted.a
libscripted_a_SOURCES = \
	agentd/scripted/anthropic.c \
	agentd/scripted/chat.c agentd/scripted/chat.h \
	agentd/scripted/door.c agentd/scripted/door.h \
	agentd/scripted/openai.c \
	agentd/scripted/place.c agentd/scripted/place.h \
	agentd/scripted/scenario.c agentd/scripted/scenario.h \
	agentd/scripted/scenario_step.c agentd/scripted/scenario_step.h \
	agentd/scripted/service.c agentd/scripted/service.h \
	agentd/scripted/speech.c agentd/scripted/speech.h \
	agentd/scripted/wire.c agentd/scripted/wire.h
libscripted_a_CPPFLAGS = $(AM_CPPFLAGS) $(EVDNS_CFLAGS) $(JANSSON_CFLAGS)

pkglibexec_PROGRAMS += hearth-scripted-model
hearth_scripted_model_SOURCES = agentd/scripted/main.c agentd/loopback.c agentd/loopback.h
hearth_scripted_model_CPPFLAGS = $(AM_CPPFLAGS) $(EVDNS_CFLAGS) $(JANSSON_CFLAGS)
hearth_scripted_model_LDADD = libscripted.a libbase.a $(EVDNS_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS)
EXTRA_DIST += docs/scripted-model.md examples/scenario.json
